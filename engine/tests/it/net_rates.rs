//! How fast clients may be, over real sockets: every kind of frame, every scope and action, and rules that change.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use serde_json::Value;
use worldshard::policy::{RateAction, RateLimit, RateScope, RateUnit, TenantOptions};
use worldshard::prelude::*;
use worldshard::{Running, Runtime, ServerOptions};
use worldshard_protocol::HotHeader;
use worldshard_transport::{
    Event as Frame, Limits, MessageKind, Reader, Role, masked_frame, masked_ping,
};

use crate::socket::{Client, Heard, MASK, end, eventually, get, now, on_each_runtime, serve};

const RAW: &str = "/ws?tenant=acme";
const LANES: &str = "/lanes?tenant=acme";

/// What is said there all hear.
const LOUD: &str = "/loud?tenant=acme";

fn limit(per_second: u32, burst: u32, action: RateAction) -> RateLimit {
    RateLimit {
        scope: RateScope::Connection,
        unit: RateUnit::Messages,
        per_second,
        burst,
        action,
    }
}

/// Sends what is said back, and at one path to all.
fn app(runtime: Runtime, shards: u16, rates: &[RateLimit]) -> App {
    let mut app = App::new();
    let tenants = tenants(rates);
    app.bind("127.0.0.1:0")
        .runtime(runtime)
        .shards(shards)
        .raw("/ws")
        .lanes("/lanes")
        .lanes("/loud")
        .system(Update, |cx: &mut Context<'_>| {
            for message in cx.messages() {
                let audience = match cx.path(message.session) {
                    Some("/loud") => Audience::All,
                    Some(_) | None => Audience::One(message.session),
                };
                cx.send(audience, message.payload.clone());
            }
        })
        .options(|options| options.tenants = tenants);
    app
}

fn tenants(rates: &[RateLimit]) -> Vec<TenantOptions> {
    let mut tenant = TenantOptions::new("acme");
    tenant.policy.rates = rates.to_vec();
    vec![tenant]
}

fn reload(running: &Running, rates: &[RateLimit]) {
    let options = ServerOptions {
        tenants: tenants(rates),
        ..ServerOptions::default()
    };
    running.reload(&options).unwrap();
}

fn ext(seq: u32) -> Vec<u8> {
    let text = format!(r#"{{"v":1,"svc":"app","type":"message","seq":{seq},"data":"x"}}"#);
    masked_frame(MessageKind::Text, text.as_bytes(), MASK).to_vec()
}

fn hot() -> Vec<u8> {
    let mut message = Vec::new();
    let svc = worldshard_protocol::APP_SVC;
    let header = HotHeader {
        svc,
        ..HotHeader::default()
    };
    header.write(&mut message);
    message.extend_from_slice(b"hello");
    masked_frame(MessageKind::Binary, &message, MASK).to_vec()
}

/// One message in three frames.
fn fragments() -> Vec<u8> {
    let mut frames = Vec::new();
    for (nth, first) in [0x02, 0x00, 0x80].into_iter().enumerate() {
        let mut frame = masked_frame(MessageKind::Binary, &[nth as u8], MASK).to_vec();
        frame[0] = first;
        frames.extend(frame);
    }
    frames
}

/// Every kind of thing that a client can say and hears back: where, and the bytes.
fn kinds() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    vec![
        (
            "a text",
            RAW,
            masked_frame(MessageKind::Text, b"hello", MASK).to_vec(),
        ),
        (
            "bytes",
            RAW,
            masked_frame(MessageKind::Binary, b"hello", MASK).to_vec(),
        ),
        ("fragments", RAW, fragments()),
        ("a ping", RAW, masked_ping(b"there", MASK).to_vec()),
        (
            "a ping on lanes",
            LANES,
            masked_ping(b"there", MASK).to_vec(),
        ),
        ("the hot lane", LANES, hot()),
        ("the ext lane", LANES, unnumbered()),
    ]
}

/// Without a number: one that comes again is dropped for that.
fn unnumbered() -> Vec<u8> {
    let text = br#"{"v":1,"svc":"app","type":"message","data":"x"}"#;
    masked_frame(MessageKind::Text, text, MASK).to_vec()
}

