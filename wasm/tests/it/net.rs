//! One script over real sockets against a native service and its guests: nothing shows which of them a room runs.

use std::net::SocketAddr;

use worldshard::prelude::*;
use worldshard::runtime::busy;
use worldshard::{Rooms, Runtime};
use worldshard_transport::MessageKind;
use worldshard_wasm::{EPOCH, Guests, Host, Limits};

use crate::guests::{everything, stateroom_counter};
use crate::module;
use crate::socket::{Client, Heard, PATIENCE, end, eventually, get, on_each_runtime, serve};

/// What [`everything`] is, but for what a native service must not do.
#[derive(Default)]
struct Native {
    value: u64,
    ticks: u64,
}

impl Service for Native {
    fn message(&mut self, room: &mut Room<'_>, member: SessionId, payload: &Payload) {
        let said = payload.as_text().unwrap_or_default();
        match said {
            "increment" => {
                self.value += 1;
                room.send(Audience::All, format!("new value: {}", self.value));
            }
            "name" => room.send(Audience::One(member), room.name().to_owned()),
            "random" => {
                let drawn = room.chance("dice").next_u64();
                room.send(Audience::One(member), drawn.to_string());
            }
            "age" => room.send(Audience::One(member), self.ticks.to_string()),
            "wait" => drop(room.set_timer("wake", std::time::Duration::from_millis(1))),
            "trap" => panic!("as asked"),
            _ => {}
        }
    }

    fn disconnect(&mut self, room: &mut Room<'_>, _: SessionId) {
        room.send(Audience::All, "bye");
    }

    fn timer(&mut self, room: &mut Room<'_>, _: &str) {
        room.send(Audience::All, "woken");
    }

    fn tick(&mut self, _: &mut Room<'_>) {
        self.ticks += 1;
    }
}

/// Rooms that run guests of a text.
fn guests(text: &str) -> Rooms {
    let host = Host::counting(Limits::default(), EPOCH, busy).unwrap();
    let guests = Guests::new(module(&host, text).unwrap());
    Rooms::at("/ws/{room}", guests.make()).default_room("lobby")
}

fn native() -> Rooms {
    Rooms::at("/ws/{room}", |_| Native::default()).default_room("lobby")
}

fn everywhere(rooms: fn() -> Rooms, script: fn(SocketAddr)) {
    on_each_runtime(|runtime: Runtime| {
        for shards in [1, 2, 8] {
            let mut app = App::new();
            app.bind("127.0.0.1:0")
                .runtime(runtime)
                .shards(shards)
                .rooms(rooms());
            let (running, address) = serve(&mut app);
            script(address);
            end(running);
        }
    });
}

fn says(client: &mut Client, text: &str) {
    client.say(MessageKind::Text, text.as_bytes());
}

fn heard(client: &mut Client) -> String {
    match client.hear() {
        Heard::Message(MessageKind::Text, text) => String::from_utf8(text).unwrap(),
        other => panic!("no text, but {other:?}"),
    }
}

fn asked(client: &mut Client, text: &str) -> String {
    says(client, text);
    heard(client)
}

/// A client that the room's service was told of.
fn member(address: SocketAddr, room: &str) -> Client {
    let mut client = Client::connect(address, &format!("/ws/{room}"));
    assert_eq!(asked(&mut client, "name"), room);
    client
}

/// What every counter does, whatever it is written in.
fn counts(address: SocketAddr) {
    for room in 0..6 {
        let path = format!("/ws/room-{room}");
        let mut one = Client::connect(address, &path);
        assert_eq!(asked(&mut one, "increment"), "new value: 1");
        one.say(MessageKind::Binary, b"increment");
        says(&mut one, "other text");
        assert_eq!(asked(&mut one, "increment"), "new value: 2");
        let mut two = Client::connect(address, &path);
        assert_eq!(asked(&mut two, "increment"), "new value: 3");
        assert_eq!(heard(&mut one), "new value: 3");
    }
    let mut bare = Client::connect(address, "/ws");
    assert_eq!(asked(&mut bare, "increment"), "new value: 1");
    let mut named = Client::connect(address, "/ws/lobby");
    assert_eq!(asked(&mut named, "increment"), "new value: 2");
}

