//! The border at which a panic of user code ends: none passes into a driver, and no hub runs after one.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use worldshard_protocol::Tick;
use worldshard_spatial::ShardId;

use crate::hub::Hub;
use crate::runtime::process::Process;

/// A hub that is called only while its state can be trusted.
pub(crate) struct Guard {
    hub: Hub,
    own: ShardId,
    process: Arc<Process>,
    /// For the log: the tick that runs, or is next.
    pub(crate) tick: Tick,
    failed: bool,
}

impl Guard {
    pub(crate) fn new(hub: Hub, own: ShardId, process: Arc<Process>) -> Guard {
        Guard {
            hub,
            own,
            process,
            tick: Tick::default(),
            failed: false,
        }
    }

    /// Calls the hub. `None` when it panicked now or before: the server then ends.
    pub(crate) fn call<R>(
        &mut self,
        doing: &'static str,
        call: impl FnOnce(&mut Hub) -> R,
    ) -> Option<R> {
        if self.failed {
            return None;
        }
        // A hub that panicked is never called again, so nobody sees what it left half-changed.
        match catch_unwind(AssertUnwindSafe(|| call(&mut self.hub))) {
            Ok(result) => Some(result),
            Err(panic) => {
                self.failed = true;
                self.tell(doing, &*panic);
                None
            }
        }
    }

    /// Whether the hub panicked.
    pub(crate) fn failed(&self) -> bool {
        self.failed
    }

    fn tell(&self, doing: &'static str, panic: &(dyn Any + Send)) {
        let (shard, tick) = (self.own.0, self.tick.0);
        let text = panic_text(panic);
        tracing::error!(
            shard,
            tick,
            doing,
            panic = text,
            "a shard failed; the server ends"
        );
        self.process.fail(format!(
            "shard {shard} panicked in {doing} of tick {tick}: {text}"
        ));
    }
}

/// What a panic said, where it said it in text.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    if let Some(text) = panic.downcast_ref::<&str>() {
        text
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text
    } else {
        "no text"
    }
}
