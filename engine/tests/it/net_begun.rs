//! Who may begin a room by a `POST`, over real sockets, on each runtime: by bans, by how fast, and as whoever decides says.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::Receiver;
use std::thread::scope;
use std::time::Duration;

use worldshard::policy::{Ban, Banned, HandshakeLimit};
use worldshard::prelude::*;
use worldshard::{Applicant, Auth, Runtime};
use worldshard_transport::MessageKind;

use crate::net_decided::{answer_all, clerk};
use crate::socket::{
    Client, PATIENCE, answer, end, eventually, get, http, on_each_runtime, serve, tcp,
};

/// Sends what is said to all of its room.
struct Echo;

impl Service for Echo {
    fn message(&mut self, room: &mut Room<'_>, _: SessionId, payload: &Payload) {
        room.send(Audience::All, payload.clone());
    }
}

fn app(
    runtime: Runtime,
    shards: u16,
    creation: Creation,
    change: impl FnOnce(&mut ServerOptions),
) -> App {
    let mut app = App::new();
    app.bind("127.0.0.1:0")
        .runtime(runtime)
        .shards(shards)
        .rooms(Rooms::at("/room/{room}", |_| Echo).creation(creation))
        .options(change);
    app
}

fn request(path: &str, lines: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n{lines}\r\n")
}

fn post(address: SocketAddr, path: &str) -> (u16, String) {
    http(address, &request(path, ""))
}

/// The same of who shows a credential.
fn post_as(address: SocketAddr, path: &str, credential: &str) -> (u16, String) {
    let line = format!("Authorization: Bearer {credential}\r\n");
    http(address, &request(path, &line))
}

fn everywhere(test: impl Fn(Runtime, u16)) {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            test(runtime, shards);
        }
    });
}

#[test]
fn a_user_who_is_banned_begins_no_room_where_nobody_is_asked_to_prove_anything() {
    everywhere(|runtime, shards| {
        let creation = Creation::Explicit;
        let (running, address) = serve(&mut app(runtime, shards, creation, |options| {
            options.auth = Some(Auth::None);
            options.bans = vec![Ban {
                whom: Banned::User {
                    tenant: "default".to_owned(),
                    user: UserId::new("eve").unwrap(),
                },
                reason: "spam".to_owned(),
                until: None,
            }];
        }));
        for name in ["a", "b", "c", "d"] {
            let path = format!("/room/{name}");
            let banned = (403, "banned: spam\n".to_owned());
            assert_eq!(post(address, &format!("{path}?user=eve")), banned);
            assert_eq!(post(address, &format!("{path}?user=anna")).0, 201);
        }
        // As when it connects, a user that cannot be is one.
        assert_eq!(post(address, "/room/e?user=").0, 400);
        assert_eq!(running.tenants()[0].refused["banned"], 4);
        end(running);
    });
}

#[test]
fn who_begins_rooms_too_fast_is_told_when_to_come_back() {
    everywhere(|runtime, shards| {
        let creation = Creation::Short(12);
        let (running, address) = serve(&mut app(runtime, shards, creation, |options| {
            options.handshakes = Some(HandshakeLimit {
                global_per_second: 100_000,
                global_burst: 100_000,
                per_ip_per_second: 1,
                per_ip_burst: 5,
                ip_entries_max: 1000,
            });
        }));
        let began = crate::socket::now();
        let mut counts = [0_u64; 2];
        for _ in 0..40 {
            let (status, body) = post(address, "/new_room");
            match status {
                201 => counts[0] += 1,
                429 => {
                    assert_eq!(body, "too many handshakes");
                    counts[1] += 1;
                }
                other => panic!("{other}: {body}"),
            }
        }
        let passed = began.elapsed().as_secs() + 1;
        assert!((5..=5 + passed).contains(&counts[0]), "{counts:?}");
        assert_eq!(counts[0] + counts[1], 40);
        // What begins no room is asked for nothing.
        assert_eq!(post(address, "/nowhere").0, 404);
        end(running);
    });
}

/// With a clerk that answers on a thread of its own.
fn with_clerk(
    creation: Creation,
    change: impl Fn(&mut ServerOptions),
    test: impl Fn(SocketAddr, &Running),
) {
    everywhere(|runtime, shards| {
        let (auth, applicants) = clerk();
        let (running, address) = serve(&mut app(runtime, shards, creation, |options| {
            options.auth = Some(auth);
            options.limits.close_deadline = Duration::from_millis(500);
            change(options);
        }));
        scope(|scope| {
            scope.spawn(move || answer_all(&applicants));
            test(address, &running);
            end(running);
        });
    });
}

#[test]
fn whoever_decides_is_asked_who_begins_a_room() {
    with_clerk(
        Creation::Explicit,
        |_| {},
        |address, _| {
            for name in ["a", "b", "c", "d"] {
                let path = format!("/room/{name}");
                for (credential, why) in [
                    ("bad", "no seat"),
                    ("lost", "nobody decided"),
                    ("panic", "nobody decided"),
                    ("elsewhere", "the token is another tenant's"),
                ] {
                    let refused = (401, format!("AUTH_FAILED: {why}\n"));
                    assert_eq!(post_as(address, &path, credential), refused);
                    let in_query = format!("{path}?token={credential}");
                    assert_eq!(post(address, &in_query), refused);
                }
                let early = Client::ask(address, &format!("{path}?token=good"), "");
                assert_eq!(early.err().map(|(status, _)| status), Some(404));
                assert_eq!(post_as(address, &path, "good"), (201, format!("{name}\n")));
                assert_eq!(post_as(address, &path, "nobody").0, 409);
                let mut client = Client::connect(address, &format!("{path}?token=good"));
                client.echoes(MessageKind::Text, b"there");
            }
        },
    );
}

