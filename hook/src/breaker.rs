//! Whether the service is tried at all. A service that fails again and again is left alone for a while, then tried once.
//!
//! Sans-IO: the time comes in.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::status::BreakerState;

/// Shared by all threads that try.
pub(crate) struct Breaker {
    failures_max: u32,
    open: Duration,
    state: Mutex<State>,
}

enum State {
    /// After so many failures in a row.
    Closed { failures: u32 },
    /// Nobody tries before then.
    Open { until: Instant },
    /// Somebody tries, whose outcome decides; without one, another may from then on.
    HalfOpen { until: Instant },
}

/// What an outcome changed, for the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Change {
    Opened,
    Closed,
}

impl Breaker {
    pub(crate) fn new(failures_max: u32, open: Duration) -> Self {
        Self {
            failures_max,
            open,
            state: Mutex::new(State::Closed { failures: 0 }),
        }
    }

    /// Whether to try now. Whoever does says what came of it.
    pub(crate) fn admits(&self, now: Instant) -> bool {
        let mut state = self.lock();
        match *state {
            State::Closed { .. } => true,
            State::Open { until } | State::HalfOpen { until } if until <= now => {
                let until = now + self.open;
                *state = State::HalfOpen { until };
                true
            }
            State::Open { .. } | State::HalfOpen { .. } => false,
        }
    }

    /// Whether it is certain that [`admits`](Self::admits) would say no. Changes nothing.
    pub(crate) fn is_open(&self, now: Instant) -> bool {
        match *self.lock() {
            State::Closed { .. } => false,
            State::Open { until } | State::HalfOpen { until } => now < until,
        }
    }

    /// The service answered.
    pub(crate) fn succeeded(&self) -> Option<Change> {
        let before = std::mem::replace(&mut *self.lock(), State::Closed { failures: 0 });
        match before {
            State::Closed { .. } => None,
            State::Open { .. } | State::HalfOpen { .. } => Some(Change::Closed),
        }
    }

    /// It did not.
    pub(crate) fn failed(&self, now: Instant) -> Option<Change> {
        let mut state = self.lock();
        let failures = match &mut *state {
            State::Closed { failures } => {
                *failures += 1;
                *failures
            }
            State::HalfOpen { .. } => self.failures_max,
            // Of a try that began before.
            State::Open { .. } => return None,
        };
        if failures < self.failures_max {
            return None;
        }
        *state = State::Open {
            until: now + self.open,
        };
        Some(Change::Opened)
    }

    pub(crate) fn state(&self) -> BreakerState {
        match *self.lock() {
            State::Closed { .. } => BreakerState::Closed,
            State::Open { .. } => BreakerState::Open,
            State::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing can panic while it is held, so nothing in it is half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
