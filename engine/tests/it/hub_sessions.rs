//! The life of sessions: ids, events, counts, closes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use worldshard::prelude::*;

use crate::pump::Pump;

type Log = Arc<Mutex<Vec<Event>>>;

fn logging_app(log: &Log) -> App {
    let log = log.clone();
    let mut app = App::new();
    app.raw("/ws").system(Update, move |cx: &mut Context| {
        log.lock().unwrap().extend(cx.events().cloned());
        let asked: Vec<_> = cx
            .messages()
            .filter(|one| one.payload.as_text() == Some("end"))
            .collect();
        for message in asked {
            cx.close(message.session, 4000, "as asked");
        }
    });
    app
}

#[test]
fn connects_and_disconnects_are_told_exactly_once_around_all_messages() {
    let log = Log::default();
    let mut pump = Pump::new(&mut logging_app(&log), 4, 11);
    let mut open: Vec<SessionId> = Vec::new();
    let mut told = BTreeMap::new();
    for step in 0..80_000_u64 {
        let any = |pump: &mut Pump, open: &[SessionId]| open[pump.draw(open.len() as u64) as usize];
        match pump.draw(6) {
            0 | 1 => {
                let home = pump.draw(4) as u16;
                open.push(pump.open(home, "/ws"));
            }
            2 if !open.is_empty() => {
                let at = pump.draw(open.len() as u64) as usize;
                let session = open.swap_remove(at);
                let code = 1000 + (step % 3) as u16;
                pump.close(session, CloseReason::Client { code });
                // A driver that reports twice, and bytes that were read already, change nothing.
                pump.close(session, CloseReason::Lost);
                pump.text(session, "late");
                told.insert(session, CloseReason::Client { code });
            }
            3 if !open.is_empty() => {
                let session = any(&mut pump, &open);
                pump.text(session, "hello");
            }
            4 if !open.is_empty() => {
                let at = pump.draw(open.len() as u64) as usize;
                let session = open.swap_remove(at);
                pump.text(session, "end");
                pump.settle();
                pump.text(session, "after the close");
                pump.close(session, CloseReason::Lost);
                let reason = "as asked".into();
                told.insert(session, CloseReason::Server { code: 4000, reason });
            }
            _ => {
                let shard = ShardId(pump.draw(4) as u16);
                pump.handle(shard);
            }
        }
    }
    pump.settle();

    let still_open = check_pairs(&log.lock().unwrap(), &told);
    open.sort_unstable();
    assert_eq!(still_open, open);
    assert!(told.len() >= 10_000, "too few disconnects: {}", told.len());
    assert_eq!(pump.hubs[0].commons().sessions_total(), open.len() as u64);
}

/// Reads a log as one service would: gives the sessions that are still open.
fn check_pairs(log: &[Event], told: &BTreeMap<SessionId, CloseReason>) -> Vec<SessionId> {
    let mut standing: BTreeMap<SessionId, bool> = BTreeMap::new();
    let mut closes = 0;
    for event in log {
        match event {
            Event::Opened(session) => {
                assert_eq!(
                    standing.insert(*session, true),
                    None,
                    "{session} opened twice"
                );
            }
            Event::Message(message) => {
                assert_eq!(
                    standing.get(&message.session),
                    Some(&true),
                    "a message outside the pair"
                );
                assert_ne!(message.payload.as_text(), Some("late"));
                assert_ne!(message.payload.as_text(), Some("after the close"));
            }
            Event::Closed(session, reason) => {
                assert_eq!(
                    standing.insert(*session, false),
                    Some(true),
                    "{session}: no pair"
                );
                assert_eq!(told.get(session), Some(reason));
                closes += 1;
            }
        }
    }
    assert_eq!(closes, told.len());
    let still_open = standing.iter().filter(|(_, open)| **open);
    still_open.map(|(session, _)| *session).collect()
}

