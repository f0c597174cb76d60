//! The driver over io_uring: one glommio executor per shard. Never decides what bytes mean.
//!
//! glommio 0.9 shapes it: the preempt timer stays at its default and a pulse always stands, or the executor can park
//! with runnable tasks; tasks are few, live long and end by themselves, since cancelled ones leak; a panic in a task
//! ends the executor, so the reactor lets none out.

mod stream;

use std::cell::RefCell;
use std::fmt::Display;
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use ::glommio::timer::Timer;
use ::glommio::{
    Latency, LocalExecutor, LocalExecutorBuilder, Placement, Shares, TaskQueueHandle,
    spawn_local_into,
};
use flume::Receiver;

use super::clock;
use super::driver::READ_BYTES_MAX;
use super::exchange::Exchange;
use super::mailbox::Bell;
use super::reactor::{Arrival, Next, Reactor, Slot, panic_text};
use crate::error::{Error, Result};
use stream::Stream;

/// A bell that rings into an executor that is yet to be.
pub(crate) struct Prepared {
    bell: Arc<Bell>,
    rung: Receiver<()>,
}

impl Prepared {
    pub(crate) fn new() -> Prepared {
        let (ring, rung) = flume::bounded(1);
        let bell = Arc::new(Bell::new(move || {
            // Full: it is rung already.
            let _ = ring.try_send(());
        }));
        Prepared { bell, rung }
    }

    pub(crate) fn bell(&self) -> Arc<Bell> {
        Arc::clone(&self.bell)
    }
}

