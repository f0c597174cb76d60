//! Counts what a server allocates while it serves: nothing for each message or delta, once its buffers have grown.
//!
//! A binary of its own: the allocator counts for the whole process, but for the threads of the tests themselves.

#![expect(
    clippy::unwrap_used,
    reason = "a test may panic: the permission for tests does not reach their helpers"
)]
#![expect(
    unsafe_code,
    reason = "an allocator that counts is one, and hands every call on to the system's as it came"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use worldshard::hub::{Commons, Hub, Opening, Output};
use worldshard::prelude::*;
use worldshard::runtime::{Running, start};
use worldshard::worlds::{self, WorldName};
use worldshard_client::protocol::{InterestWish, ViewpointMode};
use worldshard_client::{Connection, Event, Framing};
use worldshard_transport::MessageKind;

#[path = "it/runtimes.rs"]
mod runtimes;

struct Counting;

static COUNT: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// Whether this thread belongs to a test, not to a server.
    static TESTS: Cell<bool> = const { Cell::new(false) };
}

// SAFETY: every call goes to the system's allocator with the arguments it came with; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as the caller promises.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count() {
    // A thread that ends has no such cell any more, and allocates nothing of a server's.
    if !TESTS.try_with(Cell::get).unwrap_or(true) {
        COUNT.fetch_add(1, Ordering::Relaxed);
    }
}

/// What all servers of this process have allocated so far.
fn allocations() -> u64 {
    COUNT.load(Ordering::Relaxed)
}

/// Servers count, tests do not; one test at a time has the count.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    TESTS.set(true);
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn on_each_runtime(test: impl Fn(Runtime)) {
    for runtime in [Runtime::Portable, Runtime::Glommio] {
        if runtimes::runs_here(runtime, 1) {
            test(runtime);
        }
    }
}

/// A running server of one shard.
fn serve(app: &mut App, runtime: Runtime) -> (Running, SocketAddr) {
    app.bind("127.0.0.1:0").runtime(runtime).shards(1);
    // What clients have not closed at the end is cut at once.
    app.options(|options| options.limits.close_deadline = Duration::from_millis(100));
    let running = start(&app.build().unwrap()).unwrap();
    let address = running.local_addr().unwrap();
    (running, address)
}

fn reply(cx: &mut Context) {
    for message in cx.messages() {
        let audience = match message.payload.as_text() {
            Some(_) => Audience::All,
            None => Audience::One(message.session),
        };
        cx.send(audience, message.payload.clone());
    }
}

/// Clients of a raw path, their upgrades done.
fn clients(address: SocketAddr, count: usize) -> Vec<Connection> {
    let connect = |_| {
        let mut client = Connection::connect(address, "/ws", Framing::Raw).unwrap();
        assert_eq!(client.receive(WAIT).unwrap(), Some(Event::Opened));
        client
    };
    (0..count).map(connect).collect()
}

#[test]
fn echoes_and_broadcasts_allocate_nothing_for_each_message() {
    let _alone = alone();
    on_each_runtime(|runtime| {
        let (running, address) = serve(App::new().system(Update, reply), runtime);
        let mut clients = clients(address, CLIENTS);
        let mut echo = |rounds: usize| {
            for _ in 0..rounds {
                for client in &mut clients {
                    for _ in 0..IN_FLIGHT {
                        client.binary(&[7; 64]);
                    }
                    client.flush().unwrap();
                }
                for client in &mut clients {
                    for _ in 0..IN_FLIGHT {
                        assert!(matches!(
                            client.receive(WAIT).unwrap(),
                            Some(Event::Binary(_))
                        ));
                    }
                }
            }
        };
        echo(50);
        let before = allocations();
        echo(1000);
        let echoes = 1000 * CLIENTS * IN_FLIGHT;
        judge(runtime, "echoes", allocations() - before, echoes);

        let mut broadcast = |rounds: usize| {
            for round in 0..rounds {
                clients[round % CLIENTS].text("to all of them, and always the same words");
                clients[round % CLIENTS].flush().unwrap();
                for client in &mut clients {
                    assert!(matches!(
                        client.receive(WAIT).unwrap(),
                        Some(Event::Text(_))
                    ));
                }
            }
        };
        broadcast(50);
        let before = allocations();
        broadcast(500);
        let copies = 500 * CLIENTS;
        judge(
            runtime,
            "copies of broadcasts",
            allocations() - before,
            copies,
        );
        drop(clients);
        running.stop();
        running.join().unwrap();
    });
}

