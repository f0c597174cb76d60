//! Requests and messages to the application over real sockets, on each runtime.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};
use worldshard::Runtime;
use worldshard::prelude::*;
use worldshard_protocol::app::{OPCODE_APP_MESSAGE, OPCODE_APP_REQUEST};
use worldshard_shard::Chance;
use worldshard_transport::MessageKind;

use crate::hub_requests::{Said, hot, read, request};
use crate::socket::{Client, Heard, PATIENCE, end, eventually, get, now, on_each_runtime, serve};

/// An application whose requests end as they wish; those that are to be kept go to whoever listens.
fn willing(runtime: Runtime, shards: u16, kept: SyncSender<Request>) -> App {
    let mut app = App::new();
    app.lanes("/app")
        .bind("127.0.0.1:0")
        .runtime(runtime)
        .shards(shards)
        .system(Update, move |cx: &mut Context| {
            for request in cx.requests() {
                let wish = String::from_utf8_lossy(request.payload.bytes()).into_owned();
                match wish.trim_matches('"') {
                    "ack" => request.ack(),
                    "reject" => request.reject(ErrorCode::NotAllowed, "as asked"),
                    "drop" => drop(request),
                    "panic" => panic!("as asked"),
                    "keep" => kept.send(request).unwrap(),
                    _ => {
                        let payload = request.payload.clone();
                        request.respond(payload);
                    }
                }
            }
            for message in cx.messages() {
                cx.send(Audience::One(message.session), message.payload.clone());
            }
        })
        .options(|options| options.limits.close_deadline = Duration::from_millis(500));
    app
}

fn keeping() -> (SyncSender<Request>, Receiver<Request>) {
    sync_channel(1000)
}

fn connect(address: SocketAddr) -> Client {
    let mut client = Client::connect(address, "/app");
    let greeting = client.hear();
    assert!(matches!(greeting, Heard::Message(MessageKind::Text, _)));
    client
}

/// The next thing that the application says.
fn hear(client: &mut Client) -> Said {
    let payload = match client.hear() {
        Heard::Message(MessageKind::Text, text) => Payload::from(String::from_utf8(text).unwrap()),
        Heard::Message(MessageKind::Binary, bytes) => Payload::from(bytes),
        other => panic!("{other:?}"),
    };
    read(&payload).unwrap()
}

fn ask(client: &mut Client, seq: u32, wish: &str) {
    let text = request(seq, &format!("\"{wish}\""));
    client.say(MessageKind::Text, text.as_bytes());
}

fn ask_hot(client: &mut Client, seq: u32, wish: &str) {
    let bytes = hot(OPCODE_APP_REQUEST, Some(seq), false, wish.as_bytes());
    client.say(MessageKind::Binary, &bytes);
}

fn is(kind: &str, seq: u32, data: &str) -> Said {
    Said {
        kind: kind.to_owned(),
        seq: Some(seq),
        data: data.to_owned(),
    }
}

fn status(address: SocketAddr, name: &str) -> u64 {
    let status: Value = serde_json::from_str(&get(address, "/status").1).unwrap();
    let shards = status["shards"].as_array().unwrap().iter();
    shards.map(|one| one[name].as_u64().unwrap()).sum()
}

const NOBODY: &str = r#"{"code":"INTERNAL","msg":"nobody answered"}"#;

#[test]
fn requests_are_answered_on_their_lane_and_rejected_when_a_handler_drops_them_or_panics() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let (kept, _listens) = keeping();
            let (running, address) = serve(&mut willing(runtime, shards, kept));
            let clients = (0..2 * shards).map(|_| connect(address));
            for mut client in clients.collect::<Vec<_>>() {
                let refused = r#"{"code":"NOT_ALLOWED","msg":"as asked"}"#;
                for (wish, text, binary) in [
                    ("hello", is("response", 1, "\"hello\""), is("2", 2, "hello")),
                    ("ack", is("ack", 1, ""), is("3", 2, "")),
                    (
                        "reject",
                        is("reject", 1, refused),
                        is("4", 2, "NOT_ALLOWED: as asked"),
                    ),
                    (
                        "drop",
                        is("reject", 1, NOBODY),
                        is("4", 2, "INTERNAL: nobody answered"),
                    ),
                    (
                        "panic",
                        is("reject", 1, NOBODY),
                        is("4", 2, "INTERNAL: nobody answered"),
                    ),
                    ("again", is("response", 1, "\"again\""), is("2", 2, "again")),
                ] {
                    ask(&mut client, 1, wish);
                    ask_hot(&mut client, 2, wish);
                    // Each is answered in its turn, and a panic ends one.
                    assert_eq!(hear(&mut client), text, "{wish}");
                    assert_eq!(hear(&mut client), binary, "{wish}");
                }
            }
            end(running);
        }
    });
}

