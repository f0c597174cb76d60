//! Peers that shake hands slowly, halfway or not at all, say what is no TLS, or do not read: each is bounded, and nobody
//! else notices.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use serde_json::Value;
use worldshard::prelude::*;
use worldshard_client::Connection;
use worldshard_protocol::{InterestWish, ViewpointMode};
use worldshard_transport::{MessageKind, masked_frame};

use crate::net_tls::{enter, sealed_echo};
use crate::socket::{
    Client, Heard, MASK, PATIENCE, answer, echo_app, end, eventually, http, now, on_each_runtime,
    serve, tcp,
};
use crate::tls::{Authority, client, connect, get, shake, tunnel};

/// What a client says first.
fn hello(config: &Arc<ClientConfig>) -> Vec<u8> {
    let mut bytes = Vec::new();
    client(config).write_tls(&mut bytes).unwrap();
    bytes
}

fn status(address: SocketAddr, config: &Arc<ClientConfig>) -> Value {
    serde_json::from_str(&get(address, config, "/status").1).unwrap()
}

/// Waits until nobody but who asks is connected.
fn all_are_gone(address: SocketAddr, config: &Arc<ClientConfig>) {
    eventually(PATIENCE, "all are gone", || {
        status(address, config)["connections"] == 1
    });
}

#[test]
fn a_plain_request_to_an_encrypted_port_is_told_what_to_ask_by() {
    on_each_runtime(|runtime| {
        let authority = Authority::new("plain", runtime);
        authority.issue();
        let config = authority.client();
        for shards in [1, 2, 8] {
            let (running, address) = serve(&mut sealed_echo(&authority, runtime, shards));
            for request in [
                "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                "PRI * HTTP/2.0\r\n\r\n",
            ] {
                let (status, body) = http(address, request);
                assert_eq!(status, 400);
                assert!(body.contains("https"), "{body}");
            }
            enter(address, &config).echoes(MessageKind::Text, b"others are served");
            all_are_gone(address, &config);
            end(running);
        }
    });
}

#[test]
fn what_is_no_tls_is_answered_by_an_alert() {
    on_each_runtime(|runtime| {
        let authority = Authority::new("garbage", runtime);
        authority.issue();
        let config = authority.client();
        for shards in [1, 2, 8] {
            let (running, address) = serve(&mut sealed_echo(&authority, runtime, shards));
            let mut damaged = hello(&config);
            damaged[11] ^= 0xff;
            damaged.truncate(60);
            damaged[3..5].copy_from_slice(&55_u16.to_be_bytes());
            damaged[6..9].copy_from_slice(&[0, 0, 51]);
            for garbage in [&[0; 100][..], &[0x80, 0x2e, 1, 3, 1, 0], &damaged] {
                let mut peer = tcp(address);
                peer.write_all(garbage).unwrap();
                let mut heard = Vec::new();
                peer.read_to_end(&mut heard).unwrap();
                // A fatal alert, and the end.
                assert_eq!((heard[0], heard[5], heard.len()), (21, 2, 7), "{heard:?}");
            }
            enter(address, &config).echoes(MessageKind::Text, b"others are served");
            all_are_gone(address, &config);
            end(running);
        }
    });
}

#[test]
fn whom_there_is_no_room_for_is_told_by_an_alert() {
    on_each_runtime(|runtime| {
        let authority = Authority::new("full", runtime);
        authority.issue();
        let config = authority.client();
        for shards in [1, 2, 8] {
            let mut app = sealed_echo(&authority, runtime, shards);
            app.options(|options| options.limits.connections_max = 1);
            let (running, address) = serve(&mut app);
            let mut client = enter(address, &config);
            let refused = shake(&mut connect(address, &config)).unwrap_err();
            assert!(refused.to_string().contains("InternalError"), "{refused}");
            client.echoes(MessageKind::Text, b"undisturbed");
            drop(client);
            eventually(PATIENCE, "a place is free again", || {
                shake(&mut connect(address, &config)).is_ok()
            });
            end(running);
        }
    });
}

#[test]
fn who_speaks_tls_to_a_plain_port_is_refused_as_any_bad_head() {
    on_each_runtime(|runtime| {
        let authority = Authority::new("plain-port", runtime);
        let config = authority.client();
        let (running, address) = serve(&mut echo_app(runtime, 1));
        assert!(shake(&mut connect(address, &config)).is_err());
        Client::connect(address, "/ws").echoes(MessageKind::Text, b"others are served");
        end(running);
    });
}

