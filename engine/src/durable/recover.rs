//! Finds the newest world in a store: the newest generation that is whole, and every tick that was written behind it.
//!
//! Never changes the store, and never begins a world where one was.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::sync::Arc;

use worldshard_protocol::Tick;
use worldshard_shard::{Call, Recipe, Shard};
use worldshard_spatial::CellMap;

use super::codec::checkpoint_of;
use super::error::DurableError;
use super::journal::{Chunk, Ending, read_journal};
use super::manifest::Manifest;
use super::names::FileName;
use super::replay::Replay;
use super::retention::complete;
use super::store::Store;

/// What is to be opened, and how.
#[derive(Clone)]
pub struct Opening {
    /// What the world is made of.
    pub recipe: Arc<Recipe>,
    /// How it is cut.
    pub cell_map: Arc<CellMap>,
    /// Up to which tick; the last, if not said.
    pub until: Option<Tick>,
    /// Whether a journal that breaks off in its middle is followed as far as it goes.
    pub accept_loss: bool,
}

/// A world that was found, before it does again what is in its journal.
pub struct Loaded {
    /// The world as its checkpoint has it, and what is to be done again.
    pub replay: Replay,
    /// The tick of the checkpoint.
    pub checkpoint: Tick,
    /// The last tick that it can do again.
    pub reach: Tick,
    /// What was passed over or cut off, for people.
    pub notes: Vec<String>,
}

/// A world that came back.
pub struct Recovered {
    /// All shards, after [`tick`](Self::tick).
    pub shards: Vec<Shard>,
    /// The last tick that was written for all shards, or the one that was asked for.
    pub tick: Tick,
    /// The tick of the checkpoint from which it was done again.
    pub checkpoint: Tick,
    /// What was passed over or cut off, for people.
    pub notes: Vec<String>,
}

/// The world of a store as it was after its last whole tick. `None` when the store has no file of a world.
///
/// # Errors
/// When files are there and no world can be made of them, or not without losing what was told.
pub fn recover(store: &dyn Store, opening: &Opening) -> Result<Option<Recovered>, DurableError> {
    let Some(loaded) = load(store, opening)? else {
        return Ok(None);
    };
    let Loaded {
        mut replay,
        checkpoint,
        reach,
        notes,
    } = loaded;
    while replay.tick() < reach && replay.step()? {}
    assert_eq!(
        replay.tick(),
        reach,
        "what is within reach can be done again"
    );
    Ok(Some(Recovered {
        tick: replay.tick(),
        shards: replay.into_shards(),
        checkpoint,
        notes,
    }))
}

/// The newest generation that leads to the tick that is wanted, and its calls.
///
/// # Errors
/// As [`recover`].
pub fn load(store: &dyn Store, opening: &Opening) -> Result<Option<Loaded>, DurableError> {
    let files = files(store)?;
    let generations: BTreeSet<Tick> = files.iter().filter_map(generation).collect();
    if generations.is_empty() {
        return Ok(None);
    }
    let followed = followed(store, opening, &files);
    let until = opening.until.unwrap_or(Tick(u64::MAX));
    let mut notes = Vec::new();
    let mut newest = None;
    for &checkpoint in generations.iter().rev().filter(|tick| **tick <= until) {
        match shards_of(store, opening, checkpoint)? {
            // An older generation has the same journals behind it: it leads no further.
            Ok(shards) => {
                newest = Some((follow(store, &followed, checkpoint, opening)?, shards));
                break;
            }
            Err(reason) => notes.push(reason),
        }
    }
    let Some((candidate, shards)) = newest else {
        return Err(match (generations.first(), opening.until) {
            (Some(&first), Some(tick)) if tick < first => DurableError::NotKept {
                tick,
                first,
                last: *generations.last().expect("it has a first"),
            },
            _ => DurableError::NoneWhole(notes),
        });
    };
    finish(candidate, shards, opening, &generations, notes).map(Some)
}

/// The world of one generation, and all that was said to it later, as far as that goes.
///
/// # Errors
/// As [`recover`]; and when this generation is not whole.
pub fn load_from(
    store: &dyn Store,
    opening: &Opening,
    checkpoint: Tick,
) -> Result<Loaded, DurableError> {
    let generations = followed(store, opening, &files(store)?);
    let shards = shards_of(store, opening, checkpoint)?;
    let shards = shards.map_err(|reason| DurableError::NoneWhole(vec![reason]))?;
    let candidate = follow(store, &generations, checkpoint, opening)?;
    finish(candidate, shards, opening, &generations, Vec::new())
}