#[test]
fn a_request_that_is_kept_in_silence_is_rejected_in_time() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let (kept, listens) = keeping();
            let mut app = willing(runtime, shards, kept);
            app.options(|options| options.limits.request_max = Duration::from_millis(200));
            let (running, address) = serve(&mut app);
            let mut client = connect(address);
            let began = now();
            ask(&mut client, 9, "keep");
            let late = r#"{"code":"TIMEOUT","msg":"no answer in time"}"#;
            assert_eq!(hear(&mut client), is("reject", 9, late));
            let took = began.elapsed();
            assert!(took >= Duration::from_millis(140), "{took:?}");
            let request = listens.recv_timeout(PATIENCE).unwrap();
            assert!(!request.token.is_wanted());
            request.ack();
            ask(&mut client, 9, "well");
            assert_eq!(hear(&mut client), is("response", 9, "\"well\""));
            end(running);
        }
    });
}

/// A thread that answers each request a moment after it came, and says when it did.
fn worker(listens: Receiver<Request>) -> JoinHandle<()> {
    let work = move || {
        for request in listens {
            // So that the shard sleeps again.
            std::thread::park_timeout(Duration::from_millis(20));
            request.respond("worked");
        }
    };
    std::thread::Builder::new().spawn(work).unwrap()
}

#[test]
fn an_answer_of_another_thread_arrives_promptly() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let (kept, listens) = keeping();
            let worker = worker(listens);
            let mut app = willing(runtime, shards, kept);
            // No tick brings it along.
            app.world(WorldConfig {
                tick_interval: Duration::from_secs(5),
                ..WorldConfig::default()
            });
            let (running, address) = serve(&mut app);
            let mut client = connect(address);
            let mut took = Vec::new();
            for round in 0..15 {
                let began = now();
                ask(&mut client, round, "keep");
                assert_eq!(hear(&mut client), is("response", round, "\"worked\""));
                took.push(began.elapsed());
            }
            took.sort_unstable();
            println!("{shards} shards: 20 ms of work and {:?}", took[7]);
            // A shard that is not rung for looks every 200 ms.
            assert!(took[7] < Duration::from_millis(70), "{took:?}");
            drop(client);
            end(running);
            worker.join().unwrap();
        }
    });
}

#[test]
fn an_answer_after_the_end_of_the_session_reaches_nobody() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let (kept, listens) = keeping();
            let (running, address) = serve(&mut willing(runtime, shards, kept));
            for is_orderly in [true, false] {
                let mut client = connect(address);
                ask(&mut client, 1, "keep");
                let request = listens.recv_timeout(PATIENCE).unwrap();
                assert!(request.token.is_wanted());
                if is_orderly {
                    client.close(1000, "");
                    assert_eq!(client.hear(), Heard::Close(Some(1000), String::new()));
                }
                drop(client);
                eventually(PATIENCE, "nobody wants an answer", || {
                    !request.token.is_wanted()
                });
                // Whoever comes then may use the number, and hears nothing of it.
                let mut others: Vec<_> = (0..shards).map(|_| connect(address)).collect();
                others.iter_mut().for_each(|other| ask(other, 1, "keep"));
                let asked = others
                    .iter()
                    .map(|_| listens.recv_timeout(PATIENCE).unwrap());
                let asked: Vec<_> = asked.collect();
                request.respond("too late");
                for request in asked {
                    request.ack();
                }
                for other in &mut others {
                    assert_eq!(hear(other), is("ack", 1, ""));
                    ask(other, 2, "then");
                    assert_eq!(hear(other), is("response", 2, "\"then\""));
                }
            }
            eventually(PATIENCE, "nothing is open", || {
                status(address, "requests_open") == 0
            });
            end(running);
        }
    });
}

