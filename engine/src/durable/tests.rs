//! A world on a disk of memory: it comes back whatever was on its way, or says what is missing.

mod reopening;
mod without_journal;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use worldshard_protocol::{SessionId, Tick, ViewpointMode};
use worldshard_shard::{
    Acknowledgement, Call, Command, CommandBody, Envelope, Interest, Join, Keep, Shard,
};
use worldshard_spatial::{Point, ShardId};

use super::*;
use crate::hub::Commons;
use crate::prelude::App;
use crate::worlds::{WorldName, world};

/// Files in memory, as they would be after a crash.
#[derive(Default)]
struct Memory(Mutex<BTreeMap<String, Vec<u8>>>);

impl Store for Memory {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.0.lock().unwrap().keys().cloned().collect())
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let files = self.0.lock().unwrap();
        files
            .get(name)
            .cloned()
            .ok_or(io::ErrorKind::NotFound.into())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.0
            .lock()
            .unwrap()
            .insert(name.to_owned(), bytes.to_vec());
        Ok(())
    }

    fn append(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut files = self.0.lock().unwrap();
        files
            .entry(name.to_owned())
            .or_default()
            .extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&self, _name: &str) -> io::Result<()> {
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.lock().unwrap().remove(name);
        Ok(())
    }
}

/// A running world of some shards and its files.
struct Living {
    store: Arc<Memory>,
    keeper: Keeper,
    shards: Vec<Shard>,
    opening: Opening,
    tick: Tick,
    /// The digest after each tick.
    digests: BTreeMap<Tick, u128>,
    sequence: u32,
    /// How many processes had the world before.
    process: u64,
    /// Whether what is said is written down.
    journal: bool,
}

fn piece(chunk: &Chunk) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_chunk(chunk, &mut bytes);
    bytes
}

fn opening(shards: u16) -> Opening {
    let recipe = App::new()
        .plugin(world(WorldName::Flock, 300, 3))
        .build()
        .unwrap();
    let cell_map = Commons::new(&recipe, shards).unwrap().cell_map().clone();
    Opening {
        recipe: recipe.world().clone(),
        cell_map,
        until: None,
        accept_loss: false,
    }
}

impl Living {
    fn begin(shards: u16) -> Self {
        let opening = opening(shards);
        let made = opening
            .cell_map
            .shards()
            .map(|own| Shard::new(own, opening.recipe.clone(), opening.cell_map.clone()).unwrap());
        let made = made.collect();
        Self::around(Arc::default(), made, opening, Tick(0))
    }

    /// Writes a generation and goes on behind it.
    fn around(store: Arc<Memory>, mut shards: Vec<Shard>, opening: Opening, tick: Tick) -> Self {
        for shard in &mut shards {
            let name = FileName::Checkpoint(tick, shard.own()).to_string();
            store
                .write(&name, &checkpoint_file(&shard.freeze().encode()))
                .unwrap();
            shard.keep_calls(Keep::Words);
        }
        let kept: Arc<dyn Store> = store.clone();
        let keeper = Keeper::new(kept, opening.cell_map.shard_count(), tick, 2);
        Self {
            store,
            keeper,
            shards,
            opening,
            tick,
            digests: BTreeMap::new(),
            sequence: 0,
            process: 0,
            journal: true,
        }
    }

    /// The world as the next process has it.
    fn reopened(&self) -> Self {
        let Recovered { shards, tick, .. } = self.recover().unwrap();
        settle(&*self.store, &shards, tick).unwrap();
        let mut next = Self::around(self.store.clone(), shards, self.opening.clone(), tick);
        next.shards.iter_mut().for_each(Shard::dismiss);
        next.digests = self.digests.clone();
        next.process = self.process + 1;
        next.journal = self.journal;
        next
    }

    fn session(&self, number: u64) -> SessionId {
        SessionId::new(0, (self.process << 28) + number + 1)
    }

    /// Every session joins once and steers in every tick; what it has it acknowledges.
    fn command(&mut self) {
        self.sequence += 1;
        for number in 0..6 {
            let session = self.session(number);
            let body = if self.sequence == 1 {
                let at =
                    self.opening.recipe.config.bounds.min + Point::flat(50.0, 30.0) * number as f32;
                CommandBody::Join(Join {
                    mode: ViewpointMode::Avatar,
                    at,
                    interest: Interest::Radius(20.0),
                    full: false,
                    author: number,
                    generation: 0,
                })
            } else {
                let turn = self.sequence as f32 + number as f32;
                CommandBody::Steer(Point::flat(turn.sin(), turn.cos()))
            };
            let command = Command {
                session,
                sequence: self.sequence,
                client_sequence: self.sequence,
                body,
            };
            let viewed = self
                .shards
                .iter()
                .position(|shard| shard.viewer(session).is_some());
            let shard = &mut self.shards[viewed.unwrap_or(0)];
            shard.command(command);
            if let Some(stats) = shard.viewer(session) {
                let delta_sequence = stats.delta_sequence;
                shard.acknowledge(Acknowledgement {
                    session,
                    delta_sequence,
                });
            }
        }
    }