/// The whole of a service: its room's name, chance, timers and ticks, who leaves, and how it fails.
fn serves(address: SocketAddr) {
    counts(address);
    let mut one = member(address, "red");
    let mut two = member(address, "red");
    let mut other = member(address, "blue");
    for client in [&mut one, &mut other] {
        assert_eq!(asked(client, "increment"), "new value: 1");
    }
    assert_eq!(heard(&mut two), "new value: 1");

    let mut drawn = vec![asked(&mut one, "random")];
    for client in [&mut one, &mut two, &mut other] {
        drawn.push(asked(client, "random"));
    }
    for (at, number) in drawn.iter().enumerate() {
        assert!(!drawn[..at].contains(number), "{drawn:?}");
    }

    says(&mut two, "wait");
    assert_eq!(heard(&mut one), "woken");
    assert_eq!(heard(&mut two), "woken");
    let age = |client: &mut Client| asked(client, "age").parse::<u64>().unwrap();
    let before = age(&mut other);
    eventually(PATIENCE, "ticks pass", || age(&mut other) > before + 2);

    says(&mut one, "trap");
    assert_eq!(asked(&mut one, "increment"), "new value: 1");
    assert_eq!(heard(&mut two), "new value: 1");
    assert_eq!(asked(&mut other, "increment"), "new value: 2");
    drop(two);
    assert_eq!(heard(&mut one), "bye");

    for _ in 0..3 {
        says(&mut one, "trap");
    }
    let closed = Heard::Close(Some(1011), "the room failed".to_owned());
    assert_eq!(one.hear(), closed);
    let again = Client::ask(address, "/ws/red", "");
    assert_eq!(again.err().map(|(status, _)| status), Some(503));
    assert_eq!(asked(&mut other, "increment"), "new value: 3");
}

/// Guests that want all there is lose their room alone.
fn survives(address: SocketAddr) {
    let mut others: Vec<Client> = (0..8)
        .map(|room| member(address, &format!("quiet-{room}")))
        .collect();
    let age = |client: &mut Client| asked(client, "age").parse::<u64>().unwrap();
    for (number, hog) in ["spin", "grow"].into_iter().enumerate() {
        let mut client = member(address, hog);
        for round in 1..4 {
            assert_eq!(asked(&mut client, "increment"), "new value: 1");
            says(&mut client, hog);
            for other in &mut others {
                let value = number * 3 + round;
                assert_eq!(asked(other, "increment"), format!("new value: {value}"));
            }
        }
        says(&mut client, hog);
        let closed = Heard::Close(Some(1011), "the room failed".to_owned());
        assert_eq!(client.hear(), closed);
        for other in &mut others {
            let before = age(other);
            eventually(PATIENCE, "ticks pass", || age(other) > before + 1);
        }
    }
    let status: serde_json::Value = serde_json::from_str(&get(address, "/status").1).unwrap();
    let panics = status["shards"].as_array().unwrap().iter();
    let panics: u64 = panics
        .map(|shard| shard["room_panics"].as_u64().unwrap())
        .sum();
    assert_eq!(panics, 8, "{status}");
}

/// A message that a guest has no place for ends the connection of who sent it.
fn refuses_long_messages(address: SocketAddr) {
    let max = Limits::default().message_bytes_max;
    let mut one = member(address, "red");
    let mut two = member(address, "red");
    says(&mut one, &"x".repeat(max));
    assert_eq!(asked(&mut one, "increment"), "new value: 1");
    assert_eq!(heard(&mut two), "new value: 1");
    says(&mut one, &"x".repeat(max + 1));
    let reason = format!("{} bytes, at most {max} are told to a guest", max + 1);
    assert_eq!(one.hear(), Heard::Close(Some(1009), reason));
    one.close(1009, "");
    assert_eq!(heard(&mut two), "bye");
    assert_eq!(asked(&mut two, "increment"), "new value: 2");
}

#[test]
fn a_native_service_does_what_the_script_says() {
    everywhere(native, serves);
}

#[test]
fn a_guest_does_what_the_script_says() {
    everywhere(|| guests(&everything()), serves);
}

#[test]
fn a_guest_of_stateroom_counts_as_the_others() {
    everywhere(|| guests(&stateroom_counter()), counts);
}

#[test]
fn a_hog_loses_its_room_and_no_other() {
    everywhere(|| guests(&everything()), survives);
}

#[test]
fn a_guest_is_told_no_message_beyond_its_limit() {
    everywhere(|| guests(&everything()), refuses_long_messages);
}
