//! Whom the service lets in, and who comes in when it does not say.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use worldshard::prelude::*;
use worldshard_hook::{HookOptions, OnError};
use worldshard_transport::MessageKind;

use crate::backend::{Answer, Backend, Posted, ok, status};
use crate::socket::{Client, Heard, PATIENCE, end, eventually, http, on_each_runtime, serve};
use crate::{SHARDS, app, everywhere, hears, options, say};

fn auth(options: &mut HookOptions) {
    options.events = "auth,connect".parse().unwrap();
    options.timeout = Duration::from_millis(500);
    options.retries = 1;
}

/// As the credential says.
fn by_credential(posted: &Posted) -> Answer {
    match posted.body["credential"].as_str() {
        _ if posted.event() != "auth" => ok("{}"),
        Some("good") => ok(r#"{"allow":true,"user":"anna","connect":{"level":3}}"#),
        Some("bad") => ok(r#"{"allow":false,"reason":"no seat"}"#),
        Some("401") => status(401),
        Some("hang") => Answer::Hang,
        Some("garbage") => ok("yes"),
        _ => status(500),
    }
}

const PLACES: [&str; 4] = ["header", "protocol", "query", "message"];

fn show(
    address: std::net::SocketAddr,
    place: &str,
    credential: &str,
) -> Result<Client, (u16, String)> {
    let lines = match place {
        "header" => format!("Authorization: Bearer {credential}\r\n"),
        "protocol" => format!("Sec-WebSocket-Protocol: worldshard.auth.{credential}\r\n"),
        _ => String::new(),
    };
    let path = match place {
        "query" => format!("/ws?user=boss&token={credential}"),
        _ => "/ws?user=boss".to_owned(),
    };
    let (mut client, _) = Client::ask(address, &path, &lines)?;
    if place == "message" {
        let data = json!({ "token": credential });
        let text = json!({"v": 1, "svc": "sys", "type": "auth", "data": data});
        say(&mut client, &text.to_string());
    }
    Ok(client)
}

#[test]
fn the_service_lets_in_and_turns_away_in_all_places_of_a_credential() {
    everywhere(auth, |address, backend, watch| {
        backend.answer(by_credential);
        for place in PLACES {
            let mut client = show(address, place, "good").unwrap();
            client.echoes(MessageKind::Text, b"let in");
            for (credential, why) in [("bad", "no seat"), ("401", "the service says no")] {
                let reason = format!("AUTH_FAILED: {why}");
                match show(address, place, credential) {
                    Err(refused) => assert_eq!(refused, (401, format!("{reason}\n"))),
                    Ok(mut client) => {
                        assert_ne!(place, "header");
                        assert_eq!(client.hear(), Heard::Close(Some(1008), reason));
                    }
                }
            }
        }
        let connected = backend.waits_for("connect", 4);
        for one in connected {
            assert_eq!(one.body["user"], "anna");
            assert_eq!(one.body["connect"], json!({"level": 3}));
        }
        let asked = &backend.posted_of("auth")[0].body;
        for (name, value) in [
            ("credential", json!("good")),
            ("user", json!("boss")),
            ("path", json!("/ws")),
            ("address", json!("127.0.0.1")),
            ("connect", Value::Null),
        ] {
            assert_eq!(asked[name], value, "{asked}");
        }
        let status = watch.status();
        assert_eq!((status.decisions_allowed, status.decisions_denied), (4, 8));
    });
}

#[test]
fn where_the_service_does_not_say_the_options_do() {
    for on_error in [OnError::Deny, OnError::Allow] {
        let change = |options: &mut HookOptions| {
            auth(options);
            options.on_error = on_error;
            options.failures_max = 1000;
        };
        everywhere(change, |address, backend, watch| {
            backend.answer(by_credential);
            for credential in ["garbage", "broken", "hang"] {
                let shown = show(address, "query", credential);
                let mut client = shown.unwrap();
                match on_error {
                    OnError::Allow => client.echoes(MessageKind::Text, b"let in"),
                    OnError::Deny => {
                        let reason = "AUTH_FAILED: who is let in cannot be told now".to_owned();
                        assert_eq!(client.hear(), Heard::Close(Some(1008), reason));
                    }
                }
            }
            assert_eq!(watch.status().decisions_failed, 3);
            let allowed = match on_error {
                OnError::Allow => 3,
                OnError::Deny => 0,
            };
            // As nobody's session, whatever they said.
            let connected = backend.waits_for("connect", allowed);
            assert_eq!(connected.len(), allowed);
            assert!(connected.iter().all(|one| one.body["user"].is_null()));
        });
    }
}

#[test]
fn while_it_is_left_alone_nobody_waits_for_it() {
    let change = |options: &mut HookOptions| {
        auth(options);
        options.failures_max = 1;
        options.open = Duration::from_secs(3600);
    };
    everywhere(change, |address, backend, watch| {
        backend.answer(by_credential);
        for _ in 0..5 {
            let refused = show(address, "header", "broken").err().unwrap();
            assert_eq!(refused.0, 401);
        }
        assert_eq!(backend.posted().len(), 1);
        assert_eq!(watch.status().decisions_failed, 5);
    });
}

#[test]
fn who_waits_longer_than_the_deadline_is_told_and_asked_for_no_more() {
    let change = |options: &mut HookOptions| {
        auth(options);
        options.timeout = Duration::from_secs(4);
        options.deciders = 1;
    };
    everywhere(change, |address, backend, watch| {
        backend.answer(by_credential);
        // The deadline of the engine, which is 3 s.
        let mut first = show(address, "query", "hang").unwrap();
        let mut second = show(address, "query", "good").unwrap();
        for client in [&mut first, &mut second] {
            let reason = "TIMEOUT: no decision within 3 s".to_owned();
            assert_eq!(client.hear(), Heard::Close(Some(1008), reason));
        }
        eventually(PATIENCE, "both are given up", || {
            watch.status().decisions_unwanted == 2
        });
        assert_eq!(backend.posted_of("auth").len(), 1);
    });
}

/// What is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn neither_credentials_nor_the_secret_nor_messages_are_logged() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .init();
    let change = |options: &mut HookOptions| {
        auth(options);
        options.events.message = true;
        options.failures_max = 2;
    };
    everywhere(change, |address, backend, watch| {
        backend.answer(|posted| match posted.event() {
            "auth" => by_credential(posted),
            _ => Answer::Garbage,
        });
        let mut client = show(address, "query", "good").unwrap();
        say(&mut client, "a-private-word");
        hears(&mut client);
        for place in PLACES {
            drop(show(address, place, "very-hidden-credential"));
        }
        eventually(PATIENCE, "it fails", || watch.status().breaker_opened > 0);
    });
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("left alone"), "{log}");
    for secret in [
        "very-hidden-credential",
        "sixteen bytes",
        "a-private-word",
        "in-the-url",
    ] {
        assert!(!log.contains(secret), "{secret}");
    }
}

