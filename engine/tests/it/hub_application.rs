//! What clients on lanes say to the application beside requests, and what systems are told of what was not sent.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use worldshard::prelude::*;
use worldshard_protocol::app::OPCODE_APP_MESSAGE;

use crate::hub_requests::{Said, hot, read, request};
use crate::hub_world::join_camera;
use crate::pump::Pump;

type Heard = Arc<Mutex<Vec<String>>>;

/// An application on lanes that keeps what it hears.
fn listening(heard: &Heard) -> App {
    let heard = heard.clone();
    let mut app = App::new();
    app.lanes("/app").system(Update, move |cx: &mut Context| {
        for message in cx.messages() {
            let text = String::from_utf8_lossy(message.payload.bytes()).into_owned();
            heard.lock().unwrap().push(text);
        }
        cx.requests().for_each(Request::ack);
    });
    app
}

/// One that says everything to all.
fn relay() -> App {
    let mut app = App::new();
    app.lanes("/app")
        .raw("/ws")
        .system(Update, |cx: &mut Context| {
            for message in cx.messages() {
                cx.send(Audience::All, message.payload.clone());
            }
        });
    app
}

fn message(flags: u32, seq: Option<u32>, data: &str) -> String {
    let seq = seq.map_or(String::new(), |seq| format!(r#""seq":{seq},"#));
    format!(r#"{{"v":1,"svc":"app","type":"message","flags":{flags},{seq}"data":{data}}}"#)
}

fn said(pump: &Pump, session: SessionId) -> Vec<Said> {
    let received = pump.clients[&session].received.iter();
    received.filter_map(read).collect()
}

fn is(kind: &str, seq: Option<u32>, data: &str) -> Said {
    Said {
        kind: kind.to_owned(),
        seq,
        data: data.to_owned(),
    }
}

#[test]
fn messages_of_both_lanes_reach_systems_and_come_back_as_they_were() {
    for shards in [1, 2, 8] {
        let mut pump = Pump::new(&mut relay(), shards, 1);
        let (one, other) = (pump.open(0, "/app"), pump.open(shards - 1, "/ws"));
        for said in [
            message(0, None, r#"{"a": [1, "x"]}"#),
            r#"{"v":1,"svc":"app","type":"message"}"#.to_owned(),
        ] {
            pump.text(one, &said);
            pump.settle();
        }
        pump.binary(one, &hot(OPCODE_APP_MESSAGE, None, false, &[7, 0, 1]));
        pump.settle();
        pump.text(other, "true");
        pump.settle();
        let expected = [
            is("message", None, r#"{"a": [1, "x"]}"#),
            // For whoever reads it, `null` is nothing.
            is("message", None, ""),
            is("0", None, "\u{7}\0\u{1}"),
            // The words of a client on a raw path are words.
            is("message", None, r#""true""#),
        ];
        assert_eq!(said(&pump, one), expected);
        let raw = [
            Payload::from(r#"{"a": [1, "x"]}"#),
            Payload::from("null"),
            Payload::from(vec![7, 0, 1]),
            Payload::from("true"),
        ];
        assert_eq!(pump.clients[&other].received, raw);
    }
}

#[test]
fn a_number_that_came_before_is_dropped_and_one_left_out_is_told() {
    let heard = Heard::default();
    let mut pump = Pump::new(&mut listening(&heard), 2, 1);
    let (session, other) = (pump.open(1, "/app"), pump.open(1, "/app"));
    // Any number may be the first, and both lanes count as one.
    for seq in [5, 6, 6, 5, 1] {
        pump.text(session, &message(1, Some(seq), &seq.to_string()));
    }
    pump.binary(session, &hot(OPCODE_APP_MESSAGE, Some(6), false, b"hot 6"));
    pump.binary(session, &hot(OPCODE_APP_MESSAGE, Some(7), false, b"hot 7"));
    // Requests have numbers of their own, and who gives none is not asked for any.
    pump.text(session, &request(3, "null"));
    pump.text(session, &message(0, None, "null"));
    pump.settle();
    assert_eq!(*heard.lock().unwrap(), ["5", "6", "hot 7", "null"]);
    assert_eq!(said(&pump, session), [is("ack", Some(3), "")]);

    pump.text(session, &message(0, Some(10), "10"));
    pump.text(session, &message(0, Some(9), "9"));
    pump.text(session, &message(0, Some(u32::MAX), "\"last\""));
    pump.text(session, &message(0, Some(0), "0"));
    pump.text(other, &message(0, Some(0), "\"another's\""));
    pump.settle();
    let last = ["10", "\"last\"", "\"another's\""];
    assert_eq!(heard.lock().unwrap()[4..], last);
    assert_eq!(
        said(&pump, session)[1..],
        [
            is("gap", None, r#"{"expected":8,"got":10}"#),
            is("gap", None, r#"{"expected":11,"got":4294967295}"#),
        ]
    );
    assert_eq!(said(&pump, other), []);
    let status = pump.hubs[1].status();
    assert_eq!(status.messages_repeated, 6);
    assert_eq!(status.messages_missing, 2 + u64::from(u32::MAX) - 11);
}

#[test]
fn who_asks_is_told_when_systems_have_had_a_message_and_told_again_when_it_says_it_again() {
    let heard = Heard::default();
    let mut pump = Pump::new(&mut listening(&heard), 1, 1);
    let session = pump.open(0, "/app");
    pump.text(session, &message(5, Some(1), "1"));
    pump.binary(session, &hot(OPCODE_APP_MESSAGE, Some(2), true, b"2"));
    pump.text(session, &message(4, Some(1), "1"));
    pump.text(session, &message(1, Some(3), "3"));
    assert_eq!(said(&pump, session), [], "systems have had nothing yet");
    pump.settle();
    let acks = [
        is("ack", Some(1), ""),
        is("3", Some(2), ""),
        is("ack", Some(1), ""),
    ];
    assert_eq!(said(&pump, session), acks);
    assert_eq!(*heard.lock().unwrap(), ["1", "2", "3"]);
    pump.binary(session, &hot(OPCODE_APP_MESSAGE, Some(2), true, b"2"));
    pump.settle();
    assert_eq!(said(&pump, session)[3..], [is("3", Some(2), "")]);
    assert_eq!(heard.lock().unwrap().len(), 3);
    // A request is answered in any case.
    let asks = r#"{"v":1,"svc":"app","type":"request","flags":5,"seq":8}"#;
    pump.text(session, asks);
    pump.settle();
    assert_eq!(said(&pump, session)[4..], [is("ack", Some(8), "")]);
}

#[test]
fn what_the_application_and_sys_do_not_take_is_refused_by_field() {
    let mut pump = Pump::new(&mut listening(&Heard::default()), 1, 1);
    let session = pump.open(0, "/app");
    for (text, seq, code, detail) in [
        (
            r#"{"v":1,"svc":"app","type":"whisper","seq":4}"#,
            Some(4),
            "BAD_REQUEST",
            "type: the service app takes no",
        ),
        (
            r#"{"v":1,"svc":"sys","type":"pong"}"#,
            None,
            "BAD_REQUEST",
            "type: the service sys takes no",
        ),
        (
            r#"{"v":1,"svc":"app","type":"message","flags":4}"#,
            None,
            "BAD_REQUEST",
            "seq: missing",
        ),
        (
            r#"{"v":1,"svc":"application","type":"message"}"#,
            None,
            "BAD_REQUEST",
            "svc: no service",
        ),
    ] {
        pump.client(session).received.clear();
        pump.text(session, text);
        check_refused(&pump, session, seq, code, detail);
    }
    for (bytes, detail) in [
        (hot(2, Some(4), false, b""), "opcode: the application's"),
        (hot(255, Some(4), false, b""), "opcode: the application's"),
        (vec![1, 3, 0, 4], "flags: ACK without SEQ"),
    ] {
        pump.client(session).received.clear();
        pump.binary(session, &bytes);
        let seq = (bytes.len() > 4).then_some(4);
        check_refused(&pump, session, seq, "BAD_REQUEST", detail);
    }
}

#[track_caller]
fn check_refused(pump: &Pump, session: SessionId, seq: Option<u32>, code: &str, detail: &str) {
    let told = said(pump, session);
    let [refusal] = told.as_slice() else {
        panic!("{told:?}");
    };
    assert_eq!((refusal.kind.as_str(), refusal.seq), ("error", seq));
    let begins = format!(r#"{{"code":"{code}","msg":"{detail}"#);
    assert!(refusal.data.starts_with(&begins), "{refusal:?}");
}

#[test]
fn a_ping_of_the_ext_lane_is_answered_at_once_with_its_data() {
    let mut pump = Pump::new(App::new().lanes("/app"), 1, 1);
    let session = pump.open(0, "/app");
    let ping = |more: &str| format!(r#"{{"v":1,"svc":"sys","type":"ping"{more}}}"#);
    pump.text(session, &ping(""));
    pump.text(session, &ping(r#","seq":7,"data":{"at": 12.5}"#));
    let long = format!("\"{}\"", "x".repeat(123));
    pump.text(session, &ping(&format!(r#","data":{long}"#)));
    assert_eq!(
        said(&pump, session),
        [
            is("pong", None, ""),
            is("pong", Some(7), r#"{"at": 12.5}"#),
            is("pong", None, &long),
        ]
    );
    pump.client(session).received.clear();
    let longer = format!("\"{}\"", "x".repeat(124));
    pump.text(session, &ping(&format!(r#","data":{longer}"#)));
    check_refused(
        &pump,
        session,
        None,
        "PAYLOAD_TOO_LARGE",
        "data: 126 bytes; at most 125",
    );
}

/// What each shard's systems were told, summed.
type Told = Arc<Mutex<BTreeMap<(u16, SessionId, UnsentCause), u64>>>;

/// An application that sends something so many times to those whom a client names, and keeps what it is told of that.
fn sender(told: &Told) -> App {
    let told = told.clone();
    let mut app = App::new();
    app.raw("/ws").system(Update, move |cx: &mut Context| {
        let shard = cx.shard().0;
        for Unsent {
            session,
            cause,
            count,
        } in cx.unsent()
        {
            let mut told = told.lock().unwrap();
            *told.entry((shard, session, cause)).or_default() += count;
        }
        for message in cx.messages() {
            let Some(words) = message.payload.as_text() else {
                continue;
            };
            let mut numbers = words.split(' ').map(|word| word.parse::<u64>().unwrap());
            let times = numbers.next().unwrap();
            let sessions: Vec<_> = numbers.filter_map(SessionId::from_value).collect();
            for _ in 0..times {
                let audience = match sessions.as_slice() {
                    [one] => Audience::One(*one),
                    several => Audience::Group(several.to_vec()),
                };
                cx.send(audience, "x".repeat(1000));
            }
        }
    });
    app
}

fn send(pump: &mut Pump, speaker: SessionId, times: u64, to: SessionId) {
    pump.text(speaker, &format!("{times} {}", to.value()));
    pump.settle();
    pump.run(1);
}

fn taken(told: &Told) -> Vec<((u16, SessionId, UnsentCause), u64)> {
    std::mem::take(&mut *told.lock().unwrap())
        .into_iter()
        .collect()
}

#[test]
fn systems_are_told_of_each_message_that_was_not_sent_and_why() {
    for shards in [1, 2, 8] {
        for home in [0, shards - 1] {
            let told = Told::default();
            let mut app = sender(&told);
            app.options(|options| options.limits.messages_queue_bytes_max = 300_000);
            let mut pump = Pump::new(&mut app, shards, 1);
            let speaker = pump.open(0, "/ws");
            let receiver = pump.open(home, "/ws");
            send(&mut pump, speaker, 10, receiver);
            assert_eq!(taken(&told), [], "all were sent");

            // It does not read: what does not fit closes it, and what follows finds it closing.
            pump.client(receiver).stalled = true;
            send(&mut pump, speaker, 400, receiver);
            let not_fitting = 400 - pump.clients[&receiver].unread.len() as u64;
            let full = (0, receiver, UnsentCause::QueueFull);
            let closing = (0, receiver, UnsentCause::Closing);
            assert_eq!(taken(&told), [(closing, not_fitting - 1), (full, 1)]);
            send(&mut pump, speaker, 3, receiver);
            assert_eq!(taken(&told), [(closing, 3)]);

            pump.close(receiver, CloseReason::Lost);
            let gone = |session| ((0, session, UnsentCause::NoSession), 3);
            send(&mut pump, speaker, 3, receiver);
            assert_eq!(taken(&told), [gone(receiver)]);
            // One that never was, and one of a home that is not.
            for home in [home, 900] {
                let never = SessionId::new(home, 4000);
                send(&mut pump, speaker, 3, never);
                assert_eq!(taken(&told), [gone(never)]);
            }
            pump.run(3);
            assert_eq!(taken(&told), [], "it is told once");
            let unsent = pump.hubs.iter().map(|hub| hub.status().messages_unsent);
            assert_eq!(unsent.sum::<u64>(), not_fitting + 12);
        }
    }
}

#[test]
fn a_session_that_waits_for_another_connection_is_sent_nothing_and_systems_are_told() {
    let told = Told::default();
    let mut app = sender(&told);
    app.lanes("/world")
        .world(WorldConfig::default())
        .options(|options| options.limits.resume_grace = Duration::from_secs(60));
    let mut pump = Pump::new(&mut app, 2, 1);
    let speaker = pump.open(0, "/ws");
    for home in [0, 1] {
        let session = pump.open(home, "/world");
        join_camera(&mut pump, session, [100.0, 100.0, 0.0]);
        pump.run(3);
        pump.close(session, CloseReason::Lost);
        pump.run(1);
        send(&mut pump, speaker, 5, session);
        assert_eq!(taken(&told), [((0, session, UnsentCause::Detached), 5)]);
    }
}

#[test]
fn messages_to_a_list_that_wait_for_others_are_missed_by_those_of_it_who_are_not_there() {
    for coalesces in [false, true] {
        let told = Told::default();
        let mut pump = Pump::new(&mut sender(&told), 2, 1);
        if coalesces {
            pump.coalesce();
        }
        for home in [0, 1] {
            let sessions: Vec<_> = (0..4).map(|_| pump.open(home, "/ws")).collect();
            let [one, two, three, gone] = sessions[..] else {
                panic!("four were opened");
            };
            pump.close(gone, CloseReason::Lost);
            let [a, b, c, d] = [one, two, three, gone].map(SessionId::value);
            for (words, read) in [
                (format!("7 {a} {b} {c} {d}"), [7, 7, 7]),
                (format!("5 {d} {a}"), [12, 7, 7]),
                (format!("3 {c} {d} {b}"), [12, 10, 10]),
            ] {
                let times = words[..1].parse().unwrap();
                pump.text(one, &words);
                pump.settle();
                pump.run(1);
                let missed = ((home, gone, UnsentCause::NoSession), times);
                assert_eq!(taken(&told), [missed], "coalesces {coalesces}: {words}");
                let heard = [one, two, three].map(|one| pump.clients[&one].received.len());
                assert_eq!(heard, read, "coalesces {coalesces}: {words}");
            }
        }
    }
}

#[test]
fn what_was_not_sent_does_not_flood_those_who_are_told() {
    let entries = Arc::new(Mutex::new(Vec::new()));
    let seen = entries.clone();
    let mut app = App::new();
    app.raw("/ws").system(Update, move |cx: &mut Context| {
        seen.lock().unwrap().push(cx.unsent().collect::<Vec<_>>());
        for _ in cx.messages() {
            for counter in 0..1000 {
                let nobody = SessionId::new(1, 1_000_000 + counter);
                for _ in 0..20 {
                    cx.send(Audience::One(nobody), "nobody there");
                }
            }
        }
    });
    let mut pump = Pump::new(&mut app, 2, 1);
    let speaker = pump.open(0, "/ws");
    pump.text(speaker, "now");
    pump.settle();
    pump.run(2);
    let told = std::mem::take(&mut *entries.lock().unwrap());
    let told: Vec<_> = told.into_iter().filter(|turn| !turn.is_empty()).collect();
    let [turn] = told.as_slice() else {
        panic!("told in {} turns", told.len());
    };
    assert_eq!(turn.len(), 256);
    assert!(turn.iter().all(|one| one.count == 20));
    assert_eq!(pump.hubs[1].status().messages_unsent, 20_000);
}
