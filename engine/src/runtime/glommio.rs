//! The driver over io_uring: one glommio executor per shard. Never decides what bytes mean.
//!
//! glommio 0.9 shapes it: the preempt timer stays at its default and a pulse always stands, or the executor can park
//! with runnable tasks; tasks are few, live long and end by themselves, since cancelled ones leak; a panic in a task
//! ends the executor, so the reactor lets none out.

mod readable;

use std::cell::Cell;
use std::fmt::Display;
use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use ::glommio::timer::Timer;
use ::glommio::{
    Latency, LocalExecutor, LocalExecutorBuilder, Placement, Shares, TaskQueueHandle,
    spawn_local_into, yield_if_needed,
};

use super::clock;
use super::reactor::{Reactor, panic_text};
use super::sockets::{Pause, Prepared, Sockets};
use crate::error::{Error, Result};
use readable::Readable;

/// Runs a shard until it ends.
pub(crate) fn run(
    prepared: Prepared,
    make: impl FnOnce() -> Result<Reactor> + 'static,
) -> Result<()> {
    let executor = make_executor()?;
    executor.run(async move {
        let sockets = Sockets::new(prepared, make()?);
        // As patient as the default timer, which it must not shorten; what it buys is the latency ring.
        let latency = Latency::Matters(Duration::from_millis(100));
        let queue = ::glommio::executor().create_task_queue(Shares::default(), latency, "shard");
        let ended = Rc::new(Cell::new(false));
        let pulse = spawn(pulse(Rc::clone(&ended)), queue)?;
        let outcome = spawn(take_turns(sockets), queue)?.await;
        ended.set(true);
        pulse.await;
        outcome
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

async fn take_turns(mut sockets: Sockets) -> Result<()> {
    let mut readable = Readable::new(sockets.descriptor()).map_err(|source| Error::Io {
        what: "waiting for readiness".to_owned(),
        source,
    })?;
    loop {
        match sockets.turn() {
            Pause::End => return Ok(()),
            Pause::None => {
                sockets.look(Duration::ZERO)?;
            }
            Pause::Until(until) => {
                let left = until.saturating_duration_since(clock::now());
                if !sockets.look(left.min(LINGER))? && left > LINGER {
                    park(&mut readable, until).await;
                    sockets.look(Duration::ZERO)?;
                }
            }
        }
        sockets.serve_ready();
        // There is nobody to yield to but the pulse, so there is no need to go round the executor each time.
        yield_if_needed().await;
    }
}

/// Sleeps until a socket is ready, the bell rings or `until`.
async fn park(readable: &mut Readable, until: Instant) {
    let mut left = until.saturating_duration_since(clock::now());
    if readable.arm().is_err() {
        // Descriptors have run out: until there is one again, the sockets are looked at in short intervals.
        left = left.min(LOOK_UNTOLD_EVERY);
    }
    let mut timer = pin!(Timer::new(left));
    poll_fn(|cx| match readable.poll(cx) {
        Poll::Ready(()) => Poll::Ready(()),
        Poll::Pending => timer.as_mut().poll(cx).map(|_| ()),
    })
    .await;
}

/// Always stands, so that an executor which parked with runnable tasks wakes.
async fn pulse(ended: Rc<Cell<bool>>) {
    while !ended.get() {
        Timer::new(PULSE).await;
    }
}

fn spawn<T: 'static>(
    task: impl Future<Output = T> + 'static,
    queue: TaskQueueHandle,
) -> Result<::glommio::Task<T>> {
    spawn_local_into(task, queue).map_err(|error| Error::Io {
        what: "starting a task".to_owned(),
        source: io::Error::other(error.to_string()),
    })
}

/// Memory registered with the kernel, three times per executor: our files and sockets need none of it.
const IO_MEMORY_BYTES: usize = 64 * 1024;

/// The longest that a parked executor can miss a runnable task; 0.7 % of a core.
const PULSE: Duration = Duration::from_millis(5);

/// Time spent in the readiness call before the executor parks: a park and its wake cost ten times as much, and while
/// clients talk there is something to do before. Far below a turn, so whatever else the executor has can wait for it.
const LINGER: Duration = Duration::from_millis(1);

/// How often the sockets are looked at while nothing tells of them.
const LOOK_UNTOLD_EVERY: Duration = Duration::from_millis(1);
