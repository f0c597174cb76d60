//! The seam to the operating system: what a driver is, and which of them a thread is prepared for.

use std::io;
use std::sync::Arc;

use super::mailbox::Bell;
use super::portable;
use super::probe::Chosen;
use super::reactor::Reactor;
use crate::error::Result;

#[cfg(target_os = "linux")]
use super::glommio;

/// One thread's driver, before its thread exists: it can be woken already.
pub(crate) enum Shore {
    Portable(portable::Prepared),
    #[cfg(target_os = "linux")]
    Glommio(glommio::Prepared),
}

impl Shore {
    /// Prepares a thread.
    pub(crate) fn new(chosen: Chosen) -> io::Result<Shore> {
        Ok(match chosen {
            Chosen::Portable => Shore::Portable(portable::Prepared::new()?),
            #[cfg(target_os = "linux")]
            Chosen::Glommio => Shore::Glommio(glommio::Prepared::new()),
        })
    }

    /// Wakes the thread.
    pub(crate) fn bell(&self) -> Arc<Bell> {
        match self {
            Shore::Portable(prepared) => prepared.bell(),
            #[cfg(target_os = "linux")]
            Shore::Glommio(prepared) => prepared.bell(),
        }
    }

    /// Runs a shard on this thread until it ends. `make` runs here too: a shard never leaves its thread.
    pub(crate) fn run(self, make: impl FnOnce() -> Result<Reactor> + 'static) -> Result<()> {
        match self {
            Shore::Portable(prepared) => portable::run(prepared, make),
            #[cfg(target_os = "linux")]
            Shore::Glommio(prepared) => glommio::run(prepared, make),
        }
    }
}

/// Bytes read from a connection at once, into the one buffer of its shard.
pub(crate) const READ_BYTES_MAX: usize = 64 * 1024;
