//! A socket that a glommio executor watches, and that others may use by its descriptor. Never decides when it closes.
#![expect(
    unsafe_code,
    reason = "glommio takes sockets by raw descriptor only, and lends none as a borrowed one"
)]

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use ::glommio::net::TcpStream;
use futures_io::{AsyncRead, AsyncWrite};

/// A connected socket of this executor.
pub(super) struct Stream {
    raw: RawFd,
    inner: RefCell<TcpStream>,
}

impl Stream {
    /// Hands a socket to the executor of this thread.
    pub(super) fn new(socket: OwnedFd) -> Stream {
        let raw = socket.into_raw_fd();
        // SAFETY: `raw` is an open descriptor that nobody else owns: `into_raw_fd` has just given it up.
        let inner = unsafe { TcpStream::from_raw_fd(raw) };
        debug_assert_eq!(inner.as_raw_fd(), raw);
        Stream {
            raw,
            inner: RefCell::new(inner),
        }
    }

    /// Reads, or arranges that the task is woken when there is something to read.
    pub(super) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.inner.borrow_mut()).poll_read(cx, buffer)
    }

    /// Writes, or arranges that the task is woken when there is room.
    pub(super) fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.inner.borrow_mut()).poll_write(cx, bytes)
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: `inner` owns the descriptor, is never replaced, and closes it only when it is dropped with `self`,
        // which the borrow outlives not.
        unsafe { BorrowedFd::borrow_raw(self.raw) }
    }
}