#[test]
fn repeated_numbers_are_ignored_gaps_reported_and_acknowledgements_given_where_asked_for() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let (kept, _listens) = keeping();
            let (running, address) = serve(&mut willing(runtime, shards, kept));
            let mut client = connect(address);
            let text = |flags: u32, seq: u32| {
                format!(
                    r#"{{"v":1,"svc":"app","type":"message","flags":{flags},"seq":{seq},"data":{seq}}}"#
                )
            };
            let echo = |seq: &str| Said {
                kind: "message".to_owned(),
                seq: None,
                data: seq.to_owned(),
            };
            client.say(MessageKind::Text, text(5, 1).as_bytes());
            assert_eq!(hear(&mut client), echo("1"));
            assert_eq!(hear(&mut client), is("ack", 1, ""));
            // Said again: acknowledged, and not heard again.
            client.say(MessageKind::Text, text(5, 1).as_bytes());
            assert_eq!(hear(&mut client), is("ack", 1, ""));
            client.say(MessageKind::Text, text(1, 1).as_bytes());
            client.say(MessageKind::Text, text(1, 2).as_bytes());
            assert_eq!(hear(&mut client), echo("2"));
            client.say(MessageKind::Text, text(1, 5).as_bytes());
            let gap = Said {
                kind: "gap".to_owned(),
                seq: None,
                data: r#"{"expected":3,"got":5}"#.to_owned(),
            };
            assert_eq!(hear(&mut client), gap);
            assert_eq!(hear(&mut client), echo("5"));
            let hot_six = hot(OPCODE_APP_MESSAGE, Some(6), true, b"six");
            client.say(MessageKind::Binary, &hot_six);
            let echo_hot = Said {
                kind: "0".to_owned(),
                seq: None,
                data: "six".to_owned(),
            };
            assert_eq!(hear(&mut client), echo_hot);
            assert_eq!(hear(&mut client), is("3", 6, ""));
            client.say(MessageKind::Binary, &hot_six);
            assert_eq!(hear(&mut client), is("3", 6, ""));
            end(running);
        }
    });
}

#[test]
fn a_client_that_can_only_ping_by_text_stays_connected() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let (kept, _listens) = keeping();
            let mut app = willing(runtime, shards, kept);
            app.options(|options| {
                options.limits.ping_interval = Duration::from_millis(150);
                options.limits.silence_max = Duration::from_millis(400);
            });
            let (running, address) = serve(&mut app);
            let (mut client, mut silent) = (connect(address), connect(address));
            for round in 0..12 {
                let ping =
                    format!(r#"{{"v":1,"svc":"sys","type":"ping","data":{{"at":{round}}}}}"#);
                client.say(MessageKind::Text, ping.as_bytes());
                // It sees no pings, so it answers none.
                let heard = loop {
                    match client.hear() {
                        Heard::Ping(_) => {}
                        Heard::Message(_, text) => break String::from_utf8(text).unwrap(),
                        other => panic!("{other:?}"),
                    }
                };
                assert_eq!(heard, ping.replace("ping", "pong"));
                std::thread::park_timeout(Duration::from_millis(100));
            }
            let why = "nothing was heard for 0.4 s";
            let error = loop {
                match silent.hear() {
                    Heard::Ping(_) => {}
                    Heard::Message(_, text) => break String::from_utf8(text).unwrap(),
                    other => panic!("{other:?}"),
                }
            };
            let error: Value = serde_json::from_str(&error).unwrap();
            assert_eq!(error["data"], json!({"code": "TIMEOUT", "msg": why}));
            assert_eq!(
                silent.hear(),
                Heard::Close(Some(1008), format!("TIMEOUT: {why}"))
            );
            end(running);
        }
    });
}

/// What one bot asked and has not heard of.
struct Bot {
    client: Client,
    open: BTreeMap<u32, bool>,
    chance: Chance,
    answers: u64,
}

impl Bot {
    fn draw(&mut self, below: u64) -> u64 {
        self.chance.next_u64() % below
    }

    /// Asks for something with a number that is free.
    fn ask(&mut self, seq: u32) {
        let wishes = [
            "ack", "reject", "drop", "keep", "keep", "keep", "x", "panic",
        ];
        let wish = wishes[self.draw(8) as usize];
        let on_hot = self.draw(2) == 1;
        match on_hot {
            true => ask_hot(&mut self.client, seq, wish),
            false => ask(&mut self.client, seq, wish),
        }
        self.open.insert(seq, on_hot);
    }

    fn hear(&mut self) {
        let said = hear(&mut self.client);
        let on_hot = matches!(said.kind.as_str(), "2" | "3" | "4");
        let is_answer = matches!(said.kind.as_str(), "response" | "ack" | "reject");
        assert!(on_hot || is_answer, "{said:?}");
        let asked = self.open.remove(&said.seq.unwrap());
        assert_eq!(asked, Some(on_hot), "an answer to nothing: {said:?}");
        self.answers += 1;
    }
}