#[test]
fn slow_handshakes_and_silence_end_at_the_deadline_while_others_are_served() {
    on_each_runtime(|runtime| {
        let authority = Authority::new("slow", runtime);
        authority.issue();
        let config = authority.client();
        for shards in [1, 2, 8] {
            let mut app = sealed_echo(&authority, runtime, shards);
            app.options(|options| options.limits.head_deadline = Duration::from_millis(500));
            let (running, address) = serve(&mut app);
            let mut other = enter(address, &config);
            let began = now();
            let mut silent = tcp(address);
            let mut slow = tcp(address);
            // Shakes hands, and is silent then.
            let mut polite = connect(address, &config);
            shake(&mut polite).unwrap();
            let hello = hello(&config);
            slow.set_read_timeout(Some(Duration::from_millis(10)))
                .unwrap();
            let mut said = 0;
            let ended = loop {
                let written = slow.write(&hello[said..=said]);
                said += 1;
                other.echoes(MessageKind::Text, b"on time");
                assert!(said < hello.len(), "not within {:?}", began.elapsed());
                match slow.read(&mut [0; 8]) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock && written.is_ok() => {}
                    outcome => break outcome,
                }
            };
            assert!(ended.map_or(true, |len| len == 0));
            let took = began.elapsed();
            let (least, most) = (Duration::from_millis(450), Duration::from_secs(3));
            assert!((least..most).contains(&took), "{took:?}");
            assert_eq!(silent.read(&mut [0; 8]).unwrap(), 0);
            // There it is the head that is late, and there is a way to say so.
            assert_eq!(answer(&mut polite).0, 408);
            other.echoes(MessageKind::Text, b"still");
            end(running);
        }
    });
}

#[test]
fn handshakes_left_halfway_leave_nothing_behind() {
    on_each_runtime(|runtime| {
        let authority = Authority::new("halfway", runtime);
        authority.issue();
        let config = authority.client();
        for shards in [1, 2, 8] {
            let (running, address) = serve(&mut sealed_echo(&authority, runtime, shards));
            let hello = hello(&config);
            for part in [0, 1, 5, hello.len() / 2, hello.len()] {
                for reads in [false, true] {
                    for _ in 0..5 {
                        let mut peer = tcp(address);
                        peer.write_all(&hello[..part]).unwrap();
                        if reads && part == hello.len() {
                            assert!(peer.read(&mut [0; 1000]).unwrap() > 0);
                        }
                    }
                }
            }
            // And some that are complete, but end at once, in the middle of a record or of a frame.
            for cut in [0, 3, 30] {
                let mut peer = enter(address, &config);
                let frame = masked_frame(MessageKind::Binary, &[1; 100], MASK);
                let mut sealed = Vec::new();
                peer.stream.conn.writer().write_all(&frame).unwrap();
                peer.stream.conn.write_tls(&mut sealed).unwrap();
                peer.stream.sock.write_all(&sealed[..cut]).unwrap();
            }
            enter(address, &config).echoes(MessageKind::Text, b"others are served");
            all_are_gone(address, &config);
            end(running);
        }
    });
}

#[test]
fn a_damaged_record_ends_its_session_and_no_other() {
    on_each_runtime(|runtime| {
        let authority = Authority::new("damaged", runtime);
        authority.issue();
        let config = authority.client();
        for shards in [1, 2, 8] {
            let (running, address) = serve(&mut sealed_echo(&authority, runtime, shards));
            let mut other = enter(address, &config);
            for at in [0, 1, 3, 5, 20] {
                let mut peer = enter(address, &config);
                peer.echoes(MessageKind::Text, b"well so far");
                let frame = masked_frame(MessageKind::Binary, &[1; 100], MASK);
                let mut sealed = Vec::new();
                peer.stream.conn.writer().write_all(&frame).unwrap();
                peer.stream.conn.write_tls(&mut sealed).unwrap();
                sealed[at] ^= 0x40;
                // A length that is too short leaves some over, and one that is too long wants more.
                sealed.resize(sealed.len() + 20_000, 0);
                peer.stream.sock.write_all(&sealed).unwrap();
                let error = peer.stream.read(&mut [0; 8]).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::InvalidData, "{at}: {error}");
                other.echoes(MessageKind::Text, b"undisturbed");
            }
            drop(other);
            all_are_gone(address, &config);
            let sessions = |shard: &Value| shard["sessions"].as_u64().unwrap();
            eventually(PATIENCE, "no session is left", || {
                let told = status(address, &config);
                told["shards"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(sessions)
                    .sum::<u64>()
                    == 0
            });
            end(running);
        }
    });
}

