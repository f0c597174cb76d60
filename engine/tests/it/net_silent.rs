//! A hot lane of which nothing is told: what is too fast there is refused all the same, and the ext lane is told as ever.
//! Over real sockets, on each runtime.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use worldshard::policy::{HotErrors, RateAction, RateLimit, RateScope, RateUnit, TenantOptions};
use worldshard::prelude::*;
use worldshard::{Running, Runtime};
use worldshard_protocol::{APP_SVC, HotHeader};
use worldshard_transport::{MessageKind, masked_frame};

use crate::net_users::gauge;
use crate::socket::{Client, Heard, MASK, PATIENCE, end, eventually, on_each_runtime, serve};

const FAST: &str = "/lanes?tenant=acme";

/// What is said there all hear.
const LOUD: &str = "/lanes?tenant=loud";

const MODES: [HotErrors; 2] = [HotErrors::SysError, HotErrors::Silent];

fn limit(unit: RateUnit, per_second: u32, burst: u32, action: RateAction) -> RateLimit {
    RateLimit {
        scope: RateScope::Connection,
        unit,
        per_second,
        burst,
        action,
    }
}

/// A tenant of whose messages each is sent back, and one whose words all hear.
fn start(runtime: Runtime, shards: u16, mode: HotErrors, rate: RateLimit) -> (Running, SocketAddr) {
    let mut acme = TenantOptions::new("acme");
    acme.policy.hot_errors = mode;
    acme.policy.rates = vec![rate];
    let mut app = App::new();
    app.bind("127.0.0.1:0")
        .runtime(runtime)
        .shards(shards)
        .lanes("/lanes")
        .system(Update, |cx: &mut Context<'_>| {
            for message in cx.messages() {
                let audience = match cx.tenant(message.session).as_str() {
                    "loud" => Audience::All,
                    _ => Audience::One(message.session),
                };
                cx.send(audience, message.payload.clone());
            }
        })
        .options(|options| options.tenants = vec![acme, TenantOptions::new("loud")]);
    serve(&mut app)
}

fn hot(seq: u32, payload: &[u8]) -> Vec<u8> {
    let header = HotHeader {
        svc: APP_SVC,
        seq: Some(seq),
        ..HotHeader::default()
    };
    let mut message = Vec::new();
    header.write(&mut message);
    message.extend_from_slice(payload);
    masked_frame(MessageKind::Binary, &message, MASK).to_vec()
}

fn ext(seq: u32) -> Vec<u8> {
    let text = format!(r#"{{"v":1,"svc":"app","type":"message","seq":{seq},"data":"x"}}"#);
    masked_frame(MessageKind::Text, text.as_bytes(), MASK).to_vec()
}

fn greeted(address: SocketAddr, path: &str) -> Client {
    let mut client = Client::connect(address, path);
    assert_eq!(told(&client.hear()).unwrap()["type"], "authed");
    client
}

/// A text as JSON.
fn told(heard: &Heard) -> Option<Value> {
    match heard {
        Heard::Message(MessageKind::Text, text) => serde_json::from_slice(text).unwrap(),
        _ => None,
    }
}

/// What the server itself tells a client, up to its end or to what somebody says to all behind it: as type or code, and number.
fn notices(client: &mut Client) -> Vec<(String, Option<u64>)> {
    let mut notices = Vec::new();
    loop {
        let heard = client.hear();
        if let Heard::Close(code, reason) = heard {
            notices.push((format!("{} {reason}", code.unwrap()), None));
            return notices;
        }
        let Some(said) = told(&heard) else {
            assert!(matches!(heard, Heard::Message(..)), "{heard:?}");
            continue;
        };
        match said["type"].as_str().unwrap() {
            "error" => {
                let code = said["data"]["code"].as_str().unwrap();
                notices.push((code.to_owned(), said["seq"].as_u64()));
            }
            "throttled" => notices.push(("throttled".to_owned(), said["seq"].as_u64())),
            _ if said["data"] == "over" => return notices,
            _ => {}
        }
    }
}

/// Says to all that something is over.
fn say_over(witness: &mut Client) {
    let over = br#"{"v":1,"svc":"app","type":"message","data":"over"}"#;
    witness.say(MessageKind::Text, over);
}

fn of(code: &str, seq: u64) -> (String, Option<u64>) {
    (code.to_owned(), Some(seq))
}

/// Each mode on each runtime, on one, two and eight shards.
fn on_each(test: impl Fn(Runtime, u16, HotErrors)) {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            for mode in MODES {
                test(runtime, shards, mode);
            }
        }
    });
}

