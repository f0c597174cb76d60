//! What clients on lanes are refused: each bad message gets its code and the name of the field, and harms nobody.

use worldshard::prelude::*;
use worldshard_protocol::greeting::Greeting;
use worldshard_protocol::{ClientMessage, ExtEnvelope, HotHeader, InterestWish, ViewpointMode};

use crate::pump::Pump;

fn world() -> App {
    let mut app = App::new();
    app.lanes("/world").world(WorldConfig::default());
    app.command(70, |_, _| Ok(()));
    app
}

fn encoded(message: ClientMessage<'_>, seq: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.encode(Some(seq), None, &mut bytes);
    bytes
}

fn join(at: Option<[f32; 3]>, interest: InterestWish) -> ClientMessage<'static> {
    ClientMessage::Join {
        mode: ViewpointMode::Avatar,
        at,
        interest,
        full: false,
        acks: true,
    }
}

/// The last error that a client was told: code, detail, and the number of the message.
fn last_error(pump: &Pump, session: SessionId) -> Option<(String, String, Option<u32>)> {
    #[derive(serde::Deserialize)]
    struct Data {
        code: String,
        msg: String,
    }
    let texts = pump.clients[&session].texts();
    let envelope = ExtEnvelope::parse(texts.last()?).unwrap();
    if envelope.kind != "error" {
        return None;
    }
    let data: Data = envelope.data_as().unwrap();
    Some((data.code, data.msg, envelope.seq))
}

/// What is said, the code of the answer, and what its detail begins with.
type Case = (Vec<u8>, &'static str, &'static str);

#[expect(clippy::too_many_lines, reason = "a table")]
fn cases() -> Vec<Case> {
    let far = InterestWish::Radius(120.5);
    let wide = InterestWish::Box {
        half: [100.0, 100.0, 0.0],
    };
    let many = InterestWish::Nearest {
        k: 2000,
        radius: 50.0,
    };
    let missing = InterestWish::Custom {
        predicate: 0,
        radius: 50.0,
    };
    let mut join_nan = encoded(join(Some([1.0; 3]), InterestWish::Default), 9);
    join_nan[10..14].copy_from_slice(&f32::NAN.to_le_bytes());
    let mut svc = Vec::new();
    let header = HotHeader {
        svc: 9,
        opcode: 1,
        seq: Some(9),
        delta_ack: None,
        ack: false,
    };
    header.write(&mut svc);
    let mut ack = Vec::new();
    ClientMessage::Ack.encode(Some(9), Some(40), &mut ack);
    vec![
        (vec![], "BAD_REQUEST", "header"),
        (vec![2, 2, 1, 0], "UNSUPPORTED_VERSION", "v"),
        (svc, "BAD_REQUEST", "svc_id"),
        (vec![1, 2, 50, 1, 9, 0, 0, 0], "BAD_REQUEST", "opcode"),
        (join_nan, "BAD_REQUEST", "at"),
        (
            encoded(join(Some([-1.0, 5.0, 0.0]), InterestWish::Default), 9),
            "NOT_ALLOWED",
            "at: outside the world, which is x 0 to 1024 m y 0 to 1024 m",
        ),
        (
            encoded(join(None, far), 9),
            "NOT_ALLOWED",
            "interest reaches 120.5 m; it must be above 0 and at most 120 m",
        ),
        (
            encoded(ClientMessage::Interest(wide), 9),
            "NOT_ALLOWED",
            "interest reaches",
        ),
        (
            encoded(ClientMessage::Interest(many), 9),
            "NOT_ALLOWED",
            "interest.k is 2000; it must be between 1 and 1024",
        ),
        (
            encoded(ClientMessage::Interest(missing), 9),
            "NOT_ALLOWED",
            "interest.predicate",
        ),
        (
            encoded(
                ClientMessage::Steer {
                    direction: [2.0, 0.0, 0.0],
                },
                9,
            ),
            "NOT_ALLOWED",
            "direction",
        ),
        (
            encoded(
                ClientMessage::Move {
                    to: [0.0, 1e9, 0.0],
                },
                9,
            ),
            "NOT_ALLOWED",
            "to: outside the world",
        ),
        (
            encoded(
                ClientMessage::Look {
                    at: [0.0, -5.0, 0.0],
                },
                9,
            ),
            "NOT_ALLOWED",
            "at: outside the world",
        ),
        (
            encoded(
                ClientMessage::Custom {
                    opcode: 71,
                    payload: b"",
                },
                9,
            ),
            "BAD_REQUEST",
            "opcode: this world has no command 71",
        ),
        (
            encoded(
                ClientMessage::Custom {
                    opcode: 70,
                    payload: &[0; 4097],
                },
                9,
            ),
            "PAYLOAD_TOO_LARGE",
            "payload: 4097 bytes; at most 4096",
        ),
        (ack, "BAD_REQUEST", "delta_ack: 40"),
        (
            encoded(join(None, InterestWish::Default), 9),
            "NOT_ALLOWED",
            "join: there is a viewpoint already",
        ),
    ]
}

