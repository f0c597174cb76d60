//! The listener of operators over real sockets: who is answered, what each command does, and what a shard that stands still
//! costs whoever asks it.

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use worldshard::policy::TenantOptions;
use worldshard::prelude::*;
use worldshard::{Auth, LogControl, Runtime};
use worldshard_transport::MessageKind;

use crate::operators::{TOKEN, admin, ask, ask_json, ask_showing};
use crate::socket::{
    Client, Heard, PATIENCE, answer, echo_app, end, eventually, get, now, on_each_runtime, serve,
    tcp,
};

#[derive(Default)]
struct Quiet;

impl Service for Quiet {}

fn app(runtime: Runtime, shards: u16) -> App {
    let mut app = echo_app(runtime, shards);
    app.raw("/ws")
        .lanes("/world")
        .world(WorldConfig::default())
        .avatar(|_, at| Draft::at(at))
        .rooms(Rooms::at("/room/{room}", |_| Quiet))
        .options(|options| {
            options.auth = Some(Auth::None);
            options.admin = Some(admin());
        });
    app
}

const READ: [&str; 8] = [
    "/metrics",
    "/status",
    "/v1/status",
    "/v1/sessions",
    "/v1/session?id=1",
    "/v1/entity?id=1",
    "/v1/room?name=a",
    "/v1/log",
];

const COMMANDS: [&str; 4] = [
    "/v1/kick?id=1",
    "/v1/broadcast?text=a",
    "/v1/drain",
    "/v1/log?level=debug",
];

#[test]
fn only_who_shows_the_token_is_answered_and_clients_reach_none_of_it() {
    on_each_runtime(|runtime| {
        let (running, address) = serve(&mut app(runtime, 1));
        let operators = running.admin_addr().unwrap();
        for path in ["/healthz", "/readyz"] {
            assert_eq!(ask_showing(operators, "GET", path, "").0, 200, "{path}");
        }
        let wrong = [
            String::new(),
            "Authorization: Bearer \r\n".to_owned(),
            format!("Authorization: Bearer {}\r\n", &TOKEN[1..]),
            format!("Authorization: Bearer {TOKEN}x\r\n"),
            format!("Authorization: Basic {TOKEN}\r\n"),
            format!("Authorization: {TOKEN}\r\n"),
            format!("Authorization: Bearer {TOKEN}\r\nAuthorization: Bearer {TOKEN}\r\n"),
        ];
        for lines in &wrong {
            for path in READ.iter().chain(&["/nothing"]) {
                let (status, body) = ask_showing(operators, "GET", path, lines);
                assert_eq!(status, 401, "{path} {lines}: {body}");
            }
            for path in COMMANDS {
                assert_eq!(ask_showing(operators, "POST", path, lines).0, 401, "{path}");
            }
        }
        for path in READ.iter().filter(|path| **path != "/status") {
            let lines = format!("Authorization: Bearer {TOKEN}\r\n");
            assert_eq!(ask_showing(address, "GET", path, &lines).0, 404, "{path}");
        }
        for path in COMMANDS {
            let lines = format!("Authorization: Bearer {TOKEN}\r\n");
            assert_eq!(ask_showing(address, "POST", path, &lines).0, 404, "{path}");
            assert_eq!(
                ask(operators, "GET", path).0,
                if path.contains("log") { 404 } else { 405 }
            );
        }
        assert_eq!(ask(operators, "POST", "/v1/sessions").0, 405);
        assert_eq!(ask(operators, "GET", "/v1/nothing").0, 404);
        end(running);
    });
}

#[test]
fn sessions_are_listed_by_pages_inspected_kicked_and_told() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            commands(runtime, shards);
        }
    });
}

fn commands(runtime: Runtime, shards: u16) {
    let mut app = app(runtime, shards);
    app.options(|options| {
        options.tenants = vec![TenantOptions::new("red"), TenantOptions::new("blue")];
    });
    let (running, address) = serve(&mut app);
    let operators = running.admin_addr().unwrap();
    let connect = |path: &str, user: u32| {
        Client::connect(address, &format!("{path}?tenant=red&user=u{user}"))
    };
    let mut raw: Vec<Client> = (0..7).map(|user| connect("/ws", user)).collect();
    let mut lanes = connect("/world", 7);
    let Heard::Message(_, greeting) = lanes.hear() else {
        panic!("no greeting");
    };
    let greeting: Value = serde_json::from_slice(&greeting).unwrap();
    let member = connect("/room/kitchen", 8);
    for client in &mut raw {
        client.echoes(MessageKind::Text, b"here");
    }
    every_session_is_on_one_page(operators);
    sessions_and_rooms_are_inspected(operators, &greeting["data"]);
    tenants_are_told(operators, &mut raw, &mut lanes);
    let third = session_of(operators, "u3");
    ask_json(
        operators,
        "POST",
        &format!("/v1/kick?id={third}&reason=too+loud"),
    );
    assert_eq!(raw[3].hear(), Heard::Close(Some(1008), "kicked".to_owned()));
    drop(raw.remove(3));
    eventually(PATIENCE, "it is gone", || {
        ask(operators, "GET", &format!("/v1/session?id={third}")).0 == 404
    });
    assert_eq!(
        ask(operators, "POST", &format!("/v1/kick?id={third}")).0,
        404
    );
    assert_eq!(ask(operators, "POST", "/v1/kick?id=many").0, 400);

    assert_eq!(ask_json(operators, "POST", "/v1/drain")["draining"], true);
    for client in &mut raw {
        assert_eq!(
            client.hear(),
            Heard::Close(Some(1001), "the server stops".to_owned())
        );
    }
    drop((raw, lanes, member));
    running.join().unwrap();
}

