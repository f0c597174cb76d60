//! `/metrics` and `/readyz` over real sockets: that a strict reader takes them, that their numbers are true, that nothing a
//! client says becomes a series, and that clients do not see them unasked.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use worldshard::prelude::*;
use worldshard::{AdminOptions, Auth, Coalesce, Runtime};
use worldshard_protocol::APP_SVC;
use worldshard_protocol::app::OPCODE_APP_MESSAGE;
use worldshard_transport::{MessageKind, data_frame};

use crate::operators::{admin, scrape};
use crate::prometheus::Scrape;
use crate::socket::{
    Client, Heard, PATIENCE, echo_app, end, eventually, get, on_each_runtime, serve,
};

fn app(runtime: Runtime, shards: u16) -> App {
    let mut app = echo_app(runtime, shards);
    app.raw("/ws")
        .lanes("/world")
        .world(WorldConfig::default())
        .avatar(|_, at| Draft::at(at))
        .options(|options| options.admin = Some(admin()));
    app
}

#[test]
fn gauges_and_counters_are_true_after_a_scenario() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            scenario(runtime, shards);
        }
    });
}

fn scenario(runtime: Runtime, shards: u16) {
    let (running, address) = serve(&mut app(runtime, shards));
    let _clients = talk(address);
    let mut last = Vec::new();
    eventually(PATIENCE, "the numbers are those of the scenario", || {
        last = numbers(&scrape(&running), shards).to_vec();
        let wrong = last.iter().any(|(is, wanted)| is != wanted);
        if wrong {
            println!("{last:?}");
        }
        !wrong
    });
    // Ticks go on, and each of them counts in every histogram of its shard.
    eventually(PATIENCE, "ticks are counted", || {
        let now = scrape(&running);
        (0..shards).all(|shard| {
            let shard = shard.to_string();
            let steps = now.value("worldshard_tick_step_seconds_count", &[("shard", &shard)]);
            let labels = [("shard", shard.as_str()), ("phase", "publish")];
            let phase = now.value("worldshard_tick_phase_cpu_seconds_count", &labels);
            steps > 0.0 && steps == phase
        })
    });
    gauges_are_within_their_limits(&scrape(&running), shards);
    end(running);
}

/// Eight sessions, of which one closes and one is lost; three refused messages, two refused upgrades, one request for nothing.
fn talk(address: SocketAddr) -> Vec<Client> {
    let mut raw: Vec<Client> = (0..5).map(|_| Client::connect(address, "/ws")).collect();
    let mut lanes: Vec<Client> = (0..3).map(|_| Client::connect(address, "/world")).collect();
    for client in &mut raw {
        client.echoes(MessageKind::Text, b"12345");
        client.echoes(MessageKind::Binary, b"123");
    }
    for client in &mut lanes {
        client.hear();
        client.say(MessageKind::Text, br#"{"v":1,"svc":"sys","type":"ping"}"#);
        client.hear();
        client.say(MessageKind::Text, b"not JSON");
        client.hear();
    }
    raw[0].close(1000, "");
    raw.pop();
    for path in ["/nowhere", "/ws?v"] {
        let _ = Client::ask(address, path, "Origin: https://evil.example\r\n");
    }
    assert_eq!(get(address, "/nothing").0, 404);
    raw.extend(lanes);
    raw
}

/// Numbers as they are, and as they should be.
fn numbers(now: &Scrape, shards: u16) -> [(f64, f64); 16] {
    let by = |name: &str, label: &str, is: &str| now.sum_of(name, label, is);
    let upgrades = "worldshard_upgrades_total";
    let closes = "worldshard_closes_total";
    let messages = "worldshard_messages_received_total";
    let bytes = "worldshard_messages_received_bytes_total";
    [
        (now.sum("worldshard_sessions"), 6.0),
        (now.sum("worldshard_sessions_opened_total"), 8.0),
        (now.sum("worldshard_sessions_closed_total"), 2.0),
        (now.sum("worldshard_connections"), 6.0),
        (by("worldshard_tenant_sessions", "tenant", "default"), 6.0),
        (by(upgrades, "status", "101"), 8.0),
        (
            by(upgrades, "status", "403") + by(upgrades, "status", "404"),
            2.0,
        ),
        (by("worldshard_http_responses_total", "class", "4xx"), 1.0),
        (by(closes, "reason", "client_normal"), 1.0),
        (by(closes, "reason", "lost"), 1.0),
        (by(messages, "lane", "raw"), 10.0),
        (by(bytes, "lane", "raw"), 40.0),
        (by(messages, "lane", "ext"), 6.0),
        (by("worldshard_refusals_total", "code", "BAD_REQUEST"), 3.0),
        (now.value("worldshard_shards", &[]), f64::from(shards)),
        (now.value("worldshard_draining", &[]), 0.0),
    ]
}

/// Of each kind of connection so many.
const HEARERS: usize = 3;

/// Of each kind of message so many.
const SAID: usize = 50;

#[test]
fn what_is_sent_is_counted_by_lane_as_clients_hear_it() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            for coalesce in [Duration::ZERO, Duration::from_millis(20)] {
                all_hear(runtime, shards, Coalesce::Within(coalesce));
            }
        }
    });
}

