//! Too many handshakes, over real sockets, on each runtime: who is told to come back when, and that nobody else is.

use std::io::Read as _;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use worldshard::policy::{HandshakeLimit, TenantOptions};
use worldshard::prelude::*;
use worldshard_transport::MessageKind;

use crate::child::{Child, serve_if_child};
use crate::socket::{Client, echo_app, end, get, http, now, on_each_runtime, serve};
use crate::tls::{Authority, connect as connect_tls};
use crate::upgrade::{Answer, ask, tcp_from};

/// So many at once of one address, and one more a second.
const BURST: u32 = 5;

fn limit() -> HandshakeLimit {
    HandshakeLimit {
        global_per_second: 100_000,
        global_burst: 100_000,
        per_ip_per_second: 1,
        per_ip_burst: BURST,
        ip_entries_max: 1000,
    }
}

fn refused(answer: &Answer) -> bool {
    if answer.status == 101 {
        return false;
    }
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (429, "too many handshakes")
    );
    let wait: u32 = answer.header("Retry-After").unwrap().parse().unwrap();
    assert_eq!(wait, 1, "one comes back each second");
    true
}

fn upgrade(source: &str, address: SocketAddr, lines: &str) -> Answer {
    ask(&mut tcp_from(source, address), "/ws", lines)
}

/// Of so many in a row, as many as were granted, and as many as may have been: the clock runs meanwhile.
fn flood(count: u32, one: impl Fn() -> bool) -> (u32, std::ops::RangeInclusive<u32>) {
    let began = now();
    let granted = (0..count).filter(|_| !one()).count() as u32;
    let passed = began.elapsed().as_secs() as u32 + 1;
    (granted, BURST..=BURST + passed)
}

#[test]
fn an_address_that_is_too_fast_is_told_when_to_come_back_and_takes_nothing_from_others() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let mut app = echo_app(runtime, shards);
            app.options(|options| options.handshakes = Some(limit()));
            let (running, address) = serve(&mut app);
            // The first one works.
            Client::connect(address, "/ws").echoes(MessageKind::Text, b"hello");
            let (granted, may) = flood(60, || refused(&upgrade("127.0.0.2", address, "")));
            assert!(may.contains(&granted), "{granted} of {may:?}");
            for other in 3..103 {
                let answer = upgrade(&format!("127.0.0.{other}"), address, "");
                assert_eq!(answer.status, 101, "127.0.0.{other}");
            }
            // What is no upgrade is not counted.
            for path in ["/healthz", "/status"] {
                let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
                let mut stream = tcp_from("127.0.0.2", address);
                std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
                assert_eq!(crate::socket::answer(&mut stream).0, 200);
            }
            // No limit any more.
            running.reload(&ServerOptions::default()).unwrap();
            for _ in 0..20 {
                assert_eq!(upgrade("127.0.0.2", address, "").status, 101);
            }
            end(running);
        }
    });
}

#[test]
fn all_together_have_a_limit_too_and_who_is_refused_is_counted() {
    on_each_runtime(|runtime| {
        let mut app = echo_app(runtime, 2);
        app.options(|options| {
            options.tenants = vec![TenantOptions::new("acme")];
            options.handshakes = Some(HandshakeLimit {
                global_per_second: 1,
                global_burst: BURST,
                per_ip_burst: 100,
                ..limit()
            });
        });
        let (running, address) = serve(&mut app);
        let next = std::cell::Cell::new(2);
        let (granted, may) = flood(40, || {
            next.set(next.get() + 1);
            let mut stream = tcp_from(&format!("127.0.0.{}", next.get()), address);
            refused(&ask(&mut stream, "/ws?tenant=acme", ""))
        });
        assert!(may.contains(&granted), "{granted} of {may:?}");
        let status: Value = serde_json::from_str(&get(address, "/status").1).unwrap();
        let counted = &status["tenants"][0]["refused"];
        assert_eq!(counted["handshakes"], 40 - granted);
        assert_eq!(counted["handshakes_of_address"], 0);
        end(running);
    });
}

