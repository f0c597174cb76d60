//! What the rules of a tenant let its clients say, and what is said of the rest, on any number of shards.

use serde_json::Value;
use worldshard::policy::{HotErrors, Policy, TenantOptions};
use worldshard::prelude::*;
use worldshard_protocol::{ClientMessage, HotHeader};

use crate::hub_world::join_camera;
use crate::pump::Pump;

struct Hall;

impl Service for Hall {
    fn message(&mut self, room: &mut Room<'_>, _: SessionId, payload: &Payload) {
        room.send(Audience::All, payload.clone());
    }
}

/// A world, rooms that clients join, and services of both lanes, under a policy.
fn app(change: impl FnOnce(&mut Policy)) -> App {
    let mut tenant = TenantOptions::new("acme");
    change(&mut tenant.policy);
    let mut app = App::new();
    app.lanes("/app")
        .raw("/ws")
        .world(WorldConfig::default())
        .avatar(|_, at| Draft::at(at))
        .rooms(Rooms::named("hall", |_| Hall).joinable())
        .ext_service("chat", |_, _, said| match &*said.kind {
            "send" => Ok(()),
            other => Err(Refusal::bad(format!("type: no {other}"))),
        })
        .hot_service(1, "echo", |cx, session, said| {
            if said.opcode == 99 {
                return Err(Refusal::not_allowed("opcode: not this one"));
            }
            assert_ne!(said.opcode, 100, "as asked");
            let one = Audience::One(session);
            cx.send_hot_lossy(one, 1, said.opcode, said.seq, said.payload.clone());
            Ok(())
        })
        .system(Update, |cx: &mut Context<'_>| {
            for message in cx.messages() {
                cx.send(Audience::One(message.session), message.payload.clone());
            }
            cx.requests().for_each(Request::ack);
        })
        .options(move |options| options.tenants = vec![tenant]);
    app
}

