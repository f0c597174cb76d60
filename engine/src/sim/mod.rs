//! The simulated driver: the same hubs on one thread, in virtual time, with faults from a seed, watched by checkers.
//!
//! `observed` is the plain data that a tick leaves behind, `check` judges it. Never reads a clock or a socket.

mod observed;

pub mod check;

pub use observed::{
    ClientSeen, DeltaSeen, EntitySeen, EventKind, EventSeen, EventTap, GhostSeen, HubSeen,
    MailboxSeen, Observed, SeenByClient, ShardSeen, ViewerSeen,
};
