//! The seam to the operating system: what a driver is, and which of them a thread is prepared for.

use std::io;
use std::sync::Arc;

use super::bell::Bell;
use super::portable;
use super::probe::Chosen;
use super::reactor::Reactor;
use super::sockets::Prepared;
use crate::error::Result;

#[cfg(target_os = "linux")]
use super::glommio;

/// One thread's driver, before its thread exists: it can be woken already.
pub(crate) struct Shore {
    chosen: Chosen,
    prepared: Prepared,
}

impl Shore {
    /// Prepares a thread.
    pub(crate) fn new(chosen: Chosen) -> io::Result<Shore> {
        let prepared = Prepared::new()?;
        Ok(Shore { chosen, prepared })
    }

    /// Wakes the thread.
    pub(crate) fn bell(&self) -> Arc<Bell> {
        self.prepared.bell()
    }

    /// Runs a shard on this thread until it ends. `make` runs here too: a shard never leaves its thread.
    pub(crate) fn run(self, make: impl FnOnce() -> Result<Reactor> + 'static) -> Result<()> {
        match self.chosen {
            Chosen::Portable => portable::run(self.prepared, make),
            #[cfg(target_os = "linux")]
            Chosen::Glommio => glommio::run(self.prepared, make),
        }
    }
}
