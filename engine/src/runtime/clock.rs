//! The only place that reads the machine's clock. Everything else takes the time as an argument.

use std::time::{Duration, Instant, SystemTime};

/// The time now, of the machine's monotonic clock.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where a driver reads time, to hand it on as an argument"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The time by the machine's calendar, since 1970: for what others date by theirs, which is tokens.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where a driver reads the calendar, to hand it on as an argument"
)]
pub fn since_1970() -> Duration {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    // A machine whose clock was never set: everything is still to come.
    since.unwrap_or_default()
}

/// CPU time that this thread has used: it stands still while others have the core.
#[cfg(unix)]
#[must_use]
pub fn busy() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let part = |number: i64| u64::try_from(number).unwrap_or(0);
    Duration::from_secs(part(time.tv_sec)) + Duration::from_nanos(part(time.tv_nsec))
}

/// Time since the first call: this system does not say what one thread used.
#[cfg(not(unix))]
#[must_use]
pub fn busy() -> Duration {
    static BEGAN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    now().saturating_duration_since(*BEGAN.get_or_init(now))
}

/// Blocks this thread until `until`.
pub(crate) fn stand_still(until: Instant) {
    loop {
        let left = until.saturating_duration_since(now());
        if left.is_zero() {
            return;
        }
        std::thread::park_timeout(left);
    }
}
