//! Several sessions of one user over real sockets, on each runtime: how many there may be, who is turned away or gives
//! way, what both read, and that the counts are those of the sockets.

use std::collections::BTreeMap;
use std::net::{Shutdown, SocketAddr};
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use worldshard::OnExceed;
use worldshard::prelude::*;
use worldshard_client::Connection;
use worldshard_protocol::{InterestWish, ViewpointMode};
use worldshard_transport::MessageKind;

use crate::socket::{Client, Heard, PATIENCE, end, eventually, get, now, on_each_runtime, serve};

type Log = Arc<Mutex<Vec<Event>>>;

/// Everyone is who they say; to every text the answer is who said it and how many sessions there are.
fn app(runtime: Runtime, shards: u16, max: u32, rule: OnExceed, log: &Log) -> App {
    let log = log.clone();
    let mut app = App::new();
    app.bind("127.0.0.1:0")
        .runtime(runtime)
        .shards(shards)
        .raw("/ws")
        .lanes("/world")
        .world(WorldConfig::default())
        .avatar(|_, at| Draft::at(at))
        .system(Update, move |cx: &mut Context<'_>| {
            log.lock().unwrap().extend(cx.events().cloned());
            let asked: Vec<SessionId> = cx.messages().map(|one| one.session).collect();
            for session in asked {
                let user = cx.user(session).map(UserId::as_str);
                let answer = json!([user, session.value(), cx.session_count()]).to_string();
                cx.send(Audience::One(session), answer);
            }
        })
        .options(|options| {
            options.auth = Some(Auth::None);
            options.on_exceed = rule;
            options.limits.sessions_per_user = max;
            options.limits.resume_grace = Duration::from_secs(60);
            options.limits.close_deadline = Duration::from_millis(500);
        });
    app
}

fn connect(address: SocketAddr, user: &str) -> Client {
    Client::connect(address, &format!("/ws?user={user}"))
}

/// Who the server says that a client is: user, session, and how many sessions there are.
fn asked(client: &mut Client) -> (String, u64, u64) {
    client.say(MessageKind::Text, b"who am I");
    let heard = client.hear();
    let Heard::Message(_, text) = &heard else {
        panic!("no answer but {heard:?}");
    };
    let answer: Value = serde_json::from_slice(text).unwrap();
    let number = |at: usize| answer[at].as_u64().unwrap();
    (answer[0].as_str().unwrap().to_owned(), number(1), number(2))
}

/// A number of `/status`, over all shards.
pub(crate) fn gauge(address: SocketAddr, name: &str) -> u64 {
    let status: Value = serde_json::from_str(&get(address, "/status").1).unwrap();
    let shards = status["shards"].as_array().unwrap().iter();
    shards.map(|one| one[name].as_u64().unwrap()).sum()
}

fn kicked() -> Heard {
    Heard::Close(Some(1008), "kicked".to_owned())
}

fn denied(max: u32) -> Heard {
    let detail = match max {
        1 => "the user has a session already".to_owned(),
        max => format!("the user has {max} sessions already"),
    };
    Heard::Close(Some(1008), format!("TOO_MANY_SESSIONS: {detail}"))
}

#[test]
fn two_sessions_of_one_user_have_one_user_and_two_numbers() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let log = Log::default();
            let (running, address) = serve(&mut app(runtime, shards, 0, OnExceed::Deny, &log));
            let mut clients = [connect(address, "anna"), connect(address, "anna")];
            let [one, other] = clients.each_mut().map(asked);
            assert_eq!((one.0.as_str(), other.0.as_str()), ("anna", "anna"));
            assert_ne!(one.1, other.1);
            end(running);
        }
    });
}

#[test]
fn the_count_is_that_of_the_open_sockets() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let log = Log::default();
            let (running, address) = serve(&mut app(runtime, shards, 5, OnExceed::Deny, &log));
            let mut open: Vec<Client> = Vec::new();
            for users in [3, 1, 4, 0, 2] {
                open.truncate(users);
                while open.len() < users {
                    let user = format!("user-{}", open.len() % 2);
                    open.push(connect(address, &user));
                }
                let count = users as u64;
                eventually(PATIENCE, "the gauge is right", || {
                    gauge(address, "sessions") == count
                });
                for client in &mut open {
                    assert_eq!(asked(client).2, count);
                }
            }
            drop(open);
            end(running);
        }
    });
}