/// What a generation leads to.
struct Candidate {
    checkpoint: Tick,
    reach: Tick,
    calls: Vec<VecDeque<Call>>,
    /// Why it leads no further, if that is not simply the end.
    break_off: Option<String>,
    notes: Vec<String>,
}

fn finish(
    candidate: Candidate,
    shards: Vec<Shard>,
    opening: &Opening,
    generations: &BTreeSet<Tick>,
    mut notes: Vec<String>,
) -> Result<Loaded, DurableError> {
    let Candidate {
        checkpoint,
        reach,
        calls,
        break_off,
        notes: found,
    } = candidate;
    notes.extend(found);
    if let Some(tick) = opening.until.filter(|tick| *tick > reach) {
        let first = *generations.first().expect("the candidate is one");
        let last = reach;
        return Err(DurableError::NotKept { tick, first, last });
    }
    let reach = opening.until.unwrap_or(reach);
    // Whoever asks for a tick before the break gets it whole.
    match break_off.filter(|_| opening.until.is_none()) {
        Some(what) if !opening.accept_loss => return Err(DurableError::Broken { reach, what }),
        Some(what) => notes.push(format!("{what}: followed up to tick {reach} only")),
        None => {}
    }
    Ok(Loaded {
        replay: Replay::new(shards, calls, checkpoint),
        checkpoint,
        reach,
        notes,
    })
}

pub(super) fn files(store: &dyn Store) -> Result<Vec<FileName>, DurableError> {
    let names = store.list().map_err(|source| DurableError::Io {
        what: "listing the folder".to_owned(),
        source,
    })?;
    Ok(names
        .iter()
        .filter_map(|name| FileName::parse(name))
        .collect())
}

pub(super) fn generation(name: &FileName) -> Option<Tick> {
    match name {
        FileName::Checkpoint(tick, _) | FileName::Journal(tick) => Some(*tick),
        FileName::Manifest => None,
    }
}

/// The generations that lead from one to the next. Where no journal was kept, one that some shard has no checkpoint of was
/// never finished: nothing of it was promised.
fn followed(store: &dyn Store, opening: &Opening, files: &[FileName]) -> BTreeSet<Tick> {
    let mut generations: BTreeSet<Tick> = files.iter().filter_map(generation).collect();
    let manifest = store.read(&FileName::Manifest.to_string()).ok();
    let manifest = manifest.and_then(|bytes| Manifest::parse(&bytes).ok());
    if manifest.is_some_and(|manifest| !manifest.journal) {
        let complete = complete(files, opening.cell_map.shard_count());
        generations
            .retain(|tick| complete.contains(tick) || files.contains(&FileName::Journal(*tick)));
    }
    generations
}

/// All shards of a generation, or why it is not whole. What is whole and cannot be taken is an error: an older one
/// could not be taken either.
fn shards_of(
    store: &dyn Store,
    opening: &Opening,
    checkpoint: Tick,
) -> Result<Result<Vec<Shard>, String>, DurableError> {
    let mut shards = Vec::new();
    for own in opening.cell_map.shards() {
        let name = FileName::Checkpoint(checkpoint, own).to_string();
        let file = match store.read(&name) {
            Ok(file) => file,
            Err(error) => return Ok(Err(format!("{name}: {error}"))),
        };
        let Some(archive) = checkpoint_of(&file) else {
            return Ok(Err(format!(
                "{name}: the checksum is not that of its bytes"
            )));
        };
        let (recipe, cell_map) = (opening.recipe.clone(), opening.cell_map.clone());
        let shard = Shard::restore(own, recipe, cell_map, archive)
            .map_err(|source| DurableError::Refused { file: name, source })?;
        assert_eq!(
            shard.tick(),
            checkpoint,
            "a checkpoint is named after its tick"
        );
        shards.push(shard);
    }
    Ok(Ok(shards))
}

