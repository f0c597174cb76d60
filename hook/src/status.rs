//! What the hook has done so far, for whoever looks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use crate::breaker::Breaker;

/// What the hook has done so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct HookStatus {
    /// Whether the service is tried.
    pub breaker: BreakerState,
    /// How often it was left alone for a while.
    pub breaker_opened: u64,
    /// Events that the service took.
    pub events_sent: u64,
    /// Events that found no room, or came while the service was left alone, or too late at the end.
    pub events_dropped: u64,
    /// Events that were given up after all tries.
    pub events_failed: u64,
    /// Events that the service answered with a status that no further try changes.
    pub events_refused: u64,
    /// Clients that the service let in.
    pub decisions_allowed: u64,
    /// Clients that it turned away.
    pub decisions_denied: u64,
    /// Clients on whom it did not decide: `on_error` did.
    pub decisions_failed: u64,
    /// Clients that found no room to wait.
    pub decisions_refused: u64,
    /// Clients that were gone before they were asked for or answered.
    pub decisions_unwanted: u64,
    /// Tries, the first and others.
    pub tries: u64,
    /// Those that failed.
    pub tries_failed: u64,
    /// Answers that could not be read, or asked for what cannot be.
    pub answers_bad: u64,
    /// Replies and closes that found no room to wait for their shard.
    pub replies_dropped: u64,
}

/// Whether the service is tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// It is.
    Closed,
    /// It is left alone.
    Open,
    /// By one, whose outcome decides.
    HalfOpen,
}

/// Looks at a hook from wherever it is kept. Keeps none from ending.
#[derive(Clone)]
pub struct HookWatch {
    pub(crate) counts: Arc<Counts>,
}

/// What is counted by all threads.
pub(crate) struct Counts {
    pub(crate) breaker: Breaker,
    pub(crate) breaker_opened: Count,
    pub(crate) events_sent: Count,
    pub(crate) events_dropped: Count,
    pub(crate) events_failed: Count,
    pub(crate) events_refused: Count,
    pub(crate) decisions_allowed: Count,
    pub(crate) decisions_denied: Count,
    pub(crate) decisions_failed: Count,
    pub(crate) decisions_refused: Count,
    pub(crate) decisions_unwanted: Count,
    pub(crate) tries: Count,
    pub(crate) tries_failed: Count,
    pub(crate) answers_bad: Count,
    pub(crate) replies_dropped: Count,
}

/// Only grows.
#[derive(Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    /// One more; says how many that are.
    pub(crate) fn add(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counts {
    pub(crate) fn new(breaker: Breaker) -> Self {
        Self {
            breaker,
            breaker_opened: Count::default(),
            events_sent: Count::default(),
            events_dropped: Count::default(),
            events_failed: Count::default(),
            events_refused: Count::default(),
            decisions_allowed: Count::default(),
            decisions_denied: Count::default(),
            decisions_failed: Count::default(),
            decisions_refused: Count::default(),
            decisions_unwanted: Count::default(),
            tries: Count::default(),
            tries_failed: Count::default(),
            answers_bad: Count::default(),
            replies_dropped: Count::default(),
        }
    }
}

impl HookWatch {
    /// What the hook has done so far.
    #[must_use]
    pub fn status(&self) -> HookStatus {
        let counts = &self.counts;
        HookStatus {
            breaker: counts.breaker.state(),
            breaker_opened: counts.breaker_opened.get(),
            events_sent: counts.events_sent.get(),
            events_dropped: counts.events_dropped.get(),
            events_failed: counts.events_failed.get(),
            events_refused: counts.events_refused.get(),
            decisions_allowed: counts.decisions_allowed.get(),
            decisions_denied: counts.decisions_denied.get(),
            decisions_failed: counts.decisions_failed.get(),
            decisions_refused: counts.decisions_refused.get(),
            decisions_unwanted: counts.decisions_unwanted.get(),
            tries: counts.tries.get(),
            tries_failed: counts.tries_failed.get(),
            answers_bad: counts.answers_bad.get(),
            replies_dropped: counts.replies_dropped.get(),
        }
    }
}