#[test]
fn one_more_is_turned_away_and_reads_why_until_one_leaves() {
    on_each_runtime(|runtime| {
        for (shards, max) in [(1, 1), (2, 2), (8, 3)] {
            let log = Log::default();
            let (running, address) = serve(&mut app(runtime, shards, max, OnExceed::Deny, &log));
            let mut anna: Vec<Client> = (0..max).map(|_| connect(address, "anna")).collect();
            let mut bert = connect(address, "bert");
            assert_eq!(connect(address, "anna").hear(), denied(max));
            let mut on_lanes = Client::connect(address, "/world?user=anna");
            let Heard::Message(_, error) = on_lanes.hear() else {
                panic!("no error before the close");
            };
            let error: Value = serde_json::from_slice(&error).unwrap();
            assert_eq!(error["data"]["code"], "TOO_MANY_SESSIONS");
            assert_eq!(on_lanes.hear(), denied(max));
            for client in anna.iter_mut().chain([&mut bert]) {
                asked(client);
            }
            let mut last = anna.pop().unwrap();
            last.close(1000, "");
            assert_eq!(last.hear(), Heard::Close(Some(1000), String::new()));
            eventually(PATIENCE, "there is room again", || {
                let mut client = connect(address, "anna");
                client.say(MessageKind::Text, b"who am I");
                let let_in = matches!(client.hear(), Heard::Message(..));
                if let_in {
                    anna.push(client);
                }
                let_in
            });
            let sessions = u64::from(max) + 1;
            assert_eq!(asked(&mut bert).2, sessions);
            eventually(PATIENCE, "the gauge is right", || {
                gauge(address, "sessions") == sessions
            });
            end(running);
        }
    });
}

#[test]
fn the_oldest_gives_way_and_reads_why() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let log = Log::default();
            let rule = OnExceed::KickOldest;
            let (running, address) = serve(&mut app(runtime, shards, 2, rule, &log));
            let mut oldest = Client::connect(address, "/world?user=anna");
            assert!(matches!(oldest.hear(), Heard::Message(..)), "the greeting");
            let mut second = connect(address, "anna");
            asked(&mut second);
            let mut third = connect(address, "anna");
            let Heard::Message(_, text) = oldest.hear() else {
                panic!("no word before the close");
            };
            assert_eq!(
                String::from_utf8(text).unwrap(),
                r#"{"v":1,"svc":"sys","type":"kicked","data":{"reason":"max_sessions_exceeded"}}"#
            );
            assert_eq!(oldest.hear(), kicked());
            asked(&mut third);
            let mut fourth = connect(address, "anna");
            assert_eq!(second.hear(), kicked());
            assert_eq!(asked(&mut fourth).0, "anna");
            asked(&mut third);
            eventually(PATIENCE, "the gauge is right", || {
                gauge(address, "sessions") == 2
            });
            assert_eq!(asked(&mut third).2, 2);
            let reason = CloseReason::Server {
                code: 1008,
                reason: "kicked".into(),
            };
            let told = log.lock().unwrap().clone();
            let closed = told.iter().filter(|one| matches!(one, Event::Closed(..)));
            let closed: Vec<_> = closed.collect();
            assert_eq!(closed.len(), 2, "{closed:?}");
            let is_kick = |one: &&&Event| matches!(one, Event::Closed(_, why) if *why == reason);
            assert_eq!(closed.iter().filter(is_kick).count(), 2, "{closed:?}");
            end(running);
        }
    });
}

