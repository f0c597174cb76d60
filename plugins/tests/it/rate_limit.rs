//! Rate limits: what is too much nobody is told, whatever says it; who is told what of it, and when it may speak again.

use std::collections::BTreeMap;

use worldshard::prelude::*;
use worldshard_plugins::{HeartbeatPlugin, RateLimitAction, RateLimitCounts, RateLimitPlugin};
use worldshard_protocol::ExtEnvelope;

use crate::pump::Pump;
use crate::{SHARDS, TICK, app, heard, relay, seconds, texts, ticks};

const THROTTLED: &str = "[RateLimit] Too many messages. You are temporarily throttled.";
const DISCONNECTED: &str = "[RateLimit] Disconnected due to rate limit violation.";

fn limited(plugin: RateLimitPlugin) -> App {
    let mut app = app(plugin);
    app.system(Update, relay)
        .system(Shutdown, |cx: &mut Context| {
            let counts = *cx.resource::<RateLimitCounts>();
            cx.send(Audience::All, format!("{counts:?}"));
        });
    app
}

fn counts(dropped: u64, throttled: u64, disconnected: u64) -> String {
    let counts = RateLimitCounts {
        dropped,
        throttled,
        disconnected,
    };
    format!("{counts:?}")
}

#[test]
fn what_is_too_much_nobody_is_told_and_the_bucket_fills_again() {
    for shards in SHARDS {
        let mut pump = Pump::new(
            &mut limited(RateLimitPlugin::new().messages(4, 3)),
            shards,
            1,
        );
        let [one, other] = [0, shards - 1].map(|home| pump.open(home, "/ws"));
        for n in 0..5 {
            pump.text(one, &format!("{n}"));
        }
        pump.text(other, "another's");
        pump.settle();
        let mut all = heard(&mut pump, other);
        all.sort();
        assert_eq!(all, ["0", "1", "2", "another's"]);
        // A token each 250 ms.
        let mut expected = Vec::new();
        for tick in 1..=20 {
            pump.run(1);
            for half in ["a", "b"] {
                pump.text(one, &format!("{tick}{half}"));
            }
            if tick % 5 == 0 {
                expected.push(format!("{tick}a"));
            }
            pump.settle();
        }
        assert_eq!(heard(&mut pump, other), expected);
        pump.hub(ShardId(0)).shutdown();
        pump.settle();
        let of_home_0 = counts(2 + 40 - 4, 0, 0);
        assert!(
            texts(&pump, other).contains(&&*of_home_0),
            "{:?}",
            texts(&pump, other)
        );
    }
}

#[test]
fn bytes_are_counted_too_and_one_long_message_takes_a_full_bucket() {
    let plugin = RateLimitPlugin::new().messages(1000, 1000).bytes(100, 50);
    let mut pump = Pump::new(&mut limited(plugin), 1, 1);
    let session = pump.open(0, "/ws");
    let long = "x".repeat(1000);
    for said in ["y".repeat(50), "z".to_owned()] {
        pump.text(session, &said);
    }
    pump.run(ticks(seconds(1)) / 2 - 1);
    pump.text(session, &long);
    pump.run(1);
    pump.text(session, &long);
    pump.text(session, "w");
    pump.run(1);
    // Five bytes in a tick.
    pump.text(session, "tiny");
    pump.text(session, "no");
    pump.binary(session, b"b");
    pump.settle();
    let lens: Vec<_> = texts(&pump, session)
        .iter()
        .map(|text| text.len())
        .collect();
    assert_eq!(lens, [50, 1000, 4]);
    assert_eq!(pump.client(session).received.len(), 4);
}

#[test]
fn whatever_a_client_says_counts() {
    let mut app = limited(RateLimitPlugin::new().messages(1, 2));
    app.text_command("/x", |cx: &mut Context, session, _: &str| {
        cx.send(Audience::One(session), "x");
    });
    let mut pump = Pump::new(&mut app, 1, 1);
    let session = pump.open(0, "/ws");
    for _ in 0..3 {
        pump.text(session, "/x");
    }
    pump.text(session, "/unknown");
    pump.text(session, "text");
    pump.binary(session, b"bytes");
    pump.settle();
    assert_eq!(pump.client(session).received, ["x", "x"].map(Payload::from));
}

