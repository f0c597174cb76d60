//! The machine's monotonic clock, as time since it started: what is measured is differences.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The time now.
#[must_use]
pub fn now() -> Duration {
    since_start(ClockId::Monotonic)
}

/// CPU time that this process has used.
#[must_use]
pub fn process_busy() -> Duration {
    since_start(ClockId::ProcessCPUTime)
}

fn since_start(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    let part = |number: i64| u64::try_from(number).unwrap_or(0);
    Duration::from_secs(part(time.tv_sec)) + Duration::from_nanos(part(time.tv_nsec))
}