fn every_session_is_on_one_page(operators: SocketAddr) {
    let mut seen = Vec::new();
    let mut after = 0;
    loop {
        let page = ask_json(
            operators,
            "GET",
            &format!("/v1/sessions?limit=2&after={after}"),
        );
        seen.extend(page["sessions"].as_array().unwrap().clone());
        match page["next"].as_u64() {
            Some(next) => after = next,
            None => break,
        }
    }
    let mut users: Vec<&str> = seen
        .iter()
        .map(|one| one["user"].as_str().unwrap())
        .collect();
    users.sort_unstable();
    assert_eq!(
        users,
        ["u0", "u1", "u2", "u3", "u4", "u5", "u6", "u7", "u8"]
    );
    assert!(
        seen.iter()
            .all(|one| one["state"] == "open" && one["tenant"] == "red")
    );
}

fn session_of(operators: SocketAddr, user: &str) -> u64 {
    let page = ask_json(operators, "GET", &format!("/v1/sessions?user={user}"));
    page["sessions"][0]["session"].as_u64().unwrap()
}

fn sessions_and_rooms_are_inspected(operators: SocketAddr, greeting: &Value) {
    let session = greeting["session"].as_u64().unwrap();
    let info = ask_json(operators, "GET", &format!("/v1/session?id={session}"));
    assert_eq!(info["user"], "u7");
    assert_eq!(info["trace"], greeting["trace"]);
    assert_eq!(info["lanes"], true);

    let room = ask_json(operators, "GET", "/v1/room?name=kitchen");
    assert_eq!(room["members"][0]["user"], "u8");
    let inside = session_of(operators, "u8");
    let inside = ask_json(operators, "GET", &format!("/v1/session?id={inside}"));
    assert_eq!(inside["rooms"][0]["name"], "kitchen");
    assert_eq!(ask(operators, "GET", "/v1/room?name=cellar").0, 404);
}

fn tenants_are_told(operators: SocketAddr, raw: &mut [Client], lanes: &mut Client) {
    let told = ask_json(
        operators,
        "POST",
        "/v1/broadcast?text=tea+is+ready&tenant=red",
    );
    assert_eq!(told["told"], 9);
    assert_eq!(
        ask_json(operators, "POST", "/v1/broadcast?text=x&tenant=blue")["told"],
        0
    );
    assert_eq!(
        ask(operators, "POST", "/v1/broadcast?text=x&tenant=green").0,
        404
    );
    for client in raw {
        let notice = Heard::Message(MessageKind::Text, b"tea is ready".to_vec());
        assert_eq!(client.hear(), notice);
    }
    let Heard::Message(_, notice) = lanes.hear() else {
        panic!("no notice");
    };
    let notice: Value = serde_json::from_slice(&notice).unwrap();
    assert_eq!(
        (&notice["type"], &notice["data"]["text"]),
        (&"notice".into(), &"tea is ready".into())
    );
}

#[test]
fn a_shard_that_stands_still_is_named_to_who_asks_it() {
    on_each_runtime(|runtime| {
        let (running, _) = serve(&mut app(runtime, 2));
        let operators = running.admin_addr().unwrap();
        eventually(PATIENCE, "both answer", || {
            ask(operators, "GET", "/v1/sessions").0 == 200
        });
        running.debug_freeze(1, Duration::from_secs(6));
        eventually(PATIENCE, "one does not", || {
            let (status, body) = ask(operators, "GET", "/v1/sessions");
            (status, body.as_str()) == (504, "no answer from shards: 1\n")
        });
        // What needs no shard is answered meanwhile.
        assert_eq!(ask(operators, "GET", "/metrics").0, 200);
        assert_eq!(
            get(operators, "/healthz"),
            (503, "stale shards: 1\n".to_owned())
        );
        end(running);
    });
}