fn ext(svc: &str, kind: &str) -> String {
    format!(r#"{{"v":1,"svc":"{svc}","type":"{kind}","seq":7}}"#)
}

/// A whole message of the hot lane, with the number 7.
fn hot(svc: u8, opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    let header = HotHeader {
        svc,
        opcode,
        seq: Some(7),
        ..HotHeader::default()
    };
    header.write(&mut message);
    message.extend_from_slice(payload);
    message
}

/// Code, number and text of the errors that a client has heard.
fn errors(pump: &Pump, session: SessionId) -> Vec<(String, Option<u64>, String)> {
    let texts = pump.clients[&session].texts();
    let parsed = texts
        .into_iter()
        .map(|text| serde_json::from_str(text).unwrap());
    let errors = parsed.filter(|said: &Value| said["type"] == "error");
    let told = |said: Value| {
        let text = |field: &str| said["data"][field].as_str().unwrap().to_owned();
        (text("code"), said["seq"].as_u64(), text("msg"))
    };
    errors.map(told).collect()
}

fn codes(pump: &Pump, session: SessionId) -> Vec<String> {
    errors(pump, session)
        .into_iter()
        .map(|(code, ..)| code)
        .collect()
}

fn joins(pump: &mut Pump, session: SessionId) {
    pump.text(session, r#"{"v":1,"svc":"room","type":"join"}"#);
    pump.settle();
    let joined = |text: &&str| text.contains(r#""type":"joined""#);
    assert!(pump.clients[&session].texts().iter().any(joined));
}

#[test]
fn an_allowlist_of_a_lane_lets_through_what_it_names_and_tells_of_the_rest() {
    let list = |entries: &[&str]| Some(entries.iter().map(|&one| one.to_owned()).collect());
    for shards in [1, 2, 8] {
        for (entries, svc, kind, allowed) in [
            (None, "chat", "send", true),
            (list(&[]), "chat", "send", false),
            (list(&[]), "sys", "ping", true),
            (list(&["chat:send"]), "chat", "send", true),
            (list(&["chat:send"]), "app", "message", false),
            (list(&["app:*"]), "app", "message", true),
            (list(&["app:*"]), "nobody", "there", false),
            (list(&["app:message"]), "room", "join", false),
        ] {
            let shown = format!("{entries:?} {svc}:{kind} on {shards} shards");
            let mut pump = Pump::new(&mut app(|policy| policy.ext_allowlist = entries), shards, 1);
            let session = pump.open(shards - 1, "/app");
            pump.text(session, &ext(svc, kind));
            pump.settle();
            let told = errors(&pump, session);
            assert_eq!(told.is_empty(), allowed, "{shown}: {told:?}");
            if !allowed {
                let (code, seq, msg) = &told[0];
                assert_eq!((&**code, *seq), ("NOT_ALLOWED", Some(7)), "{shown}");
                assert!(msg.starts_with("svc: "), "{shown}: {msg}");
            }
            let status = pump.hub(ShardId(shards - 1)).status();
            assert_eq!(status.not_allowed, u64::from(!allowed), "{shown}");
        }
        for (entries, svc, opcode, allowed) in [
            (None, 1, 5, true),
            (list(&[]), 1, 5, false),
            (list(&[]), 2, 1, false),
            (list(&["1:5"]), 1, 5, true),
            (list(&["1:5"]), 1, 6, false),
            (list(&["1:*"]), 1, 6, true),
            (list(&["3:0"]), 3, 0, true),
            (list(&["3:0"]), 3, 1, false),
        ] {
            let shown = format!("{entries:?} {svc}:{opcode} on {shards} shards");
            let mut pump = Pump::new(&mut app(|policy| policy.hot_allowlist = entries), shards, 1);
            let session = pump.open(shards - 1, "/app");
            pump.binary(session, &hot(svc, opcode, b"x"));
            pump.settle();
            let told = codes(&pump, session);
            let expected = match allowed {
                true => vec![],
                false => vec!["NOT_ALLOWED"],
            };
            assert_eq!(told, expected, "{shown}");
        }
    }
}

#[test]
fn raw_paths_have_no_lanes_and_no_list_holds_there() {
    let mut pump = Pump::new(
        &mut app(|policy| {
            policy.ext_allowlist = Some(vec![]);
            policy.hot_allowlist = Some(vec![]);
        }),
        1,
        1,
    );
    let session = pump.open(0, "/ws");
    pump.text(session, "hello");
    pump.binary(session, b"bytes");
    pump.settle();
    let back = [Payload::from("hello"), Payload::from(&b"bytes"[..])];
    assert_eq!(pump.clients[&session].received, back);
}

#[test]
fn services_types_and_opcodes_that_are_none_are_told_by_a_code_and_counted() {
    for shards in [1, 2, 8] {
        let mut pump = Pump::new(&mut app(|_| {}), shards, 1);
        let session = pump.open(shards - 1, "/app");
        pump.text(session, &ext("nobody", "there"));
        pump.text(session, &ext("app", "nothing"));
        pump.text(session, &ext("sys", "nothing"));
        pump.text(session, &ext("room", "nothing"));
        pump.binary(session, &hot(9, 0, b""));
        pump.binary(session, &hot(3, 77, b""));
        pump.binary(session, &hot(2, 200, b""));
        pump.settle();
        let told = errors(&pump, session);
        assert_eq!(told.len(), 7, "{told:?}");
        for (code, seq, msg) in told {
            assert_eq!((&*code, seq), ("BAD_REQUEST", Some(7)), "{msg}");
            let names = ["svc: ", "type: ", "svc_id: ", "opcode: "];
            assert!(names.iter().any(|name| msg.starts_with(name)), "{msg}");
        }
        assert_eq!(pump.hub(ShardId(shards - 1)).status().services_unknown, 7);
    }
}

/// Every kind of refusal that the hot lane knows but for rates, which have tests of their own: what is said, and the code.
fn hot_refusals() -> Vec<(Vec<u8>, &'static str)> {
    let world = |message: ClientMessage<'_>, ack: Option<u32>| {
        let mut bytes = Vec::new();
        message.encode(Some(7), ack, &mut bytes);
        bytes
    };
    let steer = ClientMessage::Steer {
        direction: [1.0, 0.0, 0.0],
    };
    vec![
        (vec![1, 1, 1], "BAD_REQUEST"),
        (vec![1, 1, 1, 1], "BAD_REQUEST"),
        (vec![1, 1, 1, 0x80], "BAD_REQUEST"),
        (vec![1, 1, 1, 4], "BAD_REQUEST"),
        (vec![2, 1, 1, 0], "UNSUPPORTED_VERSION"),
        // Not in the list.
        (hot(8, 1, b""), "NOT_ALLOWED"),
        // No service, no opcode, no command of the world.
        (hot(9, 0, b""), "BAD_REQUEST"),
        (hot(3, 77, b""), "BAD_REQUEST"),
        (hot(2, 200, b""), "BAD_REQUEST"),
        // A request without a number.
        (vec![1, 3, 1, 0], "BAD_REQUEST"),
        // Malformed and out of place in the world.
        (hot(2, 1, b"short"), "BAD_REQUEST"),
        (world(steer, None), "NOT_ALLOWED"),
        (
            world(
                ClientMessage::Look {
                    at: [f32::MAX, 0.0, 0.0],
                },
                None,
            ),
            "NOT_ALLOWED",
        ),
        // An acknowledgement where none is given.
        (vec![1, 1, 0, 5, 1, 0, 0, 0], "BAD_REQUEST"),
        // The service's own refusal, and its panic.
        (hot(1, 99, b""), "NOT_ALLOWED"),
        (hot(1, 100, b""), "INTERNAL"),
    ]
}

#[test]
fn every_refusal_of_the_hot_lane_obeys_the_error_mode() {
    let list = || ["1:*", "2:*", "3:*", "9:*"].map(str::to_owned).to_vec();
    for shards in [1, 2, 8] {
        for (bytes, code) in hot_refusals() {
            for mode in [HotErrors::SysError, HotErrors::Silent] {
                let mut app = app(|policy| {
                    policy.hot_errors = mode;
                    policy.hot_allowlist = Some(list());
                });
                let mut pump = Pump::new(&mut app, shards, 1);
                let session = pump.open(shards - 1, "/app");
                pump.run(2);
                let heard = pump.clients[&session].received.len();
                pump.binary(session, &bytes);
                pump.run(3);
                let status = pump.hub(ShardId(shards - 1)).status();
                assert_eq!(status.refused, 1, "{bytes:?} {mode:?}");
                match mode {
                    HotErrors::SysError => assert_eq!(codes(&pump, session), [code], "{bytes:?}"),
                    HotErrors::Silent => {
                        let now = pump.clients[&session].received.len();
                        assert_eq!(now, heard, "{bytes:?} was answered");
                        assert_eq!(status.refused_silently, 1, "{bytes:?}");
                    }
                }
                // The ext lane is answered in either mode.
                pump.text(session, &ext("nobody", "there"));
                pump.settle();
                assert_eq!(codes(&pump, session).last().unwrap(), "BAD_REQUEST");
            }
        }
    }
}

#[test]
fn what_the_world_refuses_later_obeys_the_error_mode_too() {
    for shards in [1, 2, 8] {
        for mode in [HotErrors::SysError, HotErrors::Silent] {
            let mut app = app(|policy| policy.hot_errors = mode);
            let mut config = WorldConfig::default();
            config.limits.viewers_max = 1;
            app.world(config);
            let mut pump = Pump::new(&mut app, shards, 1);
            let sessions = [0, 1].map(|_| pump.open(shards - 1, "/app"));
            for session in sessions {
                join_camera(&mut pump, session, [10.0, 10.0, 0.0]);
                pump.run(3);
            }
            let expected: &[&str] = match mode {
                HotErrors::SysError => &["RESOURCE_EXHAUSTED"],
                HotErrors::Silent => &[],
            };
            assert_eq!(codes(&pump, sessions[1]), expected, "{shards} shards");
            assert_eq!(pump.hub(ShardId(shards - 1)).status().refused, 1);
        }
    }
}

#[test]
fn the_hot_lane_needs_a_room_where_the_policy_says_so_and_the_world_never_does() {
    for shards in [1, 2, 8] {
        for needed in [false, true] {
            let mut app = app(|policy| policy.hot_requires_active_room = needed);
            let mut pump = Pump::new(&mut app, shards, 1);
            let session = pump.open(shards - 1, "/app");
            let of_members = [
                hot(1, 5, b"echo"),
                hot(3, 0, b"message"),
                hot(3, 1, b"request"),
            ];
            let say = |pump: &mut Pump| {
                for bytes in &of_members {
                    pump.binary(session, bytes);
                    // The number of a message counts once.
                    pump.settle();
                }
            };
            say(&mut pump);
            let expected: &[&str] = match needed {
                true => &["NOT_ALLOWED"; 3],
                false => &[],
            };
            assert_eq!(codes(&pump, session), expected, "{shards} shards");
            let mut ack = Vec::new();
            ClientMessage::Ack.encode(None, Some(1), &mut ack);
            pump.binary(session, &ack);
            pump.settle();
            assert_eq!(codes(&pump, session), expected, "the world needs none");
            joins(&mut pump, session);
            let echo = pump.clients[&session].received.len();
            pump.binary(session, &hot(1, 5, b"echo"));
            pump.settle();
            let heard = &pump.clients[&session].received[echo..];
            assert_eq!(
                heard,
                [Payload::from(hot(1, 5, b"echo"))],
                "with its own header"
            );
            assert_eq!(codes(&pump, session), expected);
            // A leave counts before what is said behind it.
            pump.text(session, r#"{"v":1,"svc":"room","type":"leave"}"#);
            pump.binary(session, &hot(1, 5, b"echo"));
            pump.settle();
            assert_eq!(
                codes(&pump, session).len(),
                expected.len() + usize::from(needed)
            );
        }
    }
}

#[test]
fn a_stalled_member_loses_what_may_be_lost_and_nobody_else_does() {
    for shards in [1, 2, 8] {
        let mut app = App::new();
        app.lanes("/app")
            .rooms(Rooms::named("hall", |_| Positions).joinable())
            .options(|options| options.limits.lossy_queue_bytes_max = 8_000);
        let mut pump = Pump::new(&mut app, shards, 1);
        if shards == 2 {
            pump.coalesce();
        }
        let members: Vec<_> = (0..100)
            .map(|nth| pump.open(nth % shards, "/app"))
            .collect();
        for &member in &members {
            joins(&mut pump, member);
        }
        let (stalled, speaker) = (members[0], members[1]);
        pump.client(stalled).stalled = true;
        let before = pump.clients[&stalled].unread.len();
        for nth in 0..500_u32 {
            let seen = pump.clients[&members[50]].received.len();
            let message = format!(r#"{{"v":1,"svc":"app","type":"message","data":{nth}}}"#);
            pump.text(speaker, &message);
            pump.settle();
            assert_eq!(
                pump.clients[&members[50]].received.len(),
                seen + 1,
                "in the same turn"
            );
        }
        for &member in &members[1..] {
            let texts = pump.clients[&member].texts();
            let positions = texts.iter().filter(|text| text.contains("position"));
            assert_eq!(positions.count(), 500, "{member} on {shards} shards");
        }
        let client = &pump.clients[&stalled];
        assert_eq!(client.closed, None);
        let waiting: usize = client.unread.iter().map(|one| one.bytes().len() + 68).sum();
        assert!((8_000..10_000).contains(&waiting), "{waiting} bytes wait");
        let kept = client.unread.len() - before;
        let status = pump.hub(ShardId(0)).status();
        assert_eq!(status.lossy_dropped, 500 - kept as u64);
        assert!(status.queue_bytes_largest < 10_000, "{status:?}");
        // What must arrive does, behind what waits.
        pump.text(
            speaker,
            r#"{"v":1,"svc":"app","type":"message","data":"certain"}"#,
        );
        pump.settle();
        pump.read(stalled);
        let texts = pump.clients[&stalled].texts();
        assert!(texts.last().unwrap().contains("certain"), "{texts:?}");
    }
}

/// Says numbers to all as what may be lost, and the rest as what may not.
struct Positions;

impl Service for Positions {
    fn message(&mut self, room: &mut Room<'_>, _: SessionId, payload: &Payload) {
        let text = payload.as_text().unwrap();
        match text.parse::<u32>() {
            Ok(nth) => {
                room.send_lossy(Audience::All, format!("position {nth} {}", "x".repeat(100)))
            }
            Err(_) => room.send(Audience::All, payload.clone()),
        }
    }
}