#[test]
fn only_a_proxy_that_is_believed_says_for_whom_it_connects() {
    on_each_runtime(|runtime| {
        let mut app = echo_app(runtime, 2);
        app.options(|options| {
            options.handshakes = Some(limit());
            options.proxies = vec!["127.0.0.9".parse().unwrap(), "10.0.0.1".parse().unwrap()];
        });
        let (running, address) = serve(&mut app);
        let next = std::cell::Cell::new(0);
        let count = || next.replace(next.get() + 1) % 200;
        let forwarded = |number: u32| format!("X-Forwarded-For: 203.0.113.{number}\r\n");
        // Somebody else's word is nothing.
        let (granted, may) = flood(30, || {
            refused(&upgrade("127.0.0.2", address, &forwarded(count())))
        });
        assert!(may.contains(&granted), "{granted} of {may:?}");
        // A proxy's is, for each client by itself, and past other proxies; what the client made up before is not.
        for number in 0..100 {
            assert_eq!(
                upgrade("127.0.0.9", address, &forwarded(number)).status,
                101
            );
        }
        let (granted, may) = flood(30, || {
            let made_up = count();
            let hops = format!(
                "X-Forwarded-For: 198.51.100.{made_up}, 192.0.2.1\r\nX-Forwarded-For: 10.0.0.1\r\n"
            );
            refused(&upgrade("127.0.0.9", address, &hops))
        });
        assert!(may.contains(&granted), "{granted} of {may:?}");
        end(running);
    });
}

#[test]
fn handshakes_of_ever_more_addresses_take_no_more_memory_than_a_thousand_of_them() {
    serve_if_child(|runtime| {
        let mut app = echo_app(runtime, 2);
        app.options(|options| {
            options.handshakes = Some(limit());
            options.proxies = vec!["127.0.0.9".parse().unwrap()];
        });
        app
    });
    let full = std::env::var("WORLDSHARD_FULL").is_ok_and(|full| full == "1");
    let many: u32 = if full { 300_000 } else { 20_000 };
    on_each_runtime(|runtime| {
        let name = "net_handshakes::handshakes_of_ever_more_addresses_take_no_more_memory_than_a_thousand_of_them";
        let child = Child::start(name, runtime, 1024);
        // Half of them come by a proxy.
        let come = |number: u32| {
            let [_, high, middle, low] = number.to_be_bytes();
            let (source, forwarded) = match number % 2 {
                0 => (format!("127.{}.{middle}.{low}", 1 + high), String::new()),
                _ => (
                    "127.0.0.9".to_owned(),
                    format!("X-Forwarded-For: 10.{high}.{middle}.{low}\r\n"),
                ),
            };
            let mut stream = tcp_from(&source, child.address);
            // No port waits for late packets.
            let reset = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
            reset.unwrap();
            let answer = ask(&mut stream, "/ws", &forwarded);
            assert_eq!(answer.status, 101, "{source} {forwarded}");
        };
        let resident_kib = || {
            let status = std::fs::read_to_string(child.proc("status")).unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
            let kib = line.unwrap().trim().strip_suffix(" kB").unwrap();
            kib.parse::<u64>().unwrap()
        };
        (0..KNOWN_BEFORE).for_each(come);
        let before = resident_kib();
        (KNOWN_BEFORE..KNOWN_BEFORE + many).for_each(come);
        let after = resident_kib();
        println!("{runtime}: {before} KiB, and {after} KiB {many} addresses later");
        assert!(after <= before + GROWTH_KIB_MAX, "{before} to {after} KiB");
        child.end();
    });
}

/// More than are remembered, so that what grows at first has grown.
const KNOWN_BEFORE: u32 = 3000;

/// Each of 20 000 addresses would take 150 bytes if none were forgotten: three times as much.
const GROWTH_KIB_MAX: u64 = 1024;

#[test]
fn an_address_that_is_too_fast_does_not_begin_a_handshake_of_tls() {
    on_each_runtime(|runtime| {
        let authority = Authority::new("handshakes", runtime);
        authority.issue();
        let mut app = echo_app(runtime, 2);
        app.options(|options| {
            options.tls = Some(authority.options());
            options.handshakes = Some(HandshakeLimit {
                per_ip_burst: 1,
                ..limit()
            });
        });
        let (running, address) = serve(&mut app);
        let config = authority.client();
        let deadline = now() + Duration::from_secs(10);
        loop {
            assert_eq!(
                ask(&mut connect_tls(address, &config), "/ws", "").status,
                101
            );
            let began = now();
            let mut heard = Vec::new();
            tcp_from("127.0.0.1", address)
                .read_to_end(&mut heard)
                .unwrap_or(0);
            if heard == [21, 3, 3, 0, 2, 2, 80] {
                break;
            }
            // So slow a machine that another one had come back.
            assert!(
                now() < deadline && began.elapsed() > Duration::from_secs(1),
                "{heard:?}"
            );
        }
        end(running);
    });
}

#[test]
fn a_post_that_begins_no_room_is_no_handshake() {
    on_each_runtime(|runtime| {
        let mut app = echo_app(runtime, 1);
        app.options(|options| options.handshakes = Some(limit()));
        let (running, address) = serve(&mut app);
        for _ in 0..20 {
            let post = "POST /ws HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
            assert_ne!(http(address, post).0, 429);
        }
        end(running);
    });
}