#[test]
fn heads_connections_and_time_are_bounded() {
    on_each_runtime(|runtime| {
        let (running, _) = serve(&mut app(runtime, 1));
        let operators = running.admin_addr().unwrap();
        let long = format!("X: {}\r\n", "x".repeat(9000));
        assert_eq!(ask_showing(operators, "GET", "/metrics", &long).0, 431);
        assert_eq!(
            ask_showing(operators, "POST", "/v1/drain", "Content-Length: 5\r\n").0,
            413
        );
        // More than are answered at once.
        let mut slow: Vec<_> = (0..20).map(|_| tcp(operators)).collect();
        for one in &mut slow {
            // Who is refused may be gone by now.
            let _ = one.write_all(b"GET /healthz HTTP/1.1\r\n");
        }
        let answers: Vec<u16> = slow.iter_mut().map(|one| answer(one).0).collect();
        // The others had their time.
        let count = |status: u16| answers.iter().filter(|one| **one == status).count();
        assert!(count(503) >= 4 && count(408) >= 1, "{answers:?}");
        assert_eq!(count(503) + count(408), 20, "{answers:?}");
        eventually(PATIENCE, "there is room again", || {
            get(operators, "/healthz").0 == 200
        });
        end(running);
    });
}

#[test]
fn who_is_refused_for_want_of_room_holds_nobody_up() {
    on_each_runtime(|runtime| {
        let (running, _) = serve(&mut app(runtime, 1));
        let operators = running.admin_addr().unwrap();
        // They say nothing and do not leave: 16 have their five seconds, the others no room.
        let idle: Vec<_> = (0..60).map(|_| tcp(operators)).collect();
        let since = now();
        let (status, _) = ask_showing(operators, "GET", "/healthz", "");
        let waited = since.elapsed();
        assert_eq!(status, 503);
        assert!(waited < Duration::from_secs(4), "{waited:?}");
        drop(idle);
        eventually(PATIENCE, "there is room again", || {
            get(operators, "/healthz").0 == 200
        });
        end(running);
    });
}

#[test]
fn a_query_that_a_path_does_not_take_is_refused() {
    on_each_runtime(|runtime| {
        let (running, _) = serve(&mut app(runtime, 1));
        let operators = running.admin_addr().unwrap();
        let refused = |method: &str, target: &str, why: &str| {
            let (status, body) = ask(operators, method, target);
            assert_eq!((status, body.as_str()), (400, why), "{target}");
        };
        // Each would have done more than was meant.
        refused(
            "POST",
            "/v1/broadcast?text=x&tennant=red",
            "tennant: unknown; taken is text, tenant\n",
        );
        refused(
            "POST",
            "/v1/ban?ip=192.0.2.7&second=60",
            "second: unknown; taken is ip, user, tenant, reason, seconds\n",
        );
        refused("POST", "/v1/drain?in=60", "in: unknown; taken is nothing\n");
        refused("POST", "/v1/kick?id=1&id=2", "id: said twice\n");
        let whom = "either ip alone, or user and perhaps tenant\n";
        refused("POST", "/v1/ban?ip=192.0.2.7&tenant=default", whom);
        refused("POST", "/v1/unban?ip=192.0.2.7&tenant=default", whom);
        refused(
            "POST",
            "/v1/ban?ip=192.0.2.7&seconds=0",
            "seconds: at least 1; without, for ever\n",
        );
        assert_eq!(ask(operators, "GET", "/v1/sessions?tenant=nobody").0, 404);
        let bans = ask_json(operators, "GET", "/v1/bans");
        assert_eq!(bans["bans"].as_array().unwrap().len(), 0, "{bans}");
        assert_eq!(get(operators, "/readyz").0, 200);
        end(running);
    });
}

#[test]
fn the_log_is_changed_by_whoever_set_it_up() {
    on_each_runtime(|runtime| {
        let level = std::sync::Arc::new(std::sync::Mutex::new("info".to_owned()));
        let (read, written) = (level.clone(), level.clone());
        let control = LogControl::new(
            move || read.lock().unwrap().clone(),
            move |level| match level {
                "debug" => {
                    "debug".clone_into(&mut written.lock().unwrap());
                    Ok(())
                }
                _ => Err("debug".to_owned()),
            },
        );
        let mut app = app(runtime, 1);
        app.options(|options| {
            options.admin.as_mut().unwrap().log = Some(control);
        });
        let (running, _) = serve(&mut app);
        let operators = running.admin_addr().unwrap();
        assert_eq!(ask_json(operators, "GET", "/v1/log")["level"], "info");
        assert_eq!(
            ask_json(operators, "POST", "/v1/log?level=debug")["level"],
            "debug"
        );
        assert_eq!(*level.lock().unwrap(), "debug");
        assert_eq!(ask(operators, "POST", "/v1/log?level=loud").0, 400);
        end(running);
    });
}
