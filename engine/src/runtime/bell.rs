//! The bell that wakes a thread which sleeps beside a mailbox. Knows nothing of the mailbox.
//!
//! `loom/` runs it through all interleavings of its threads, by this file.

use crate::sync::atomic::{AtomicBool, Ordering};

/// Wakes one shard's thread. Rung any number of times before the shard answers, it wakes once.
pub(crate) struct Bell {
    rung: AtomicBool,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl Bell {
    /// A bell that calls `wake` at the first ring after each answer.
    pub(crate) fn new(wake: impl Fn() + Send + Sync + 'static) -> Bell {
        Bell {
            rung: AtomicBool::new(false),
            wake: Box::new(wake),
        }
    }

    /// Wakes the shard unless a ring is still unanswered.
    pub(crate) fn ring(&self) {
        if !self.rung.swap(true, Ordering::SeqCst) {
            (self.wake)();
        }
    }

    /// Called by the shard before it looks into its mailbox: what is sent later rings again.
    pub(crate) fn answer(&self) {
        self.rung.swap(false, Ordering::SeqCst);
    }
}

impl std::fmt::Debug for Bell {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Bell")
            .field("rung", &self.rung)
            .finish_non_exhaustive()
    }
}
