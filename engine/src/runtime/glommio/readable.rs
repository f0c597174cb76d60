//! Waits on a glommio executor until a descriptor is readable. Never reads from it.
#![expect(
    unsafe_code,
    reason = "glommio takes sockets by raw descriptor only, and lends none as a borrowed one"
)]

use std::io;
use std::os::fd::{BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ::glommio::net::TcpStream;
use futures_io::AsyncRead;

/// A descriptor that is no socket, such as the one of an epoll set.
///
/// glommio 0.9 offers to wait for readiness to streams alone. A stream made of any descriptor begins its life with one
/// poll submission, and only then reads; that the read is refused changes nothing: the poll is what was wanted. Each
/// wait has a stream of its own, on a duplicate, since a stream closes what it was made of.
pub(super) struct Readable {
    descriptor: OwnedFd,
    /// For the next wait, so that the number of descriptors stays the same whoever waits or not.
    spare: Option<OwnedFd>,
    armed: Option<TcpStream>,
}

impl Readable {
    /// # Errors
    /// When no descriptor is left.
    pub(super) fn new(descriptor: BorrowedFd<'_>) -> io::Result<Readable> {
        Ok(Readable {
            descriptor: descriptor.try_clone_to_owned()?,
            spare: None,
            armed: None,
        })
    }

    /// Submits a poll unless one stands; it stands until the descriptor is readable.
    ///
    /// # Errors
    /// When no descriptor is left.
    pub(super) fn arm(&mut self) -> io::Result<()> {
        if self.armed.is_none() {
            let duplicate = match self.spare.take() {
                Some(spare) => spare,
                None => self.descriptor.try_clone()?,
            };
            let raw = duplicate.into_raw_fd();
            // SAFETY: `raw` is an open descriptor that nobody else owns: `into_raw_fd` has just given it up.
            self.armed = Some(unsafe { TcpStream::from_raw_fd(raw) });
        }
        Ok(())
    }

    /// Ready once when the descriptor is readable, if armed.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(stream) = &mut self.armed else {
            return Poll::Pending;
        };
        // Pending while the submission stands; then the kernel refuses to receive from what is no socket.
        let refused = ready!(Pin::new(stream).poll_read(cx, &mut [0]));
        debug_assert!(refused.is_err(), "a socket would have been read from");
        // The next duplicate comes before this one goes, so that nobody takes the last descriptor in between; where there
        // is none, right behind it.
        self.spare = self.descriptor.try_clone().ok();
        self.armed = None;
        if self.spare.is_none() {
            self.spare = self.descriptor.try_clone().ok();
        }
        Poll::Ready(())
    }
}
