//! Lines on their way to a process, from the shard of its room to the thread beside it. Neither waits for the other.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What waits to be written to a process.
pub(crate) struct Pending {
    state: Mutex<State>,
    bytes_max: usize,
    /// A byte in it wakes the thread.
    bell: UnixStream,
    heard: UnixStream,
}

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    end: Option<End>,
    /// The bell was rung and not heard.
    is_rung: bool,
}

/// How a process is to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// It may read what waits, and then has its grace.
    InPeace,
    Now,
}

impl Pending {
    pub(crate) fn new(bytes_max: usize) -> std::io::Result<Self> {
        let (bell, heard) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        heard.set_nonblocking(true)?;
        Ok(Self {
            state: Mutex::default(),
            bytes_max,
            bell,
            heard,
        })
    }

    /// Appends a line, with its end; false when too much waits.
    pub(crate) fn push(&self, line: &[u8]) -> bool {
        let mut state = self.lock();
        let after = state.bytes.len().saturating_add(line.len());
        if after > self.bytes_max {
            return false;
        }
        state.bytes.extend_from_slice(line);
        self.ring(state);
        true
    }

    /// Nothing more comes.
    pub(crate) fn end(&self, end: End) {
        let mut state = self.lock();
        state.end = Some(end);
        self.ring(state);
    }

    /// What the thread waits at for news.
    pub(crate) fn news(&self) -> &UnixStream {
        &self.heard
    }

    /// Takes what waits, behind what `into` has left; says how it is to end, if it is.
    pub(crate) fn take(&self, into: &mut Vec<u8>) -> Option<End> {
        let mut state = self.lock();
        if std::mem::take(&mut state.is_rung) {
            // One byte at most is in it.
            let _ = (&self.heard).read(&mut [0]);
        }
        // The bound is of both together: what was not written yet stays here.
        if into.is_empty() {
            std::mem::swap(&mut state.bytes, into);
        }
        state.end
    }

    fn ring(&self, mut state: MutexGuard<'_, State>) {
        if !std::mem::replace(&mut state.is_rung, true) {
            // There is room for it: the one before was taken out.
            let _ = (&self.bell).write(&[1]);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