/// Counts what a server answers, and tells greetings and errors from it.
struct Answers {
    reader: Reader,
    heard: u64,
    errors: u64,
}

impl Answers {
    fn new() -> Self {
        Self {
            reader: Reader::new(Role::Client, Limits::default()),
            heard: 0,
            errors: 0,
        }
    }

    fn take(&mut self, bytes: &mut [u8]) {
        let mut at = 0;
        loop {
            let step = self.reader.read(&mut bytes[at..]).unwrap();
            at += step.consumed;
            match step.event {
                None => return,
                Some(Frame::Message { payload, .. }) => {
                    let is = |word: &[u8]| payload.windows(word.len()).any(|part| part == word);
                    match (is(b"\"authed\""), is(b"\"error\"")) {
                        (true, _) => {}
                        (_, true) => self.errors += 1,
                        (false, false) => self.heard += 1,
                    }
                }
                Some(Frame::Pong(_)) => self.heard += 1,
                Some(Frame::Ping(_) | Frame::Close { .. }) => {}
            }
        }
    }
}

/// Says the same again and again for so long; gives how often it was answered, and how long that took.
fn flood(address: SocketAddr, path: &str, frame: &[u8], length: Duration) -> (Answers, Duration) {
    let mut stream = Client::connect(address, path).stream;
    stream
        .set_read_timeout(Some(Duration::from_millis(2)))
        .unwrap();
    let (mut answers, mut buffer) = (Answers::new(), vec![0; 64 * 1024]);
    let start = now();
    while now() - start < length {
        stream.write_all(frame).unwrap();
        match stream.read(&mut buffer) {
            Ok(0) => panic!("closed"),
            Ok(len) => answers.take(&mut buffer[..len]),
            Err(error) => assert!(matches!(
                error.kind(),
                ErrorKind::WouldBlock | ErrorKind::TimedOut
            )),
        }
    }
    let took = now() - start;
    // What is on its way still counts.
    stream
        .set_read_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    while let Ok(len) = stream.read(&mut buffer)
        && len > 0
    {
        answers.take(&mut buffer[..len]);
    }
    (answers, took)
}

#[test]
fn what_is_heard_of_a_flood_is_the_rate_over_ten_seconds_whatever_the_frames() {
    on_each_runtime(|runtime| {
        const RATE: u32 = 30;
        let rate = limit(RATE, RATE, RateAction::Drop);
        let (running, address) = serve(&mut app(runtime, 2, &[rate]));
        let kinds = kinds();
        std::thread::scope(|scope| {
            let floods: Vec<_> = kinds
                .iter()
                .map(|(what, path, frame)| {
                    let length = Duration::from_secs(10);
                    (
                        what,
                        scope.spawn(move || flood(address, path, frame, length)),
                    )
                })
                .collect();
            for (what, flood) in floods {
                let (answers, took) = flood.join().unwrap();
                let allowed = took.as_secs_f64() * f64::from(RATE);
                let heard = answers.heard as f64 - f64::from(RATE);
                assert!(
                    (allowed * 0.98..=allowed * 1.02).contains(&heard),
                    "{what}: {heard} of {allowed} on {runtime}"
                );
            }
        });
        end(running);
    });
}

#[test]
fn every_kind_of_frame_counts_and_pongs_too() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let (running, address) =
                serve(&mut app(runtime, shards, &[limit(1, 10, RateAction::Drop)]));
            for (what, path, frame) in kinds() {
                let start = now();
                let mut client = Client::connect(address, path);
                client.write(&frame.repeat(30));
                let mut stream = client.stream;
                stream
                    .set_read_timeout(Some(Duration::from_millis(300)))
                    .unwrap();
                let (mut answers, mut buffer) = (Answers::new(), vec![0; 64 * 1024]);
                while let Ok(len) = stream.read(&mut buffer)
                    && len > 0
                {
                    answers.take(&mut buffer[..len]);
                }
                let more = (now() - start).as_secs();
                assert!(
                    (10..=10 + more).contains(&answers.heard),
                    "{what}: {}",
                    answers.heard
                );
                let lanes = u64::from(path == LANES);
                assert_eq!(
                    answers.errors, lanes,
                    "{what}: told once, and on lanes alone"
                );
            }
            // Pongs are not answered: what counts is what is left.
            let mut client = Client::connect(address, RAW);
            let mut pong = masked_ping(b"", MASK).to_vec();
            pong[0] = 0x8a;
            let mut bytes = pong.repeat(9);
            for text in [b"one", b"two"] {
                bytes.extend(masked_frame(MessageKind::Text, text, MASK));
            }
            client.write(&bytes);
            assert_eq!(
                client.hear(),
                Heard::Message(MessageKind::Text, b"one".to_vec())
            );
            eventually(
                Duration::from_secs(10),
                "the second text is dropped",
                || status(address, "rate_limited") >= 7 * 20 - 20,
            );
            end(running);
        }
    });
}

