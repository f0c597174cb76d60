//! Plain HTTP on the WebSocket's port: routes, health, refusals, deadlines.

use std::io::Write;
use std::time::Duration;

use worldshard::Runtime;
use worldshard_transport::{MessageKind, Response};

use crate::socket::{
    Client, Heard, PATIENCE, answer, echo_app, end, eventually, get, http, now, on_each_runtime,
    serve, tcp,
};

#[test]
fn a_route_health_and_an_upgrade_share_one_port() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let mut app = echo_app(runtime, shards);
            app.route("/hello", |head| {
                let name = head.query_value("name").unwrap_or_default().into_owned();
                Response::text(200, format!("hello {name}"))
            });
            let (running, address) = serve(&mut app);
            // Whichever shard a connection comes to, it answers all of this.
            for _ in 0..shards {
                assert_eq!(
                    get(address, "/hello?name=you"),
                    (200, "hello you".to_owned())
                );
                assert_eq!(get(address, "/healthz"), (200, "ok\n".to_owned()));
                Client::connect(address, "/ws").echoes(MessageKind::Text, b"and this");
                assert_eq!(get(address, "/nowhere").0, 404);
                assert_eq!(get(address, "/ws").0, 426);
                let head_only = http(address, "HEAD /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
                assert_eq!(head_only, (200, String::new()));
            }
            end(running);
        }
    });
}

#[test]
fn the_status_names_connections_and_ticks() {
    on_each_runtime(|runtime| {
        let (running, address) = serve(&mut echo_app(runtime, 2));
        let _client = Client::connect(address, "/ws");
        eventually(Duration::from_secs(5), "ticks in the status", || {
            let (status, body) = get(address, "/status");
            assert_eq!(status, 200);
            let json: serde_json::Value = serde_json::from_str(&body).unwrap();
            json["tick"].as_u64().unwrap() > 2
                && json["connections"].as_u64().unwrap() >= 2
                && json["idle_seconds"] == 0
                && json["shards"].as_array().unwrap().len() == 2
        });
        end(running);
    });
}

#[test]
fn the_seconds_of_idleness_count_up_only_while_nobody_is_there() {
    on_each_runtime(|runtime| {
        // At the same time: they all do nothing for most of it.
        std::thread::scope(|scope| {
            for shards in [1, 2, 8] {
                scope.spawn(move || counts_idle_seconds(runtime, shards));
            }
        });
    });
}

fn counts_idle_seconds(runtime: Runtime, shards: u16) {
    let (running, address) = serve(&mut echo_app(runtime, shards));
    let idle_seconds = || {
        let (_, body) = get(address, "/status");
        let json: serde_json::Value = serde_json::from_str(&body).unwrap();
        json["idle_seconds"].as_u64().unwrap()
    };
    let mut client = Client::connect(address, "/ws");
    // Whoever asks does not count, and a client counts however long it is silent.
    let until = now() + Duration::from_millis(1500);
    while now() < until {
        assert_eq!(idle_seconds(), 0);
        std::thread::park_timeout(Duration::from_millis(100));
    }
    client.close(1000, "");
    while client.hear() != Heard::End {}
    drop(client);
    let began = now();
    let mut last = 0;
    eventually(PATIENCE, "two seconds of idleness", || {
        let seconds = idle_seconds();
        assert!(seconds >= last, "from {last} to {seconds}");
        last = seconds;
        seconds >= 2
    });
    // It had been there a moment before.
    assert!(began.elapsed() > Duration::from_millis(1500));
    let mut client = Client::connect(address, "/ws");
    client.echoes(MessageKind::Text, b"again");
    assert_eq!(idle_seconds(), 0);
    end(running);
}

#[test]
fn bad_heads_are_refused_with_a_reason() {
    on_each_runtime(|runtime| {
        let (running, address) = serve(&mut echo_app(runtime, 1));
        let long = format!(
            "GET / HTTP/1.1\r\nHost: x\r\nA: {}\r\n\r\n",
            "a".repeat(9000)
        );
        for (request, status) in [
            ("\u{16}\u{3}\u{1} tls is not spoken\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\n\r\n", 400),
            ("GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505),
            (&long, 431),
            (
                "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
                 Origin: https://evil.example\r\n\r\n",
                403,
            ),
        ] {
            let (told, reason) = http(address, request);
            assert_eq!(told, status, "{request:.60}");
            assert!(reason.len() > 3, "{request:.60}");
        }
        end(running);
    });
}

#[test]
fn a_head_that_dribbles_is_cut_at_its_deadline_while_others_are_served() {
    on_each_runtime(|runtime| {
        let mut app = echo_app(runtime, 1);
        app.options(|options| options.limits.head_deadline = Duration::from_millis(300));
        let (running, address) = serve(&mut app);
        let began = now();
        let mut silent = tcp(address);
        let mut dribbling = tcp(address);
        let mut client = Client::connect(address, "/ws");
        dribbling.write_all(b"GET / HT").unwrap();
        client.echoes(MessageKind::Text, b"meanwhile");
        assert_eq!(answer(&mut dribbling).0, 408);
        assert_eq!(answer(&mut silent).0, 408);
        assert!(began.elapsed() < Duration::from_secs(3));
        client.echoes(MessageKind::Text, b"still");
        end(running);
    });
}

#[test]
fn more_connections_than_allowed_are_told_to_come_back() {
    on_each_runtime(|runtime| {
        let mut app = echo_app(runtime, 1);
        app.options(|options| options.limits.connections_max = 2);
        let (running, address) = serve(&mut app);
        let mut clients = [
            Client::connect(address, "/ws"),
            Client::connect(address, "/ws"),
        ];
        assert_eq!(get(address, "/healthz").0, 503);
        clients[0].echoes(MessageKind::Text, b"undisturbed");
        clients[0].close(1000, "");
        clients[0].hear();
        drop(clients);
        eventually(Duration::from_secs(5), "a place is free again", || {
            get(address, "/healthz").0 == 200
        });
        end(running);
    });
}
