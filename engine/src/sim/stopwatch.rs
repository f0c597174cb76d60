//! How long the engine's own work took: stands still while somebody looks on. Has no clock but the one it is lent.

use std::time::{Duration, Instant};

/// A stopwatch that measures nothing until it is lent a clock.
#[derive(Debug, Default)]
pub(crate) struct Stopwatch {
    now: Option<fn() -> Instant>,
    since: Option<Instant>,
    total: Duration,
}

impl Stopwatch {
    pub(crate) fn lend(&mut self, now: fn() -> Instant) {
        self.now = Some(now);
    }

    pub(crate) fn go(&mut self) {
        self.since = self.now.map(|now| now());
    }

    pub(crate) fn halt(&mut self) {
        if let (Some(now), Some(since)) = (self.now, self.since.take()) {
            self.total += now().saturating_duration_since(since);
        }
    }

    pub(crate) fn total(&self) -> Duration {
        self.total
    }
}