/// The sum of a number of all shards.
fn status(address: SocketAddr, name: &str) -> u64 {
    let (_, body) = get(address, "/status");
    let status: Value = serde_json::from_str(&body).unwrap();
    let shards = status["shards"].as_array().unwrap();
    shards
        .iter()
        .map(|shard| shard[name].as_u64().unwrap())
        .sum()
}

#[test]
fn connections_of_a_user_and_of_a_tenant_share_one_budget_exactly() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            for scope in [RateScope::User, RateScope::Tenant] {
                let rate = RateLimit {
                    scope,
                    ..limit(1, 20, RateAction::Drop)
                };
                let mut app = app(runtime, shards, &[rate]);
                app.options(|options| options.auth = Some(worldshard::Auth::None));
                let (running, address) = serve(&mut app);
                let start = now();
                let path = format!("{RAW}&user=anna");
                let mut clients: Vec<_> = (0..4).map(|_| Client::connect(address, &path)).collect();
                for client in &mut clients {
                    client.write(&masked_ping(b"there", MASK).repeat(20));
                }
                let mut heard = 0;
                for client in &mut clients {
                    let mut buffer = vec![0; 4096];
                    client
                        .stream
                        .set_read_timeout(Some(Duration::from_millis(300)))
                        .unwrap();
                    let mut answers = Answers::new();
                    while let Ok(len) = client.stream.read(&mut buffer)
                        && len > 0
                    {
                        answers.take(&mut buffer[..len]);
                    }
                    heard += answers.heard;
                }
                let more = (now() - start).as_secs();
                assert!(
                    (20..=20 + more).contains(&heard),
                    "{scope:?}: {heard} on {shards} shards"
                );
                // Another user has a budget of its own, the tenant has not.
                let mut other = Client::connect(address, &format!("{RAW}&user=ben"));
                let pings = masked_ping(b"there", MASK).repeat(20);
                other.write(&pings);
                match scope {
                    RateScope::User => {
                        for _ in 0..20 {
                            assert_eq!(other.hear(), Heard::Pong(b"there".to_vec()));
                        }
                    }
                    RateScope::Connection | RateScope::Tenant => {
                        eventually(Duration::from_secs(10), "all of it is dropped", || {
                            status(address, "rate_limited") + 20 + (now() - start).as_secs() >= 100
                        });
                    }
                }
                end(running);
            }
        }
    });
}

/// The next text that a client hears, as JSON.
fn told(client: &mut Client) -> Value {
    match client.hear() {
        Heard::Message(MessageKind::Text, text) => serde_json::from_slice(&text).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_is_dropped_is_told_once_with_the_number_and_others_hear_nothing_of_it() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let (running, address) =
                serve(&mut app(runtime, shards, &[limit(1, 5, RateAction::Drop)]));
            let mut witness = Client::connect(address, RAW);
            let mut fast = Client::connect(address, LOUD);
            assert_eq!(told(&mut fast)["type"], "authed");
            let bytes: Vec<u8> = (1..=50).flat_map(ext).collect();
            fast.write(&bytes);
            // Which comes first is a matter of the turn; the error has the number of what was too much.
            let mut errors = 0;
            for _ in 0..6 {
                let said = told(&mut fast);
                if said["type"] == "error" {
                    errors += 1;
                    assert_eq!(said["seq"], 6);
                    assert_eq!(said["data"]["code"], "RATE_LIMITED");
                }
            }
            assert_eq!(errors, 1);
            eventually(Duration::from_secs(10), "the rest is dropped", || {
                status(address, "rate_limited") >= 44
            });
            for _ in 0..5 {
                assert_eq!(
                    witness.hear(),
                    Heard::Message(MessageKind::Text, b"\"x\"".to_vec())
                );
            }
            // A word of the witness's own comes next: nothing of the flood is on its way.
            witness.echoes(MessageKind::Text, b"nothing between");
            end(running);
        }
    });
}

