//! Who is let in over real sockets, on each runtime: the places of a credential, what is refused and how that is read,
//! and that nobody hears of who was not let in.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use worldshard::identity::{AUDIENCE, Grant, PrivateKey};
use worldshard::prelude::*;
use worldshard::runtime::since_1970;
use worldshard::{OnExpiry, Secret, TokenPolicy};
use worldshard_transport::MessageKind;

use crate::credential::{PLACES, first_message, hear_json, show};
use crate::socket::{Client, Heard, PATIENCE, end, eventually, now, on_each_runtime, serve};

const SECRET: &str = "a-secret-of-all-of-them";

/// Text to everyone, and whatever is known of who said it; a world beside it. Notes all events.
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
            let said: Vec<_> = cx.messages().cloned().collect();
            for Message { session, payload } in said {
                let text = json!({
                    "said": payload.as_text(),
                    "user": cx.user(session).map(UserId::as_str),
                    "environment": cx.environment(session),
                    "connect": cx.connect_message(session),
                });
                cx.send(Audience::All, text.to_string());
            }
        })
        .options(|options| {
            options.auth = Some(auth);
            options.limits.close_deadline = Duration::from_millis(500);
        });
    app
}

type Log = Arc<Mutex<Vec<Event>>>;

fn secret() -> Auth {
    Auth::Secret(Secret::new(SECRET.as_bytes()).unwrap())
}

fn key(number: u8) -> PrivateKey {
    PrivateKey::from_seed([number; 32])
}

fn policy(numbers: &[u8]) -> TokenPolicy {
    let keys = numbers.iter().map(|one| key(*one).public().clone());
    TokenPolicy::new(keys.collect())
}

/// A token of anna's that is good for so many seconds from now on.
fn token(number: u8, audience: &str, seconds: i64) -> String {
    let issued = since_1970();
    let expires = issued.as_secs().checked_add_signed(seconds).unwrap();
    let grant = Grant {
        user: UserId::new("anna").unwrap(),
        tenant: None,
        audience: audience.to_owned(),
        issued,
        expires: Duration::from_secs(expires),
    };
    grant.token(&key(number))
}

/// What a client says and everyone hears.
fn echoed(client: &mut Client, text: &str) -> Value {
    client.say(MessageKind::Text, text.as_bytes());
    let heard = hear_json(client);
    assert_eq!(heard["said"], text);
    heard
}

/// Expects to be turned away with this reason, on lanes with an error before it that says the same.
#[track_caller]
fn turned_away(mut client: Client, path: &str, code: &str, detail: &str) {
    if path.starts_with("/world") {
        let error = hear_json(&mut client);
        assert_eq!(
            (&error["svc"], &error["type"]),
            (&json!("sys"), &json!("error"))
        );
        assert_eq!(error["data"], json!({"code": code, "msg": detail}));
    }
    let reason = format!("{code}: {detail}");
    assert_eq!(client.hear(), Heard::Close(Some(1008), reason));
    assert_eq!(client.hear(), Heard::End);
}

#[test]
fn a_secret_is_taken_in_each_of_its_places_and_a_wrong_one_in_none() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let log = Log::default();
            let (running, address) = serve(&mut app(runtime, shards, &log, secret()));
            let why = "the secret is another one";
            for (number, place) in PLACES.into_iter().enumerate() {
                let mut client = show(address, place, "/ws", SECRET).unwrap();
                echoed(&mut client, place);
                let mut client = show(address, place, "/world", SECRET).unwrap();
                assert_eq!(hear_json(&mut client)["type"], "authed", "{place}");
                eventually(PATIENCE, "both are opened", || {
                    opened(&log) == 2 * (number + 1)
                });
                for path in ["/ws", "/world"] {
                    match (
                        place,
                        show(address, place, path, "another-one-of-that-kind"),
                    ) {
                        ("header", refused) => {
                            let body = format!("AUTH_FAILED: {why}\n");
                            assert_eq!(refused.err(), Some((401, body)));
                        }
                        (_, client) => {
                            turned_away(client.unwrap(), path, "AUTH_FAILED", why);
                        }
                    }
                }
            }
            assert_eq!(opened(&log), 2 * PLACES.len());
            end(running);
        }
    });
}

fn opened(log: &Log) -> usize {
    let log = log.lock().unwrap();
    let is_opened = |event: &&Event| matches!(event, Event::Opened(_));
    log.iter().filter(is_opened).count()
}

