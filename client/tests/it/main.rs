//! A client against a small server over real sockets.

#![expect(
    clippy::unwrap_used,
    reason = "a test may panic: the permission for tests does not reach their helpers"
)]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test waits for one report and lets the others pass"
)]

mod peer;
mod session;
mod stalled;
#[cfg(feature = "tls")]
mod tls;
