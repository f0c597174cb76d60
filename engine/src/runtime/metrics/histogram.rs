//! Times counted in a few buckets whose bounds never change, so that a dashboard can add them up over shards and time.

use std::time::{Duration, Instant};

/// Times since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Histogram {
    /// Each of its own bucket alone; the last of all that is longer.
    counts: [u64; BOUNDS_S.len() + 1],
    sum: Duration,
}

impl Histogram {
    /// Counts a time.
    pub(crate) fn record(&mut self, time: Duration) {
        let seconds = time.as_secs_f64();
        let at = BOUNDS_S.partition_point(|bound| *bound < seconds);
        self.counts[at] += 1;
        self.sum += time;
    }

    /// Each bound in seconds, with how many times were no longer.
    pub(crate) fn up_to(&self) -> impl Iterator<Item = (f64, u64)> {
        let mut sum = 0;
        let sums = self.counts.iter().map(move |count| {
            sum += count;
            sum
        });
        BOUNDS_S.into_iter().zip(sums)
    }

    /// How many were counted.
    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// All of them together.
    pub(crate) fn sum(&self) -> Duration {
        self.sum
    }
}

/// The times of the last while: between one and two [`RECENT`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RecentTimes {
    now: Histogram,
    before: Histogram,
    since: Option<Instant>,
}

impl RecentTimes {
    /// Counts a time.
    pub(crate) fn record(&mut self, time: Duration, now: Instant) {
        let since = *self.since.get_or_insert(now);
        if now.saturating_duration_since(since) >= RECENT {
            self.before = std::mem::take(&mut self.now);
            self.since = Some(now);
        }
        self.now.record(time);
    }

    /// No less than 99 of 100 times, up to the next bound of a bucket; the longest bound where more are longer than that.
    pub(crate) fn p99(&self) -> Duration {
        let count = self.now.count() + self.before.count();
        let beyond_max = count / 100;
        let buckets = self.now.up_to().zip(self.before.up_to());
        let mut sums = buckets.map(|((bound, now), (_, before))| (bound, now + before));
        let found = sums.find(|(_, sum)| count - sum <= beyond_max);
        let longest = BOUNDS_S[BOUNDS_S.len() - 1];
        Duration::from_secs_f64(match count {
            0 => 0.0,
            _ => found.map_or(longest, |(bound, _)| bound),
        })
    }
}

const RECENT: Duration = Duration::from_secs(5);

/// From what a phase of an empty shard takes to more than any tick may.
pub(crate) const BOUNDS_S: [f64; 13] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0,
];
