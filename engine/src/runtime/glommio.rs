//! The driver over glommio: the shard's loop as the one task of an executor, its writes through a ring. Never decides
//! what bytes mean.
//!
//! glommio 0.9 lends no ring and has no send that many sockets share, so that ring is one of our own (`submission`).
//! The task never yields, so the executor never parks: waiting is the readiness call's. glommio 0.9 can park with
//! runnable tasks and sleep until something unrelated happens; an executor that does not park cannot, and needs no
//! standing timer against it. The price: any other task on this executor would starve. There is none, and nothing
//! outside this file can start one.

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ::glommio::{LocalExecutor, LocalExecutorBuilder, Placement};

use super::reactor::Reactor;
use super::sockets::{Prepared, Sockets};
use super::submission::Ring;
use crate::error::{Error, Result};
use crate::panic::panic_text;

/// Runs a shard until it ends.
pub(crate) fn run(
    prepared: Prepared,
    make: impl FnOnce() -> Result<Reactor> + 'static,
) -> Result<()> {
    make_executor()?.run(async move {
        let mut reactor = make()?;
        match Ring::new() {
            Ok(ring) => reactor.write_by(ring),
            // Linux before 6.1 has no such ring.
            Err(error) => tracing::info!(%error, "no ring for writes: they are made one by one"),
        }
        Sockets::new(prepared, reactor).run()
    })
}

/// An executor on this thread.
///
/// # Errors
/// The system has not enough for its rings; glommio panics for some of what it misses.
fn make_executor() -> Result<LocalExecutor> {
    // Pinning is done: the executor must not undo it.
    let builder = LocalExecutorBuilder::new(Placement::Unbound).io_memory(IO_MEMORY_BYTES);
    let refused = |what: &dyn Display| Error::Driver {
        runtime: "glommio",
        detail: format!(
            "{what}; worldshard doctor names remedies, --runtime portable does without"
        ),
    };
    match catch_unwind(AssertUnwindSafe(|| builder.make())) {
        Ok(made) => made.map_err(|error| refused(&error)),
        Err(panic) => Err(refused(&panic_text(&*panic))),
    }
}

/// Memory registered with the kernel, three times per executor: our files and sockets need none of it.
const IO_MEMORY_BYTES: usize = 64 * 1024;
