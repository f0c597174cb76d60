//! What is counted of a run, and within which time.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::fleet::Heard;
use super::report::{FaultsReport, Latencies};
use super::tagged::{Tag, Tagged};

/// Counts of one window, and of what went wrong in the whole run.
pub(crate) struct Counts {
    /// Sends that were due in it have their latency counted.
    began: Duration,
    ended: Duration,
    /// Whether what arrives now counts.
    pub(crate) counting: bool,
    /// Messages that came.
    pub(crate) delivered: u64,
    /// Their payloads.
    pub(crate) payload_bytes: u64,
    /// Messages sent.
    pub(crate) sent: u64,
    pub(crate) latency: Histogram<u64>,
    /// How long after its time each send left.
    pub(crate) lag: Histogram<u64>,
    pub(crate) faults: FaultsReport,
}

impl Counts {
    pub(crate) fn new() -> Self {
        Self {
            began: Duration::MAX,
            ended: Duration::MAX,
            counting: false,
            delivered: 0,
            payload_bytes: 0,
            sent: 0,
            latency: histogram(),
            lag: histogram(),
            faults: FaultsReport::default(),
        }
    }

    /// Counts anew what is due from now on, for `window`.
    pub(crate) fn begin(&mut self, now: Duration, window: Duration) {
        let faults = std::mem::take(&mut self.faults);
        *self = Self {
            began: now,
            ended: now + window,
            counting: true,
            faults,
            ..Self::new()
        };
    }

    /// Whose message this is; one that nobody can have sent is a fault.
    pub(crate) fn read(&mut self, messages: &Tagged, message: &Heard<'_>) -> Option<Tag> {
        let read = messages.read(message.kind, message.payload);
        read.map_err(|difference| {
            self.faults.corrupted += 1;
            self.faults.tell(|| difference);
        })
        .ok()
    }

    /// A message arrived whose sending was due at `due`.
    pub(crate) fn arrived(&mut self, payload_bytes: usize, due: Duration, now: Duration) {
        self.came(payload_bytes);
        self.took(due, now);
    }

    /// A message arrived.
    pub(crate) fn came(&mut self, payload_bytes: usize) {
        if self.counting {
            self.delivered += 1;
            self.payload_bytes += payload_bytes as u64;
        }
    }

    /// What was due at `due` is done.
    pub(crate) fn took(&mut self, due: Duration, now: Duration) {
        if (self.began..self.ended).contains(&due) {
            self.latency
                .saturating_record(nanos(now.saturating_sub(due)));
        }
    }

    /// A message was sent that was due at `due`.
    pub(crate) fn left(&mut self, due: Duration, now: Duration) {
        if self.counting {
            self.sent += 1;
            self.lag.saturating_record(nanos(now.saturating_sub(due)));
        }
    }
}

impl Latencies {
    /// Of what a histogram holds in nanoseconds; `None` when it is empty.
    pub(crate) fn of(histogram: &Histogram<u64>) -> Option<Self> {
        let at = |percentile| histogram.value_at_percentile(percentile) as f64 / 1e3;
        (!histogram.is_empty()).then(|| Self {
            count: histogram.len(),
            mean: histogram.mean() / 1e3,
            p50: at(50.0),
            p90: at(90.0),
            p99: at(99.0),
            p99_9: at(99.9),
            max: histogram.max() as f64 / 1e3,
        })
    }
}

/// What a histogram holds in nanoseconds, in buckets of microseconds, each at most a 32nd wide.
pub(crate) fn buckets(histogram: &Histogram<u64>) -> Vec<(f64, u64)> {
    let mut buckets: Vec<(f64, u64)> = Vec::new();
    for step in histogram.iter_recorded() {
        let value = step.value_iterated_to();
        let width = 1 << value.checked_ilog2().unwrap_or(0).saturating_sub(5);
        let most_us = value.next_multiple_of(width) as f64 / 1e3;
        let count = step.count_since_last_iteration();
        match buckets.last_mut() {
            Some(last) if last.0 >= most_us => last.1 += count,
            Some(_) | None => buckets.push((most_us, count)),
        }
    }
    buckets
}

pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_NS_MAX, 3).expect("the bounds are in order")
}

pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Beyond, a latency counts as this.
const LATENCY_NS_MAX: u64 = 100_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_hold_all_that_was_recorded_in_rising_order() {
        let mut latencies = histogram();
        for value in [
            1_000, 1_001, 64_000, 65_000, 1_000_000, 1_010_000, 50_000_000,
        ] {
            latencies.record(value).unwrap();
        }
        let buckets = buckets(&latencies);
        assert_eq!(buckets.iter().map(|bucket| bucket.1).sum::<u64>(), 7);
        assert!(
            buckets.is_sorted_by(|one, next| one.0 < next.0),
            "{buckets:?}"
        );
        assert!(buckets.len() < 7 && buckets[0].0 < 1.1, "{buckets:?}");
        assert!((50_000.0..52_000.0).contains(&buckets[buckets.len() - 1].0));
    }
}
