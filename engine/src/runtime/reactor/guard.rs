//! The border at which a panic of user code ends: none passes into a driver, and no hub runs after one.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use worldshard_protocol::Tick;
use worldshard_spatial::ShardId;

use crate::hub::Hub;
use crate::panic::panic_text;
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
                self.give_up(doing, panic_text(&*panic));
                None
            }
        }
    }

    /// Calls the hub in such a way that a panic of it can be mended: what it said.
    pub(crate) fn attempt<R>(&mut self, call: impl FnOnce(&mut Hub) -> R) -> Result<R, String> {
        catch_unwind(AssertUnwindSafe(|| call(&mut self.hub)))
            .map_err(|panic| panic_text(&*panic).to_owned())
    }

    /// The hub cannot be mended: the server ends.
    pub(crate) fn give_up(&mut self, doing: &'static str, text: &str) {
        self.failed = true;
        self.tell(doing, text);
    }

    /// Whether the hub panicked.
    pub(crate) fn failed(&self) -> bool {
        self.failed
    }

    fn tell(&self, doing: &'static str, text: &str) {
        let (shard, tick) = (self.own.0, self.tick.0);
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