/// As clients of wsPrism do, which may name the session that they want to be.
#[test]
fn who_names_a_session_that_is_there_is_one_more_all_the_same() {
    on_each_runtime(|runtime| {
        for (shards, rule) in [1, 2, 8]
            .into_iter()
            .flat_map(|shards| [OnExceed::Deny, OnExceed::KickOldest].map(|rule| (shards, rule)))
        {
            let log = Log::default();
            let (running, address) = serve(&mut app(runtime, shards, 1, rule, &log));
            let mut first = Client::connect(address, "/world?user=anna");
            let Heard::Message(_, greeting) = first.hear() else {
                panic!("no greeting");
            };
            let greeting: Value = serde_json::from_slice(&greeting).unwrap();
            let named = greeting["data"]["session"].as_u64().unwrap();
            let mut second = connect(address, &format!("anna&sid={named}"));
            match rule {
                OnExceed::Deny => {
                    assert_eq!(second.hear(), denied(1));
                    first.ping(b"there");
                    assert_eq!(first.hear(), Heard::Pong(b"there".to_vec()));
                }
                OnExceed::KickOldest => {
                    assert!(matches!(first.hear(), Heard::Message(..)), "it is told");
                    assert_eq!(first.hear(), kicked());
                    let (user, session, _) = asked(&mut second);
                    assert_eq!(user, "anna");
                    assert_ne!(session, named);
                }
            }
            eventually(PATIENCE, "the gauge is right", || {
                gauge(address, "sessions") == 1
            });
            end(running);
        }
    });
}

#[test]
fn of_a_hundred_at_once_exactly_as_many_as_allowed_are_left() {
    on_each_runtime(|runtime| {
        for (shards, rule) in [
            (1, OnExceed::Deny),
            (2, OnExceed::KickOldest),
            (8, OnExceed::Deny),
            (8, OnExceed::KickOldest),
        ] {
            race(runtime, shards, rule);
        }
    });
}

fn race(runtime: Runtime, shards: u16, rule: OnExceed) {
    const ALLOWED: u32 = 3;
    let log = Log::default();
    let mut app = app(runtime, shards, ALLOWED, rule, &log);
    // All of them are asked in turn, those who were turned out long ago too.
    app.options(|options| options.limits.close_deadline = PATIENCE);
    let (running, address) = serve(&mut app);
    let start = Barrier::new(100);
    let clients: Vec<Client> = std::thread::scope(|scope| {
        let connect = || {
            start.wait();
            connect(address, "anna")
        };
        let threads: Vec<_> = (0..100).map(|_| scope.spawn(connect)).collect();
        threads.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let count = |is: fn(&Event) -> bool| {
        let log = log.lock().unwrap();
        log.iter().filter(|one| is(one)).count()
    };
    let opened = || count(|one| matches!(one, Event::Opened(_)));
    let closed = || count(|one| matches!(one, Event::Closed(..)));
    let let_in = match rule {
        OnExceed::Deny => ALLOWED as usize,
        OnExceed::KickOldest => 100,
    };
    // Who gave way may still be on its way out.
    eventually(PATIENCE, "those who gave way are gone", || {
        opened() == let_in && opened() - closed() == ALLOWED as usize
    });
    eventually(PATIENCE, "the gauge is right", || {
        gauge(address, "sessions") == u64::from(ALLOWED)
    });
    let mut live = Vec::new();
    let mut turned_out = BTreeMap::new();
    for mut client in clients {
        client.say(MessageKind::Text, b"who am I");
        match client.hear() {
            Heard::Message(..) => live.push(client),
            Heard::Close(code, reason) => {
                *turned_out.entry((code, reason)).or_insert(0) += 1;
            }
            other => panic!("neither in nor told why not: {other:?}"),
        }
    }
    assert_eq!(live.len(), ALLOWED as usize, "{turned_out:?}");
    let why = match rule {
        OnExceed::Deny => denied(ALLOWED),
        OnExceed::KickOldest => kicked(),
    };
    let Heard::Close(code, reason) = why else {
        panic!("a close");
    };
    let all = BTreeMap::from([((code, reason), 100 - ALLOWED)]);
    assert_eq!(turned_out, all);
    for client in &mut live {
        assert_eq!(asked(client).2, u64::from(ALLOWED));
    }
    assert_eq!(opened() - closed(), ALLOWED as usize);
    drop(live);
    eventually(PATIENCE, "all are gone", || gauge(address, "sessions") == 0);
    asked(&mut connect(address, "anna"));
    end(running);
}

/// A client that stands in the world.
fn enter(address: SocketAddr, path: &str) -> Connection {
    let mut client = Connection::enter(address, path, PATIENCE).unwrap();
    client.join(
        ViewpointMode::Avatar,
        Some([10.0, 10.0, 0.0]),
        InterestWish::Default,
    );
    let joined = client.until(PATIENCE, |event| match event {
        worldshard_client::Event::Text(text) => text.contains("joined").then_some(()),
        _ => None,
    });
    joined.unwrap();
    client
}

/// Nothing of its peer arrives any more, and it takes nothing: as behind a firewall that drops all packets.
#[test]
fn a_dead_peer_frees_its_users_seat_without_its_help() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let log = Log::default();
            let mut app = app(runtime, shards, 1, OnExceed::Deny, &log);
            app.options(|options| {
                options.limits.ping_interval = Duration::from_millis(300);
                options.limits.silence_max = Duration::from_millis(600);
            });
            let (running, address) = serve(&mut app);
            let mut dead = connect(address, "anna");
            asked(&mut dead);
            let began = now();
            assert_eq!(connect(address, "anna").hear(), denied(1));
            // It never reads again, and never closes.
            eventually(Duration::from_millis(1600), "its place is free", || {
                let mut next = connect(address, "anna");
                next.say(MessageKind::Text, b"who am I");
                matches!(next.hear(), Heard::Message(..))
            });
            assert!(began.elapsed() >= Duration::from_millis(500));
            let timeouts = |log: &Log| {
                let log = log.lock().unwrap();
                let is_timeout =
                    |one: &&Event| matches!(one, Event::Closed(_, CloseReason::Timeout));
                log.iter().filter(is_timeout).count()
            };
            assert_eq!(timeouts(&log), 1);
            drop(dead);
            end(running);
        }
    });
}