struct Quiet;

impl Service for Quiet {}

#[test]
fn the_service_is_asked_who_may_begin_a_room() {
    on_each_runtime(|runtime| {
        for shards in SHARDS {
            let backend = Backend::start();
            backend.answer(by_credential);
            let mut options = options(&backend);
            auth(&mut options);
            let (mut app, _) = app(runtime, shards, options);
            app.rooms(Rooms::at("/room/{room}", |_| Quiet).creation(Creation::Explicit));
            let (running, address) = serve(&mut app);
            let post = |path: &str| {
                let head = "Host: localhost\r\nContent-Length: 0\r\n\r\n";
                http(address, &format!("POST {path} HTTP/1.1\r\n{head}"))
            };
            for name in ["a", "b", "c"] {
                let path = format!("/room/{name}");
                let denied = (401, "AUTH_FAILED: no seat\n".to_owned());
                assert_eq!(post(&format!("{path}?token=bad")), denied);
                let begun = (201, format!("{name}\n"));
                assert_eq!(post(&format!("{path}?token=good&user=boss")), begun);
                let asked = backend.posted_of("auth").pop().unwrap().body;
                assert_eq!(asked["begins_room"], true);
                assert_eq!(
                    (&asked["path"], &asked["user"], &asked["credential"]),
                    (&json!(path), &json!("boss"), &json!("good"))
                );
                // Who comes into it begins none.
                let path = format!("{path}?token=good");
                let before = backend.posted_of("auth").len();
                let _kept = Client::ask(address, &path, "").unwrap();
                let asked = backend.waits_for("auth", before + 1).pop().unwrap();
                assert_eq!(asked.body["begins_room"], Value::Null);
            }
            end(running);
        }
    });
}
