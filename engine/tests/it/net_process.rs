//! What a server does to its process and suffers from it: descriptors that run out, processor time when idle, signals.

use std::time::Duration;

use rustix::process::Signal;
use worldshard::Runtime;
use worldshard::prelude::*;
use worldshard_transport::MessageKind;

use crate::child::{Child, serve_if_child, serve_until_signal_if_child, shards_if_asked};
use crate::socket::{Client, Heard, PATIENCE, echo_app, eventually, get, now, on_each_runtime};

/// On as many shards as the child was told.
fn echo(runtime: Runtime) -> App {
    echo_app(runtime, shards_if_asked().unwrap_or(2))
}

/// The same; who says nothing keeps its descriptor for as long as the test may take.
fn patient_echo(runtime: Runtime) -> App {
    let mut app = echo(runtime);
    app.options(|options| options.limits.head_deadline = Duration::from_secs(60));
    app
}

#[test]
fn no_accept_loop_dies_when_descriptors_run_out_newcomers_are_refused_until_some_are_free() {
    serve_if_child(patient_echo);
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let name = "net_process::no_accept_loop_dies_when_descriptors_run_out_newcomers_are_refused_until_some_are_free";
            // A shard needs some of its own.
            let files = 40 + 10 * u32::from(shards);
            let child = Child::start_sharded(name, runtime, shards, files);
            let address = child.address;
            let mut first = Client::connect(address, "/ws");
            let mut sockets = Vec::new();
            for _ in 0..files + 20 {
                sockets.push(std::net::TcpStream::connect(address).unwrap());
            }
            eventually(PATIENCE, "a newcomer is refused", || {
                get(address, "/healthz").0 == 503
            });
            first.echoes(MessageKind::Text, b"undisturbed");
            drop(sockets);
            eventually(PATIENCE, "newcomers are served again", || {
                get(address, "/healthz").0 == 200
            });
            first.echoes(MessageKind::Text, b"still");
            drop(first);
            child.end();
        }
    });
}

#[cfg(target_os = "linux")]
#[test]
fn no_busy_loop_when_idle_the_processor_is_left_to_others() {
    serve_if_child(echo);
    on_each_runtime(|runtime| {
        let name = "net_process::no_busy_loop_when_idle_the_processor_is_left_to_others";
        let start = |shards| (shards, Child::start_sharded(name, runtime, shards, 1024));
        let children = [1, 2, 8].map(start);
        let ticks_of = |child: &Child| {
            let stat = std::fs::read_to_string(child.proc("stat")).unwrap();
            let (_, fields) = stat.rsplit_once(") ").unwrap();
            let mut times = fields
                .split(' ')
                .skip(11)
                .map(|field| field.parse::<u64>().unwrap());
            times.next().unwrap() + times.next().unwrap()
        };
        let before = children.each_ref().map(|(_, child)| ticks_of(child));
        let until = now() + Duration::from_secs(3);
        while now() < until {
            std::thread::park_timeout(Duration::from_millis(100));
        }
        for ((shards, child), before) in children.into_iter().zip(before) {
            // A tick of this clock is 10 ms; at most 2 % of 3 s for each shard, where there is but one as much for the threads beside it.
            let ticks = u32::try_from(ticks_of(&child) - before).unwrap();
            let used = Duration::from_millis(10) * ticks;
            println!("{used:?} of 3 s on {runtime}, {shards} shards");
            assert!(
                used <= Duration::from_millis(60) * u32::from(shards.max(2)),
                "{used:?} of processor time while idle"
            );
            child.end();
        }
    });
}

#[test]
fn a_second_interrupt_ends_a_server_that_waits_for_its_clients() {
    serve_until_signal_if_child(|runtime| {
        let mut app = echo(runtime);
        app.options(|options| {
            options.limits.drain_max = LONG;
            options.limits.close_deadline = LONG;
        });
        app
    });
    on_each_runtime(|runtime| {
        let name = "net_process::a_second_interrupt_ends_a_server_that_waits_for_its_clients";
        let mut child = Child::start(name, runtime, 1024);
        let mut client = Client::connect(child.address, "/ws");
        client.echoes(MessageKind::Text, b"there");
        child.signal(Signal::INT);
        // Told to go, it stays: the server waits for it.
        assert!(matches!(client.hear(), Heard::Close(Some(1001), _)));
        assert!(!child.has_ended());
        let began = now();
        child.signal(Signal::INT);
        assert!(child.wait().success());
        assert!(began.elapsed() < LONG / 2, "{:?}", began.elapsed());
    });
}

/// So long a server may wait for clients that do not go.
const LONG: Duration = Duration::from_secs(60);