#[test]
fn many_small_records_at_once_delay_nobody_and_are_all_answered() {
    on_each_runtime(|runtime| {
        let authority = Authority::new("small", runtime);
        authority.issue();
        let config = authority.client();
        for shards in [1, 2, 8] {
            let (running, address) = serve(&mut sealed_echo(&authority, runtime, shards));
            let mut other = enter(address, &config);
            let mut peer = enter(address, &config);
            let mut sealed = Vec::new();
            // A byte a record.
            let message = masked_frame(MessageKind::Binary, &[7; 10], MASK);
            for _ in 0..300 {
                for byte in &message {
                    peer.stream.conn.writer().write_all(&[*byte]).unwrap();
                    peer.stream.conn.write_tls(&mut sealed).unwrap();
                }
            }
            peer.stream.sock.write_all(&sealed).unwrap();
            let asked = now();
            other.echoes(MessageKind::Text, b"in between");
            assert!(asked.elapsed() < Duration::from_secs(1));
            for _ in 0..300 {
                assert_eq!(
                    peer.hear(),
                    Heard::Message(MessageKind::Binary, vec![7; 10])
                );
            }
            end(running);
        }
    });
}

/// Writes `frame` again and again, and reads nothing, until no more is taken for a second: how many bytes were.
fn write_until_stuck(stream: &mut TcpStream, frame: &[u8]) -> usize {
    let wait = Some(Duration::from_secs(1));
    stream.set_write_timeout(wait).unwrap();
    let mut taken = 0;
    loop {
        match stream.write(&frame[taken % frame.len()..]) {
            Ok(bytes) => taken += bytes,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return taken;
            }
            Err(error) => panic!("{error} after {taken} bytes"),
        }
        assert!(taken < 256 << 20, "it is read without end");
    }
}

#[test]
fn a_peer_that_does_not_read_is_not_read_and_gets_all_when_it_reads() {
    on_each_runtime(|runtime| {
        let authority = Authority::new("deaf", runtime);
        authority.issue();
        let config = authority.client();
        for shards in [1, 2, 8] {
            let (running, address) = serve(&mut sealed_echo(&authority, runtime, shards));
            let mut other = enter(address, &config);
            let mut deaf = Client::connect(tunnel(address, &config), "/ws");
            let message = vec![7; 16 * 1024];
            let frame = masked_frame(MessageKind::Binary, &message, MASK);
            let taken = write_until_stuck(&mut deaf.stream, &frame);
            other.echoes(MessageKind::Text, b"on time");
            // A shard tells of itself twice a second.
            eventually(PATIENCE, "its queue is told of, and bounded", || {
                let told = status(address, &config);
                let shards = told["shards"].as_array().unwrap().iter();
                let bytes = |shard: &Value, name: &str| shard[name].as_u64().unwrap();
                let largest = shards.map(|shard| {
                    let largest = bytes(shard, "queue_bytes_largest");
                    assert!(largest <= bytes(shard, "queue_bytes_max"), "{shard}");
                    largest
                });
                largest.max() > Some(0)
            });
            for _ in 0..taken / frame.len() {
                let echo = Heard::Message(MessageKind::Binary, message.clone());
                assert!(deaf.hear() == echo);
            }
            end(running);
        }
    });
}

#[test]
fn a_client_that_does_not_read_the_world_holds_bounded_credits_and_catches_up() {
    on_each_runtime(|runtime| {
        let authority = Authority::new("unread", runtime);
        authority.issue();
        let config = authority.client();
        for shards in [1, 2, 8] {
            let mut app = App::new();
            app.bind("127.0.0.1:0").runtime(runtime).shards(shards);
            app.world(WorldConfig::default())
                .populate(2000, |_, _| Draft::at(Point::flat(512.0, 512.0)))
                .system(FixedUpdate, |step: &mut Step<'_>| {
                    let tick = step.tick().0;
                    for appearance in step.query::<&mut Appearance>().iter() {
                        appearance.heading = (tick & 0xff) as u8;
                    }
                })
                .options(|options| options.tls = Some(authority.options()));
            let (running, address) = serve(&mut app);
            let by_tls = tunnel(address, &config);
            let is_delta = |event: &worldshard_client::Event| match event {
                worldshard_client::Event::Delta(applied) => Some(applied.tick.0),
                _ => None,
            };
            let mut client = Connection::enter(by_tls, "/world", PATIENCE).unwrap();
            let at = Some([512.0, 512.0, 0.0]);
            client.join(ViewpointMode::Camera, at, InterestWish::Default);
            let first = client.until(PATIENCE, is_delta).unwrap();
            let began = now();
            while began.elapsed() < Duration::from_secs(2) {
                let told = status(address, &config);
                for shard in told["shards"].as_array().unwrap() {
                    let number = |name: &str| shard["world"][name].as_u64().unwrap();
                    assert!(number("credits_out_largest") <= number("credits_max"));
                }
                std::thread::park_timeout(Duration::from_millis(100));
            }
            // It reads again, and is up to date.
            while client.until(PATIENCE, is_delta).unwrap() < first + 30 {}
            end(running);
        }
    });
}
