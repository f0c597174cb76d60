//! Things that wait for one of several threads, with bounds on their number and bytes, and an end.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::clock;

/// A bounded queue. What it has no room for is given back.
pub(crate) struct Queue<T> {
    len_max: usize,
    bytes_max: usize,
    inner: Mutex<Inner<T>>,
    rung: Condvar,
}

struct Inner<T> {
    things: VecDeque<(T, usize)>,
    bytes: usize,
    /// Nothing is put any more, and what is left then is dropped.
    ends: Option<Instant>,
}

impl<T> Queue<T> {
    pub(crate) fn new(len_max: usize, bytes_max: usize) -> Self {
        Self {
            len_max,
            bytes_max,
            inner: Mutex::new(Inner {
                things: VecDeque::new(),
                bytes: 0,
                ends: None,
            }),
            rung: Condvar::new(),
        }
    }

    /// # Errors
    /// There is no room, or the end was said: gives the thing back.
    pub(crate) fn put(&self, thing: T, bytes: usize) -> Result<(), T> {
        let mut inner = self.lock();
        let is_full = inner.things.len() >= self.len_max || inner.bytes + bytes > self.bytes_max;
        if is_full || inner.ends.is_some() {
            return Err(thing);
        }
        inner.bytes += bytes;
        inner.things.push_back((thing, bytes));
        drop(inner);
        self.rung.notify_one();
        Ok(())
    }

    /// Waits for the next thing; none at the end.
    pub(crate) fn take(&self) -> Option<T> {
        let mut inner = self.lock();
        loop {
            let is_over = inner.ends.is_some_and(|at| at <= clock::now());
            if is_over {
                return None;
            }
            if let Some((thing, bytes)) = inner.things.pop_front() {
                inner.bytes -= bytes;
                return Some(thing);
            }
            if inner.ends.is_some() {
                return None;
            }
            inner = self
                .rung
                .wait(inner)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits for so long, but not beyond the end. Says how long until that, if it was said.
    pub(crate) fn rest(&self, pause: Duration) -> Option<Duration> {
        let until = clock::now() + pause;
        let mut inner = self.lock();
        loop {
            let now = clock::now();
            let ends = inner.ends;
            let until = ends.map_or(until, |at| at.min(until));
            let left = until.saturating_duration_since(now);
            if left.is_zero() {
                return ends.map(|at| at.saturating_duration_since(now));
            }
            let waited = self.rung.wait_timeout(inner, left);
            inner = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Nothing is put any more; what is not taken by then is dropped.
    pub(crate) fn end(&self, at: Instant) {
        self.lock().ends = Some(at);
        self.rung.notify_all();
    }

    /// Things that wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().things.len()
    }

    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        // Nothing can panic while it is held, so nothing in it is half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
