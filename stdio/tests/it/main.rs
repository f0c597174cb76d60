//! Rooms whose rules are a program, over real sockets: what it is told and may do, and what becomes of one that misbehaves.

#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    reason = "a test may panic: the permission for tests does not reach their helpers"
)]

#[path = "../../../engine/tests/it/runtimes.rs"]
mod runtimes;
#[expect(
    dead_code,
    reason = "made for the tests of the engine, which need more"
)]
#[path = "../../../engine/tests/it/socket.rs"]
mod socket;

mod example;
mod lives;
mod misbehaves;
mod rules;

use worldshard::Runtime;
use worldshard::prelude::*;
use worldshard_stdio::Program;
use worldshard_transport::MessageKind;

use socket::{Client, Heard, echo_app};

/// Does what members write.
fn puppet() -> Program {
    Program::new("/bin/sh")
        .arg("-c")
        .arg(include_str!("puppet.sh"))
}

fn app(runtime: Runtime, shards: u16, program: Program) -> App {
    let mut app = echo_app(runtime, shards);
    app.rooms(Rooms::at("/room/{room}", program.service()));
    app
}

fn say(client: &mut Client, text: &str) {
    client.say(MessageKind::Text, text.as_bytes());
}

fn hears(client: &mut Client) -> String {
    let heard = client.hear();
    let Heard::Message(MessageKind::Text, text) = &heard else {
        panic!("{heard:?}");
    };
    String::from_utf8(text.clone()).unwrap()
}

/// Who comes first hears that it came, and learns its number.
fn comes(client: &mut Client, room: &str) -> String {
    let text = hears(client);
    let member = text.strip_suffix(&format!(" came to {room}"));
    member.unwrap_or_else(|| panic!("{text}")).to_owned()
}
