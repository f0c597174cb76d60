//! Heartbeats: who is asked when, what counts as life, who is closed, and that nobody hears the answers.

use std::time::Duration;

use worldshard::prelude::*;
use worldshard_plugins::HeartbeatPlugin;

use crate::pump::Pump;
use crate::{SHARDS, TICK, app, heard, relay, seconds, texts, ticks};

const TIMEOUT: (u16, &str) = (1008, "nothing was heard for 30s");

fn timeout() -> Option<(u16, String)> {
    Some((TIMEOUT.0, TIMEOUT.1.to_owned()))
}

#[test]
fn every_client_on_a_raw_path_is_asked_each_interval_and_closed_when_it_says_nothing() {
    for shards in SHARDS {
        let mut pump = Pump::new(&mut app(HeartbeatPlugin::new()), shards, 1);
        let sessions: Vec<_> = (0..shards).map(|home| pump.open(home, "/ws")).collect();
        let lanes = pump.open(0, "/app");
        pump.settle();
        let greeting = texts(&pump, lanes).len();
        pump.run(ticks(seconds(10)) - 1);
        assert!(sessions.iter().all(|one| texts(&pump, *one).is_empty()));
        pump.run(1);
        assert!(sessions.iter().all(|one| texts(&pump, *one) == ["ping"]));
        pump.run(ticks(seconds(20)) - 1);
        for session in &sessions {
            let client = pump.client(*session);
            assert_eq!((client.texts().len(), &client.closed), (2, &None));
        }
        pump.run(1);
        for session in &sessions {
            let client = pump.client(*session);
            // What was sent before the close is not lost, and nothing follows it.
            assert_eq!(client.texts(), ["ping", "ping"]);
            assert_eq!(client.closed, timeout());
        }
        assert_eq!(
            texts(&pump, lanes).len(),
            greeting,
            "lanes have pings of their own"
        );
        assert_eq!(pump.client(lanes).closed, None);
    }
}

#[test]
fn whatever_is_said_counts_as_life_and_the_end_of_patience_is_counted_from_it() {
    for shards in SHARDS {
        let mut app = app(HeartbeatPlugin::new());
        app.text_command("/here", |_: &mut Context, _, _: &str| {});
        let mut pump = Pump::new(&mut app, shards, 1);
        let home = shards - 1;
        let alive: Vec<_> = (0..5).map(|_| pump.open(home, "/ws")).collect();
        let silent = pump.open(home, "/ws");
        for round in 0..10_u64 {
            pump.run(ticks(seconds(25)));
            for (way, session) in alive.iter().enumerate() {
                assert_eq!(
                    pump.client(*session).closed,
                    None,
                    "way {way}, round {round}"
                );
                match way {
                    0 => pump.text(*session, "pong"),
                    1 => pump.text(*session, "hello"),
                    2 => pump.text(*session, "/here"),
                    3 => pump.text(*session, "/nowhere"),
                    _ => pump.binary(*session, &[0, 1]),
                }
            }
        }
        assert_eq!(pump.client(silent).closed, timeout());
        pump.run(ticks(seconds(30)) - 1);
        assert!(alive.iter().all(|one| pump.clients[one].closed.is_none()));
        pump.run(1);
        assert!(
            alive
                .iter()
                .all(|one| pump.clients[one].closed == timeout())
        );
    }
}

#[test]
fn nobody_is_told_of_an_answer() {
    for shards in SHARDS {
        let mut app = app(HeartbeatPlugin::new());
        app.system(Update, relay);
        let mut pump = Pump::new(&mut app, shards, 1);
        let [one, other] = [0, shards - 1].map(|home| pump.open(home, "/ws"));
        for said in ["pong", " pong\n", "pong?", "ping"] {
            pump.text(one, said);
        }
        pump.binary(one, b"pong");
        pump.settle();
        let bytes = Payload::from(b"pong".to_vec());
        for session in [one, other] {
            assert_eq!(texts(&pump, session), ["pong?", "ping"]);
            assert_eq!(pump.client(session).received.pop(), Some(bytes.clone()));
        }
    }
}

#[test]
fn all_settings_are_used() {
    let plugin = HeartbeatPlugin::new()
        .interval(seconds(1))
        .timeout(Duration::from_millis(2500))
        .ping_payload("__ping__")
        .pong_payload("__pong__");
    let mut app = app(plugin);
    app.system(Update, relay);
    let mut pump = Pump::new(&mut app, 2, 1);
    let session = pump.open(1, "/ws");
    pump.settle();
    pump.text(session, "__pong__");
    pump.text(session, "pong");
    pump.run(ticks(seconds(1)));
    assert_eq!(heard(&mut pump, session), ["pong", "__ping__"]);
    pump.run(ticks(Duration::from_millis(1500)) - 1);
    assert_eq!(heard(&mut pump, session), ["__ping__"]);
    assert_eq!(pump.client(session).closed, None);
    pump.run(1);
    let reason = "nothing was heard for 2.5s".to_owned();
    assert_eq!(pump.client(session).closed, Some((1008, reason)));
}

#[test]
fn an_interval_shorter_than_a_tick_asks_once_a_tick() {
    let plugin = HeartbeatPlugin::new()
        .interval(TICK / 7)
        .timeout(seconds(60));
    let mut pump = Pump::new(&mut app(plugin), 1, 1);
    let session = pump.open(0, "/ws");
    pump.settle();
    for _ in 0..50 {
        pump.run(1);
        pump.settle();
        assert_eq!(heard(&mut pump, session), ["ping"]);
    }
}

#[test]
fn a_timeout_that_is_not_longer_than_the_interval_keeps_the_application_from_starting() {
    for (interval, timeout) in [(10, 10), (10, 9), (0, 10)] {
        let plugin = HeartbeatPlugin::new()
            .interval(seconds(interval))
            .timeout(seconds(timeout));
        let error = app(plugin).build().err().unwrap().to_string();
        assert!(error.starts_with("HeartbeatPlugin: a timeout"), "{error}");
    }
}
