//! Screens in hubs: what they see, that nobody is told of what they drop, and what becomes of one that panics.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use worldshard::prelude::*;
use worldshard_protocol::app::{OPCODE_APP_MESSAGE, OPCODE_APP_REQUEST};

use crate::hub_requests::{Said, hot, read, request};
use crate::pump::Pump;

type Seen = Arc<Mutex<Vec<String>>>;

fn shown(payload: &Payload) -> String {
    let kind = if payload.as_text().is_some() {
        "t"
    } else {
        "b"
    };
    format!("{kind} {}", String::from_utf8_lossy(payload.bytes()))
}

fn take(seen: &Seen) -> Vec<String> {
    std::mem::take(&mut *seen.lock().unwrap())
}

fn message(seq: u32, flags: u32, data: &str) -> String {
    format!(r#"{{"v":1,"svc":"app","type":"message","flags":{flags},"seq":{seq},"data":{data}}}"#)
}

struct Told(Seen);

impl Service for Told {
    fn message(&mut self, _: &mut Room<'_>, _: SessionId, payload: &Payload) {
        self.0
            .lock()
            .unwrap()
            .push(format!("room: {}", shown(payload)));
    }
}

/// Two screens, of which the first drops what has `drop` in it and the other panics at `panic`; whoever is told of
/// something writes it down.
fn app(seen: &Seen, told: &Seen) -> App {
    let (first, second) = (Arc::clone(seen), Arc::clone(seen));
    let (rooms, commands, systems) = (Arc::clone(told), Arc::clone(told), Arc::clone(told));
    let mut app = App::new();
    app.raw("/ws")
        .lanes("/app")
        .rooms(Rooms::at("/room/{room}", move |_| Told(Arc::clone(&rooms))))
        .text_command("/say", move |_: &mut Context, _, rest: &str| {
            commands.lock().unwrap().push(format!("command: {rest}"));
        })
        .screen(move |_: &mut Context, _, payload: &Payload| {
            let text = shown(payload);
            let drops = text.contains("drop");
            first.lock().unwrap().push(text);
            if drops {
                Screened::Drop
            } else {
                Screened::Pass
            }
        })
        .screen(move |_: &mut Context, _, payload: &Payload| {
            let text = shown(payload);
            assert!(!text.contains("panic"), "as asked");
            second.lock().unwrap().push(text);
            Screened::Pass
        })
        .system(Update, move |cx: &mut Context| {
            let mut told = systems.lock().unwrap();
            told.extend(cx.messages().map(|message| shown(&message.payload)));
            for request in cx.requests() {
                told.push(format!("request: {}", shown(&request.payload)));
                request.ack();
            }
        });
    app
}

fn said(pump: &Pump, session: SessionId) -> Vec<Said> {
    let received = pump.clients[&session].received.iter();
    received.filter_map(read).collect()
}

/// Says a word in all ways that there are, and gives what screens see of that.
fn say_all(pump: &mut Pump, sessions: [SessionId; 3], nth: u32, word: &str) -> [String; 9] {
    let [raw, member, lanes] = sessions;
    let (bytes, seq) = (word.as_bytes(), Some(nth + 2));
    pump.text(raw, &format!("text {word}"));
    pump.binary(raw, format!("bytes {word}").as_bytes());
    pump.text(raw, &format!("/say {word}"));
    pump.text(raw, &format!("/nobody {word}"));
    pump.text(member, &format!("member {word}"));
    pump.text(lanes, &message(nth, 0, &format!("\"{word}\"")));
    pump.binary(lanes, &hot(OPCODE_APP_MESSAGE, None, false, bytes));
    pump.text(lanes, &request(nth, &format!("\"asks {word}\"")));
    pump.binary(lanes, &hot(OPCODE_APP_REQUEST, seq, false, bytes));
    [
        format!("t text {word}"),
        format!("b bytes {word}"),
        format!("t /say {word}"),
        format!("t /nobody {word}"),
        format!("t member {word}"),
        format!("t \"{word}\""),
        format!("b {word}"),
        format!("t \"asks {word}\""),
        format!("b {word}"),
    ]
}

#[test]
fn every_screen_sees_whatever_is_said_and_nobody_is_told_of_what_one_drops() {
    for shards in [1, 2, 8] {
        let (seen, told) = (Seen::default(), Seen::default());
        let mut pump = Pump::new(&mut app(&seen, &told), shards, 1);
        let raw = pump.open(shards - 1, "/ws");
        let host = pump.room_host("/room/a");
        let member = pump.open(host.0, "/room/a");
        let lanes = pump.open(0, "/app");
        for (nth, word) in [(1, "pass"), (2, "drop")] {
            let all = say_all(&mut pump, [raw, member, lanes], nth, word);
            let twice: Vec<_> = all
                .iter()
                .flat_map(|text| [text.clone(), text.clone()])
                .collect();
            assert_eq!(take(&seen), twice, "as soon as it is read");
            pump.settle();
            pump.run(2);
            let mut told = take(&told);
            told.sort();
            let mut expected: Vec<String> = Vec::new();
            if word == "pass" {
                expected.extend(["b bytes pass", "b pass", "command: pass"].map(String::from));
                expected.extend(["request: b pass", "request: t \"asks pass\""].map(String::from));
                expected
                    .extend(["room: t member pass", "t \"pass\"", "t text pass"].map(String::from));
            }
            assert_eq!(told, expected);
        }
        // Of nothing dropped a client hears, but of its requests that they are.
        assert_eq!(
            pump.clients[&raw].texts(),
            ["[Error] Unknown command: /nobody"]
        );
        let answers: Vec<_> = said(&pump, lanes)
            .into_iter()
            .map(|said| (said.kind, said.seq, said.data.contains("NOT_ALLOWED")))
            .collect();
        let is = |kind: &str, seq, rejected| (kind.to_owned(), Some(seq), rejected);
        assert_eq!(
            answers,
            [
                is("ack", 1, false),
                is("3", 3, false),
                is("reject", 2, true),
                is("4", 4, true),
            ]
        );
    }
}

#[test]
fn a_message_that_is_dropped_is_not_acknowledged_and_its_number_was_not_said() {
    let (seen, told) = (Seen::default(), Seen::default());
    let mut pump = Pump::new(&mut app(&seen, &told), 1, 1);
    let session = pump.open(0, "/app");
    pump.text(session, &message(1, 5, "\"one\""));
    pump.text(session, &message(2, 5, "\"drop\""));
    pump.text(session, &message(2, 5, "\"two\""));
    pump.text(session, &message(3, 5, "\"drop\""));
    pump.text(session, &message(4, 5, "\"four\""));
    pump.settle();
    assert_eq!(take(&told), ["t \"one\"", "t \"two\"", "t \"four\""]);
    let mut heard: Vec<_> = said(&pump, session)
        .into_iter()
        .map(|said| (said.kind, said.seq))
        .collect();
    heard.sort();
    let expected = [
        ("ack", Some(1)),
        ("ack", Some(2)),
        ("ack", Some(4)),
        ("gap", None),
    ];
    assert_eq!(heard, expected.map(|(kind, seq)| (kind.to_owned(), seq)));
}

#[test]
fn a_dropped_request_does_not_answer_another_with_its_number() {
    let mut app = App::new();
    let kept: Arc<Mutex<Vec<Request>>> = Arc::default();
    let keeps = Arc::clone(&kept);
    app.lanes("/app")
        .screen(|_: &mut Context, _, payload: &Payload| {
            let drops = payload.as_text() == Some("\"drop\"");
            if drops {
                Screened::Drop
            } else {
                Screened::Pass
            }
        })
        .system(Update, move |cx: &mut Context| {
            keeps.lock().unwrap().extend(cx.requests());
        });
    let mut pump = Pump::new(&mut app, 1, 1);
    let session = pump.open(0, "/app");
    pump.text(session, &request(1, "\"first\""));
    pump.text(session, &request(1, "\"drop\""));
    pump.settle();
    assert_eq!(said(&pump, session), []);
    let first = kept.lock().unwrap().pop().unwrap();
    first.ack();
    pump.settle();
    let said = said(&pump, session);
    let kinds: Vec<_> = said.iter().map(|said| (&*said.kind, said.seq)).collect();
    assert_eq!(kinds, [("ack", Some(1))]);
}

#[test]
fn a_screen_that_panics_is_blamed_lets_the_message_pass_and_goes_on() {
    let (seen, told) = (Seen::default(), Seen::default());
    let mut pump = Pump::new(&mut app(&seen, &told), 1, 1);
    let session = pump.open(0, "/ws");
    for _ in 0..100 {
        pump.text(session, "panic");
    }
    pump.text(session, "panic and drop");
    pump.text(session, "hello");
    pump.settle();
    let mut expected = vec!["t panic"; 100];
    expected.push("t hello");
    assert_eq!(take(&told), expected);
    let last = take(&seen).split_off(100);
    assert_eq!(last, ["t panic and drop", "t hello", "t hello"]);
    let faults: Vec<_> = pump.hubs[0].faults().values().copied().collect();
    assert_eq!(faults, [101]);
}

#[test]
fn a_screen_may_answer_and_close_and_what_it_said_arrives_before() {
    for shards in [1, 2, 8] {
        let mut app = App::new();
        app.raw("/ws")
            .screen(|cx: &mut Context, session, _: &Payload| {
                assert_eq!(cx.events().len(), 0);
                assert_eq!(cx.framing(session), Some(Framing::Raw));
                let time = format!("enough after {:?}", cx.time());
                cx.send(Audience::One(session), time);
                cx.close(session, 1008, "enough");
                Screened::Drop
            })
            .world(WorldConfig {
                tick_interval: Duration::from_millis(50),
                ..WorldConfig::default()
            });
        let mut pump = Pump::new(&mut app, shards, 1);
        pump.run(3);
        let session = pump.open(shards - 1, "/ws");
        pump.text(session, "one");
        pump.text(session, "two");
        let client = pump.client(session);
        assert_eq!(client.texts(), ["enough after 150ms"]);
        assert_eq!(client.closed, Some((1008, "enough".to_owned())));
    }
}