#[test]
fn every_refusal_names_its_code_and_field_and_harms_nobody() {
    let mut pump = Pump::new(&mut world(), 2, 1);
    let session = pump.open(0, "/world");
    let greeting = Greeting::parse(pump.clients[&session].texts()[0]).unwrap();
    assert_eq!(greeting.session, session.value());
    assert_eq!((greeting.shards, greeting.home), (2, 0));
    pump.binary(session, &encoded(join(None, InterestWish::Default), 1));
    pump.run(3);
    assert_eq!(last_error(&pump, session), None);

    for (bytes, code, detail) in cases() {
        pump.run(1);
        pump.binary(session, &bytes);
        let (got, msg, seq) = last_error(&pump, session).unwrap();
        assert_eq!(
            (got.as_str(), msg.starts_with(detail)),
            (code, true),
            "{bytes:?}: {msg}"
        );
        assert_eq!(seq, (bytes.len() > 4).then_some(9), "{msg}");
    }
    assert_eq!(pump.clients[&session].closed, None);
    pump.run(3);
    assert_eq!(
        pump.hubs
            .iter()
            .map(|hub| hub.shard().sessions().count())
            .sum::<usize>(),
        1
    );
}

/// Where a client believes the only entity to be.
fn told_position(pump: &Pump, session: SessionId) -> [f32; 3] {
    let mut view = worldshard_protocol::View::new();
    for payload in &pump.clients[&session].received {
        if let Payload::Binary(bytes) = payload {
            let (_, archive) = HotHeader::parse(bytes).unwrap();
            view.apply(archive).unwrap();
        }
    }
    let (_, seen) = view.iter().next().unwrap();
    seen.record.position()
}

#[test]
fn a_move_is_made_and_one_too_far_or_nowhere_is_refused_with_a_code() {
    for shards in [1, 2, 8] {
        let mut pump = Pump::new(&mut world(), shards, 1);
        let session = pump.open(0, "/world");
        // Its owner is not its home when there are several shards.
        let at = Some([1000.0, 1000.0, 0.0]);
        let mut message = join(at, InterestWish::Default);
        if let ClientMessage::Join { acks, .. } = &mut message {
            *acks = false;
        }
        pump.binary(session, &encoded(message, 1));
        pump.run(3);
        let step = |to| encoded(ClientMessage::Move { to }, 2);
        pump.binary(session, &step([1001.5, 999.0, 0.0]));
        pump.run(3);
        assert_eq!(told_position(&pump, session), [1001.5, 999.0, 0.0]);
        assert_eq!(last_error(&pump, session), None);
        for (to, code, detail) in [
            ([f32::NAN, 999.0, 0.0], "BAD_REQUEST", "to: "),
            ([1001.5, f32::NAN, 0.0], "BAD_REQUEST", "to: "),
            ([1001.5, 999.0, f32::NAN], "BAD_REQUEST", "to: "),
            ([f32::INFINITY, 999.0, 0.0], "BAD_REQUEST", "to: "),
            ([1001.5, f32::INFINITY, 0.0], "BAD_REQUEST", "to: "),
            ([1001.5, 999.0, f32::INFINITY], "BAD_REQUEST", "to: "),
            ([f32::NEG_INFINITY, 999.0, 0.0], "BAD_REQUEST", "to: "),
            ([1001.5, f32::NEG_INFINITY, 0.0], "BAD_REQUEST", "to: "),
            ([1001.5, 999.0, f32::NEG_INFINITY], "BAD_REQUEST", "to: "),
            ([1025.0, 999.0, 0.0], "NOT_ALLOWED", "to: outside the world"),
            // 40 m/s and 20 ticks a second: 2 m in a tick are the most.
            ([1003.6, 999.0, 0.0], "NOT_ALLOWED", "to is 2.09"),
        ] {
            pump.binary(session, &step(to));
            pump.run(3);
            let (got, msg, seq) = last_error(&pump, session).unwrap();
            assert_eq!((got.as_str(), seq), (code, Some(2)), "{to:?}: {msg}");
            assert!(msg.starts_with(detail), "{to:?}: {msg}");
            assert_eq!(told_position(&pump, session), [1001.5, 999.0, 0.0]);
            pump.client(session)
                .received
                .retain(|payload| payload.as_text().is_none());
        }
    }
}

