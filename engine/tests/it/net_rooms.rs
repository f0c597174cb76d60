//! Rooms over real sockets: where they are reached, how they are created, and that sharding does not show.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use worldshard::prelude::*;
use worldshard::{Auth, Runtime, Secret};
use worldshard_transport::MessageKind;

use crate::socket::{Client, Heard, PATIENCE, end, eventually, get, http, on_each_runtime, serve};

#[derive(Default)]
struct Counter(u64);

impl Service for Counter {
    fn message(&mut self, room: &mut Room<'_>, member: SessionId, payload: &Payload) {
        match payload.as_text() {
            Some("increment") => {
                self.0 += 1;
                room.send(Audience::All, format!("new value: {}", self.0));
            }
            Some("kick") => room.kick(member, 1008, "as asked"),
            Some("panic") => panic!("as asked"),
            _ => room.send(Audience::AllBut(member), payload.clone()),
        }
    }

    fn disconnect(&mut self, room: &mut Room<'_>, _: SessionId) {
        room.send(Audience::All, "bye");
    }
}

fn counters(runtime: Runtime, shards: u16, kind: impl FnOnce(Rooms) -> Rooms) -> App {
    let mut app = App::new();
    app.bind("127.0.0.1:0")
        .runtime(runtime)
        .shards(shards)
        .rooms(kind(Rooms::at("/ws/{room}", |_| Counter::default())));
    app
}

fn post(address: SocketAddr, path: &str) -> (u16, String) {
    let request = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    http(address, &request)
}

/// What an upgrade is answered that is refused.
fn refused(address: SocketAddr, path: &str) -> Option<u16> {
    Client::ask(address, path, "")
        .err()
        .map(|(status, _)| status)
}

fn says(client: &mut Client, text: &str) {
    client.say(MessageKind::Text, text.as_bytes());
}

fn hears(client: &mut Client, text: &str) {
    let expected = Heard::Message(MessageKind::Text, text.as_bytes().to_vec());
    assert_eq!(client.hear(), expected);
}

/// Rooms of the whole server, as `/status` counts them.
fn rooms(address: SocketAddr) -> u64 {
    let status: serde_json::Value = serde_json::from_str(&get(address, "/status").1).unwrap();
    let shards = status["shards"].as_array().unwrap();
    shards
        .iter()
        .map(|shard| shard["rooms"].as_u64().unwrap())
        .sum()
}

fn everywhere(test: impl Fn(Runtime, u16)) {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            test(runtime, shards);
        }
    });
}

#[test]
fn increment_yields_a_new_value_to_all_of_the_room() {
    everywhere(|runtime, shards| {
        let kind = |rooms: Rooms| rooms.default_room("lobby");
        let (running, address) = serve(&mut counters(runtime, shards, kind));
        // Rooms of many names live on all shards.
        for name in 0..12 {
            let path = format!("/ws/room%20{name}");
            let mut one = Client::connect(address, &path);
            let mut two = Client::connect(address, &path);
            says(&mut one, "increment");
            hears(&mut one, "new value: 1");
            // The other may have come after that was said.
            says(&mut two, "increment");
            hears(&mut one, "new value: 2");
            says(&mut one, "only the other");
            while two.hear() != Heard::Message(MessageKind::Text, b"only the other".to_vec()) {}
            one.say(MessageKind::Binary, b"\xff\x00bytes");
            assert_eq!(
                two.hear(),
                Heard::Message(MessageKind::Binary, b"\xff\x00bytes".to_vec())
            );
            drop(two);
            hears(&mut one, "bye");
        }
        let mut bare = Client::connect(address, "/ws");
        let mut named = Client::connect(address, "/ws/lobby");
        says(&mut named, "increment");
        hears(&mut named, "new value: 1");
        says(&mut bare, "increment");
        hears(&mut named, "new value: 2");
        end(running);
    });
}