#[test]
fn a_session_that_waits_for_its_client_gives_way_first() {
    on_each_runtime(|runtime| {
        for (shards, rule) in [
            (1, OnExceed::Deny),
            (2, OnExceed::KickOldest),
            (8, OnExceed::Deny),
            (8, OnExceed::KickOldest),
        ] {
            let log = Log::default();
            let (running, address) = serve(&mut app(runtime, shards, 2, rule, &log));
            let mut stays = connect(address, "anna");
            asked(&mut stays);
            let waits = enter(address, "/world?user=anna");
            waits.stream().shutdown(Shutdown::Both).unwrap();
            eventually(PATIENCE, "the cut is noticed", || {
                gauge(address, "detached") == 1
            });
            let mut third = connect(address, "anna");
            asked(&mut third);
            asked(&mut stays);
            eventually(PATIENCE, "it waits no longer", || {
                gauge(address, "detached") == 0
            });
            let refused = Connection::resume(address, "/world", &waits, PATIENCE);
            assert!(refused.is_err(), "{refused:?}");
            end(running);
        }
    });
}

#[test]
fn going_on_over_another_connection_takes_no_other_seat() {
    on_each_runtime(|runtime| {
        for (shards, rule) in [
            (1, OnExceed::Deny),
            (2, OnExceed::KickOldest),
            (8, OnExceed::Deny),
            (8, OnExceed::KickOldest),
        ] {
            let log = Log::default();
            let (running, address) = serve(&mut app(runtime, shards, 1, rule, &log));
            let mut client = enter(address, "/world?user=anna&connect=7");
            for round in 0..4 {
                if round % 2 == 0 {
                    client.stream().shutdown(Shutdown::Both).unwrap();
                    eventually(PATIENCE, "the cut is noticed", || {
                        gauge(address, "detached") == 1
                    });
                }
                // Else as its own other connection, which is still there.
                let (next, greeting) =
                    Connection::resume(address, "/world", &client, PATIENCE).unwrap();
                let user = greeting.user.as_ref().map(UserId::as_str);
                assert_eq!(user, Some("anna"), "round {round}");
                assert_eq!(greeting.connect.unwrap().as_str(), "7");
                client = next;
            }
            if rule == OnExceed::Deny {
                assert_eq!(connect(address, "anna").hear(), denied(1));
            }
            let closed = |event: &Event| matches!(event, Event::Closed(..));
            assert!(!log.lock().unwrap().iter().any(closed));
            eventually(PATIENCE, "all rounds are counted", || {
                gauge(address, "resumed") == 4
            });
            drop(client);
            end(running);
        }
    });
}
