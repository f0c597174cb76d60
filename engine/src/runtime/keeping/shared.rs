//! What the shards of a kept world and the two threads that keep it tell each other. Never touches a file.
//!
//! `loom/` runs it through all interleavings of its threads, by this file.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use worldshard_protocol::Tick;
use worldshard_spatial::ShardId;

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Condvar, Mutex, MutexGuard};

/// What shards and their keepers share.
pub(crate) struct Shared {
    /// Clients may be told of all up to here.
    told: AtomicU64,
    /// Checkpoints up to here may be written.
    complete: Mutex<Tick>,
    completed: Condvar,
    /// The newest archive of each shard, until the shard has taken it.
    images: Vec<Mutex<Option<Image>>>,
    /// Checkpoints of each shard that were not written.
    left_out: Vec<AtomicU64>,
}

/// A shard as it was after a tick.
#[derive(Clone)]
pub(crate) struct Image {
    pub(crate) tick: Tick,
    pub(crate) archive: Arc<Vec<u8>>,
}

impl Shared {
    pub(crate) fn new(shards: u16, told: Tick) -> Self {
        Self {
            told: AtomicU64::new(told.0),
            complete: Mutex::new(told),
            completed: Condvar::new(),
            images: (0..shards).map(|_| Mutex::new(None)).collect(),
            left_out: (0..shards).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    pub(crate) fn told(&self) -> Tick {
        Tick(self.told.load(Ordering::Acquire))
    }

    pub(crate) fn tell(&self, tick: Tick) -> bool {
        self.told.fetch_max(tick.0, Ordering::AcqRel) < tick.0
    }

    /// Checkpoints up to this tick may be written.
    pub(crate) fn complete(&self, tick: Tick) {
        *self.lock_complete() = tick;
        self.completed.notify_all();
    }

    /// Waits until the checkpoint of a tick may be written. False when `is_over` before that: it may never be.
    pub(crate) fn await_complete(&self, tick: Tick, is_over: impl Fn() -> bool) -> bool {
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

    /// A checkpoint of a shard is not written.
    pub(crate) fn leave_out(&self, shard: ShardId) {
        self.left_out[usize::from(shard.0)].fetch_add(1, Ordering::Relaxed);
    }

    /// How many were not.
    pub(crate) fn left_out(&self, shard: ShardId) -> u64 {
        self.left_out[usize::from(shard.0)].load(Ordering::Relaxed)
    }

    pub(crate) fn show(&self, shard: ShardId, image: Image) {
        let place = &self.images[usize::from(shard.0)];
        *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(image);
    }

    pub(crate) fn take_image(&self, shard: ShardId) -> Option<Image> {
        let place = &self.images[usize::from(shard.0)];
        place.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Between two looks whether the shards have ended.
const OVER_INTERVAL: Duration = Duration::from_millis(100);