#[test]
fn the_answer_names_a_subprotocol_that_a_browser_takes() {
    on_each_runtime(|runtime| {
        let (running, address) = serve(&mut app(runtime, 2, &Log::default(), secret()));
        let credential = format!("worldshard.auth.{SECRET}");
        for (offered, named) in [
            (credential.clone(), credential.clone()),
            (
                format!("worldshard.1, {credential}"),
                "worldshard.1".to_owned(),
            ),
            (
                format!("{credential}, worldshard.1"),
                "worldshard.1".to_owned(),
            ),
            // Upgraded and then closed: else a browser would not say why.
            (
                "worldshard.1, worldshard.auth.wrong".to_owned(),
                "worldshard.1".to_owned(),
            ),
        ] {
            let lines = format!("Sec-WebSocket-Protocol: {offered}\r\n");
            let (_, head) = Client::ask(address, "/world", &lines).unwrap();
            let line = format!("\r\nSec-WebSocket-Protocol: {named}\r\n");
            assert!(head.contains(&line), "{head}");
        }
        let two = format!("Authorization: Bearer {SECRET}\r\n");
        let refused = Client::ask(address, &format!("/ws?token={SECRET}"), &two);
        let refused = refused.err().unwrap();
        assert_eq!(refused, (400, "more than one credential\n".to_owned()));
        end(running);
    });
}

#[test]
fn of_tokens_only_a_good_one_lets_its_user_in() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let auth = Auth::Tokens(policy(&[7, 8]));
            let (running, address) = serve(&mut app(runtime, shards, &Log::default(), auth));
            for (place, number) in PLACES.into_iter().zip([7, 8, 7, 8]) {
                let good = token(number, AUDIENCE, 60);
                let mut client = show(address, place, "/ws", &good).unwrap();
                assert_eq!(echoed(&mut client, "hello")["user"], "anna", "{place}");
                let mut client = show(address, place, "/world", &good).unwrap();
                assert_eq!(hear_json(&mut client)["data"]["user"], "anna", "{place}");
            }
            let mut tampered = token(7, AUDIENCE, 60);
            let last = if tampered.ends_with('A') { "Q" } else { "A" };
            tampered.replace_range(tampered.len() - 1.., last);
            for (credential, why) in [
                (token(7, AUDIENCE, 0), "the token has expired"),
                (token(7, AUDIENCE, -3600), "the token has expired"),
                (token(9, AUDIENCE, 60), "the token's key is not known"),
                (
                    token(7, "elsewhere", 60),
                    "the token is for another audience",
                ),
                ("not-a-token".to_owned(), "the token is malformed"),
            ] {
                for path in ["/ws", "/world"] {
                    let client = show(address, "query", path, &credential).unwrap();
                    turned_away(client, path, "AUTH_FAILED", why);
                    let client = show(address, "message", path, &credential).unwrap();
                    turned_away(client, path, "AUTH_FAILED", why);
                }
                let refused = show(address, "header", "/ws", &credential).err();
                assert_eq!(refused, Some((401, format!("AUTH_FAILED: {why}\n"))));
            }
            let (status, body) = show(address, "header", "/ws", &tampered).err().unwrap();
            assert_eq!(status, 401);
            assert!(body.starts_with("AUTH_FAILED: the token"), "{body}");
            end(running);
        }
    });
}

#[test]
fn who_stays_silent_is_closed_after_the_deadline_with_a_reason() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let (running, address) = serve(&mut app(runtime, shards, &Log::default(), secret()));
            let began = now();
            let clients = ["/ws", "/world"].map(|path| {
                let mut client = Client::connect(address, path);
                // Life is no credential.
                client.ping(b"there");
                assert_eq!(client.hear(), Heard::Pong(b"there".to_vec()));
                (path, client)
            });
            for (path, client) in clients {
                turned_away(client, path, "TIMEOUT", "no credential within 3 s");
                let took = began.elapsed();
                let expected = Duration::from_millis(2700)..Duration::from_millis(3300);
                assert!(expected.contains(&took), "{took:?}");
            }
            end(running);
        }
    });
}

#[test]
fn what_is_said_before_the_credential_is_seen_by_nobody() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let log = Log::default();
            let (running, address) = serve(&mut app(runtime, shards, &log, secret()));
            let mut witness = show(address, "header", "/ws", SECRET).unwrap();
            echoed(&mut witness, "there");
            let why = "the first message is no sys auth: it is no envelope";
            for path in ["/ws", "/world"] {
                let mut client = Client::connect(address, path);
                client.say(MessageKind::Text, b"let me in");
                client.say(MessageKind::Text, b"all hear this");
                turned_away(client, path, "AUTH_FAILED", why);
            }
            let why = "the first message is no sys auth: it is not a text";
            let mut client = Client::connect(address, "/ws");
            client.say(MessageKind::Binary, b"\x01\x02\x02\x00");
            turned_away(client, "/ws", "AUTH_FAILED", why);
            let mut client = Client::connect(address, "/ws");
            client.say(MessageKind::Text, first_message(&json!({})).as_bytes());
            turned_away(client, "/ws", "AUTH_FAILED", "no credential was shown");
            let mut client = Client::connect(address, "/ws");
            client.say(MessageKind::Text, &vec![b' '; 17 * 1024]);
            assert!(matches!(client.hear(), Heard::Close(Some(1009), _)));
            drop(Client::connect(address, "/ws"));
            // The next thing that the witness hears is its own.
            echoed(&mut witness, "still there");
            assert_eq!(opened(&log), 1);
            assert_eq!(log.lock().unwrap().len(), 3, "opened, and said two things");
            end(running);
        }
    });
}

