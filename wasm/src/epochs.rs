//! Epochs that a thread counts, and how a call is bounded by what it takes of its own thread. Never stops a guest by a clock.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

use wasmtime::{Engine, Store, UpdateDeadline};

use crate::error::Trap;
use crate::limits::Limits;
use crate::sandbox::Sandbox;

/// How a call is bounded by the time of its thread.
#[derive(Clone, Copy)]
pub(crate) struct Epochs {
    busy: fn() -> Duration,
    /// What a call may take from its first epoch's end on. Half an epoch less than the epochs that are left: the thread
    /// that counts them is not exact.
    share: Duration,
}

impl Epochs {
    pub(crate) fn new(limits: &Limits, every: Duration, busy: fn() -> Duration) -> Self {
        let left = u32::try_from(limits.epochs_per_call_max.saturating_sub(1)).unwrap_or(u32::MAX);
        let share = every.saturating_mul(left).saturating_sub(every / 2);
        Self { busy, share }
    }

    /// Has a store look at each epoch's end what its call has taken. Calls that end within an epoch, nearly all, never
    /// look.
    pub(crate) fn watch(self, store: &mut Store<Sandbox>) {
        store.epoch_deadline_callback(move |mut store| {
            let busy = (self.busy)();
            let since = *store.data_mut().busy_since.get_or_insert(busy);
            if busy.saturating_sub(since) >= self.share {
                return Err(Trap::Deadline.into());
            }
            Ok(UpdateDeadline::Continue(1))
        });
    }
}

/// Starts the thread that begins epochs. It ends soon after the host has.
pub(crate) fn count(
    engine: &Engine,
    guests: &Arc<AtomicUsize>,
    every: Duration,
) -> io::Result<Thread> {
    let (engine, guests) = (engine.weak(), Arc::clone(guests));
    let thread = thread::Builder::new().name("epochs".to_owned());
    let counting = thread.spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            let is_idle = guests.load(Ordering::Relaxed) == 0;
            thread::park_timeout(if is_idle { IDLE } else { every });
        }
    })?;
    Ok(counting.thread().clone())
}

/// Without guests the thread only looks whether the host is still there; the first guest wakes it.
const IDLE: Duration = Duration::from_secs(1);
