//! The simulated driver: the same hubs, one thread, virtual time, an order of events and faults from a seed.
//!
//! It schedules each shard by itself, in any order that the mailboxes of a real driver allow, and plays the clients.
//! No clock of its own accord, no socket, no thread, no channel: the same options give the same run, byte for byte.
//!
//! ```
//! use worldshard::prelude::*;
//! use worldshard::sim::{SimOptions, Simulation};
//!
//! # type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;
//! fn hashes() -> Result<Vec<u128>> {
//!     let recipe = App::new()
//!         .populate(100, |genesis, entity| {
//!             let x = genesis.chance(entity, "birth").range(0.0, 1000.0);
//!             Draft::at(Point::flat(x, 500.0))
//!         })
//!         .system(FixedUpdate, |step: &mut Step<'_>| {
//!             let drift = Point::flat(0.0, step.dt());
//!             for position in step.query::<&mut Position>().iter() {
//!                 position.0 += drift;
//!             }
//!         })
//!         .build()?;
//!     let mut simulation = Simulation::new(&recipe, SimOptions { shards: 4, ..SimOptions::default() })?;
//!     let mut hashes = Vec::new();
//!     for _ in 0..10 {
//!         simulation.step()?;
//!         hashes.push(simulation.digest());
//!     }
//!     Ok(hashes)
//! }
//!
//! # fn main() -> Result<()> {
//! assert_eq!(hashes()?, hashes()?);
//! # Ok(())
//! # }
//! ```

mod simulation;

mod berth;
mod clock;
mod mail;
mod stopwatch;

mod disk;
mod faults;
mod keeping;

mod client;
mod live;
mod script;

mod observed;

pub mod check;

pub use client::{ClientStanding, SimClient};
pub use faults::{
    CrashCounts, FaultCounts, FaultKind, Faults, JUMP_MS_MAX, LATE_TICKS_MAX, LATE_TURNS_MAX,
    SLOW_TURNS_MAX, STALL_TICKS_MAX, STALL_TURNS_MAX,
};
pub use keeping::SimKeeping;
pub use observed::{
    CameBack, ClientSeen, DeltaSeen, EntitySeen, EventKind, EventSeen, EventTap, GhostSeen,
    HubSeen, Inherited, MailboxSeen, Observed, PaceSeen, SeenByClient, ShardSeen, ViewerSeen,
};
pub use script::ClientScript;
pub use simulation::{SimClients, SimOptions, Simulation};
