//! Writes the journal of a running world, and says up to which tick it can be had again.
//!
//! Called by one thread, with what all shards give in any order between them. Never decides when a checkpoint is taken.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use worldshard_protocol::Tick;
use worldshard_spatial::ShardId;

use super::names::FileName;
use super::retention::{complete, outdated};
use super::store::Store;

/// The journal of a running world.
pub struct Keeper {
    store: Arc<dyn Store>,
    shards: Vec<Kept>,
    /// The generation whose journal is written to.
    open: Tick,
    /// Whether its journal was appended to since it was last synchronised.
    dirty: bool,
    /// Pieces that belong behind a checkpoint that not all shards have reached. They wait: a journal that is there says that
    /// the one before it is complete.
    waiting: BTreeMap<Tick, Vec<u8>>,
    /// Of which generations which shards' checkpoints are written.
    written: BTreeMap<Tick, BTreeSet<ShardId>>,
    generations_kept: usize,
}

/// One shard's part.
#[derive(Clone, Copy)]
struct Kept {
    /// Whose journal its pieces go to.
    generation: Tick,
    /// The last tick of which the first half is in the journal.
    advanced: Tick,
}

impl Keeper {
    /// Goes on behind a generation that is whole. `generations_kept` is at least 1.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, shards: u16, from: Tick, generations_kept: usize) -> Self {
        let kept = Kept {
            generation: from,
            advanced: from,
        };
        Self {
            store,
            shards: vec![kept; usize::from(shards)],
            open: from,
            dirty: false,
            waiting: BTreeMap::new(),
            written: BTreeMap::new(),
            generations_kept: generations_kept.max(1),
        }
    }

    /// Appends the bytes of a piece ([`write_chunk`](super::write_chunk)) that leads a shard to a tick. One that `closes`
    /// ends at a checkpoint of that tick: the shard's next belongs to that.
    ///
    /// # Errors
    /// What the store says. A part of the piece may be written then: nothing may be appended behind it.
    pub fn append(
        &mut self,
        shard: ShardId,
        tick: Tick,
        piece: &[u8],
        closes: bool,
    ) -> io::Result<()> {
        let kept = &mut self.shards[usize::from(shard.0)];
        let generation = kept.generation;
        if closes {
            kept.generation = tick;
        }
        kept.advanced = tick;
        if generation > self.open {
            let waiting = self.waiting.entry(generation).or_default();
            waiting.extend_from_slice(piece);
            return Ok(());
        }
        self.dirty = true;
        self.store
            .append(&FileName::Journal(generation).to_string(), piece)
    }

    /// Makes what was appended durable; the last tick that all shards have in it.
    ///
    /// # Errors
    /// What the store says; then nothing is known of what was appended since the last commit.
    pub fn commit(&mut self) -> io::Result<Tick> {
        loop {
            if self.dirty {
                self.store.sync(&FileName::Journal(self.open).to_string())?;
                self.dirty = false;
            }
            let reached = self.shards.iter().map(|kept| kept.generation).min();
            let reached = reached.expect("a world has a shard");
            let next = self.waiting.first_entry();
            let Some(next) = next.filter(|next| *next.key() <= reached) else {
                self.open = reached;
                break;
            };
            // What is behind a checkpoint counts for nothing without what is before it, and that is durable now.
            let (generation, pieces) = next.remove_entry();
            self.open = generation;
            self.dirty = true;
            self.store
                .append(&FileName::Journal(generation).to_string(), &pieces)?;
        }
        let advanced = self.shards.iter().map(|kept| kept.advanced);
        Ok(advanced.min().expect("a world has a shard"))
    }

    /// The newest generation whose checkpoints may be written: all that leads to them is durable. One that was written
    /// sooner could not be done without.
    #[must_use]
    pub fn complete(&self) -> Tick {
        self.open
    }

    /// Takes note that a shard's checkpoint is written. When that makes its generation whole, files of generations
    /// before those that are kept go.
    ///
    /// # Errors
    /// What the store says of files that were to go.
    pub fn checkpointed(&mut self, tick: Tick, shard: ShardId) -> io::Result<()> {
        let written = self.written.entry(tick).or_default();
        written.insert(shard);
        if written.len() < self.shards.len() {
            return Ok(());
        }
        // One that is older and still not whole never will be.
        self.written.retain(|of, _| *of > tick);
        let names = self.store.list()?;
        let names: Vec<FileName> = names
            .iter()
            .filter_map(|name| FileName::parse(name))
            .collect();
        let shards = u16::try_from(self.shards.len()).expect("a shard's number is 16 bits");
        // Those of processes before count too.
        let mut whole = complete(&names, shards);
        whole.retain(|of| *of <= tick);
        for name in outdated(&names, &whole, self.generations_kept) {
            self.store.remove(&name.to_string())?;
        }
        Ok(())
    }
}