#[test]
fn what_follows_the_credential_at_once_is_heard_in_order() {
    on_each_runtime(|runtime| {
        for shards in [1, 8] {
            let (running, address) = serve(&mut app(runtime, shards, &Log::default(), secret()));
            let mut client = Client::connect(address, "/ws");
            let auth = first_message(&json!({"token": SECRET, "user": "anna"}));
            let frame = |text: &str| {
                worldshard_transport::masked_frame(
                    MessageKind::Text,
                    text.as_bytes(),
                    crate::socket::MASK,
                )
            };
            let bytes = [&auth, "one", "two"].map(frame).concat();
            // In pieces too: the first message may come in any.
            for piece in bytes.chunks(bytes.len().div_ceil(3)) {
                client.write(piece);
                std::thread::park_timeout(Duration::from_millis(20));
            }
            for text in ["one", "two"] {
                let heard = hear_json(&mut client);
                assert_eq!(
                    (&heard["said"], &heard["user"]),
                    (&json!(text), &json!("anna"))
                );
            }
            end(running);
        }
    });
}

#[test]
fn a_version_is_compared_before_the_upgrade() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let mut app = app(runtime, shards, &Log::default(), Auth::None);
            app.options(|options| options.protocol_version = Some("v1.2+ä".to_owned()));
            let (running, address) = serve(&mut app);
            let refused = |path: &str| Client::ask(address, path, "").err();
            let with = |body: &str| Some((400, body.to_owned()));
            assert_eq!(refused("/ws"), with("Version message missing."));
            assert_eq!(
                refused("/ws?version=v1.2"),
                with("Version message missing.")
            );
            assert_eq!(
                refused("/ws?v=123456789012345678901"),
                with("Version oversized.")
            );
            assert_eq!(
                refused("/ws?v=12345678901234567890"),
                with("Version mismatch.")
            );
            assert_eq!(refused("/world?v=v1.2"), with("Version mismatch."));
            let (mut client, _) = Client::ask(address, "/ws?v=v1.2%2b%C3%A4", "").unwrap();
            echoed(&mut client, "hello");
            end(running);
        }
    });
}

#[test]
fn what_clients_say_of_themselves_is_known_and_greeted_with() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let (running, address) = serve(&mut app(runtime, shards, &Log::default(), Auth::None));
            let query = "user=anna&env=browser&connect=%7B%22zoom%22%3A%201.50%7D";
            let said = r#"{"zoom": 1.50}"#;
            let mut client = Client::connect(address, &format!("/ws?{query}"));
            let known = echoed(&mut client, "hello");
            let expected = json!({
                "said": "hello", "user": "anna", "environment": "browser", "connect": said
            });
            assert_eq!(known, expected);
            let nobody = echoed(&mut Client::connect(address, "/ws"), "hello");
            assert_eq!(nobody["user"], Value::Null);
            let mut traces = Vec::new();
            for _ in 0..2 {
                // Again, as after a reconnect.
                let mut client = Client::connect(address, &format!("/world?{query}"));
                let Heard::Message(_, text) = client.hear() else {
                    panic!("no greeting");
                };
                let text = String::from_utf8(text).unwrap();
                assert!(text.contains(&format!(r#""connect":{said}"#)), "{text}");
                let greeting: Value = serde_json::from_str(&text).unwrap();
                let greeting = &greeting["data"];
                assert_eq!(greeting["user"], "anna");
                assert_eq!(greeting["tenant"], "default");
                traces.push(greeting["trace"].as_str().unwrap().to_owned());
            }
            let is_hex = |trace: &String| {
                trace.len() == 32 && trace.bytes().all(|one| b"0123456789abcdef".contains(&one))
            };
            assert!(
                traces.iter().all(is_hex) && traces[0] != traces[1],
                "{traces:?}"
            );
            let trace = "0af7651916cd43dd8448eb211c80319c";
            let line = format!("traceparent: 00-{trace}-b7ad6b7169203331-01\r\n");
            let (mut client, _) = Client::ask(address, "/world?t=0", &line).unwrap();
            let greeting = hear_json(&mut client);
            assert_eq!(greeting["data"]["trace"], trace);
            assert_eq!(greeting["data"].get("user"), None);
            let counted = |name: &str| crate::net_users::gauge(address, name);
            eventually(PATIENCE, "both kinds are counted", || {
                counted("native") == 1 && counted("browser") == 1
            });
            end(running);
        }
    });
}

