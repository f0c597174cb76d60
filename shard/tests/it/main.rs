//! Shards in lockstep, against brute force over the whole world.

#![expect(
    clippy::unwrap_used,
    reason = "a test may panic: the permission for tests does not reach their helpers"
)]

mod lockstep;

mod crossings;
mod drift;

mod checkpoint;
mod hostile;
mod interest;
mod ownership;
mod predicates;
mod quarantine;
mod sessions;
mod timers;
mod walkers;
mod wire;
mod zones;
