//! Who is let in by a decision that comes later and from another thread, over real sockets, on each runtime.

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::scope;
use std::time::Duration;

use serde_json::{Value, json};
use worldshard::identity::{JsonText, REASON_BYTES_MAX};
use worldshard::prelude::*;
use worldshard::runtime::since_1970;
use worldshard::{Applicant, Auth, Decide, Decider, Entry};
use worldshard_transport::{MessageKind, masked_frame};

use crate::credential::{PLACES, hear_json, show};
use crate::socket::{
    Client, Heard, MASK, PATIENCE, end, eventually, now, on_each_runtime, serve, tcp,
};

/// Passes on whom it is asked about, and panics over some.
struct Clerk(SyncSender<Applicant>);

impl Decide for Clerk {
    fn decide(&self, applicant: Applicant) {
        assert!(applicant.credential() != Some("panic"), "asked to");
        self.0.send(applicant).unwrap();
    }
}

pub(crate) fn clerk() -> (Auth, Receiver<Applicant>) {
    let (asked, applicants) = sync_channel(1000);
    (Auth::Decided(Decider::new(Clerk(asked))), applicants)
}

/// Answers as the credential says, until nobody can ask any more; keeps those that it never answers.
pub(crate) fn answer_all(applicants: &Receiver<Applicant>) {
    let mut never = Vec::new();
    for applicant in applicants {
        let credential = applicant.credential().map(str::to_owned);
        match credential.as_deref() {
            Some("good") => applicant.token.allow(Entry {
                user: Some(UserId::new("anna").unwrap()),
                connect: JsonText::parse(r#"{"level":3}"#, 100).ok(),
                ..Entry::default()
            }),
            Some("nobody") => applicant.token.allow(Entry::default()),
            Some("elsewhere") => applicant.token.allow(Entry {
                tenant: Some("no such tenant".to_owned()),
                ..Entry::default()
            }),
            Some("over") => applicant.token.allow(Entry {
                expires: Some(since_1970()),
                ..Entry::default()
            }),
            Some("bad") => applicant.token.deny("no seat"),
            Some("lost") => drop(applicant),
            _ => never.push(applicant),
        }
    }
}

type Log = Arc<Mutex<Vec<Event>>>;

/// Returns what is said, with who said it. Notes all events.
fn app(runtime: Runtime, shards: u16, log: &Log, auth: Auth) -> App {
    let log = log.clone();
    let mut app = App::new();
    app.bind("127.0.0.1:0")
        .runtime(runtime)
        .shards(shards)
        .raw("/ws")
        .lanes("/world")
        .world(WorldConfig::default())
        .system(Update, move |cx: &mut Context<'_>| {
            log.lock().unwrap().extend(cx.events().cloned());
            for Message { session, payload } in cx.messages() {
                let text = json!({
                    "said": payload.as_text(),
                    "user": cx.user(*session).map(UserId::as_str),
                    "connect": cx.connect_message(*session),
                });
                cx.send(Audience::One(*session), text.to_string());
            }
        })
        .options(|options| {
            options.auth = Some(auth);
            options.limits.close_deadline = Duration::from_millis(500);
        });
    app
}

fn opened(log: &Log) -> usize {
    let log = log.lock().unwrap();
    let is_opened = |event: &&Event| matches!(event, Event::Opened(_));
    log.iter().filter(is_opened).count()
}

#[track_caller]
fn turned_away(client: Result<Client, (u16, String)>, path: &str, code: &str, detail: &str) {
    let mut client = client.unwrap();
    if path == "/world" {
        let error = hear_json(&mut client);
        assert_eq!(error["data"], json!({"code": code, "msg": detail}));
    }
    let reason = format!("{code}: {detail}");
    assert_eq!(client.hear(), Heard::Close(Some(1008), reason));
    assert_eq!(client.hear(), Heard::End);
}

/// With a clerk that answers on a thread of its own.
fn with_clerk(test: impl Fn(SocketAddr, &Log), change: impl Fn(&mut ServerOptions)) {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let log = Log::default();
            let (auth, applicants) = clerk();
            let mut app = app(runtime, shards, &log, auth);
            app.options(&change);
            let (running, address) = serve(&mut app);
            scope(|scope| {
                scope.spawn(move || answer_all(&applicants));
                test(address, &log);
                end(running);
            });
        }
    });
}

#[test]
fn who_is_allowed_comes_in_as_whom_the_decider_says_whatever_it_said_itself() {
    with_clerk(
        |address, log| {
            for place in PLACES {
                let mut client = show(address, place, "/ws", "good").unwrap();
                client.say(MessageKind::Text, b"hello");
                let heard = hear_json(&mut client);
                let wanted = json!({"said": "hello", "user": "anna", "connect": "{\"level\":3}"});
                assert_eq!(heard, wanted, "{place}");
                let mut client = show(address, place, "/world", "good").unwrap();
                assert_eq!(hear_json(&mut client)["data"]["user"], "anna", "{place}");
            }
            let claims = "/ws?user=boss&token=nobody";
            let (mut client, _) = Client::ask(address, claims, "").unwrap();
            client.say(MessageKind::Text, b"who am I");
            assert_eq!(hear_json(&mut client)["user"], Value::Null);
            eventually(PATIENCE, "all are open", || opened(log) == 9);
        },
        |_| {},
    );
}

