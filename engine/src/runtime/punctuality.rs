//! How punctual one shard's ticks are: how late each began and how long after the one before. Never reads a clock.

use std::time::{Duration, Instant};

use serde::Serialize;

/// All ticks since the start.
#[derive(Debug, Default)]
pub(crate) struct Punctuality {
    began: Option<Instant>,
    lateness: Spread,
    intervals: Spread,
}

/// The same in numbers, for `/status`.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct TickTimes {
    /// How late 999 of 1 000 ticks began at most, by their schedule; as all percentiles here, up to a sixteenth too much.
    pub(crate) tick_late_us_p99_9: u64,
    pub(crate) tick_late_us_max: u64,
    pub(crate) tick_late_us_mean: u64,
    /// From the beginning of one tick to that of the next.
    pub(crate) tick_interval_us_p99_9: u64,
    pub(crate) tick_interval_us_max: u64,
    pub(crate) tick_interval_us_mean: u64,
}

impl Punctuality {
    /// A tick begins that was due at `due`; one of an unpaced run was never due.
    pub(crate) fn begins(&mut self, due: Option<Instant>, now: Instant) {
        if let Some(due) = due {
            self.lateness.record(now.saturating_duration_since(due));
        }
        if let Some(before) = self.began.replace(now) {
            self.intervals.record(now.saturating_duration_since(before));
        }
    }

    pub(crate) fn times(&self) -> TickTimes {
        TickTimes {
            tick_late_us_p99_9: self.lateness.p99_9_us(),
            tick_late_us_max: self.lateness.max_us,
            tick_late_us_mean: self.lateness.mean_us(),
            tick_interval_us_p99_9: self.intervals.p99_9_us(),
            tick_interval_us_max: self.intervals.max_us,
            tick_interval_us_mean: self.intervals.mean_us(),
        }
    }
}

/// Times counted in buckets, each a sixteenth of a power of two wide.
#[derive(Debug)]
struct Spread {
    counts: [u64; BUCKETS],
    count: u64,
    sum_us: u64,
    max_us: u64,
}

impl Default for Spread {
    fn default() -> Spread {
        Spread {
            counts: [0; BUCKETS],
            count: 0,
            sum_us: 0,
            max_us: 0,
        }
    }
}

impl Spread {
    fn record(&mut self, time: Duration) {
        let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.counts[bucket(us)] += 1;
        self.count += 1;
        self.sum_us = self.sum_us.saturating_add(us);
        self.max_us = self.max_us.max(us);
    }

    fn mean_us(&self) -> u64 {
        self.sum_us.checked_div(self.count).unwrap_or(0)
    }

    /// No less than 999 of 1 000 times, and no more than the longest.
    fn p99_9_us(&self) -> u64 {
        let beyond_max = self.count / 1000;
        let mut beyond = 0;
        for (at, &count) in self.counts.iter().enumerate().rev() {
            beyond += count;
            if beyond > beyond_max {
                return last_us(at).min(self.max_us);
            }
        }
        0
    }
}

/// Where a time is counted. Beyond what buckets tell apart: in the last one.
fn bucket(us: u64) -> usize {
    let us = us.min(US_MAX);
    // Up to twice the parts, a bucket is one microsecond wide.
    let shift = us.max(1).ilog2().saturating_sub(PARTS.ilog2());
    shift as usize * PARTS + (us >> shift) as usize
}

/// The longest time of a bucket.
fn last_us(bucket: usize) -> u64 {
    let shift = (bucket / PARTS).saturating_sub(1);
    let next = (bucket - shift * PARTS + 1) as u64;
    (next << shift) - 1
}

/// Of a power of two.
const PARTS: usize = 16;

/// Two minutes: a shard that stood still for longer has other troubles.
const US_MAX: u64 = (1 << 27) - 1;

const BUCKETS: usize = (27 - PARTS.ilog2() as usize + 1) * PARTS;

#[cfg(test)]
mod tests;
