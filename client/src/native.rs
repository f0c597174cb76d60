//! The rim of native programs: a socket with a thread that connects and reads, the clock, and the seed.
//!
//! The thread waits for the server so that nobody else does. What is said is written by whoever says it, as far as the
//! kernel takes it at once.

mod opening;
mod socket;
mod stream;
mod wire;

#[cfg(feature = "tls")]
pub(crate) mod tls;

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

pub(crate) use socket::Socket;

/// Time since it was made.
#[derive(Debug)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn new() -> Self {
        Self(now())
    }

    pub(crate) fn now(&self) -> Duration {
        now().saturating_duration_since(self.0)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a driver's clock: the agent gets time as an argument"
)]
fn now() -> Instant {
    Instant::now()
}

/// Seeded by the system once per hasher: no two clients share their waits.
pub(crate) fn seed() -> u64 {
    RandomState::new().hash_one(0)
}