/// A thread that answers requests in an order of its own, some never.
fn moody_worker(listens: Receiver<Request>) -> JoinHandle<()> {
    let work = move || {
        let mut chance = Chance::new(5, EntityId(1), Tick(0), "mood");
        let mut kept: Vec<Request> = Vec::new();
        while let Ok(request) = listens.recv() {
            kept.push(request);
            while kept.len() > 8 {
                let at = (chance.next_u64() % kept.len() as u64) as usize;
                let request = kept.swap_remove(at);
                match chance.next_u64() % 5 {
                    0 => request.ack(),
                    1 => request.respond("done"),
                    2 => request.reject(ErrorCode::RateLimited, "moody"),
                    3 => drop(request),
                    // Until its time is over, and beyond.
                    _ => std::mem::forget(request),
                }
            }
        }
    };
    std::thread::Builder::new().spawn(work).unwrap()
}

#[test]
fn chaos_of_handlers_threads_and_cut_connections_leaves_one_answer_to_each_request() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let (kept, listens) = keeping();
            let worker = moody_worker(listens);
            let mut app = willing(runtime, shards, kept);
            app.options(|options| options.limits.request_max = Duration::from_millis(500));
            let (running, address) = serve(&mut app);
            let bot = |number| Bot {
                client: connect(address),
                open: BTreeMap::new(),
                chance: Chance::new(number, EntityId(1), Tick(0), "bot"),
                answers: 0,
            };
            let mut bots: Vec<_> = (0..12).map(bot).collect();
            let mut answers = 0;
            for round in 0..40 {
                for bot in &mut bots {
                    for seq in 0..1 + bot.draw(8) as u32 {
                        // A number may be in use from a round before, unless all were heard.
                        if !bot.open.contains_key(&seq) {
                            bot.ask(seq);
                        }
                    }
                    if bot.draw(20) == 0 {
                        // Cut at any point: what it asked for is nobody's.
                        answers += bot.answers;
                        *bot = Bot {
                            client: connect(address),
                            open: BTreeMap::new(),
                            answers: 0,
                            chance: Chance::new(round, EntityId(2), Tick(0), "bot"),
                        };
                    }
                    while bot.open.len() > 4 {
                        bot.hear();
                    }
                }
            }
            for bot in &mut bots {
                while !bot.open.is_empty() {
                    bot.hear();
                }
                answers += bot.answers;
            }
            println!("{shards} shards: {answers} answers");
            assert!(answers > 500, "{answers}");
            eventually(PATIENCE, "nothing is open", || {
                status(address, "requests_open") == 0
            });
            drop(bots);
            end(running);
            worker.join().unwrap();
        }
    });
}

/// Who was told what was not sent.
type Told = Arc<Mutex<BTreeMap<UnsentCause, u64>>>;

#[test]
fn a_service_is_told_of_each_message_that_was_not_sent_wherever_its_session_was() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let told = Told::default();
            let seen = told.clone();
            let mut app = App::new();
            app.bind("127.0.0.1:0")
                .runtime(runtime)
                .shards(shards)
                .raw("/ws")
                .system(Update, move |cx: &mut Context| {
                    for one in cx.unsent() {
                        *seen.lock().unwrap().entry(one.cause).or_default() += one.count;
                    }
                    for message in cx.messages() {
                        let text = message.payload.as_text().unwrap_or_default();
                        if text == "who" {
                            let own = message.session.value().to_string();
                            cx.send(Audience::One(message.session), own);
                        } else if let Some(session) =
                            text.parse().ok().and_then(SessionId::from_value)
                        {
                            cx.send(Audience::One(session), "are you there?");
                        }
                    }
                });
            let (running, address) = serve(&mut app);
            let mut speaker = Client::connect(address, "/ws");
            let mut gone = Vec::new();
            for _ in 0..2 * shards {
                let mut client = Client::connect(address, "/ws");
                client.say(MessageKind::Text, b"who");
                let Heard::Message(_, id) = client.hear() else {
                    panic!("no id");
                };
                client.close(1000, "");
                while client.hear() != Heard::End {}
                gone.push(id);
            }
            for _ in 0..5 {
                for id in &gone {
                    speaker.say(MessageKind::Text, id);
                }
            }
            let expected = BTreeMap::from([(UnsentCause::NoSession, 10 * u64::from(shards))]);
            eventually(PATIENCE, "each is told of", || {
                *told.lock().unwrap() == expected
            });
            end(running);
        }
    });
}
