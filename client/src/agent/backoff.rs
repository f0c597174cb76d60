//! When to try again: at once, after a random time below a ceiling that doubles, or never. Reads no clock.

use std::time::Duration;

use crate::chance::Chance;
use crate::options::Reconnect;

#[derive(Debug)]
pub(super) struct Backoff {
    reconnect: Reconnect,
    chance: Chance,
    /// How often the ceiling was doubled.
    step: u32,
    /// Attempts since the last connection that went live.
    tried: u32,
    /// Whether any connection went live.
    lived: bool,
    /// When an attempt followed at once.
    at_once: Option<Duration>,
}

impl Backoff {
    pub(super) fn new(reconnect: Reconnect, chance: Chance) -> Self {
        Self {
            reconnect,
            chance,
            step: 0,
            tried: 0,
            lived: false,
            at_once: None,
        }
    }

    /// Counts an attempt that begins.
    pub(super) fn begin(&mut self) -> u32 {
        self.tried += 1;
        self.tried
    }

    /// The last attempt is not counted: it failed for what the next one leaves out.
    pub(super) fn uncount(&mut self) {
        self.tried -= 1;
    }

    pub(super) fn live(&mut self) {
        self.tried = 0;
        self.lived = true;
    }

    /// A connection ended that had been live for so long.
    pub(super) fn lived_for(&mut self, live: Duration) {
        if live >= self.reconnect.steady_after {
            self.step = 0;
        }
    }

    pub(super) fn is_spent(&self) -> bool {
        let max = if self.lived {
            self.reconnect.attempts_max
        } else {
            self.reconnect.initial_attempts_max
        };
        max.is_some_and(|max| self.tried >= max)
    }

    /// The wait after a live connection broke off.
    pub(super) fn after_drop(&mut self, now: Duration) -> Duration {
        let steady_after = self.reconnect.steady_after;
        if self
            .at_once
            .is_none_or(|last| now.saturating_sub(last) >= steady_after)
        {
            self.at_once = Some(now);
            return Duration::ZERO;
        }
        self.curve()
    }

    /// The wait along the curve, behind what the server asked for.
    pub(super) fn after_failure(&mut self, retry_after: Option<Duration>) -> Duration {
        let asked = retry_after.unwrap_or_default();
        // Jitter comes on top: else all whom one server sent away would come back together.
        asked.min(self.reconnect.retry_after_max) + self.curve()
    }

    fn curve(&mut self) -> Duration {
        let ceiling = self.ceiling();
        self.step = self.step.saturating_add(1);
        ceiling.mul_f64(self.chance.share())
    }

    fn ceiling(&self) -> Duration {
        let doubled = self.reconnect.base.checked_mul(1 << self.step.min(31));
        doubled.map_or(self.reconnect.cap, |ceiling| {
            ceiling.min(self.reconnect.cap)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ceilings_double_up_to_the_cap_and_waits_lie_below_them() {
        let mut backoff = Backoff::new(Reconnect::default(), Chance::new(3));
        let mut waits_by_ceiling = std::collections::BTreeMap::<u128, Vec<Duration>>::new();
        for _ in 0..2000 {
            backoff.step = 0;
            for ceiling_ms in [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000] {
                let ceiling = Duration::from_millis(ceiling_ms);
                assert_eq!(backoff.ceiling(), ceiling);
                let wait = backoff.after_failure(None);
                assert!(wait < ceiling);
                waits_by_ceiling
                    .entry(ceiling.as_millis())
                    .or_default()
                    .push(wait);
            }
        }
        // Full jitter: the mean is half the ceiling.
        for (ceiling_ms, waits) in waits_by_ceiling {
            let mean_ms = waits.iter().sum::<Duration>().as_millis() / waits.len() as u128;
            assert!(
                mean_ms.abs_diff(ceiling_ms / 2) < ceiling_ms / 20,
                "{mean_ms} of {ceiling_ms}"
            );
        }
        backoff.step = 1000;
        assert_eq!(backoff.ceiling(), Duration::from_secs(30));
    }

    #[test]
    fn a_connection_that_breaks_again_and_again_waits() {
        let mut backoff = Backoff::new(Reconnect::default(), Chance::new(3));
        let second = Duration::from_secs(1);
        assert_eq!(backoff.after_drop(second), Duration::ZERO);
        backoff.lived_for(second);
        assert!(backoff.after_drop(second * 2) > Duration::ZERO);
        backoff.lived_for(second * 4);
        assert_eq!(backoff.after_drop(second * 6), Duration::ZERO);
        assert_eq!(backoff.step, 1);
        backoff.lived_for(second * 5);
        assert_eq!(backoff.step, 0);
    }

    #[test]
    fn what_the_server_asks_for_comes_before_the_curve_and_is_bounded() {
        let mut backoff = Backoff::new(Reconnect::default(), Chance::new(3));
        let asked = Duration::from_secs(7);
        let wait = backoff.after_failure(Some(asked));
        assert!(wait >= asked && wait < asked + Duration::from_millis(500));
        let wait = backoff.after_failure(Some(Duration::MAX));
        assert!(wait < Duration::from_secs(3602));
    }
}