#[test]
fn who_is_denied_reads_why_and_nobody_hears_of_it() {
    with_clerk(
        |address, log| {
            for (credential, why) in [
                ("bad", "no seat"),
                ("lost", "nobody decided"),
                ("panic", "nobody decided"),
                ("elsewhere", "the token is another tenant's"),
            ] {
                for path in ["/ws", "/world"] {
                    let refused = show(address, "header", path, credential);
                    let body = format!("AUTH_FAILED: {why}\n");
                    assert_eq!(refused.err(), Some((401, body)));
                    for place in &PLACES[1..] {
                        let client = show(address, place, path, credential);
                        turned_away(client, path, "AUTH_FAILED", why);
                    }
                }
            }
            assert_eq!(opened(log), 0);
            let mut client = show(address, "query", "/ws", "over").unwrap();
            let expired = "AUTH_FAILED: the token has expired".to_owned();
            assert_eq!(client.hear(), Heard::Close(Some(1008), expired));
        },
        |_| {},
    );
}

#[test]
fn a_decision_that_never_comes_costs_no_more_than_the_deadline() {
    with_clerk(
        |address, log| {
            let why = "no decision within 0.3 s";
            for path in ["/ws", "/world"] {
                let began = now();
                let refused = show(address, "header", path, "never");
                assert_eq!(refused.err(), Some((503, format!("TIMEOUT: {why}\n"))));
                assert!(began.elapsed() >= Duration::from_millis(300));
                for place in &PLACES[1..] {
                    turned_away(show(address, place, path, "never"), path, "TIMEOUT", why);
                }
            }
            assert_eq!(opened(log), 0);
        },
        |options| options.limits.auth_deadline = Duration::from_millis(300),
    );
}

#[test]
fn what_is_said_meanwhile_is_heard_once_it_is_let_in_in_order() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let (auth, applicants) = clerk();
            let log = Log::default();
            let (running, address) = serve(&mut app(runtime, shards, &log, auth));
            let mut client = show(address, "query", "/ws", "any").unwrap();
            let applicant = applicants.recv_timeout(PATIENCE).unwrap();
            // More than is held, so the rest waits in the kernel.
            let text = |number: usize| format!("{number:04} {}", "x".repeat(500));
            let mut bytes = Vec::new();
            for number in 0..100 {
                let said = masked_frame(MessageKind::Text, text(number).as_bytes(), MASK);
                bytes.extend_from_slice(&said);
            }
            client.write(&bytes);
            assert_eq!(applicant.path, "/ws");
            assert!(applicant.address.unwrap().is_loopback());
            assert_eq!(opened(&log), 0);
            let answer = move || applicant.token.allow(Entry::default());
            let thread = std::thread::Builder::new().name("decider".to_owned());
            thread.spawn(answer).unwrap();
            for number in 0..100 {
                assert_eq!(hear_json(&mut client)["said"], text(number));
            }
            end(running);
        }
    });
}

#[test]
fn who_goes_meanwhile_leaves_nothing_behind_and_its_place_is_free() {
    on_each_runtime(|runtime| {
        let (auth, applicants) = clerk();
        let log = Log::default();
        let mut app = app(runtime, 1, &log, auth);
        app.options(|options| options.limits.decisions_max = 2);
        app.options(|options| options.limits.auth_deadline = Duration::from_secs(60));
        let (running, address) = serve(&mut app);
        let waits = || {
            let client = show(address, "query", "/ws", "any").unwrap();
            let applicant = applicants.recv_timeout(PATIENCE).unwrap();
            (client, applicant)
        };
        let (first, of_first) = waits();
        let (second, _of_second) = waits();
        let why = "too many wait to be let in";
        for path in ["/ws", "/world"] {
            let refused = show(address, "header", path, "any");
            let body = format!("RESOURCE_EXHAUSTED: {why}\n");
            assert_eq!(refused.err(), Some((503, body)));
            let client = show(address, "query", path, "any");
            turned_away(client, path, "RESOURCE_EXHAUSTED", why);
        }
        assert!(of_first.token.is_wanted());
        drop(first);
        eventually(PATIENCE, "nobody wants it", || !of_first.token.is_wanted());
        let (mut third, of_third) = waits();
        // Too late: its connection is gone, and a newer one may have its place.
        of_first.token.allow(Entry::default());
        of_third.token.deny("x\n".repeat(REASON_BYTES_MAX));
        let reason = format!("AUTH_FAILED: {}", "x ".repeat(REASON_BYTES_MAX / 2));
        assert_eq!(third.hear(), Heard::Close(Some(1008), reason));
        assert_eq!(opened(&log), 0);
        drop(second);
        end(running);
    });
}

#[test]
fn who_waits_is_told_that_the_server_stops() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let (auth, applicants) = clerk();
            let (running, address) = serve(&mut app(runtime, shards, &Log::default(), auth));
            let mut upgraded = show(address, "query", "/ws", "any").unwrap();
            scope(|scope| {
                let unanswered = scope.spawn(|| show(address, "header", "/ws", "any").err());
                let patience = |_| applicants.recv_timeout(PATIENCE).unwrap();
                let waiting: Vec<Applicant> = (0..2).map(patience).collect();
                end(running);
                let stops = "the server stops".to_owned();
                assert_eq!(upgraded.hear(), Heard::Close(Some(1001), stops));
                let stops = (503, "the server stops\n".to_owned());
                assert_eq!(unanswered.join().unwrap(), Some(stops));
                drop(waiting);
            });
        }
    });
}

#[test]
fn a_peer_that_breaks_off_its_request_is_not_decided_on() {
    on_each_runtime(|runtime| {
        let (auth, applicants) = clerk();
        let (running, address) = serve(&mut app(runtime, 2, &Log::default(), auth));
        let mut stream = tcp(address);
        let request = "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
             Authorization: Bearer any\r\n\r\n";
        std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
        let applicant = applicants.recv_timeout(PATIENCE).unwrap();
        drop(stream);
        eventually(PATIENCE, "nobody wants it", || !applicant.token.is_wanted());
        applicant.token.allow(Entry::default());
        end(running);
    });
}