/// Runs a shard until it ends.
pub(crate) fn run(
    prepared: Prepared,
    make: impl FnOnce() -> Result<Reactor> + 'static,
) -> Result<()> {
    let executor = make_executor()?;
    executor.run(async move {
        let reactor = make()?;
        // As patient as the default timer, which it must not shorten; what it buys is the latency ring.
        let latency = Latency::Matters(Duration::from_millis(100));
        let queue = ::glommio::executor().create_task_queue(Shares::default(), latency, "shard");
        let shore = Shore {
            shared: Rc::new(RefCell::new(Shared::new(reactor))),
            queue,
            rung: prepared.rung,
        };
        shore.run().await
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

/// What the shard's tasks share. Borrowed for the length of one poll, never across one.
struct Shared {
    reactor: Reactor,
    /// The tasks of connections, by the index of their slot.
    tasks: Vec<Option<(Slot, Waker)>>,
    tasks_alive: usize,
    /// The task that takes turns, while it sleeps.
    turns: Option<Waker>,
    /// Something was read or written since the last turn.
    touched: bool,
    ended: bool,
    buffer: Vec<u8>,
}

struct Shore {
    shared: Rc<RefCell<Shared>>,
    queue: TaskQueueHandle,
    rung: Receiver<()>,
}

impl Shore {
    async fn run(self) -> Result<()> {
        let pulse = spawn(pulse(Rc::clone(&self.shared)), self.queue)?;
        let queue = self.queue;
        let turns = spawn(async move { self.take_turns().await }, queue)?;
        let ended = turns.await;
        pulse.await;
        ended
    }

    async fn take_turns(&self) -> Result<()> {
        let mut exchange = Exchange::default();
        loop {
            let next = self.shared.borrow_mut().reactor.turn(clock::now());
            self.attach_arrivals()?;
            self.shared.borrow_mut().wake_changed();
            if next != Next::Yield {
                exchange = Exchange::default();
            }
            match next {
                Next::End => break,
                Next::Again => yield_once().await,
                Next::Yield => match exchange.patience(clock::now()) {
                    None => yield_once().await,
                    Some(until) => self.wait(until).await,
                },
                Next::Wait(until) => self.wait(until).await,
            }
        }
        self.end_tasks().await;
        Ok(())
    }

    fn attach_arrivals(&self) -> Result<()> {
        let arrivals = self.shared.borrow_mut().reactor.take_arrivals();
        for (socket, arrival) in arrivals {
            self.attach(socket, arrival)?;
        }
        Ok(())
    }

    fn attach(&self, socket: OwnedFd, arrival: Arrival) -> Result<()> {
        let stream = Rc::new(Stream::new(socket));
        let shared: Rc<dyn AsFd> = stream.clone();
        let slot = {
            let shore = &mut *self.shared.borrow_mut();
            shore.tasks_alive += 1;
            shore.touched = true;
            shore.reactor.attach(shared, arrival, clock::now())
        };
        let watch = watch(Rc::clone(&self.shared), slot, stream);
        spawn(watch, self.queue)?.detach();
        Ok(())
    }

    /// Sleeps until something was read or written, the bell rings or `until`.
    async fn wait(&self, until: Instant) {
        let left = until.saturating_duration_since(clock::now());
        let mut timer = pin!(Timer::new(left));
        let mut rung = pin!(self.rung.recv_async());
        poll_fn(|cx| {
            let shared = &mut *self.shared.borrow_mut();
            if std::mem::take(&mut shared.touched) {
                return Poll::Ready(());
            }
            shared.turns = Some(cx.waker().clone());
            if rung.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            timer.as_mut().poll(cx).map(|_| ())
        })
        .await;
    }

    /// Lets every task of a connection end by itself.
    async fn end_tasks(&self) {
        self.shared.borrow_mut().end();
        while self.shared.borrow().tasks_alive > 0 {
            yield_once().await;
        }
    }
}

impl Shared {
    fn new(reactor: Reactor) -> Shared {
        Shared {
            reactor,
            tasks: Vec::new(),
            tasks_alive: 0,
            turns: None,
            touched: false,
            ended: false,
            buffer: vec![0; READ_BYTES_MAX],
        }
    }

    /// Lets connections look at what they may do now.
    fn wake_changed(&mut self) {
        let changed = self.reactor.take_changed();
        for slot in &changed {
            if let Some(Some((of, waker))) = self.tasks.get(slot.index())
                && of == slot
            {
                waker.wake_by_ref();
            }
        }
        self.reactor.recycle_changed(changed);
    }

    fn end(&mut self) {
        self.ended = true;
        for (_, waker) in self.tasks.drain(..).flatten() {
            waker.wake();
        }
    }

    /// Moves bytes of one connection; ready when it is gone.
    fn poll_connection(&mut self, slot: Slot, stream: &Stream, cx: &mut Context<'_>) -> Poll<()> {
        if self.ended {
            return Poll::Ready(());
        }
        self.poll_write(slot, stream, cx);
        self.poll_read(slot, stream, cx);
        if self.reactor.interest(slot).is_some() {
            self.keep_waker(slot, cx);
            return Poll::Pending;
        }
        if let Some(task) = self.tasks.get_mut(slot.index())
            && task.as_ref().is_some_and(|(of, _)| *of == slot)
        {
            *task = None;
        }
        Poll::Ready(())
    }

    fn poll_write(&mut self, slot: Slot, stream: &Stream, cx: &mut Context<'_>) {
        if !self
            .reactor
            .interest(slot)
            .is_some_and(|interest| interest.write)
        {
            return;
        }
        // The stream waits for room only by writing itself.
        let len = self.reactor.copy_output(slot, &mut self.buffer);
        match stream.poll_write(cx, &self.buffer[..len]) {
            Poll::Pending => return,
            Poll::Ready(Ok(written)) => self.reactor.wrote(slot, written, clock::now()),
            Poll::Ready(Err(_)) => self.reactor.broken(slot),
        }
        self.touch();
        cx.waker().wake_by_ref();
    }

    fn poll_read(&mut self, slot: Slot, stream: &Stream, cx: &mut Context<'_>) {
        if !self
            .reactor
            .interest(slot)
            .is_some_and(|interest| interest.read)
        {
            return;
        }
        match stream.poll_read(cx, &mut self.buffer) {
            Poll::Pending => return,
            Poll::Ready(Ok(0)) => self.reactor.eof(slot, clock::now()),
            Poll::Ready(Ok(len)) => {
                self.reactor
                    .bytes(slot, &mut self.buffer[..len], clock::now());
            }
            Poll::Ready(Err(_)) => self.reactor.broken(slot),
        }
        self.touch();
        // At the back of the queue: the others come first.
        cx.waker().wake_by_ref();
    }

    fn keep_waker(&mut self, slot: Slot, cx: &Context<'_>) {
        if self.tasks.len() <= slot.index() {
            self.tasks.resize_with(slot.index() + 1, || None);
        }
        let task = &mut self.tasks[slot.index()];
        let kept = task
            .as_ref()
            .is_some_and(|(of, waker)| *of == slot && waker.will_wake(cx.waker()));
        if !kept {
            *task = Some((slot, cx.waker().clone()));
        }
    }

    /// Makes the next turn come soon.
    fn touch(&mut self) {
        self.touched = true;
        if let Some(waker) = self.turns.take() {
            waker.wake();
        }
    }
}

/// The task of one connection; it ends when the connection does.
async fn watch(shared: Rc<RefCell<Shared>>, slot: Slot, stream: Rc<Stream>) {
    poll_fn(|cx| shared.borrow_mut().poll_connection(slot, &stream, cx)).await;
    shared.borrow_mut().tasks_alive -= 1;
}

/// Always stands, so that an executor which parked with runnable tasks wakes.
async fn pulse(shared: Rc<RefCell<Shared>>) {
    while !shared.borrow().ended {
        Timer::new(PULSE).await;
    }
}

async fn yield_once() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
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
