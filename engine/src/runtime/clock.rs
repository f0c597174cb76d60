//! The only place that reads the machine's clock. Everything else takes the time as an argument.

use std::time::Instant;

/// The time now, of the machine's monotonic clock.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where a driver reads time, to hand it on as an argument"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
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
