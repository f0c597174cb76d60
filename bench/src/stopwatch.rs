//! CPU time of the measuring thread, and what several measurements of one thing come to.

use std::fmt;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// CPU time that this thread has used: on a shared machine it says more than the time of day.
#[must_use]
pub fn busy() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let part = |number: i64| u64::try_from(number).unwrap_or(0);
    Duration::from_secs(part(time.tv_sec)) + Duration::from_nanos(part(time.tv_nsec))
}

/// What `work` costs, measured so many times, in seconds each.
pub fn measure(times: usize, mut work: impl FnMut()) -> Spread {
    let costs = (0..times).map(|_| {
        let began = busy();
        work();
        busy().saturating_sub(began).as_secs_f64()
    });
    Spread::of(costs.collect())
}

/// The median of several measurements, with the least and the most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The least.
    pub least: f64,
    /// As many are below as above.
    pub median: f64,
    /// The most.
    pub most: f64,
}

impl Spread {
    /// Of at least one measurement.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_unstable_by(f64::total_cmp);
        Self {
            least: values[0],
            median: values[values.len() / 2],
            most: values[values.len() - 1],
        }
    }

    /// In another unit.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        Self {
            least: self.least * factor,
            median: self.median * factor,
            most: self.most * factor,
        }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            least,
            median,
            most,
        } = self;
        write!(f, "{median:.2} ({least:.2} to {most:.2})")
    }
}