/// What a world of so many clients allocates in [`TICKS`] ticks, when each client has had its first ones.
fn allocated_by_world(runtime: Runtime, clients: usize) -> u64 {
    let mut app = App::new();
    let world = worlds::world(WorldName::Flock, 300, 1);
    app.plugin(world.tick_interval(Duration::from_millis(2)));
    let (running, address) = serve(&mut app, runtime);
    let join = |_| {
        let mut client = Connection::enter(address, "/world", WAIT).unwrap();
        client.join(ViewpointMode::Avatar, None, InterestWish::Default);
        client.flush().unwrap();
        client
    };
    let mut fleet: Vec<Connection> = (0..clients).map(join).collect();
    let mut run = |ticks: u64| {
        for tick in 0..ticks {
            for client in &mut fleet {
                let delta = |event: &Event| matches!(event, Event::Delta(_)).then_some(());
                client.until(WAIT, delta).unwrap();
                if tick % TICKS_PER_COMMAND == 0 {
                    client.steer([1.0, (tick % 3) as f32, 0.0]);
                }
            }
        }
    };
    run(TICKS / 2);
    let before = allocations();
    run(TICKS);
    let allocated = allocations() - before;
    drop(fleet);
    running.stop();
    running.join().unwrap();
    allocated
}

#[test]
fn a_world_allocates_nothing_for_each_delta() {
    let _alone = alone();
    on_each_runtime(|runtime| {
        let few = allocated_by_world(runtime, 4);
        let many = allocated_by_world(runtime, 4 + CLIENTS);
        let commands = CLIENTS as u64 * TICKS / TICKS_PER_COMMAND;
        let more = many
            .saturating_sub(few)
            .saturating_sub(commands * PER_COMMAND);
        judge(runtime, "deltas", more, TICKS as usize * CLIENTS);
    });
}

/// What a hub allocates for messages to so many sessions, and what it gives to the driver for one of them.
fn allocated_by_fan_out(sessions: usize) -> (u64, usize) {
    let mut app = App::new();
    app.raw("/ws").system(Update, reply);
    let recipe = app.build().unwrap();
    let commons = Commons::new(&recipe, 1).unwrap();
    let mut hub = Hub::new(ShardId(0), recipe, commons).unwrap();
    hub.coalesce();
    let opening = || Opening {
        path: "/ws".to_owned(),
        framing: worldshard::Framing::Raw,
    };
    let ids: Vec<SessionId> = (0..sessions).map(|_| hub.open(opening())).collect();
    let mut output = Output::default();
    let mut shared = 0;
    let mut run = |messages: usize| {
        for _ in 0..messages {
            hub.message(ids[0], MessageKind::Text, b"once for all of them");
            hub.handle();
            hub.release();
            std::mem::swap(hub.output(), &mut output);
            assert_eq!(output.frames.len(), ids.len());
            let first = output.frames[0].1.as_ptr();
            shared = output
                .frames
                .iter()
                .filter(|one| one.1.as_ptr() == first)
                .count();
            for (session, _, _) in output.frames.drain(..) {
                hub.written(session, 1);
            }
        }
    };
    run(10);
    TESTS.set(false);
    let before = allocations();
    run(100);
    let allocated = allocations() - before;
    TESTS.set(true);
    (allocated, shared)
}

#[test]
fn a_message_to_many_is_laid_out_once_and_allocates_the_same_for_ten_and_for_ten_thousand() {
    let _alone = alone();
    for sessions in [10, 100, 1000, 10_000] {
        let (allocated, shared) = allocated_by_fan_out(sessions);
        println!("{sessions} sessions: {allocated} allocations for 100 messages");
        assert_eq!(shared, sessions, "some have a copy of their own");
        assert!(
            allocated <= 100,
            "{allocated} allocations for {sessions} sessions"
        );
    }
}

fn runtime_name(runtime: Runtime) -> String {
    format!("{runtime:?}").to_lowercase()
}

/// Holds a figure against the bound.
fn judge(runtime: Runtime, what: &str, allocated: u64, count: usize) {
    let name = runtime_name(runtime);
    println!("{name}: {allocated} allocations for {count} {what}");
    assert!(
        allocated <= count as u64 / 10,
        "{name}: {allocated} allocations for {count} {what}"
    );
}

const CLIENTS: usize = 16;
const IN_FLIGHT: usize = 8;
const TICKS: u64 = 1000;
const TICKS_PER_COMMAND: u64 = 8;

/// What a world allocates for a command that waits for its tick.
const PER_COMMAND: u64 = 4;

/// Long enough for a loaded machine; nothing waits so long when all is well.
const WAIT: Duration = Duration::from_secs(20);
