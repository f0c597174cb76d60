//! The driver for every system: the shard's loop on a plain thread. Never decides what bytes mean.

use super::reactor::Reactor;
use super::sockets::{Prepared, Sockets};
use crate::error::Result;

/// Runs a shard until it ends.
pub(crate) fn run(prepared: Prepared, make: impl FnOnce() -> Result<Reactor>) -> Result<()> {
    Sockets::new(prepared, make()?).run()
}
