//! The real drivers: the only place with sockets, threads, clocks and channels.
//!
//! [`start`] binds, chooses a driver and runs one thread per shard; each thread turns a `reactor` around its hub, woken
//! by readiness, time and its mailbox. The world's rules are nowhere here.

pub(crate) mod clock;
mod cores;
pub mod probe;
#[cfg(target_os = "linux")]
mod ring;

#[cfg(target_os = "linux")]
#[doc(hidden)]
pub mod submission;

mod certificates;
mod dev_certificate;
mod running;
mod secret;
mod server;
mod simulated;
mod unpaced;

mod acceptor;
mod admin;
mod door;
mod listen;
mod rereading;

pub(crate) mod keeping;

mod bell;
mod control;
mod liveness;
mod mailbox;
mod metrics;
mod process;

mod in_process;
pub(crate) mod pacing;
mod phase_times;
mod punctuality;
mod reactor;
mod site;
mod socket;

mod driver;
mod exchange;
#[cfg(target_os = "linux")]
mod glommio;
mod portable;
mod sockets;

pub use clock::{busy, since_1970};
pub use cores::one_per_core;
pub use in_process::{ClientFactory, InProcessClient};
pub use keeping::{Difference, Recording, Recovery, first_difference, manifest_of, shards_kept};
pub use phase_times::{Phase, PhaseTimes};
pub use running::{Reloader, Running, start, start_from, start_placed};
pub use secret::fresh as fresh_bytes;
pub use simulated::{SimReport, run_simulated};
pub use unpaced::{RunReport, ShardTick, UnpacedRun, run_unpaced};