/// One says texts and binary messages to all; what was sent is what all have heard.
fn all_hear(runtime: Runtime, shards: u16, coalesce: Coalesce) {
    let mut app = App::new();
    app.bind("127.0.0.1:0")
        .runtime(runtime)
        .shards(shards)
        .coalesce(coalesce)
        .raw("/ws")
        .lanes("/lanes")
        .system(Update, |cx: &mut Context<'_>| {
            for message in cx.messages() {
                let audience = match message.payload.bytes()[..] == *b"me" {
                    true => Audience::One(message.session),
                    false => Audience::All,
                };
                cx.send(audience, message.payload.clone());
            }
        })
        .options(|options| options.admin = Some(admin()));
    let (running, address) = serve(&mut app);
    let connect = |path| (0..HEARERS).map(move |_| Client::connect(address, path));
    let (mut raw, mut lanes): (Vec<_>, Vec<_>) =
        (connect("/ws").collect(), connect("/lanes").collect());
    let mut heard = BTreeMap::new();
    let mut hear = |client: &mut Client, text: &'static str, binary: &'static str| {
        let Heard::Message(kind, payload) = client.hear() else {
            panic!("no message");
        };
        let lane = match kind {
            MessageKind::Text => text,
            MessageKind::Binary => binary,
        };
        let (frames, bytes) = heard.entry(lane).or_insert((0.0, 0.0));
        *frames += 1.0;
        *bytes += data_frame(kind, &payload).len() as f64;
    };
    for one in &mut raw {
        one.say(MessageKind::Binary, b"me");
        hear(one, "raw", "raw");
    }
    for one in &mut lanes {
        one.say(
            MessageKind::Binary,
            &[1, APP_SVC, OPCODE_APP_MESSAGE, 0, b'm', b'e'],
        );
        // After its greeting.
        hear(one, "ext", "hot");
        hear(one, "ext", "hot");
    }
    for number in 0..SAID {
        raw[0].say(MessageKind::Text, format!("text {number}").as_bytes());
        raw[0].say(MessageKind::Binary, &[7; 5]);
    }
    for _ in 0..2 * SAID {
        raw.iter_mut().for_each(|one| hear(one, "raw", "raw"));
        lanes.iter_mut().for_each(|one| hear(one, "ext", "hot"));
    }
    assert_eq!(heard.len(), 3, "{heard:?}");
    eventually(PATIENCE, "what was heard is counted", || {
        let now = scrape(&running);
        heard.iter().all(|(lane, (frames, bytes))| {
            now.sum_of("worldshard_frames_sent_total", "lane", lane) == *frames
                && now.sum_of("worldshard_frames_sent_bytes_total", "lane", lane) == *bytes
        })
    });
    end(running);
}