#[test]
fn who_is_throttled_is_told_once_and_may_speak_again_after_the_time() {
    for shards in SHARDS {
        let action = RateLimitAction::Throttle(seconds(5));
        let plugin = RateLimitPlugin::new().messages(2, 2).action(action);
        let mut pump = Pump::new(&mut limited(plugin), shards, 1);
        let [one, other] = [0, shards - 1].map(|home| pump.open(home, "/ws"));
        let lanes = pump.open(0, "/app");
        pump.settle();
        heard(&mut pump, lanes);
        for n in 0..9 {
            pump.text(one, &format!("{n}"));
        }
        pump.run(ticks(seconds(5)) - 1);
        pump.text(one, "too early");
        pump.settle();
        assert_eq!(heard(&mut pump, other), ["0", "1"]);
        assert_eq!(
            heard(&mut pump, one),
            ["0", "1", THROTTLED].map(String::from).sorted()
        );
        pump.run(1);
        pump.text(one, "again");
        pump.settle();
        assert_eq!(heard(&mut pump, one), ["again"]);
        assert_eq!(heard(&mut pump, other), ["again"]);
        heard(&mut pump, lanes);

        for n in 0..9 {
            let said = format!(r#"{{"v":1,"svc":"app","type":"message","data":{n}}}"#);
            pump.text(lanes, &said);
        }
        pump.settle();
        assert_eq!(heard(&mut pump, other), ["0", "1"]);
        let notices: Vec<_> = heard(&mut pump, lanes);
        let notices: Vec<_> = notices
            .iter()
            .filter_map(|text| retry_after_ms(text))
            .collect();
        assert_eq!(notices, [5000]);
    }
}

/// What a client on lanes is told that says too much.
fn retry_after_ms(text: &str) -> Option<u64> {
    let envelope = ExtEnvelope::parse(text).unwrap();
    let data: serde_json::Value = serde_json::from_str(envelope.data?.get()).unwrap();
    if data["code"] != "RATE_LIMITED" {
        return None;
    }
    let msg = "Too many messages. You are temporarily throttled.";
    assert_eq!(data["msg"], msg);
    data["retry_after_ms"].as_u64()
}

trait Sorted {
    fn sorted(self) -> Self;
}

impl<const N: usize> Sorted for [String; N] {
    /// What a screen says at once comes before what systems say.
    fn sorted(mut self) -> Self {
        self.sort_by_key(|text| !text.starts_with('['));
        self
    }
}

#[test]
fn who_is_disconnected_is_told_so_before_and_nothing_that_it_says_is_heard() {
    for shards in SHARDS {
        let plugin = RateLimitPlugin::new()
            .messages(2, 2)
            .action(RateLimitAction::Disconnect);
        let mut pump = Pump::new(&mut limited(plugin), shards, 1);
        let [one, other] = [0, shards - 1].map(|home| pump.open(home, "/ws"));
        for n in 0..9 {
            pump.text(one, &format!("{n}"));
        }
        let client = pump.client(one);
        assert_eq!(client.texts(), [DISCONNECTED]);
        assert_eq!(client.closed, Some((1008, "rate limit".to_owned())));
        pump.settle();
        assert_eq!(heard(&mut pump, other), ["0", "1"]);
    }
}

#[test]
fn with_heartbeats_the_order_of_plugins_does_not_matter() {
    let limit = RateLimitPlugin::new().messages(1, 1);
    let mut both = [
        app((HeartbeatPlugin::new(), limit.clone())),
        app((limit, HeartbeatPlugin::new())),
    ];
    for app in &mut both {
        app.system(Update, relay);
        let mut pump = Pump::new(app, 1, 1);
        let session = pump.open(0, "/ws");
        for _ in 0..4 {
            pump.text(session, "hello");
            pump.text(session, "too much");
            pump.run(ticks(seconds(25)));
            pump.text(session, "pong");
            pump.text(session, "counts as life, and nobody hears it");
            pump.run(ticks(seconds(1)));
        }
        let mut counts = BTreeMap::new();
        for text in heard(&mut pump, session) {
            *counts.entry(text).or_insert(0) += 1;
        }
        let expected = [("hello".to_owned(), 4), ("ping".to_owned(), 10)];
        assert_eq!(counts, BTreeMap::from(expected));
        assert_eq!(pump.client(session).closed, None);
    }
}

#[test]
fn a_flood_by_seed_is_let_through_as_an_oracle_says() {
    for seed in 1..=20 {
        let (per_s, at_once) = (7, 5);
        let plugin = RateLimitPlugin::new().messages(per_s, at_once);
        let mut pump = Pump::new(&mut limited(plugin), 2, seed);
        let session = pump.open((seed % 2) as u16, "/ws");
        // Tokens in thousandths, and what a tick brings.
        let (full, each) = (
            u64::from(at_once) * 1000,
            u64::from(per_s) * TICK.as_millis() as u64,
        );
        let (mut tokens, mut expected) = (full, Vec::new());
        for n in 0..400 {
            let waits = pump.draw(4) * pump.draw(3);
            pump.run(waits);
            tokens = full.min(tokens + waits * each);
            pump.text(session, &format!("{n}"));
            if tokens >= 1000 {
                tokens -= 1000;
                expected.push(format!("{n}"));
            }
        }
        pump.settle();
        assert!((100..400).contains(&expected.len()));
        assert_eq!(texts(&pump, session), expected, "seed {seed}");
    }
}

#[test]
fn a_rate_of_nothing_keeps_the_application_from_starting() {
    for plugin in [
        RateLimitPlugin::new().messages(0, 1),
        RateLimitPlugin::new().bytes(1, 0),
    ] {
        let error = app(plugin).build().err().unwrap().to_string();
        assert!(error.starts_with("RateLimitPlugin: a rate of 0"), "{error}");
    }
}
