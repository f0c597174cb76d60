//! The writes of a turn that the kernel is given by one submission, where the driver has a ring. Decides nothing about
//! the connections they are of.

use std::io;

#[cfg(target_os = "linux")]
use std::os::fd::AsFd;

#[cfg(target_os = "linux")]
use rustix::io::Errno;

use super::slots::{Slot, Slots};
#[cfg(target_os = "linux")]
use crate::runtime::submission::{Copying, Ring, Sent};

/// Writes that were submitted together, by their places in the turn's list. Without a ring there are none.
#[derive(Default)]
pub(super) struct Batch {
    #[cfg(target_os = "linux")]
    ring: Option<Ring>,
    #[cfg(target_os = "linux")]
    sent: Vec<Sent>,
    outcomes: Vec<Option<io::Result<usize>>>,
}

impl Batch {
    #[cfg(target_os = "linux")]
    pub(super) fn with(ring: Ring) -> Batch {
        Batch {
            ring: Some(ring),
            ..Batch::default()
        }
    }

    /// Submits a write for each connection of `list` that has all it is to write in one piece; others are not touched.
    #[cfg(target_os = "linux")]
    pub(super) fn submit(&mut self, list: &[Slot], slots: &Slots) {
        self.outcomes.clear();
        let Some(ring) = &mut self.ring else {
            return;
        };
        if list.len() < SUBMITTED_MIN {
            return;
        }
        // What the ring does not tell of, should it fail, may have been sent or not: such a connection cannot go on.
        let untold = |slot: &Slot| {
            let connection = slots.find(*slot)?;
            connection.only_slice()?;
            let fate = || Err(Errno::IO.into());
            connection.blocked.is_none().then(fate)
        };
        self.outcomes.extend(list.iter().map(untold));
        let outcomes = &self.outcomes;
        let writes = list.iter().zip(outcomes).enumerate();
        let writes = writes.filter_map(|(at, (slot, outcome))| {
            let connection = outcome.as_ref().and_then(|_| slots.find(*slot))?;
            Some((at, connection.socket.as_fd(), connection.only_slice()?))
        });
        let submitted = ring.send(Copying::Now, writes, &mut self.sent);
        for (at, taken) in self.sent.drain(..) {
            self.outcomes[at] = match taken {
                // Nothing was taken: it is written as if it had not been submitted.
                Err(Errno::INTR) => None,
                taken => Some(taken.map_err(io::Error::from)),
            };
        }
        if let Err(error) = submitted {
            tracing::error!(%error, "the ring for writes failed; writes are made one by one");
            self.ring = None;
        }
    }

    /// There is no ring here.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn submit(&mut self, _list: &[Slot], _slots: &Slots) {}

    /// What became of the write of the connection at this place, if it was submitted.
    pub(super) fn take(&mut self, at: usize) -> Option<io::Result<usize>> {
        self.outcomes.get_mut(at)?.take()
    }
}

/// Fewer writes are made one by one: a submission has a price of its own.
#[cfg(target_os = "linux")]
const SUBMITTED_MIN: usize = 4;
