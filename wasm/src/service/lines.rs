//! What guests log, on its way to the log of the server: so many lines a second of a room, and of all together.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The lines of one room.
#[derive(Default)]
pub(crate) struct Lines {
    second: u64,
    said: u32,
    lost: u64,
}

/// The lines of all rooms of a kind: how many there were in which second, in one word.
#[derive(Default)]
pub(crate) struct Quota(AtomicU64);

impl Lines {
    /// Logs a line of the room, unless it or all rooms had their share in this second of the world's time. With the next
    /// that is logged it is said how many were not.
    pub(crate) fn say(&mut self, quota: &Quota, room: &str, now: Duration, line: &str) {
        if now.as_secs() != self.second {
            self.second = now.as_secs();
            self.said = 0;
        }
        if self.said >= ROOM_LINES_MAX || !quota.take(self.second) {
            self.lost += 1;
            return;
        }
        self.said += 1;
        let lost = std::mem::take(&mut self.lost);
        if lost > 0 {
            tracing::warn!(
                room,
                lines = lost,
                "a guest logged too much: lines are lost"
            );
        }
        tracing::info!(room, line, "a guest logged");
    }

    #[cfg(test)]
    pub(crate) fn said(&self) -> u32 {
        self.said
    }

    #[cfg(test)]
    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }
}

impl Quota {
    /// Whether one more line is within the share of this second.
    fn take(&self, second: u64) -> bool {
        let second = second << COUNT_BITS;
        let taken = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| {
                // Shards are a tick apart at most; a word of another second is of one before, but for that.
                let word = if word >> COUNT_BITS << COUNT_BITS == second {
                    word
                } else {
                    second
                };
                (word - second < LINES_MAX).then_some(word + 1)
            });
        taken.is_ok()
    }
}

/// Lines of one room in a second; more are lost.
pub(crate) const ROOM_LINES_MAX: u32 = 20;

/// Lines of all rooms of a kind in a second; more are lost.
pub(crate) const LINES_MAX: u64 = 200;

const COUNT_BITS: u32 = 16;
