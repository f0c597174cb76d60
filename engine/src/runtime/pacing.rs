//! Says when a tick is due. Never reads a clock and never runs a tick.

use std::time::{Duration, Instant};

/// The schedule of one shard's ticks.
///
/// All shards of a process begin with the same instant, so that none waits for another by design.
#[derive(Debug)]
pub(crate) struct Pacer {
    interval: Duration,
    catch_up_ticks_max: u32,
    due: Instant,
    lag: Lag,
    told: Lag,
    told_at: Option<Instant>,
}

/// How far the world's time has fallen behind the machine's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lag {
    /// Ticks that were not made up for: the world's time was dilated by as many intervals.
    pub(crate) ticks: u64,
    /// How often the schedule was moved.
    pub(crate) times: u64,
}

impl Pacer {
    /// A schedule whose first tick is due at `first`, and that makes up for at most `catch_up_ticks_max` ticks.
    ///
    /// # Panics
    /// When `interval` is zero.
    pub(crate) fn new(interval: Duration, catch_up_ticks_max: u32, first: Instant) -> Pacer {
        assert!(!interval.is_zero(), "ticks have a length");
        Pacer {
            interval,
            // The tick that is due now runs whatever the bound says.
            catch_up_ticks_max: catch_up_ticks_max.max(1),
            due: first,
            lag: Lag::default(),
            told: Lag::default(),
            told_at: None,
        }
    }

    /// When the next tick is due.
    pub(crate) fn due(&self) -> Instant {
        self.due
    }

    /// Takes note that the tick that was due runs now, and moves the schedule when it lags too far.
    pub(crate) fn begin(&mut self, now: Instant) {
        let late = now.saturating_duration_since(self.due);
        let late_ticks =
            u64::try_from(late.as_nanos() / self.interval.as_nanos()).unwrap_or(u64::MAX);
        if late_ticks > u64::from(self.catch_up_ticks_max) {
            // The tick that begins now is the first of those that are made up for.
            let made_up = self.catch_up_ticks_max - 1;
            self.lag.ticks += late_ticks - u64::from(made_up);
            self.lag.times += 1;
            self.due = now - self.interval * made_up;
        }
        self.due += self.interval;
    }

    /// The lag so far.
    pub(crate) fn lag(&self) -> Lag {
        self.lag
    }

    /// The lag so far, when it grew and was not told within the last second.
    pub(crate) fn lag_to_tell(&mut self, now: Instant) -> Option<Lag> {
        let recently = self
            .told_at
            .is_some_and(|at| now.saturating_duration_since(at) < LAG_TOLD_EVERY);
        if recently || self.told == self.lag {
            return None;
        }
        self.told_at = Some(now);
        self.told = self.lag;
        Some(self.lag)
    }
}

const LAG_TOLD_EVERY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