    /// A tick, written down up to its first half, as a real driver does.
    fn step(&mut self) {
        self.command();
        self.tick = self.tick.next();
        let mut inboxes: Vec<Vec<Envelope>> = self.shards.iter().map(|_| Vec::new()).collect();
        for shard in &mut self.shards {
            for envelope in shard.advance(self.tick) {
                inboxes[usize::from(envelope.to.0)].push(envelope);
            }
            let calls = shard.take_calls();
            let chunk = Chunk {
                shard: shard.own(),
                tick: self.tick,
                calls,
            };
            if self.journal {
                self.keeper
                    .append(chunk.shard, chunk.tick, &piece(&chunk), false)
                    .unwrap();
            }
        }
        if self.journal {
            assert_eq!(self.keeper.commit().unwrap(), self.tick);
        }
        for (shard, inbox) in self.shards.iter_mut().zip(&mut inboxes) {
            shard.absorb(self.tick, inbox);
        }
        self.digests.insert(self.tick, self.digest());
    }

    fn digest(&self) -> u128 {
        self.shards
            .iter()
            .map(Shard::digest)
            .fold(0, u128::wrapping_add)
    }

    fn checkpoint(&mut self) {
        for shard in &mut self.shards {
            let calls = shard.take_calls();
            let chunk = Chunk {
                shard: shard.own(),
                tick: self.tick,
                calls,
            };
            if self.journal {
                self.keeper
                    .append(chunk.shard, chunk.tick, &piece(&chunk), true)
                    .unwrap();
            }
            let name = FileName::Checkpoint(self.tick, shard.own()).to_string();
            self.store
                .write(&name, &checkpoint_file(&shard.freeze().encode()))
                .unwrap();
        }
        for own in self.opening.cell_map.shards() {
            self.keeper.checkpointed(self.tick, own).unwrap();
        }
    }

    fn run(&mut self, ticks: u64, checkpoint_every: u64) {
        for _ in 0..ticks {
            self.step();
            if self.tick.0.is_multiple_of(checkpoint_every) {
                self.checkpoint();
            }
        }
    }

    fn recover(&self) -> Result<Recovered, DurableError> {
        recover(&*self.store, &self.opening).map(|found| found.expect("there are files"))
    }

    fn damage(&self, name: FileName, damage: impl FnOnce(&mut Vec<u8>)) {
        damage(
            self.store
                .0
                .lock()
                .unwrap()
                .get_mut(&name.to_string())
                .unwrap(),
        );
    }
}

fn digest_of(recovered: &Recovered) -> u128 {
    recovered
        .shards
        .iter()
        .map(Shard::digest)
        .fold(0, u128::wrapping_add)
}

#[test]
fn a_world_comes_back_as_it_was_and_goes_on_alike() {
    for shards in [1, 2, 8] {
        let mut living = Living::begin(shards);
        living.run(47, 10);
        let recovered = living.recover().unwrap();
        assert_eq!((recovered.tick, recovered.checkpoint), (Tick(47), Tick(40)));
        assert_eq!(digest_of(&recovered), living.digests[&Tick(47)]);
        assert_eq!(recovered.notes, Vec::<String>::new());
        let again = recovered
            .shards
            .iter()
            .map(|shard| format!("{:?}", shard.stats()));
        let before = living
            .shards
            .iter()
            .map(|shard| format!("{:?}", shard.stats()));
        assert!(again.eq(before), "counters and viewers come back too");
        // It goes on, comes back once more, and is still the world that never stopped.
        let (sequence, tick) = (living.sequence, recovered.tick);
        let mut second = Living::around(
            living.store.clone(),
            recovered.shards,
            opening(shards),
            tick,
        );
        second.sequence = sequence;
        living.run(20, 1000);
        second.run(20, 10);
        assert_eq!(second.digests[&Tick(67)], living.digests[&Tick(67)]);
        let recovered = second.recover().unwrap();
        assert_eq!(digest_of(&recovered), living.digests[&Tick(67)]);
    }
}

#[test]
fn any_kept_tick_can_be_had_and_one_that_is_not_is_named() {
    let mut living = Living::begin(2);
    living.run(47, 10);
    // Two generations are kept: 30 and 40.
    for tick in [30, 31, 39, 40, 41, 46, 47].map(Tick) {
        let opening = Opening {
            until: Some(tick),
            ..living.opening.clone()
        };
        let recovered = recover(&*living.store, &opening).unwrap().unwrap();
        assert_eq!(
            (recovered.tick, digest_of(&recovered)),
            (tick, living.digests[&tick])
        );
    }
    for tick in [29, 48].map(Tick) {
        let opening = Opening {
            until: Some(tick),
            ..living.opening.clone()
        };
        let refused = recover(&*living.store, &opening).err().unwrap().to_string();
        assert_eq!(
            refused,
            format!("tick {tick} is not kept: 30 to 47 are").replace(
                "30 to 47",
                if tick.0 == 29 { "30 to 40" } else { "30 to 47" }
            )
        );
    }
}