#[test]
fn who_is_throttled_is_heard_later_in_order_and_is_not_cut_for_its_silence() {
    on_each_runtime(|runtime| {
        for shards in [1, 2] {
            let at_least = Duration::from_millis(500);
            let mut app = app(
                runtime,
                shards,
                &[limit(100, 1, RateAction::Throttle(at_least))],
            );
            app.options(|options| {
                options.limits.ping_interval = Duration::from_millis(100);
                options.limits.silence_max = Duration::from_millis(200);
            });
            let (running, address) = serve(&mut app);
            let mut client = Client::connect(address, LANES);
            assert_eq!(told(&mut client)["type"], "authed");
            let start = now();
            let bytes: Vec<u8> = (1..=4).flat_map(ext).collect();
            client.write(&bytes);
            let (mut heard, mut throttled) = (0, Vec::new());
            while heard < 4 {
                match client.hear() {
                    Heard::Message(_, text) => {
                        let said: Value = serde_json::from_slice(&text).unwrap();
                        match said["type"].as_str() {
                            Some("throttled") => throttled.push(said["seq"].clone()),
                            Some("message") => heard += 1,
                            other => panic!("{other:?}"),
                        }
                    }
                    Heard::Ping(_) => {}
                    other => panic!("{other:?}"),
                }
            }
            // The second waits, the third comes when its bucket has long been full again, and the fourth waits.
            assert!(now() - start >= at_least * 2, "{:?}", now() - start);
            assert_eq!(throttled, [Value::from(2)], "told once");
            end(running);
        }
    });
}

#[test]
fn who_is_throttled_is_not_read_and_fills_no_memory() {
    on_each_runtime(|runtime| {
        let rate = limit(1, 1, RateAction::Throttle(Duration::from_secs(30)));
        let (running, address) = serve(&mut app(runtime, 1, &[rate]));
        let client = Client::connect(address, RAW);
        client.stream.set_nonblocking(true).unwrap();
        let frame = masked_frame(MessageKind::Binary, &[7; 32 * 1024], MASK);
        let (mut written, mut at) = (0, 0);
        loop {
            match (&client.stream).write(&frame[at..]) {
                Ok(bytes) => {
                    written += bytes;
                    at = (at + bytes) % frame.len();
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    // Full for now: whoever reads would make room within this time.
                    let before = written;
                    client.stream.set_nonblocking(false).unwrap();
                    client
                        .stream
                        .set_write_timeout(Some(Duration::from_secs(1)))
                        .unwrap();
                    if let Ok(bytes) = (&client.stream).write(&frame[at..]) {
                        written += bytes;
                        at = (at + bytes) % frame.len();
                    }
                    client.stream.set_nonblocking(true).unwrap();
                    if written == before {
                        break;
                    }
                }
                Err(error) => panic!("{error}"),
            }
            // What sockets hold, and the reads before the second message.
            assert!(written < 64 << 20, "{written} bytes were taken");
        }
        running.stop();
        running.join().unwrap();
    });
}

