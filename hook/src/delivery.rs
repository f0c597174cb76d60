//! Brings one letter to the service: tries, pauses, tries again, gives up. Never decides what is posted or in which order.

use std::sync::Arc;
use std::time::Duration;

use data_encoding::HEXLOWER;

use crate::backoff::{mixed, pause};
use crate::breaker::Change;
use crate::clock;
use crate::options::HookOptions;
use crate::post::{Letter, Outcome, Poster};
use crate::status::Counts;

/// What all threads bring letters by.
pub(crate) struct Delivery {
    poster: Poster,
    retries: u32,
    pause: Duration,
    counts: Arc<Counts>,
    /// By chance: no other process has the same keys.
    process: [u8; 8],
}

/// Why a letter was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Undelivered {
    /// The service is left alone.
    LeftAlone,
    /// All tries failed.
    Failed,
    /// The service answered that no other try changes anything: with this status.
    Refused(u16),
    /// Nobody wants the answer any more.
    Unwanted,
    /// There was no time left.
    TooLate,
}

impl Delivery {
    pub(crate) fn new(options: &HookOptions, counts: Arc<Counts>, process: [u8; 8]) -> Self {
        Self {
            poster: Poster::new(options),
            retries: options.retries,
            pause: options.pause,
            counts,
            process,
        }
    }

    /// A letter that is the `number`th of this process. `trace` names what it belongs to in traces, 32 hexadecimal digits.
    pub(crate) fn letter(
        &self,
        number: u64,
        trace: &str,
        body: impl FnOnce(&str) -> Vec<u8>,
    ) -> Letter {
        let key = format!("{}-{number}", HEXLOWER.encode(&self.process));
        // No span is 0.
        let span = mixed(number ^ u64::from_le_bytes(self.process)).max(1);
        Letter {
            traceparent: format!("00-{trace}-{span:016x}-01"),
            body: body(&key),
            key,
        }
    }

    /// The name in traces of what belongs to a session of this process, or to nothing.
    pub(crate) fn trace(&self, of: u64) -> String {
        // No trace is 0.
        let half = mixed(of ^ u64::from_le_bytes(self.process)).max(1);
        format!("{}{half:016x}", HEXLOWER.encode(&self.process))
    }

    /// Whether the service is left alone for now.
    pub(crate) fn is_left_alone(&self) -> bool {
        self.counts.breaker.is_open(clock::now())
    }

    /// Brings a letter; what the service says of it. `rest` pauses for so long, and says how much time there is left, if
    /// that is known.
    ///
    /// # Errors
    /// It was not taken.
    pub(crate) fn bring(
        &self,
        letter: &Letter,
        number: u64,
        is_wanted: impl Fn() -> bool,
        rest: impl Fn(Duration) -> Option<Duration>,
    ) -> Result<Vec<u8>, Undelivered> {
        let mut left = rest(Duration::ZERO);
        for tries in 1..=self.retries.saturating_add(1) {
            if !is_wanted() {
                return Err(Undelivered::Unwanted);
            }
            if left.is_some_and(|left| left.is_zero()) {
                return Err(Undelivered::TooLate);
            }
            if !self.counts.breaker.admits(clock::now()) {
                return Err(Undelivered::LeftAlone);
            }
            self.counts.tries.add();
            let outcome = self.poster.post(letter, left);
            let after = match outcome {
                Outcome::Taken(body) => {
                    self.succeeded();
                    return Ok(body);
                }
                Outcome::Refused(status) => {
                    self.succeeded();
                    return Err(Undelivered::Refused(status));
                }
                Outcome::Later(after) => {
                    self.succeeded();
                    after
                }
                Outcome::Failed(why, after) => {
                    self.failed(why);
                    after
                }
            };
            self.counts.tries_failed.add();
            if tries <= self.retries {
                let chance = number.wrapping_mul(31).wrapping_add(tries.into());
                left = rest(pause(self.pause, tries, chance, after));
            }
        }
        Err(Undelivered::Failed)
    }

    fn succeeded(&self) {
        if self.counts.breaker.succeeded() == Some(Change::Closed) {
            tracing::info!("the hook's service answers again");
        }
    }

    fn failed(&self, why: &'static str) {
        if self.counts.breaker.failed(clock::now()) == Some(Change::Opened) {
            self.counts.breaker_opened.add();
            tracing::warn!(why, "the hook's service is left alone for a while");
        }
    }
}
