//! How a server ends: told to, or never begun.

use std::net::TcpListener;
use std::process::Command;

use worldshard_client::Event;

use crate::server::{Server, WAIT, on_each_runtime};

on_each_runtime!(
    an_interrupt_tells_the_clients_and_ends_well,
    a_busy_port_ends_it_at_once
);

fn an_interrupt_tells_the_clients_and_ends_well(runtime: &str) {
    for app in ["echo", "world"] {
        let mut server = Server::start(
            runtime,
            &["--app", app, "--shards", "2", "--entities", "100"],
        );
        let mut client = server.raw();
        server.interrupt();
        let code = client.until(WAIT, |event| match event {
            Event::Closed { code, .. } => Some(*code),
            _ => None,
        });
        assert_eq!(code.unwrap(), 1001, "{app}");
        assert_eq!(server.wait().code(), Some(0), "{app}");
    }
}

fn a_busy_port_ends_it_at_once(runtime: &str) {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    // `timeout` ends with 124 when it had to intervene.
    let mut command = Command::new("timeout");
    command.args([
        "1",
        env!("CARGO_BIN_EXE_worldshard"),
        "serve",
        "--bind",
        &addr,
        "--runtime",
        runtime,
    ]);
    let run = command.output().unwrap();
    let said = String::from_utf8(run.stderr).unwrap();
    assert_eq!(run.status.code(), Some(1), "{said}");
    assert!(
        said.contains(&format!("--bind {addr}: another program listens there")),
        "{said}"
    );
}
