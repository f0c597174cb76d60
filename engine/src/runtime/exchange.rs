//! How long a shard polls for its neighbours before it sleeps. Never polls itself.

use std::time::{Duration, Instant};

/// One wait for the envelopes of a tick.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    since: Option<Instant>,
}

impl Exchange {
    /// Until when to sleep; `None` while it is too early to: a wake costs more than most exchanges last.
    pub(crate) fn patience(&mut self, now: Instant) -> Option<Instant> {
        let since = *self.since.get_or_insert(now);
        if now.saturating_duration_since(since) < POLL_FOR {
            // With fewer cores than shards the neighbour may need this one.
            std::thread::yield_now();
            return None;
        }
        Some(now + SLEEP_MAX)
    }
}

const POLL_FOR: Duration = Duration::from_micros(200);

/// The bell wakes a sleeper earlier.
const SLEEP_MAX: Duration = Duration::from_millis(200);
