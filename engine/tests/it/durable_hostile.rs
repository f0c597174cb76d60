//! The fuzz targets of a world's files over their committed corpus, truncations of it and seeded mutations.
//!
//! `WORLDSHARD_BLESS=1` writes the corpus anew, when a format has changed.

#[path = "../../../protocol/tests/mutate/mod.rs"]
mod mutate;
#[path = "../../../fuzz/src/durable.rs"]
#[expect(
    unreachable_pub,
    reason = "the file is a module of the fuzz crate, whose binaries call it"
)]
mod targets;

use std::fs;
use std::path::Path;

use mutate::{Chance, mutated};
use worldshard::durable::{Chunk, FileName, Manifest, checkpoint_file, write_chunk};
use worldshard_protocol::{SessionId, Tick};
use worldshard_shard::{Acknowledgement, Call, Command, CommandBody, Recipe, WorldConfig};
use worldshard_spatial::{Point, ShardId};

/// Pieces of two shards, of growing length.
fn journals() -> Vec<Vec<u8>> {
    let mut journal = Vec::new();
    let mut journals = Vec::new();
    for tick in 1..=9u64 {
        let session = SessionId::new(1, tick);
        let command = Command {
            session,
            sequence: tick as u32,
            client_sequence: 7,
            body: CommandBody::Steer(Point::flat(0.5, tick as f32)),
        };
        let acknowledgement = Acknowledgement {
            session,
            delta_sequence: 3,
        };
        let mut calls = vec![Call::Command(command), Call::Acknowledge(acknowledgement)];
        calls.truncate((tick % 3) as usize);
        if tick == 5 {
            // A piece within a piece: a client may say one.
            let (opcode, payload) = (9, journal.clone().into());
            let body = CommandBody::Custom { opcode, payload };
            let (sequence, client_sequence) = (1, 1);
            calls.push(Call::Command(Command {
                session,
                sequence,
                client_sequence,
                body,
            }));
        }
        calls.push(Call::Advance(Tick(tick)));
        let chunk = Chunk {
            shard: ShardId((tick % 2) as u16),
            tick: Tick(tick),
            calls,
        };
        write_chunk(&chunk, &mut journal);
        journals.push(journal.clone());
    }
    journals
}

fn manifests() -> Vec<Vec<u8>> {
    let recipe = Recipe::new(WorldConfig::default());
    let launch = [("entities".to_owned(), "5".to_owned())];
    let mut manifests: Vec<_> = (1..=8)
        .map(|shards| Manifest::of("flock", &recipe, shards, launch.clone().into()).to_bytes())
        .collect();
    manifests.push(checkpoint_file(b"an archive"));
    manifests.push(
        FileName::Checkpoint(Tick(90), ShardId(3))
            .to_string()
            .into(),
    );
    manifests
}

fn check(name: &str, seeds: &[Vec<u8>], target: fn(&[u8]) -> bool) -> u32 {
    let bless = std::env::var_os("WORLDSHARD_BLESS").is_some_and(|bless| bless == "1");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(name);
    let (mut chance, mut accepted) = (Chance(7), 0);
    for (number, bytes) in seeds.iter().enumerate() {
        let path = folder.join(format!("seed_{number:02}"));
        if bless {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&path, bytes).unwrap();
        }
        let stored = fs::read(&path).expect("the corpus is committed");
        assert!(
            stored == *bytes,
            "{path:?} is of another format: bless it anew"
        );
        target(&stored);
        for cut in 0..stored.len() {
            target(&stored[..cut]);
        }
        for _ in 0..600 {
            accepted += u32::from(target(&mutated(&stored, &mut chance)));
        }
    }
    accepted
}

#[test]
fn a_journal_of_any_bytes_is_read_up_to_where_it_is_not_whole() {
    // Only what is cut between two pieces is a journal again.
    let accepted = check("journal", &journals(), targets::journal);
    assert!(
        accepted < 100,
        "{accepted} damaged journals taken for whole"
    );
}

#[test]
fn a_manifest_of_any_bytes_is_refused_or_read() {
    let accepted = check("manifest", &manifests(), targets::manifest);
    assert!(accepted > 20, "{accepted} mutants accepted");
}