#[test]
fn who_is_disconnected_is_told_why_and_closed() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let (running, address) = serve(&mut app(
                runtime,
                shards,
                &[limit(1, 5, RateAction::Disconnect)],
            ));
            let mut witness = Client::connect(address, RAW);
            let mut fast = Client::connect(address, LOUD);
            let bytes: Vec<u8> = (1..=50).flat_map(ext).collect();
            fast.write(&bytes);
            let mut errors = Vec::new();
            let close = loop {
                match fast.hear() {
                    Heard::Message(_, text) => {
                        let said: Value = serde_json::from_slice(&text).unwrap();
                        if said["type"] == "error" {
                            errors.push((said["seq"].clone(), said["data"]["code"].clone()));
                        }
                    }
                    Heard::Close(code, reason) => break (code, reason),
                    other => panic!("{other:?}"),
                }
            };
            assert_eq!(errors, [(Value::from(6), Value::from("RATE_LIMITED"))]);
            let reason = "RATE_LIMITED: more messages or bytes than allowed";
            assert_eq!(close, (Some(1008), reason.to_owned()));
            for _ in 0..5 {
                assert_eq!(
                    witness.hear(),
                    Heard::Message(MessageKind::Text, b"\"x\"".to_vec())
                );
            }
            witness.echoes(MessageKind::Text, b"nothing between");
            // On raw paths, and for pings.
            let mut fast = Client::connect(address, RAW);
            fast.write(&masked_ping(b"", MASK).repeat(6));
            loop {
                match fast.hear() {
                    Heard::Close(code, told) => {
                        assert_eq!((code, &*told), (Some(1008), reason));
                        break;
                    }
                    Heard::Pong(_) => {}
                    other => panic!("{other:?}"),
                }
            }
            end(running);
        }
    });
}

#[test]
fn bytes_count_and_what_is_more_than_a_burst_of_them_never_passes() {
    on_each_runtime(|runtime| {
        let rate = RateLimit {
            unit: RateUnit::Bytes,
            ..limit(1, 1000, RateAction::Drop)
        };
        let (running, address) = serve(&mut app(runtime, 2, &[rate]));
        let mut client = Client::connect(address, RAW);
        client.say(MessageKind::Text, &[b'x'; 1001]);
        client.echoes(MessageKind::Text, &[b'y'; 900]);
        client.say(MessageKind::Text, &[b'z'; 900]);
        client.echoes(MessageKind::Text, &[b'w'; 50]);
        let mut client = Client::connect(address, LANES);
        assert_eq!(told(&mut client)["type"], "authed");
        let long = format!(
            r#"{{"v":1,"svc":"app","type":"message","seq":1,"data":"{}"}}"#,
            "x".repeat(1000)
        );
        client.say(MessageKind::Text, long.as_bytes());
        let error = told(&mut client);
        assert_eq!(error["seq"], 1);
        assert_eq!(error["data"]["code"], "PAYLOAD_TOO_LARGE");
        end(running);
    });
}

#[test]
fn rules_that_change_hold_for_who_is_connected_and_buckets_stay_as_full() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let (running, address) = serve(&mut app(runtime, shards, &[]));
            let mut client = Client::connect(address, RAW);
            for _ in 0..100 {
                client.echoes(MessageKind::Text, b"as fast as it likes");
            }
            let few = limit(1, 3, RateAction::Drop);
            reload(&running, &[few]);
            let pings = masked_ping(b"", MASK).repeat(50);
            client.write(&pings);
            eventually(Duration::from_secs(10), "the rates hold", || {
                status(address, "rate_limited") >= 46
            });
            // What is wrong is refused, and all stays as it was.
            let options = ServerOptions {
                tenants: tenants(&[limit(0, 3, RateAction::Drop)]),
                ..ServerOptions::default()
            };
            let error = running.reload(&options).unwrap_err().to_string();
            assert!(
                error.starts_with("per_second: of the tenant acme: 0"),
                "{error}"
            );
            // The same limit with another action has the same bucket, which is empty.
            reload(
                &running,
                &[RateLimit {
                    action: RateAction::Disconnect,
                    ..few
                }],
            );
            eventually(Duration::from_secs(10), "it is closed", || {
                // A socket whose server has closed it may refuse to be written.
                let _ = client.stream.write_all(&pings);
                status(address, "closed") > 0
            });
            end(running);
        }
    });
}

/// A client on lanes of whose three messages the last two wait for a minute.
fn throttled(address: SocketAddr) -> Client {
    let mut client = Client::connect(address, LANES);
    client.write(&unnumbered().repeat(3));
    while kind_told(&mut client) != "throttled" {}
    client
}

/// The type of what a client hears next.
fn kind_told(client: &mut Client) -> String {
    match client.hear() {
        Heard::Message(_, text) => {
            let said: Value = serde_json::from_slice(&text).unwrap();
            said["type"].as_str().unwrap().to_owned()
        }
        Heard::Ping(_) => "ping".to_owned(),
        heard => panic!("{heard:?}"),
    }
}

