//! A server that runs out of descriptors: it refuses, serves whom it has, and recovers.

use std::fs;
use std::time::Duration;

use worldshard_client::{Connection, Event, Framing};

use crate::prometheus::Scrape;
use crate::server::{Server, WAIT, eventually, now, on_each_runtime};

on_each_runtime!(
    accept_loop_dies_without_descriptors_it_refuses_and_recovers,
    no_accept_waits_for_the_table_of_descriptors_to_grow,
);

/// A connection that echoes, or none.
fn try_open(server: &Server) -> Option<Connection> {
    let mut connection = Connection::connect(server.addr(), "/ws", Framing::Raw).ok()?;
    match connection.receive(PATIENCE) {
        Ok(Some(Event::Opened)) => Some(connection),
        Ok(_) | Err(_) => None,
    }
}

fn echoes(connection: &mut Connection) -> bool {
    connection.text("still there?");
    connection.receive(WAIT).ok().flatten() == Some(Event::Text("still there?".to_owned()))
}

fn accept_loop_dies_without_descriptors_it_refuses_and_recovers(runtime: &str) {
    let args = ["--app", "echo", "--shards", "1", "--public-metrics"];
    let server = Server::start_limited("-n 64", runtime, &args);
    let mut open = Vec::new();
    while let Some(connection) = try_open(&server) {
        open.push(connection);
        assert!(
            open.len() < 64,
            "64 descriptors cannot hold {} connections",
            open.len()
        );
    }
    assert!(open.len() >= 8, "only {} connections", open.len());
    for connection in &mut open {
        assert!(echoes(connection), "one of {} was lost", runtime);
    }
    open.truncate(1);
    // When it notices that the others are gone is up to the machine.
    let until = now() + WAIT;
    let mut recovered = loop {
        if let Some(connection) = try_open(&server) {
            break connection;
        }
        assert!(now() < until, "descriptors are not free again");
    };
    assert!(echoes(&mut recovered));
    assert!(echoes(&mut open[0]));
    eventually("metrics tell who was refused", || {
        let now = Scrape::read(&server.get("/metrics").1);
        let name = "worldshard_connections_refused_total";
        now.value(name, &[("reason", "no_descriptor")]) > 0.0
    });
}

/// A table that is as large as it will be before anybody comes, within the system's limit. One that grows has whoever opens a
/// file wait for all processors.
fn no_accept_waits_for_the_table_of_descriptors_to_grow(runtime: &str) {
    for limit in [1024, 4096] {
        let args = ["--app", "echo", "--shards", "1"];
        let server = Server::start_limited(&format!("-n {limit}"), runtime, &args);
        let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("FDSize:"));
        let room: u32 = line.unwrap().trim().parse().unwrap();
        assert!(room >= limit, "room for {room} descriptors of {limit}");
    }
}

/// A refused connection may be left waiting: it counts as refused then.
const PATIENCE: Duration = Duration::from_millis(1000);
