//! The `worldshard` command as a child process, driven over real sockets and signals.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail as tests do; clippy sees only functions marked #[test] as tests"
)]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test waits for one event and lets the others pass"
)]

mod fleet;
#[cfg(feature = "wasm")]
#[path = "../../../wasm/tests/it/guests.rs"]
mod modules;
mod operators;
#[path = "../../../engine/tests/it/prometheus.rs"]
mod prometheus;
#[path = "../../../engine/tests/it/runtimes.rs"]
mod runtimes;
mod server;
#[cfg(target_os = "linux")]
mod terminal;
#[cfg(target_os = "linux")]
mod wrong_server;
mod wsprism;

mod admin;
#[cfg(target_os = "linux")]
mod bench;
#[cfg(target_os = "linux")]
mod bounded;
mod commands;
mod config;
mod deploy;
mod descriptors;
mod drain;
mod files;
#[cfg(feature = "wasm")]
mod guests;
mod hook;
#[cfg(target_os = "linux")]
mod hostile;
mod identity;
mod kept;
#[cfg(target_os = "linux")]
mod load;
mod logs;
mod messages;
mod pause;
#[cfg(feature = "wasm")]
mod project;
#[cfg(target_os = "linux")]
mod refused;
mod simulated;
#[cfg(target_os = "linux")]
mod soak;
#[cfg(target_os = "linux")]
mod soak_tenants;
#[cfg(target_os = "linux")]
mod stalled;
mod stopping;
mod tls;
mod top;
mod world;