fn gauges_are_within_their_limits(now: &Scrape, shards: u16) {
    for (gauge, limit) in [
        (
            "worldshard_queue_largest_bytes",
            "worldshard_queue_max_bytes",
        ),
        (
            "worldshard_mailbox_letters",
            "worldshard_mailbox_letters_max",
        ),
        (
            "worldshard_mailbox_envelopes",
            "worldshard_mailbox_envelopes_max",
        ),
        ("worldshard_letters_kept", "worldshard_letters_kept_max"),
        ("worldshard_viewers", "worldshard_viewers_max"),
        ("worldshard_credits_out_largest", "worldshard_credits_max"),
        (
            "worldshard_sessions_detached",
            "worldshard_sessions_detached_max",
        ),
    ] {
        for shard in (0..shards).map(|shard| shard.to_string()) {
            let labels = [("shard", shard.as_str())];
            assert!(
                now.value(gauge, &labels) <= now.value(limit, &labels),
                "{gauge}"
            );
        }
    }
}

#[test]
fn label_explosion_tenants_of_refused_upgrades_add_no_series() {
    on_each_runtime(|runtime| {
        let mut app = app(runtime, 2);
        app.options(|options| options.auth = Some(Auth::None));
        let (running, address) = serve(&mut app);
        let count = |running: &Running| scrape(running).series.len();
        eventually(PATIENCE, "both shards show their numbers", || {
            scrape(&running).sum("worldshard_tick") > 0.0
                && scrape(&running).series.len() == count(&running)
                && scrape(&running)
                    .series
                    .keys()
                    .any(|(_, labels)| labels.get("shard").is_some_and(|shard| shard == "1"))
        });
        let before = count(&running);
        for number in 0..10_000_u32 {
            // Names that nobody has used before, from a page that may not connect.
            let name = number.wrapping_mul(2_654_435_761);
            let path = format!("/ws?tenant=t{name:x}&user=u{name:x}&room=r{name:x}");
            let refused = Client::ask(address, &path, "Origin: https://evil.example\r\n");
            assert_eq!(refused.err().map(|(status, _)| status), Some(403));
        }
        eventually(PATIENCE, "all are counted", || {
            let now = scrape(&running);
            now.sum_of("worldshard_upgrades_total", "status", "403") == 10_000.0
        });
        assert_eq!(count(&running), before);
        end(running);
    });
}

#[test]
fn metrics_are_for_operators_unless_clients_are_to_see_them() {
    on_each_runtime(|runtime| {
        let (running, address) = serve(&mut app(runtime, 1));
        assert_eq!(get(address, "/metrics").0, 404);
        end(running);
        let mut app = echo_app(runtime, 1);
        app.options(|options| options.public_metrics = true);
        let (running, address) = serve(&mut app);
        let (status, text) = get(address, "/metrics");
        assert_eq!(status, 200);
        Scrape::read(&text);
        end(running);
    });
}

#[test]
fn readiness_says_why_not() {
    on_each_runtime(|runtime| {
        let mut app = app(runtime, 2);
        app.options(|options| {
            options.limits.connections_max = 2;
            options.limits.drain_max = Duration::from_secs(4);
        });
        let (running, address) = serve(&mut app);
        let operators = running.admin_addr().unwrap();
        assert_eq!(get(address, "/readyz"), (200, "ready\n".to_owned()));
        eventually(PATIENCE, "it is ready for operators too", || {
            get(operators, "/readyz") == (200, "ready\n".to_owned())
        });
        let full = [
            Client::connect(address, "/ws"),
            Client::connect(address, "/ws"),
        ];
        let overloaded = (503, "overloaded: 2 connections, at most 2\n".to_owned());
        eventually(PATIENCE, "it is full", || {
            get(operators, "/readyz") == overloaded
        });
        assert_eq!(get(operators, "/healthz").0, 200);
        drop(full);
        eventually(PATIENCE, "it is ready again", || {
            get(operators, "/readyz").0 == 200
        });
        for shard in 0..2 {
            running.debug_freeze(shard, FROZEN_FOR);
        }
        eventually(FROZEN_FOR, "no shard lives", || {
            get(operators, "/readyz") == (503, "no shard lives\n".to_owned())
        });
        eventually(FROZEN_FOR * 2, "they live again", || {
            get(operators, "/readyz").0 == 200
        });
        end(running);
    });
}

/// Whether there are such options at all is a matter of the server alone.
#[test]
fn options_of_operators_show_no_secret() {
    let options: AdminOptions = admin();
    assert!(!format!("{options:?}").contains(crate::operators::TOKEN));
}

const FROZEN_FOR: Duration = Duration::from_secs(5);