#[test]
fn a_name_is_drawn_for_whom_the_decider_allows() {
    with_clerk(
        Creation::Uuid,
        |_| {},
        |address, _| {
            for _ in 0..4 {
                let (status, name) = post(address, "/new_room?token=nobody");
                assert_eq!((status, name.len()), (201, 37), "{name}");
                let path = format!("/room/{}?token=good", name.trim());
                Client::connect(address, &path).echoes(MessageKind::Text, b"there");
            }
            assert_eq!(post(address, "/new_room?token=bad").0, 401);
        },
    );
}

#[test]
fn a_decision_on_a_room_that_never_comes_ends_with_the_deadline_and_holds_up_nobody() {
    with_clerk(
        Creation::Explicit,
        |options| options.limits.auth_deadline = Duration::from_millis(300),
        |address, _| {
            assert_eq!(post(address, "/room/there?token=good").0, 201);
            let mut client = Client::connect(address, "/room/there?token=good");
            for name in ["a", "b", "c", "d"] {
                let mut waits = tcp(address);
                let asks = request(&format!("/room/{name}"), "");
                waits.write_all(asks.as_bytes()).unwrap();
                client.echoes(MessageKind::Text, b"not held up");
                let told = (503, "TIMEOUT: no decision within 0.3 s\n".to_owned());
                assert_eq!(answer(&mut waits), told);
            }
        },
    );
    with_clerk(
        Creation::Explicit,
        |options| options.limits.decisions_max = 0,
        |address, _| {
            let full = "RESOURCE_EXHAUSTED: too many wait to be let in\n".to_owned();
            assert_eq!(post(address, "/room/a?token=good"), (503, full));
        },
    );
}

/// Asks for rooms of several shards, whose decision is the test's.
fn waiting(
    address: SocketAddr,
    applicants: &Receiver<Applicant>,
) -> (Vec<TcpStream>, Vec<Applicant>) {
    let names = ["a", "b", "c", "d"];
    let waiting: Vec<TcpStream> = names
        .iter()
        .map(|name| {
            let mut stream = tcp(address);
            let asks = request(&format!("/room/{name}?user=anna"), "");
            stream.write_all(asks.as_bytes()).unwrap();
            stream
        })
        .collect();
    let applicants = names.map(|_| applicants.recv_timeout(PATIENCE).unwrap());
    for applicant in &applicants {
        assert!(applicant.begins_room);
        assert_eq!(applicant.credential(), None);
        assert_eq!(applicant.user.as_ref().unwrap().as_str(), "anna");
        assert!(applicant.path.starts_with("/room/"), "{}", applicant.path);
    }
    (waiting, applicants.into())
}

#[test]
fn who_waits_for_a_room_is_told_of_a_ban_and_of_the_stop() {
    everywhere(|runtime, shards| {
        let (auth, applicants) = clerk();
        let (running, address) = serve(&mut app(runtime, shards, Creation::Explicit, |options| {
            options.auth = Some(auth);
            options.limits.auth_deadline = Duration::from_secs(60);
            options.limits.drain_max = Duration::from_secs(2);
        }));
        let anna = UserId::new("anna").unwrap();
        let ban = |whom: &Banned| Ban {
            whom: whom.clone(),
            reason: "spam".to_owned(),
            until: None,
        };
        let banned = (403, "banned: spam\n".to_owned());
        // A user, by the name that the decider says.
        let (streams, asked) = waiting(address, &applicants);
        let user = Banned::User {
            tenant: "default".to_owned(),
            user: anna.clone(),
        };
        running.ban(&ban(&user)).unwrap();
        for applicant in asked {
            applicant.token.allow(worldshard::Entry {
                user: Some(anna.clone()),
                ..worldshard::Entry::default()
            });
        }
        for mut stream in streams {
            assert_eq!(answer(&mut stream), banned);
        }
        running.unban(&user);
        // An address, while it waits.
        let (streams, asked) = waiting(address, &applicants);
        let here = Banned::Ip("127.0.0.1".parse().unwrap());
        running.ban(&ban(&here)).unwrap();
        for mut stream in streams {
            assert_eq!(answer(&mut stream), banned);
        }
        assert!(asked.iter().all(|one| !one.token.is_wanted()));
        running.unban(&here);
        // Who has hung up is waited for no more.
        let (streams, asked) = waiting(address, &applicants);
        drop(streams);
        eventually(PATIENCE, "nobody wants to know any more", || {
            asked.iter().all(|one| !one.token.is_wanted())
        });
        assert_eq!(get(address, "/healthz").0, 200);
        let (streams, asked) = waiting(address, &applicants);
        running.stop();
        for mut stream in streams {
            assert_eq!(answer(&mut stream).0, 503);
        }
        running.join().unwrap();
        drop(asked);
    });
}
