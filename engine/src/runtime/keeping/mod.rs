//! Keeps a running world on disk: two threads for all shards, and what each shard gives them.
//!
//! The **keeper** appends what was said to shards and says which tick is durable, once for all shards; the **scribe** lays
//! out frozen shards and writes checkpoints, so that no tick waits for either. A world is never more than [`AHEAD_MAX`] ticks
//! ahead of its journal: a slow disk dilates its time.

mod directory;
mod opening;
mod own;
mod recording;
mod threads;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use worldshard_protocol::Tick;
use worldshard_shard::Frozen;
use worldshard_spatial::ShardId;

pub use opening::{Recovery, manifest_of, shards_kept};
pub use recording::{Difference, Recording, first_difference};

pub(crate) use opening::{Opened, open};
pub(crate) use own::OwnKeeping;
pub(crate) use threads::{Keeping, Threads};

/// What shards and their keepers share.
pub(crate) struct Shared {
    /// Clients may be told of all up to here.
    told: AtomicU64,
    /// Checkpoints up to here may be written.
    complete: Mutex<Tick>,
    completed: Condvar,
    /// The newest archive of each shard, until the shard has taken it.
    images: Vec<Mutex<Option<Image>>>,
}

/// A shard as it was after a tick.
#[derive(Clone)]
pub(crate) struct Image {
    pub(crate) tick: Tick,
    pub(crate) archive: Arc<Vec<u8>>,
}

/// What a shard gives the keeper.
pub(crate) enum Kept {
    /// What was said to it up to a tick.
    Piece {
        shard: ShardId,
        tick: Tick,
        piece: Vec<u8>,
        closes: bool,
    },
    /// Its part of the digest of a tick.
    Digest {
        shard: ShardId,
        tick: Tick,
        part: u128,
    },
    /// A checkpoint of it was written.
    Written { shard: ShardId, tick: Tick },
}

/// What a shard gives the scribe.
pub(crate) struct ToWrite {
    pub(crate) shard: ShardId,
    pub(crate) frozen: Frozen,
}

impl Shared {
    pub(crate) fn new(shards: u16, told: Tick) -> Self {
        Self {
            told: AtomicU64::new(told.0),
            complete: Mutex::new(told),
            completed: Condvar::new(),
            images: (0..shards).map(|_| Mutex::new(None)).collect(),
        }
    }

    pub(crate) fn told(&self) -> Tick {
        Tick(self.told.load(Ordering::Acquire))
    }

    pub(crate) fn tell(&self, tick: Tick) -> bool {
        self.told.fetch_max(tick.0, Ordering::AcqRel) < tick.0
    }

    /// Checkpoints up to this tick may be written.
    fn complete(&self, tick: Tick) {
        *self.lock_complete() = tick;
        self.completed.notify_all();
    }

    /// Waits until the checkpoint of a tick may be written. False when `is_over` before that: it may never be.
    fn await_complete(&self, tick: Tick, is_over: impl Fn() -> bool) -> bool {
        let mut complete = self.lock_complete();
        while *complete < tick {
            let was_over = is_over();
            let waited = self.completed.wait_timeout(complete, OVER_INTERVAL);
            complete = waited.unwrap_or_else(PoisonError::into_inner).0;
            if was_over && *complete < tick {
                return false;
            }
        }
        true
    }

    fn lock_complete(&self) -> MutexGuard<'_, Tick> {
        self.complete.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn show(&self, shard: ShardId, image: Image) {
        let place = &self.images[usize::from(shard.0)];
        *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(image);
    }

    fn take_image(&self, shard: ShardId) -> Option<Image> {
        let place = &self.images[usize::from(shard.0)];
        place.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Between two looks whether the shards have ended.
const OVER_INTERVAL: Duration = Duration::from_millis(100);

/// Ticks that a world may be ahead of what is durable. Beyond: it waits, and its time is dilated.
pub(crate) const AHEAD_MAX: u64 = 8;
