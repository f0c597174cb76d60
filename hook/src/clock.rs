//! The machine's monotonic clock, for waits and what is due. The calendar is the engine's to read.

use std::time::Instant;

/// The time now.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where this crate reads time, to hand it on as an argument"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}