#[test]
fn a_room_that_must_be_created_is_not_found_before_and_a_conflict_after() {
    everywhere(|runtime, shards| {
        let kind = |rooms: Rooms| rooms.creation(Creation::Explicit);
        let (running, address) = serve(&mut counters(runtime, shards, kind));
        for name in ["a", "b", "%F0%9F%A6%80", "c d".replace(' ', "%20").as_str()] {
            let path = format!("/ws/{name}");
            assert_eq!(refused(address, &path), Some(404));
            let (status, body) = post(address, &path);
            assert_eq!(status, 201);
            assert_eq!(
                body.trim(),
                name.replace("%20", " ")
                    .replace("%F0%9F%A6%80", "\u{1f980}")
            );
            assert_eq!(post(address, &path).0, 409);
            let mut client = Client::connect(address, &path);
            says(&mut client, "increment");
            hears(&mut client, "new value: 1");
        }
        assert_eq!(post(address, "/ws/").0, 400);
        assert_eq!(refused(address, "/ws/a%2Fb"), Some(400));
        assert_eq!(refused(address, "/ws/a/b"), Some(404));
        assert_eq!(get(address, "/ws/a").0, 426);
        assert_eq!(post(address, "/new_room").0, 404);
        end(running);
    });
}

#[test]
fn the_server_names_rooms_and_no_short_name_comes_twice() {
    everywhere(|runtime, shards| {
        for creation in [Creation::Uuid, Creation::Short(3), Creation::Short(12)] {
            let kind = |rooms: Rooms| rooms.creation(creation);
            let (running, address) = serve(&mut counters(runtime, shards, kind));
            let mut names = BTreeSet::new();
            for _ in 0..40 {
                let (status, name) = post(address, "/new_room");
                assert_eq!(status, 201);
                assert!(names.insert(name.trim().to_owned()), "{name} twice");
            }
            let is_one = |name: &String| match creation {
                Creation::Short(letters) => {
                    name.len() == usize::from(letters)
                        && name.bytes().all(|byte| byte.is_ascii_uppercase())
                }
                _ => name.len() == 36 && name.as_bytes()[14] == b'4',
            };
            assert!(names.iter().all(is_one), "{names:?}");
            for name in names.iter().take(10) {
                let mut client = Client::connect(address, &format!("/ws/{name}"));
                says(&mut client, "increment");
                hears(&mut client, "new value: 1");
            }
            assert_eq!(post(address, "/ws/MINE").0, 405);
            assert_eq!(refused(address, "/ws/MINE"), Some(404));
            end(running);
        }
    });
}

#[test]
fn who_must_show_a_credential_to_connect_must_show_it_to_create() {
    everywhere(|runtime, shards| {
        let kind = |rooms: Rooms| rooms.creation(Creation::Explicit);
        let mut app = counters(runtime, shards, kind);
        app.options(|options| {
            let secret = Secret::new(b"open-sesame-please").unwrap();
            options.auth = Some(Auth::Secret(secret));
        });
        let (running, address) = serve(&mut app);
        let create = |line: &str| {
            let head = "POST /ws/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n";
            http(address, &format!("{head}{line}\r\n")).0
        };
        assert_eq!(create(""), 401);
        assert_eq!(create("Authorization: Bearer wrong\r\n"), 401);
        eventually(PATIENCE, "the status is shown", || rooms(address) == 0);
        assert_eq!(create("Authorization: Bearer open-sesame-please\r\n"), 201);
        eventually(PATIENCE, "there is a room", || rooms(address) == 1);
        end(running);
    });
}

#[test]
fn a_panic_and_a_kick_are_their_rooms_matter_alone() {
    everywhere(|runtime, shards| {
        let (running, address) = serve(&mut counters(runtime, shards, |rooms| rooms));
        let mut one = Client::connect(address, "/ws/one");
        let mut other = Client::connect(address, "/ws/other");
        for client in [&mut one, &mut other] {
            says(client, "increment");
            hears(client, "new value: 1");
        }
        says(&mut one, "panic");
        says(&mut one, "increment");
        hears(&mut one, "new value: 1");
        says(&mut other, "increment");
        hears(&mut other, "new value: 2");
        says(&mut one, "kick");
        assert_eq!(one.hear(), Heard::Close(Some(1008), "as asked".to_owned()));
        one.close(1008, "");
        says(&mut other, "increment");
        hears(&mut other, "new value: 3");
        let is_gone = || rooms(address) == 1;
        eventually(PATIENCE + Duration::from_secs(5), "the room ends", is_gone);
        end(running);
    });
}
