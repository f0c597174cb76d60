//! Waits on an epoll for events, at most until a time that is exact to the microsecond: its own waits count in
//! milliseconds.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, Event};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::clock;

/// Fills `events`, which is empty, up to its capacity; leaves it empty when nothing happens until `until`.
pub(crate) fn wait(
    epoll: &OwnedFd,
    events: &mut Vec<Event>,
    until: Option<Duration>,
) -> Result<(), Errno> {
    let left = until.map(|until| until.saturating_sub(clock::now()));
    if left.is_none_or(|left| !left.is_zero()) {
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        let mut waits = [PollFd::new(epoll, PollFlags::IN)];
        match poll(&mut waits, timeout.as_ref()) {
            Ok(0) | Err(Errno::INTR) => return Ok(()),
            Ok(_) => {}
            Err(error) => return Err(error),
        }
    }
    let at_once = Timespec::default();
    match epoll::wait(epoll, spare_capacity(events), Some(&at_once)) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error),
    }
}