#[test]
fn commands_before_a_join_are_refused() {
    let mut pump = Pump::new(&mut world(), 1, 1);
    let session = pump.open(0, "/world");
    for message in [
        ClientMessage::Leave,
        ClientMessage::Steer {
            direction: [0.0; 3],
        },
    ] {
        pump.binary(session, &encoded(message, 4));
        let (code, msg, seq) = last_error(&pump, session).unwrap();
        assert_eq!(
            (code.as_str(), msg.as_str(), seq),
            ("NOT_ALLOWED", "command: join first", Some(4))
        );
    }
}

#[test]
fn texts_on_lanes_are_parsed_strictly_and_answered_with_codes() {
    let mut pump = Pump::new(&mut world(), 1, 1);
    let session = pump.open(0, "/world");
    for (text, code, detail) in [
        ("hello", "BAD_REQUEST", "message"),
        (
            r#"{"v":2,"svc":"chat","type":"x"}"#,
            "UNSUPPORTED_VERSION",
            "v",
        ),
        (
            r#"{"v":1,"svc":"chat","type":"x","why":1}"#,
            "BAD_REQUEST",
            "message",
        ),
        (
            r#"{"v":1,"svc":"chat","type":"x"}"#,
            "BAD_REQUEST",
            "svc: no service \"chat\"",
        ),
    ] {
        pump.text(session, text);
        let (got, msg, _) = last_error(&pump, session).unwrap();
        assert_eq!(
            (got.as_str(), msg.starts_with(detail)),
            (code, true),
            "{text}: {msg}"
        );
    }
}

#[test]
fn commands_beyond_the_limit_of_a_tick_are_refused_once_and_the_rest_is_applied() {
    let mut pump = Pump::new(&mut world(), 1, 1);
    let session = pump.open(0, "/world");
    pump.binary(session, &encoded(join(None, InterestWish::Default), 1));
    pump.run(3);
    let before = pump.hubs[0].status();
    for seq in 2..102 {
        pump.binary(
            session,
            &encoded(
                ClientMessage::Steer {
                    direction: [1.0, 0.0, 0.0],
                },
                seq,
            ),
        );
    }
    let (code, msg, seq) = last_error(&pump, session).unwrap();
    assert_eq!(
        (code.as_str(), msg.as_str(), seq),
        ("RATE_LIMITED", "command: more than 32 in a tick", Some(34))
    );
    let after = pump.hubs[0].status();
    assert_eq!(after.commands - before.commands, 32);
    assert_eq!(after.refused - before.refused, 1);
    pump.run(1);
    pump.binary(
        session,
        &encoded(
            ClientMessage::Steer {
                direction: [0.0; 3],
            },
            200,
        ),
    );
    pump.run(2);
    assert_eq!(
        pump.hubs[0].status().world.commands_applied,
        33 + before.world.commands_applied
    );
}

#[test]
fn whatever_bytes_come_nothing_panics_and_the_session_can_still_join() {
    let mut pump = Pump::new(&mut world(), 2, 77);
    let session = pump.open(1, "/world");
    let seeds: Vec<_> = cases().into_iter().map(|(bytes, ..)| bytes).collect();
    for round in 0..20_000_u64 {
        let mut bytes = seeds[pump.draw(seeds.len() as u64) as usize].clone();
        for _ in 0..pump.draw(4) {
            let at = pump.draw(bytes.len() as u64 + 1) as usize;
            let byte = pump.draw(256) as u8;
            match bytes.get_mut(at) {
                Some(known) => *known = byte,
                None => bytes.push(byte),
            }
        }
        bytes.truncate(pump.draw(bytes.len() as u64 + 8) as usize);
        pump.binary(session, &bytes);
        if let Ok(text) = std::str::from_utf8(&bytes) {
            pump.text(session, text);
        }
        if round % 500 == 0 {
            pump.run(1);
            pump.client(session).received.clear();
        }
    }
    pump.run(4);
    pump.binary(session, &encoded(ClientMessage::Leave, 1));
    pump.run(4);
    pump.client(session).received.clear();
    pump.binary(session, &encoded(join(None, InterestWish::Default), 2));
    pump.run(4);
    let texts = pump.clients[&session].texts().join("\n");
    assert!(texts.contains(r#""type":"joined""#), "{texts}");
    assert!(
        pump.hubs
            .iter()
            .all(|hub| hub.status().world.audit_failures == 0)
    );
}
