//! The small applications: what comes back at `/ws`, and to whom.

use std::collections::BTreeMap;

use worldshard_client::transport::MessageKind;
use worldshard_client::{Connection, Event};

use crate::server::{Server, WAIT, eventually, full, on_each_runtime};

on_each_runtime!(
    echo_returns_each_message_as_it_was,
    broadcast_reaches_everyone_once,
    what_many_say_reaches_every_client_of_one_or_two_shards_once,
    what_many_say_reaches_every_client_of_eight_shards_once
);

fn text(text: &str) -> Option<Event> {
    Some(Event::Text(text.to_owned()))
}

fn binary(bytes: &'static [u8]) -> Option<Event> {
    Some(Event::Binary(bytes.into()))
}

fn echo_returns_each_message_as_it_was(runtime: &str) {
    let server = Server::start(runtime, &["--app", "echo", "--shards", "2"]);
    assert!(
        server.line().starts_with("worldshard: http://127.0.0.1:"),
        "{}",
        server.line()
    );
    assert!(
        server
            .line()
            .ends_with(&format!("/  echo at /ws, 2 shards, runtime {runtime}")),
        "{}",
        server.line()
    );
    let mut client = server.raw();
    client.text("über");
    client.binary("über".as_bytes());
    client.fragments(MessageKind::Text, &[b"in ", b"", b"parts"]);
    client.text("");
    assert_eq!(client.receive(WAIT).unwrap(), text("über"));
    assert_eq!(client.receive(WAIT).unwrap(), binary("über".as_bytes()));
    assert_eq!(client.receive(WAIT).unwrap(), text("in parts"));
    assert_eq!(client.receive(WAIT).unwrap(), text(""));
}

fn broadcast_reaches_everyone_once(runtime: &str) {
    let server = Server::start(runtime, &["--app", "broadcast", "--shards", "2"]);
    let mut clients: Vec<Connection> = (0..3).map(|_| server.raw()).collect();
    clients[0].text("to all");
    clients[0].flush().unwrap();
    for client in &mut clients {
        assert_eq!(client.receive(WAIT).unwrap(), text("to all"));
    }
    clients[2].binary(b"to all");
    clients[2].flush().unwrap();
    for client in &mut clients {
        // Nothing came twice, or it would stand before this one.
        assert_eq!(client.receive(WAIT).unwrap(), binary(b"to all"));
    }
    let mut late = server.raw();
    clients[1].text("again");
    clients[1].flush().unwrap();
    assert_eq!(late.receive(WAIT).unwrap(), text("again"));
}

fn what_many_say_reaches_every_client_of_one_or_two_shards_once(runtime: &str) {
    for shards in [1, 2] {
        what_many_say_reaches_every_client_once(runtime, shards, 50);
    }
}

/// 10 000 clients when WORLDSHARD_FULL is 1: each is a descriptor here and another at the server.
fn what_many_say_reaches_every_client_of_eight_shards_once(runtime: &str) {
    let count = if full() { 10_000 } else { 200 };
    what_many_say_reaches_every_client_once(runtime, 8, count);
}

fn what_many_say_reaches_every_client_once(runtime: &str, shards: u16, count: u64) {
    let shards = shards.to_string();
    let server = Server::start(runtime, &["--app", "broadcast", "--shards", &shards]);
    let mut clients: Vec<Connection> = (0..count).map(|_| server.raw()).collect();
    eventually("every shard is home to its share", || {
        let status = server.status();
        status.each("sessions").sum::<u64>() == count && status.each("sessions").all(|one| one > 0)
    });
    let speakers: Vec<usize> = (0..SPEAKERS)
        .map(|number| number * clients.len() / SPEAKERS)
        .collect();
    for part in 0..PARTS {
        for &speaker in &speakers {
            clients[speaker].text(&format!("{speaker} says {part}"));
            clients[speaker].flush().unwrap();
        }
    }
    let expected: BTreeMap<String, usize> = speakers
        .iter()
        .map(|speaker| (speaker.to_string(), PARTS))
        .collect();
    for client in &mut clients {
        let mut heard: BTreeMap<String, usize> = BTreeMap::new();
        for _ in 0..SPEAKERS * PARTS {
            let Some(Event::Text(said)) = client.receive(WAIT).unwrap() else {
                panic!("{heard:?}, and no more");
            };
            let (speaker, part) = said.split_once(" says ").unwrap();
            let parts = heard.entry(speaker.to_owned()).or_default();
            assert_eq!(part, parts.to_string(), "of {speaker}");
            *parts += 1;
        }
        assert_eq!(heard, expected);
    }
    clients[0].text("the end");
    clients[0].flush().unwrap();
    for client in &mut clients {
        // Nothing came twice, or it would stand before this one.
        assert_eq!(client.receive(WAIT).unwrap(), text("the end"));
    }
}

const SPEAKERS: usize = 10;
const PARTS: usize = 5;
