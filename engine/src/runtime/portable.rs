//! The driver for every system: one loop per shard that sleeps in the readiness call. Never decides what bytes mean.

use std::time::Duration;

use super::clock;
use super::reactor::Reactor;
use super::sockets::{Pause, Prepared, Sockets};
use crate::error::Result;

/// Runs a shard until it ends.
pub(crate) fn run(prepared: Prepared, make: impl FnOnce() -> Result<Reactor>) -> Result<()> {
    let mut sockets = Sockets::new(prepared, make()?);
    loop {
        let wait = match sockets.turn() {
            Pause::End => return Ok(()),
            Pause::None => Duration::ZERO,
            Pause::Until(until) => until.saturating_duration_since(clock::now()),
        };
        sockets.look(wait)?;
        sockets.serve_ready();
    }
}
