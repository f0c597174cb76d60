//! Where threads leave things for one that takes them when it comes by. Rings for it; never waits for anybody.
//!
//! `loom/` runs it through all interleavings of its threads, by this file.

use std::sync::OnceLock;

use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, MutexGuard};

/// Things that wait to be taken. Whoever puts them bounds their number.
pub(crate) struct Tray<T> {
    things: Mutex<Vec<T>>,
    /// Looked at without the lock: most of the time nothing waits.
    waits: AtomicBool,
    ring: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

impl<T> Tray<T> {
    pub(crate) fn new() -> Self {
        Self {
            things: Mutex::new(Vec::new()),
            waits: AtomicBool::new(false),
            ring: OnceLock::new(),
        }
    }

    /// From now on `ring` is called for each thing, on the thread that puts it. Said once: a second one is not called.
    pub(crate) fn on_put(&self, ring: impl Fn() + Send + Sync + 'static) {
        // Whoever drives the tray says so before anybody has something to put.
        let _ = self.ring.set(Box::new(ring));
    }

    pub(crate) fn put(&self, thing: T) {
        self.lock().push(thing);
        self.waits.store(true, Ordering::SeqCst);
        if let Some(ring) = self.ring.get() {
            ring();
        }
    }

    /// Whether there may be something to take.
    pub(crate) fn waits(&self) -> bool {
        self.waits.load(Ordering::SeqCst)
    }

    /// Takes everything, in the order in which it was put, into an empty list, whose memory the tray uses from then on.
    pub(crate) fn take(&self, into: &mut Vec<T>) {
        debug_assert!(into.is_empty(), "what was taken before was not used");
        // First: what is put after that is told anew.
        self.waits.store(false, Ordering::SeqCst);
        std::mem::swap(&mut *self.lock(), into);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<T>> {
        // Nothing can panic while it is held, so nothing in it is half done.
        self.things
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