#[test]
fn session_ids_are_unique_and_exact_in_javascript() {
    let mut pump = Pump::new(App::new().raw("/ws"), 3, 1);
    let mut last = BTreeMap::new();
    for cycle in 0..100_000_u64 {
        let home = (cycle % 3) as u16;
        let session = pump.open(home, "/ws");
        assert_eq!(session.home(), home);
        assert!(session.value() <= 1 << 53);
        // Ascending per home, hence unique.
        assert!(last.insert(home, session) < Some(session));
        pump.close(session, CloseReason::Lost);
        pump.clients.clear();
    }
    assert_eq!(pump.hubs[0].commons().sessions_total(), 0);
}

#[test]
fn the_session_count_is_that_of_the_whole_process() {
    let counts = Arc::new(Mutex::new(Vec::new()));
    let seen = counts.clone();
    let mut app = App::new();
    app.raw("/ws").system(Update, move |cx: &mut Context| {
        seen.lock().unwrap().push(cx.session_count());
    });
    let mut pump = Pump::new(&mut app, 2, 1);
    let first = pump.open(0, "/ws");
    let second = pump.open(1, "/ws");
    pump.settle();
    pump.close(first, CloseReason::Lost);
    pump.settle();
    pump.close(second, CloseReason::Timeout);
    pump.settle();
    assert_eq!(*counts.lock().unwrap(), [2, 2, 1, 0]);
}

#[test]
fn a_close_reaches_a_session_of_another_home_behind_what_it_was_sent() {
    let mut app = App::new();
    app.raw("/ws").system(Update, |cx: &mut Context| {
        for message in cx.messages() {
            let other = message.payload.as_text().unwrap().parse().unwrap();
            let other = SessionId::from_value(other).unwrap();
            cx.send(Audience::One(other), "good bye");
            cx.close(other, 4001, "elsewhere");
            cx.send(Audience::One(other), "too late");
            cx.close(other, 4002, "again");
        }
    });
    let mut pump = Pump::new(&mut app, 2, 3);
    let (one, other) = (pump.open(0, "/ws"), pump.open(1, "/ws"));
    pump.text(one, &other.value().to_string());
    pump.settle();
    let client = &pump.clients[&other];
    assert_eq!(client.texts(), ["good bye"]);
    assert_eq!(client.closed, Some((4001, "elsewhere".to_owned())));
}

#[test]
fn the_kind_of_a_payload_survives_the_echo() {
    let mut app = App::new();
    app.raw("/ws").system(Update, |cx: &mut Context| {
        for message in cx.messages() {
            cx.send(Audience::All, message.payload.clone());
        }
    });
    let mut pump = Pump::new(&mut app, 2, 5);
    let (one, other) = (pump.open(0, "/ws"), pump.open(1, "/ws"));
    pump.binary(one, b"utf-8, but binary");
    pump.text(one, "text \u{1f30d}");
    pump.binary(one, &[0xff, 0x00]);
    pump.settle();
    let expected = [
        Payload::from(b"utf-8, but binary".to_vec()),
        Payload::from("text \u{1f30d}"),
        Payload::from(vec![0xff, 0x00]),
    ];
    assert_eq!(pump.clients[&one].received, expected);
    assert_eq!(pump.clients[&other].received, expected);
}

#[test]
fn a_text_that_is_not_utf8_closes_its_sender_only() {
    let log = Log::default();
    let mut pump = Pump::new(&mut logging_app(&log), 1, 5);
    let (bad, good) = (pump.open(0, "/ws"), pump.open(0, "/ws"));
    let hub = pump.hub(ShardId(0));
    hub.message(bad, worldshard_transport::MessageKind::Text, &[0xc0]);
    pump.text(good, "still here");
    pump.settle();
    assert_eq!(pump.clients[&bad].closed.as_ref().unwrap().0, 1007);
    assert!(
        log.lock()
            .unwrap()
            .iter()
            .any(|event| matches!(event, Event::Message(_)))
    );
}
