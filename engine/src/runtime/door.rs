//! The listening socket, and who of two threads accepts from it: the only shard of a server itself, and the acceptor
//! whenever that shard cannot. Never waits and never reads.

use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::bell::Bell;
use super::socket;

/// A listening socket that two threads may accept from.
///
/// With one shard there is no choice to make, and a hand from the acceptor costs a wake for each few connections: the
/// shard accepts. What is rare stays with the acceptor, which it calls: to refuse whom there is no room for.
#[derive(Debug)]
pub(crate) struct Door {
    listener: TcpListener,
    acceptor: Arc<Bell>,
    called: AtomicBool,
    held: AtomicBool,
}

impl Door {
    /// A door whose acceptor answers to `acceptor`.
    pub(crate) fn new(listener: TcpListener, acceptor: Arc<Bell>) -> Door {
        Door {
            listener,
            acceptor,
            called: AtomicBool::new(false),
            held: AtomicBool::new(false),
        }
    }

    /// Accepts who waits longest; `WouldBlock` when nobody does.
    pub(crate) fn accept(&self) -> std::io::Result<TcpStream> {
        socket::accept(&self.listener)
    }

    /// For a readiness set; it stays open as long as the door.
    pub(crate) fn descriptor(&self) -> RawFd {
        self.listener.as_raw_fd()
    }

    /// While descriptors have run out only the acceptor accepts: what it frees to refuse one with is for that one.
    pub(crate) fn hold(&self, held: bool) {
        self.held.store(held, Ordering::SeqCst);
    }

    /// Whether the shard is to leave all who wait to the acceptor.
    pub(crate) fn is_held(&self) -> bool {
        self.held.load(Ordering::SeqCst)
    }

    /// Lets the acceptor see to all who wait now.
    pub(crate) fn call_acceptor(&self) {
        self.called.store(true, Ordering::SeqCst);
        self.acceptor.ring();
    }

    /// Whether the acceptor was called since this was last asked.
    pub(crate) fn take_call(&self) -> bool {
        self.called.swap(false, Ordering::SeqCst)
    }
}