/// Everything in the journals behind a checkpoint, and how far it leads.
fn follow(
    store: &dyn Store,
    generations: &BTreeSet<Tick>,
    checkpoint: Tick,
    opening: &Opening,
) -> Result<Candidate, DurableError> {
    let mut progress = Progress::after(checkpoint, usize::from(opening.cell_map.shard_count()));
    let mut notes = Vec::new();
    let mut break_off = None;
    let until = opening.until.unwrap_or(Tick(u64::MAX));
    for &tick in generations
        .range(checkpoint..)
        .take_while(|tick| **tick <= until)
    {
        let name = FileName::Journal(tick).to_string();
        let next = generations.range(tick.next()..).next().copied();
        let (chunks, ending) = match store.read(&name) {
            Ok(bytes) => read_journal(&bytes),
            // It is made with its first tick.
            Err(error) if error.kind() == io::ErrorKind::NotFound => (Vec::new(), Ending::Whole),
            Err(source) => {
                let what = format!("reading {name}");
                return Err(DurableError::Io { what, source });
            }
        };
        // A journal that was left in the middle of a tick goes on in the next one without what was left.
        let valid = chunks
            .into_iter()
            .filter(|chunk| next.is_none_or(|next| chunk.tick <= next));
        let taken = progress.take(valid);
        let reach = progress.reach();
        let short_of = next.filter(|next| reach < *next);
        break_off = match (taken, ending, short_of) {
            (Err(why), ..) => Some(format!("{name}: {why}")),
            (_, Ending::Damaged(at), _) => Some(format!("{name} is damaged at byte {at}")),
            (_, Ending::Unknown(at), _) => Some(format!(
                "{name}: the piece at byte {at} is as it was written, and this build cannot read it"
            )),
            (_, Ending::Torn(at), Some(_)) => Some(format!("{name} is cut off at byte {at}")),
            (_, Ending::Whole, Some(next)) => Some(format!(
                "{name} ends with tick {reach}, before the checkpoint of {next}"
            )),
            (_, Ending::Torn(at), None) => {
                notes.push(format!(
                    "{name}: a piece at byte {at} was not written to its end"
                ));
                None
            }
            (_, Ending::Whole, None) => None,
        };
        if break_off.is_some() {
            break;
        }
    }
    let reach = progress.reach();
    Ok(Candidate {
        checkpoint,
        reach,
        calls: progress.calls_up_to(reach),
        break_off,
        notes,
    })
}

/// How far the calls of each shard lead, while journals are followed.
struct Progress {
    chunks: Vec<Vec<Chunk>>,
    /// The half that comes next, of each shard.
    next: Vec<Half>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Half {
    Advance(Tick),
    Absorb(Tick),
}

impl Progress {
    fn after(checkpoint: Tick, shards: usize) -> Self {
        Self {
            chunks: vec![Vec::new(); shards],
            next: vec![Half::Advance(checkpoint.next()); shards],
        }
    }

    /// The last tick that every shard has begun.
    fn reach(&self) -> Tick {
        let begun = self.next.iter().map(|next| match *next {
            Half::Advance(tick) => Tick(tick.0 - 1),
            Half::Absorb(tick) => tick,
        });
        begun.min().expect("a world has a shard")
    }

    /// Takes pieces in as long as each goes on where the one before ended.
    fn take(&mut self, chunks: impl Iterator<Item = Chunk>) -> Result<(), String> {
        for chunk in chunks {
            let shard = usize::from(chunk.shard.0);
            let Some(next) = self.next.get_mut(shard) else {
                return Err(format!("shard {} is spoken to, which is none", chunk.shard));
            };
            for call in &chunk.calls {
                let half = match *call {
                    Call::Advance(tick) => Half::Advance(tick),
                    Call::Absorb(tick, _) => Half::Absorb(tick),
                    Call::Command(_)
                    | Call::Acknowledge(_)
                    | Call::Say(_)
                    | Call::Quarantine(_)
                    | Call::RunAllSystems
                    | Call::Dismiss
                    | Call::Settle => continue,
                };
                if half != *next {
                    return Err(format!(
                        "shard {shard}: {half:?} stands where {next:?} belongs"
                    ));
                }
                *next = match half {
                    Half::Advance(tick) => Half::Absorb(tick),
                    Half::Absorb(tick) => Half::Advance(tick.next()),
                };
            }
            self.chunks[shard].push(chunk);
        }
        Ok(())
    }

    /// What leads every shard to a tick, and no further: what some were told of the next one is not of this world.
    fn calls_up_to(self, tick: Tick) -> Vec<VecDeque<Call>> {
        let up_to = |chunks: Vec<Chunk>| {
            let chunks = chunks.into_iter().filter(|chunk| chunk.tick <= tick);
            chunks.flat_map(|chunk| chunk.calls).collect()
        };
        self.chunks.into_iter().map(up_to).collect()
    }
}