#[test]
fn the_first_message_says_who_it_is_as_a_query_does() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let (running, address) = serve(&mut app(runtime, shards, &Log::default(), secret()));
            let mut client = Client::connect(address, "/world");
            let data = json!({"token": SECRET, "user": "anna", "env": "native", "connect": [1, 2]});
            client.say(MessageKind::Text, first_message(&data).as_bytes());
            let greeting = hear_json(&mut client);
            assert_eq!(greeting["data"]["user"], "anna");
            assert_eq!(greeting["data"]["connect"], json!([1, 2]));
            end(running);
        }
    });
}

#[test]
fn a_session_whose_token_expires_is_closed_or_kept_as_is_said() {
    on_each_runtime(|runtime| {
        for (shards, on_expiry) in [
            (1, OnExpiry::Close),
            (2, OnExpiry::Keep),
            (2, OnExpiry::Close),
            (8, OnExpiry::Close),
        ] {
            let log = Log::default();
            let mut policy = policy(&[7]);
            policy.on_expiry = on_expiry;
            let (running, address) = serve(&mut app(runtime, shards, &log, Auth::Tokens(policy)));
            let began = since_1970();
            let short = token(7, AUDIENCE, 2);
            let mut raw = show(address, "header", "/ws", &short).unwrap();
            let mut lanes = show(address, "query", "/world", &short).unwrap();
            assert_eq!(hear_json(&mut lanes)["type"], "authed");
            echoed(&mut raw, "let in");
            if on_expiry == OnExpiry::Keep {
                std::thread::park_timeout(Duration::from_millis(2500));
                echoed(&mut raw, "still there");
                let again = show(address, "header", "/ws", &short).err();
                let body = "AUTH_FAILED: the token has expired\n".to_owned();
                assert_eq!(again, Some((401, body)));
            } else {
                turned_away_after_all(&mut lanes);
                turned_away(raw, "/ws", "AUTH_FAILED", "the token has expired");
                let took = since_1970().saturating_sub(began);
                assert!(took < Duration::from_secs(4), "{took:?}");
                // Tokens are good to the second.
                assert!(took > Duration::from_millis(900), "{took:?}");
                let closed = |event: &Event| {
                    matches!(
                        event,
                        Event::Closed(_, CloseReason::Server { code: 1008, .. })
                    )
                };
                eventually(PATIENCE, "both ends are told", || {
                    log.lock().unwrap().iter().filter(|one| closed(one)).count() == 2
                });
            }
            end(running);
        }
    });
}

/// On lanes, past what the application says to all.
fn turned_away_after_all(client: &mut Client) {
    let error = loop {
        let heard = hear_json(client);
        if heard["svc"] == "sys" {
            break heard;
        }
    };
    assert_eq!(
        error["data"],
        json!({"code": "AUTH_FAILED", "msg": "the token has expired"})
    );
    let reason = "AUTH_FAILED: the token has expired".to_owned();
    assert_eq!(client.hear(), Heard::Close(Some(1008), reason));
}

#[test]
fn who_listens_for_other_machines_must_say_whom_to_let_in() {
    on_each_runtime(|runtime| {
        let start = |bind: &str, auth: Option<Auth>| {
            let mut app = App::new();
            app.bind(bind)
                .runtime(runtime)
                .shards(1)
                .options(|options| options.auth = auth);
            app.start()
        };
        for bind in ["0.0.0.0:0", "[::]:0"] {
            let refused = start(bind, None).err().unwrap().to_string();
            for way_out in ["auth", "secret", "token", "none", "127.0.0.1"] {
                assert!(refused.contains(way_out), "{refused}");
            }
        }
        end(start("0.0.0.0:0", Some(Auth::None)).unwrap());
        end(start("0.0.0.0:0", Some(secret())).unwrap());
        end(start("127.0.0.1:0", None).unwrap());
        end(start("[::1]:0", None).unwrap());
    });
}

#[test]
fn a_stop_tells_who_has_yet_to_prove_itself() {
    on_each_runtime(|runtime| {
        let (running, address) = serve(&mut app(runtime, 2, &Log::default(), secret()));
        let mut client = Client::connect(address, "/ws");
        running.stop();
        assert!(matches!(client.hear(), Heard::Close(Some(1001), _)));
        drop(client);
        running.join().unwrap();
    });
}