#[test]
fn what_is_dropped_of_a_silent_hot_lane_is_not_told_and_the_ext_lane_is() {
    on_each(|runtime, shards, mode| {
        let rate = limit(RateUnit::Messages, 1, 5, RateAction::Drop);
        let (running, address) = start(runtime, shards, mode, rate);
        let (mut client, mut witness) = (greeted(address, FAST), greeted(address, LOUD));
        let flood: Vec<u8> = (1..=100).flat_map(|seq| hot(seq, b"x")).collect();
        client.write(&flood);
        // One comes back each second that the machine takes for it.
        eventually(PATIENCE, "most is dropped", || {
            gauge(address, "rate_limited") >= 60
        });
        say_over(&mut witness);
        let heard = notices(&mut client);
        let silent = gauge(address, "refused_silently");
        match mode {
            HotErrors::SysError => {
                assert_eq!((heard, silent), (vec![of("RATE_LIMITED", 6)], 0));
            }
            HotErrors::Silent => {
                assert_eq!((heard, silent), (vec![], 1));
                // Nothing was said of the flood, so it is said now.
                let before = gauge(address, "rate_limited");
                let texts: Vec<u8> = (201..=300).flat_map(ext).collect();
                client.write(&texts);
                eventually(PATIENCE, "most is dropped", || {
                    gauge(address, "rate_limited") >= before + 60
                });
                say_over(&mut witness);
                let heard = notices(&mut client);
                assert_eq!(heard.len(), 1, "{heard:?} on {shards} shards");
                assert_eq!(heard[0].0, "RATE_LIMITED");
            }
        }
        end(running);
    });
}

#[test]
fn who_is_throttled_on_a_silent_hot_lane_is_not_told_and_on_the_ext_lane_is() {
    on_each(|runtime, shards, mode| {
        let at_least = RateAction::Throttle(Duration::from_millis(300));
        let rate = limit(RateUnit::Messages, 100, 1, at_least);
        let (running, address) = start(runtime, shards, mode, rate);
        let (mut client, mut witness) = (greeted(address, FAST), greeted(address, LOUD));
        // The second waits; when it is heard the third is in time, and the fourth waits.
        client.write(&[hot(1, b"x"), hot(2, b"x"), ext(3), ext(4)].concat());
        eventually(PATIENCE, "all four are heard", || {
            gauge(address, "messages_in") >= 4
        });
        say_over(&mut witness);
        let first = match mode {
            HotErrors::SysError => 2,
            HotErrors::Silent => 4,
        };
        assert_eq!(notices(&mut client), [of("throttled", first)]);
        assert_eq!(gauge(address, "throttled"), 2);
        end(running);
    });
}

#[test]
fn who_is_disconnected_for_a_silent_hot_lane_is_told_by_the_close_alone() {
    on_each(|runtime, shards, mode| {
        let rate = limit(RateUnit::Messages, 1, 5, RateAction::Disconnect);
        let (running, address) = start(runtime, shards, mode, rate);
        let mut client = greeted(address, FAST);
        let flood: Vec<u8> = (1..=50).flat_map(|seq| hot(seq, b"x")).collect();
        client.write(&flood);
        let close = "1008 RATE_LIMITED: more messages or bytes than allowed".to_owned();
        let expected = match mode {
            HotErrors::SysError => vec![of("RATE_LIMITED", 6), (close, None)],
            HotErrors::Silent => vec![(close, None)],
        };
        assert_eq!(notices(&mut client), expected, "on {shards} shards");
        end(running);
    });
}

#[test]
fn what_never_fits_a_bucket_of_a_silent_hot_lane_is_not_told() {
    on_each(|runtime, shards, mode| {
        let rate = limit(RateUnit::Bytes, 1, 1000, RateAction::Drop);
        let (running, address) = start(runtime, shards, mode, rate);
        let (mut client, mut witness) = (greeted(address, FAST), greeted(address, LOUD));
        client.write(&hot(7, &[b'x'; 1001]));
        eventually(PATIENCE, "it is refused", || {
            gauge(address, "rate_limited") == 1
        });
        say_over(&mut witness);
        let (expected, silent) = match mode {
            HotErrors::SysError => (vec![of("PAYLOAD_TOO_LARGE", 7)], 0),
            HotErrors::Silent => (vec![], 1),
        };
        assert_eq!(notices(&mut client), expected, "on {shards} shards");
        assert_eq!(gauge(address, "refused_silently"), silent);
        end(running);
    });
}
