//! How a process asks its shards to stop, and how one of them tells that it failed.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

/// Shared by all threads of one server.
#[derive(Debug, Default)]
pub(crate) struct Control {
    stop: AtomicU8,
    failure: Mutex<Option<String>>,
}

/// How urgently the server stops. Only ever grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stop {
    /// Not at all.
    No,
    /// No new sessions; those there are told that the end comes, and go on meanwhile.
    Notice,
    /// Those there are closed, and get what waits for them.
    Drain,
    /// At once.
    Force,
}

impl Control {
    /// How urgently to stop.
    pub(crate) fn stop(&self) -> Stop {
        match self.stop.load(Ordering::SeqCst) {
            0 => Stop::No,
            1 => Stop::Notice,
            2 => Stop::Drain,
            _ => Stop::Force,
        }
    }

    /// Asks for a stop at least as urgent as `stop`; who sleeps must be woken by the caller.
    pub(crate) fn ask(&self, stop: Stop) {
        self.stop.fetch_max(stop as u8, Ordering::SeqCst);
    }

    /// Ends the server because a shard cannot go on; the first cause is kept.
    pub(crate) fn fail(&self, cause: String) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert(cause);
        drop(failure);
        self.ask(Stop::Force);
    }

    /// Why the server failed, if it did.
    pub(crate) fn failure(&self) -> Option<String> {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.clone()
    }
}