#[test]
fn a_torn_tail_costs_only_what_was_not_committed() {
    let mut living = Living::begin(2);
    living.run(25, 10);
    let journal = FileName::Journal(Tick(20));
    let whole = living.store.read(&journal.to_string()).unwrap();
    let (chunks, ending) = read_journal(&whole);
    assert_eq!((chunks.len(), ending), (10, Ending::Whole));
    for length in (0..whole.len()).step_by(7) {
        living.damage(journal, |bytes| *bytes = whole[..length].to_vec());
        let recovered = living.recover().unwrap();
        assert!(recovered.tick >= Tick(20) && recovered.tick < Tick(25));
        if recovered.tick > Tick(20) {
            assert_eq!(digest_of(&recovered), living.digests[&recovered.tick]);
        }
    }
}

#[test]
fn a_damaged_checkpoint_falls_back_to_the_generation_before_without_loss() {
    let mut living = Living::begin(2);
    living.run(25, 10);
    let name = FileName::Checkpoint(Tick(20), ShardId(1));
    living.damage(name, |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 4;
    });
    let recovered = living.recover().unwrap();
    assert_eq!((recovered.tick, recovered.checkpoint), (Tick(25), Tick(10)));
    assert_eq!(digest_of(&recovered), living.digests[&Tick(25)]);
    assert_eq!(
        recovered.notes,
        [format!("{name}: the checksum is not that of its bytes")]
    );
    living
        .store
        .remove(&FileName::Checkpoint(Tick(10), ShardId(0)).to_string())
        .unwrap();
    let refused = living.recover().err().unwrap().to_string();
    assert!(refused.starts_with("no checkpoint is whole"), "{refused}");
    assert!(
        refused.contains("checkpoint-000000000010-0000.wsc"),
        "{refused}"
    );
}

#[test]
fn damage_within_a_journal_is_refused_unless_the_loss_is_accepted() {
    let mut living = Living::begin(2);
    living.run(25, 10);
    let journal = FileName::Journal(Tick(20));
    living.damage(journal, |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    });
    let refused = living.recover().err().unwrap();
    assert!(matches!(refused, DurableError::Broken { reach, .. } if reach < Tick(25)));
    assert!(
        refused
            .to_string()
            .contains("journal-000000000020.wsj is damaged at byte"),
        "{refused}"
    );
    let opening = Opening {
        accept_loss: true,
        ..living.opening.clone()
    };
    let recovered = recover(&*living.store, &opening).unwrap().unwrap();
    assert_eq!(digest_of(&recovered), living.digests[&recovered.tick]);
    assert_eq!(recovered.notes.len(), 1);
}

#[test]
fn a_piece_that_is_missing_between_two_journals_is_noticed() {
    let mut living = Living::begin(2);
    living.run(25, 10);
    // As if the last piece before the checkpoint of tick 20 had never been written, and the checkpoint neither.
    let journal = FileName::Journal(Tick(10));
    living.damage(journal, |bytes| {
        let (mut chunks, _) = read_journal(bytes);
        let last = chunks.pop().unwrap();
        assert!(matches!(
            last.calls.first(),
            Some(Call::Absorb(Tick(20), _))
        ));
        bytes.clear();
        chunks.iter().for_each(|chunk| write_chunk(chunk, bytes));
    });
    living
        .store
        .remove(&FileName::Checkpoint(Tick(20), ShardId(1)).to_string())
        .unwrap();
    let refused = living.recover().err().unwrap().to_string();
    assert!(
        refused.contains("Advance(Tick(21)) stands where Absorb(Tick(20)) belongs"),
        "{refused}"
    );
}

#[test]
fn an_empty_store_is_no_world_and_another_world_is_named() {
    assert!(recover(&Memory::default(), &opening(2)).unwrap().is_none());
    let (two, four) = (opening(2), opening(4));
    let launch = BTreeMap::from([("world".to_owned(), "flock".to_owned())]);
    let manifest = Manifest::of("flock", &two.recipe, 2, launch);
    let again = Manifest::parse(&manifest.to_bytes()).unwrap();
    assert_eq!(again, manifest);
    again
        .check(&Manifest::of("flock", &two.recipe, 2, BTreeMap::new()))
        .unwrap();
    let other = again.check(&Manifest::of("flock", &four.recipe, 4, BTreeMap::new()));
    let other = other.err().unwrap().to_string();
    assert!(
        other.starts_with("world.json: shards is 2, and 4 was asked for"),
        "{other}"
    );
    let bytes = br#"{"format": 9, "world": "flock", "shards": 2, "rules": {}}"#;
    let format = Manifest::parse(bytes).err().unwrap().to_string();
    assert!(format.contains("of format 9"), "{format}");
}

#[test]
fn names_say_what_a_file_is_in_one_spelling_only() {
    for name in [
        FileName::Manifest,
        FileName::Checkpoint(Tick(120), ShardId(3)),
        FileName::Journal(Tick(7)),
    ] {
        assert_eq!(FileName::parse(&name.to_string()), Some(name));
    }
    for name in [
        "journal-7.wsj",
        "checkpoint-000000000120-3.wsc",
        "notes.txt",
        "journal-x.wsj",
    ] {
        assert_eq!(FileName::parse(name), None, "{name}");
    }
}
