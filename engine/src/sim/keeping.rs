//! The keeper and the scribe of a simulation: what threads do in a server, one step at a time, around the same parts.
//!
//! Never decides when a step is done, nor what goes wrong: that is the simulation.

use std::io;
use std::sync::Arc;

use flume::{Receiver, Sender};
use worldshard_protocol::Tick;
use worldshard_spatial::ShardId;

use crate::app::Durability;
use crate::durable::{FileName, Keeper, Store, checkpoint_file};
use crate::runtime::keeping::{AHEAD_MAX, Image, Kept, OwnKeeping, Shared, ToWrite};
use crate::sim::disk::Disk;

/// How a simulated world is kept: on a disk of memory, so that nothing is lost that a client was told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SimKeeping {
    /// Ticks between two checkpoints, at least 1.
    pub checkpoint_ticks: u64,
}

impl Default for SimKeeping {
    fn default() -> Self {
        Self {
            checkpoint_ticks: 10,
        }
    }
}

/// What keeps the world of one process.
pub(crate) struct Keeping {
    pub(crate) disk: Arc<Disk>,
    pub(crate) own: Vec<OwnKeeping>,
    /// The keeper does nothing before this turn, and the scribe before that.
    keeper_busy_until: u64,
    scribe_busy_until: u64,
    shared: Arc<Shared>,
    keeper: Keeper,
    kept: Receiver<Kept>,
    to_keeper: Sender<Kept>,
    to_write: Receiver<ToWrite>,
    /// Something was appended since the last commit.
    is_dirty: bool,
    /// Whoever is slow is so once.
    is_keeper_slow: bool,
    is_scribe_slow: bool,
    laid_out: Option<LaidOut>,
}

/// A checkpoint that is to be written next.
struct LaidOut {
    shard: ShardId,
    tick: Tick,
    file: Vec<u8>,
}

/// What may be done next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Chore {
    /// The keeper takes in what shards gave it.
    Append,
    /// The keeper makes it durable.
    Commit,
    /// The scribe lays a frozen shard out.
    LayOut,
    /// The scribe writes it.
    Write,
    /// A hub hears what is durable.
    Tell(usize),
}

impl Keeping {
    /// Of a process that goes on behind a generation.
    pub(crate) fn new(
        options: SimKeeping,
        disk: Arc<Disk>,
        tick: Tick,
        archives: Vec<Arc<Vec<u8>>>,
    ) -> Self {
        let shards = u16::try_from(archives.len()).expect("a shard's number is 16 bits");
        let room = archives.len() * (AHEAD_MAX as usize + 2) * 4;
        let (to_keeper, kept) = flume::bounded(room);
        let (to_scribe, to_write) = flume::bounded(archives.len() * IMAGES_WAITING_MAX);
        let shared = Arc::new(Shared::new(shards, tick));
        let own = |(shard, archive)| {
            OwnKeeping::new(
                shard,
                Arc::clone(&shared),
                Durability::Tick,
                options.checkpoint_ticks,
                false,
                Image { tick, archive },
                (to_keeper.clone(), to_scribe.clone()),
            )
        };
        let own = (0..).map(ShardId).zip(archives).map(own).collect();
        let store: Arc<dyn Store> = disk.clone();
        Self {
            disk,
            own,
            keeper_busy_until: 0,
            scribe_busy_until: 0,
            keeper: Keeper::new(store, shards, tick, GENERATIONS_KEPT),
            shared,
            kept,
            to_keeper,
            to_write,
            is_dirty: false,
            is_keeper_slow: false,
            is_scribe_slow: false,
            laid_out: None,
        }
    }

    /// All that may be done in this turn.
    pub(crate) fn chores(&self, turn: u64) -> impl Iterator<Item = Chore> {
        let keeper = self.keeper_busy_until <= turn;
        let scribe = self.scribe_busy_until <= turn;
        let is_due = |one: &LaidOut| one.tick <= self.keeper.complete();
        let writes = self.laid_out.as_ref().is_some_and(is_due);
        let lays_out = self.laid_out.is_none() && !self.to_write.is_empty();
        let chores = [
            (keeper && !self.kept.is_empty(), Chore::Append),
            (keeper && self.is_dirty, Chore::Commit),
            (scribe && lays_out, Chore::LayOut),
            (scribe && writes, Chore::Write),
        ];
        let chores = chores.into_iter().filter(|(may, _)| *may);
        let news = (0..).zip(&self.own).filter(|(_, own)| own.has_news());
        chores
            .map(|(_, chore)| chore)
            .chain(news.map(|(at, _)| Chore::Tell(at)))
    }

    /// Whether what is to be written takes this long now: then it is written after that.
    pub(crate) fn waits_for(&mut self, chore: Chore, slow: impl FnOnce() -> Option<u64>) -> bool {
        let (busy_until, is_slow) = match chore {
            Chore::Commit => (&mut self.keeper_busy_until, &mut self.is_keeper_slow),
            Chore::Write => (&mut self.scribe_busy_until, &mut self.is_scribe_slow),
            Chore::Append | Chore::LayOut | Chore::Tell(_) => return false,
        };
        if std::mem::take(is_slow) {
            return false;
        }
        let Some(until) = slow() else {
            return false;
        };
        (*busy_until, *is_slow) = (until, true);
        true
    }

    /// Appends all that waits. An error ends the process.
    pub(crate) fn append(&mut self) -> io::Result<()> {
        for kept in self.kept.try_iter() {
            match kept {
                Kept::Piece {
                    shard,
                    tick,
                    piece,
                    closes,
                } => {
                    self.is_dirty = true;
                    self.keeper.append(shard, tick, &piece, closes)?;
                }
                // Nobody asked for any.
                Kept::Digest { .. } => {}
                // A file that stays too long does no harm.
                Kept::Written { shard, tick } => drop(self.keeper.checkpointed(tick, shard)),
            }
        }
        Ok(())
    }

    /// Makes what was appended durable. An error ends the process.
    pub(crate) fn commit(&mut self) -> io::Result<()> {
        self.is_dirty = false;
        let durable = self.keeper.commit()?;
        self.shared.tell(durable);
        Ok(())
    }

    pub(crate) fn lay_out(&mut self) {
        let Ok(ToWrite { shard, frozen }) = self.to_write.try_recv() else {
            return;
        };
        let tick = frozen.tick();
        let archive = Arc::new(frozen.encode());
        let file = checkpoint_file(&archive);
        self.shared.show(shard, Image { tick, archive });
        self.laid_out = Some(LaidOut { shard, tick, file });
    }

    pub(crate) fn write(&mut self) {
        let Some(LaidOut { shard, tick, file }) = self.laid_out.take() else {
            return;
        };
        let name = FileName::Checkpoint(tick, shard).to_string();
        // One that cannot be written is left out: the one before and its journal stay.
        if self.disk.write(&name, &file).is_ok() {
            let sent = self.to_keeper.try_send(Kept::Written { shard, tick });
            assert!(sent.is_ok(), "the keeper's room is for all that may wait");
        }
    }

    /// The first turn in which somebody is busy no longer.
    pub(crate) fn next_turn(&self) -> impl Iterator<Item = u64> {
        [self.keeper_busy_until, self.scribe_busy_until].into_iter()
    }
}

/// As many as a server keeps at least.
const GENERATIONS_KEPT: usize = 2;

/// As a server's.
const IMAGES_WAITING_MAX: usize = 2;