const A_MINUTE: RateAction = RateAction::Throttle(Duration::from_secs(60));

#[test]
fn what_waits_is_heard_as_soon_as_no_rule_has_it_wait() {
    on_each_runtime(|runtime| {
        let slow = limit(1000, 1, A_MINUTE);
        let (running, address) = serve(&mut app(runtime, 1, &[slow]));
        let mut client = throttled(address);
        while kind_told(&mut client) != "message" {}
        // The rule stays, beside another one. Who is let in afterwards shows that the shard knows.
        reload(&running, &[limit(2000, 2000, RateAction::Drop), slow]);
        let mut other = Client::connect(address, RAW);
        other.echoes(MessageKind::Text, b"in");
        client.stream.set_nonblocking(true).unwrap();
        let heard = client.stream.peek(&mut [0]).map_err(|error| error.kind());
        assert_eq!(heard, Err(ErrorKind::WouldBlock));
        client.stream.set_nonblocking(false).unwrap();
        reload(&running, &[limit(1000, 1000, A_MINUTE)]);
        for _ in 0..2 {
            assert_eq!(kind_told(&mut client), "message");
        }
        end(running);
    });
}

#[test]
fn who_waits_and_is_gone_keeps_no_place() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let mut app = app(runtime, shards, &[limit(1000, 1, A_MINUTE)]);
            app.options(|options| options.tenants[0].limits.sessions_max = 1);
            let (running, address) = serve(&mut app);
            let sessions = || running.tenants()[0].sessions;
            for resets in [false, true] {
                let client = throttled(address);
                assert_eq!(sessions(), 1);
                if resets {
                    let socket = socket2::SockRef::from(&client.stream);
                    socket.set_linger(Some(Duration::ZERO)).unwrap();
                }
                drop(client);
                eventually(Duration::from_secs(10), "its place is free", || {
                    sessions() == 0
                });
            }
            // Who only says no more may read what comes.
            let mut client = throttled(address);
            client.stream.shutdown(Shutdown::Write).unwrap();
            while kind_told(&mut client) != "ping" {}
            assert_eq!(sessions(), 1);
            end(running);
        }
    });
}

#[test]
fn what_waits_of_who_is_gone_takes_nothing_from_others() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let shared = RateLimit {
                scope: RateScope::Tenant,
                ..limit(1, 1, RateAction::Throttle(Duration::ZERO))
            };
            let (running, address) = serve(&mut app(runtime, shards, &[shared]));
            for _ in 0..40 {
                drop(throttled(address));
            }
            eventually(Duration::from_secs(10), "they are gone", || {
                running.tenants()[0].sessions == 0
            });
            // Within its patience, and not behind forty who are not there.
            Client::connect(address, RAW).echoes(MessageKind::Text, b"in its turn");
            end(running);
        }
    });
}

#[test]
fn the_bound_of_a_tenant_ends_a_message_at_its_announcement_and_may_change() {
    on_each_runtime(|runtime| {
        for shards in [1, 2] {
            let mut app = app(runtime, shards, &[]);
            app.options(|options| {
                options.tenants[0].limits.message_bytes_max = 1000;
                options.limits.message_bytes_max = 1 << 16;
            });
            let (running, address) = serve(&mut app);
            let mut client = Client::connect(address, RAW);
            client.echoes(MessageKind::Text, &[b'x'; 1000]);
            // The head of a gigabyte, and no byte of it.
            client.write(&[0x82, 0xff, 0, 0, 0, 0, 0x40, 0, 0, 0, 1, 2, 3, 4]);
            let close = Heard::Close(Some(1009), "message is too big".to_owned());
            assert_eq!(client.hear(), close);
            let mut client = Client::connect(address, RAW);
            client.echoes(MessageKind::Text, b"there");
            reload(&running, &[]);
            // The server's own bound is left.
            client.echoes(MessageKind::Text, &[b'x'; 1 << 16]);
            client.say(MessageKind::Text, &[b'x'; (1 << 16) + 1]);
            loop {
                match client.hear() {
                    Heard::Message(..) => {}
                    heard => {
                        assert_eq!(heard, close);
                        break;
                    }
                }
            }
            end(running);
        }
    });
}
