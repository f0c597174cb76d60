//! WebSockets and plain requests over TLS: all that they are without it, and certificates that change while they last.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use rustls::pki_types::CertificateDer;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, HandshakeKind};
use worldshard::TlsOptions;
use worldshard::prelude::*;
use worldshard::runtime::start_placed;
use worldshard_client::{Connection, Event as Told};
use worldshard_protocol::{InterestWish, ViewpointMode};
use worldshard_transport::{MessageKind, client_request, masked_frame};

use crate::child::{Child, serve_until_signal_if_child};
use crate::socket::{
    Client, Heard, MASK, PATIENCE, echo_app, end, eventually, on_each_runtime, serve,
};
use crate::tls::{Authority, TlsStream, connect, get, shake, tunnel};

/// An echo that shows what an authority issued.
pub(crate) fn sealed_echo(authority: &Authority, runtime: Runtime, shards: u16) -> App {
    let mut app = echo_app(runtime, shards);
    app.options(|options| options.tls = Some(authority.options()));
    app
}

/// A WebSocket at `/ws`.
pub(crate) fn enter(address: SocketAddr, config: &Arc<ClientConfig>) -> Client<TlsStream> {
    Client::over(connect(address, config), "/ws")
}

#[test]
fn messages_of_every_length_come_back_by_both_versions_of_tls() {
    on_each_runtime(|runtime| {
        let authority = Authority::new("lengths", runtime);
        authority.issue();
        for shards in [1, 2, 8] {
            let (running, address) = serve(&mut sealed_echo(&authority, runtime, shards));
            for version in [&TLS13, &TLS12] {
                let config = Arc::new(authority.client_of(&[version]));
                let clients = (0..shards).map(|_| enter(address, &config));
                for mut client in clients.collect::<Vec<_>>() {
                    for len in [
                        0, 1, 125, 126, 16_383, 16_384, 16_385, 65_535, 65_536, 250_000,
                    ] {
                        let payload: Vec<u8> = (0..len).map(|at| b'a' + (at % 26) as u8).collect();
                        client.echoes(MessageKind::Text, &payload);
                        client.echoes(MessageKind::Binary, &payload);
                    }
                    let spoken = client.stream.conn.protocol_version();
                    assert_eq!(spoken, Some(version.version));
                    // An end is an end, not a connection that broke.
                    client.close(1000, "");
                    assert_eq!(client.hear(), Heard::Close(Some(1000), String::new()));
                    assert_eq!(client.hear(), Heard::End);
                }
            }
            end(running);
        }
    });
}

#[test]
fn plain_requests_are_answered_over_tls_too() {
    on_each_runtime(|runtime| {
        let authority = Authority::new("requests", runtime);
        authority.issue();
        let config = authority.client();
        let mut app = sealed_echo(&authority, runtime, 2);
        app.route("/hello", |_| Response::text(200, "x".repeat(100_000)));
        let (running, address) = serve(&mut app);
        for _ in 0..4 {
            assert_eq!(get(address, &config, "/hello"), (200, "x".repeat(100_000)));
            assert_eq!(get(address, &config, "/healthz"), (200, "ok\n".to_owned()));
            assert_eq!(get(address, &config, "/nowhere").0, 404);
            assert_eq!(get(address, &config, "/ws").0, 426);
        }
        // Who says at once that nothing follows is answered as well.
        let mut stream = connect(address, &config);
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            .unwrap();
        stream.conn.send_close_notify();
        stream.flush().unwrap();
        assert_eq!(crate::socket::answer(&mut stream).0, 200);
        end(running);
    });
}

/// A world in which an avatar goes where it is told.
fn world(runtime: Runtime, shards: u16) -> App {
    let mut app = App::new();
    app.bind("127.0.0.1:0")
        .runtime(runtime)
        .shards(shards)
        .options(|options| options.limits.close_deadline = Duration::from_millis(500))
        .world(WorldConfig {
            tick_interval: Duration::from_millis(20),
            ..WorldConfig::default()
        })
        .populate(200, |_, entity| {
            let number = entity.0 as f32;
            Draft::at(Point::flat(1000.0 + number / 10.0, 1000.0))
        })
        .avatar(|_, at| Draft::at(at));
    app
}

/// What a client of a world does, and what it saw in the end: its place, and all others.
fn play(address: SocketAddr) -> ([f32; 3], Vec<(u64, [f32; 3])>) {
    let mut client = Connection::enter(address, "/world", PATIENCE).unwrap();
    let start = [1000.0, 1000.0, 0.0];
    client.join(ViewpointMode::Avatar, Some(start), InterestWish::Default);
    let delta = |event: &Told| matches!(event, Told::Delta(_)).then_some(());
    client.until(PATIENCE, delta).unwrap();
    for step in 1..=20 {
        client.move_to([1000.0 + step as f32 * 0.5, 1000.0, 0.0]);
        while client.view().command_sequence() != client.sequence() {
            client.until(PATIENCE, delta).unwrap();
        }
    }
    let mut seen: Vec<(u64, [f32; 3])> = client
        .view()
        .iter()
        .map(|(id, entity)| (id.0, entity.record.position()))
        .collect();
    seen.sort_by_key(|(id, _)| *id);
    // Its own is the youngest, whose number depends on how many came before.
    let (_, own) = seen.pop().unwrap();
    (own, seen)
}

#[test]
fn a_world_is_the_same_over_tls() {
    on_each_runtime(|runtime| {
        let authority = Authority::new("world", runtime);
        authority.issue();
        for shards in [1, 2, 8] {
            let (running, address) = serve(&mut world(runtime, shards));
            let expected = play(address);
            assert_eq!(expected.0, [1010.0, 1000.0, 0.0]);
            assert!(expected.1.len() > 100, "{}", expected.1.len());
            end(running);
            let mut app = world(runtime, shards);
            app.options(|options| options.tls = Some(authority.options()));
            let (running, address) = serve(&mut app);
            let by_tls = tunnel(address, &authority.client());
            assert_eq!(play(by_tls), expected, "{shards} shards");
            end(running);
        }
    });
}

/// The certificate that a new connection is shown.
fn shown(address: SocketAddr, config: &Arc<ClientConfig>) -> CertificateDer<'static> {
    let client = enter(address, config);
    client.stream.conn.peer_certificates().unwrap()[0].clone()
}

#[test]
fn a_certificate_read_again_is_for_new_connections_and_ends_none() {
    on_each_runtime(|runtime| {
        let authority = Authority::new("reload", runtime);
        for shards in [1, 2, 8] {
            let first = authority.issue();
            let config = authority.client();
            let (running, address) = serve(&mut sealed_echo(&authority, runtime, shards));
            let print = running.certificate_fingerprint().unwrap();
            let mut old: Vec<_> = (0..3).map(|_| enter(address, &config)).collect();
            assert_eq!(shown(address, &config), first);
            let second = authority.issue();
            assert_eq!(shown(address, &config), first);
            running.reload_certificate().unwrap();
            assert_ne!(running.certificate_fingerprint().unwrap(), print);
            for _ in 0..shards {
                assert_eq!(shown(address, &config), second);
            }
            // A bad one changes nothing.
            let (file, _) = authority.files();
            std::fs::write(&file, "no certificate").unwrap();
            let error = running.reload_certificate().unwrap_err().to_string();
            assert!(error.contains(&file.display().to_string()), "{error}");
            assert_eq!(shown(address, &config), second);
            for client in &mut old {
                client.echoes(MessageKind::Text, b"as before");
            }
            end(running);
        }
    });
}

#[test]
fn a_hangup_has_the_certificate_read_again() {
    let name = "net_tls::a_hangup_has_the_certificate_read_again";
    serve_until_signal_if_child(|runtime| {
        let folder = std::env::var(FOLDER).unwrap();
        let file = |name: &str| format!("{folder}/{name}.pem");
        let mut app = echo_app(runtime, 2);
        let tls = TlsOptions::files(file("certificate"), file("key"));
        app.options(|options| options.tls = Some(tls));
        app
    });
    on_each_runtime(|runtime| {
        let authority = Authority::new("hangup", runtime);
        authority.issue();
        let config = authority.client();
        let (file, _) = authority.files();
        let folder = file.parent().unwrap().display().to_string();
        let mut child = Child::start_knowing(name, runtime, 1024, (FOLDER, &folder));
        let address = child.address;
        let mut old = enter(address, &config);
        let second = authority.issue();
        child.signal(Signal::HUP);
        eventually(PATIENCE, "the new certificate is shown", || {
            shown(address, &config) == second
        });
        std::fs::write(&file, "no certificate").unwrap();
        child.signal(Signal::HUP);
        old.echoes(MessageKind::Text, b"as before");
        assert_eq!(shown(address, &config), second);
        let third = authority.issue();
        child.signal(Signal::HUP);
        eventually(PATIENCE, "the third certificate is shown", || {
            shown(address, &config) == third
        });
        old.echoes(MessageKind::Text, b"as before");
        child.signal(Signal::INT);
        assert!(matches!(old.hear(), Heard::Close(Some(1001), _)));
        assert_eq!(old.hear(), Heard::End);
        drop(old);
        assert!(child.wait().success());
    });
}

/// Tells a child where its certificate is.
const FOLDER: &str = "WORLDSHARD_TEST_CERTIFICATE";

#[test]
fn a_ticket_spares_a_handshake_until_another_certificate_is_read() {
    on_each_runtime(|runtime| {
        let authority = Authority::new("tickets", runtime);
        authority.issue();
        let (running, address) = serve(&mut sealed_echo(&authority, runtime, 8));
        for version in [&TLS13, &TLS12] {
            let config = Arc::new(authority.client_of(&[version]));
            let kind = || {
                let mut client = enter(address, &config);
                client.echoes(MessageKind::Text, b"there");
                client.stream.conn.handshake_kind().unwrap()
            };
            assert_eq!(kind(), HandshakeKind::Full);
            // Whichever shard it comes to.
            for _ in 0..8 {
                assert_eq!(kind(), HandshakeKind::Resumed);
            }
            authority.issue();
            running.reload_certificate().unwrap();
            assert_eq!(kind(), HandshakeKind::Full);
        }
        end(running);
    });
}

#[test]
fn an_encrypted_connection_moves_to_its_home_and_loses_nothing() {
    on_each_runtime(|runtime| {
        let authority = Authority::new("moved", runtime);
        authority.issue();
        let config = authority.client();
        let mut app = App::new();
        let tls = Some(authority.options());
        app.bind("127.0.0.1:0").runtime(runtime).shards(3);
        app.options(|options| options.tls = tls);
        app.system(Update, |cx: &mut Context| {
            for message in cx.messages() {
                let shard = cx.shard().0.to_string();
                cx.send(Audience::One(message.session), shard);
                cx.send(Audience::One(message.session), message.payload.clone());
            }
        });
        let recipe = app.build().unwrap();
        let running = start_placed(&recipe, |head| {
            let home = head.query_value("home")?;
            home.parse().ok().map(ShardId)
        })
        .unwrap();
        let address = running.local_addr().unwrap();
        for home in [2, 0, 1, 2, 1, 0] {
            // All at once: what follows the head moves with it, records that are cut in two as well.
            let mut stream = connect(address, &config);
            shake(&mut stream).unwrap();
            let path = format!("/ws?home={home}");
            let mut said = client_request("localhost", &path, b"sixteen bytes ok").to_vec();
            let numbers = 0..100_u8;
            for number in numbers.clone() {
                said.extend_from_slice(&masked_frame(MessageKind::Binary, &[number; 999], MASK));
            }
            let mut sealed = Vec::new();
            for piece in said.chunks(500) {
                stream.conn.writer().write_all(piece).unwrap();
                stream.conn.write_tls(&mut sealed).unwrap();
            }
            let (first, rest) = sealed.split_at(sealed.len() / 2 + 7);
            stream.sock.write_all(first).unwrap();
            stream.sock.write_all(rest).unwrap();
            let mut client = Client::over(Asked(stream), &path);
            for number in numbers {
                let place = home.to_string().into_bytes();
                assert_eq!(client.hear(), Heard::Message(MessageKind::Text, place));
                let echo = Heard::Message(MessageKind::Binary, vec![number; 999]);
                assert_eq!(client.hear(), echo);
            }
            client.say(MessageKind::Text, b"more");
            assert!(matches!(client.hear(), Heard::Message(..)));
        }
        end(running);
    });
}

/// A stream whose request is written already: the first write is not made.
struct Asked(TlsStream);

impl std::io::Read for Asked {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(bytes)
    }
}

impl std::io::Write for Asked {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match bytes.starts_with(b"GET ") {
            true => Ok(bytes.len()),
            false => self.0.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

#[test]
fn a_rush_of_handshakes_waits_its_turn_and_all_are_served() {
    on_each_runtime(|runtime| {
        let authority = Authority::new("rush", runtime);
        authority.issue();
        let config = authority.client();
        for shards in [1, 2, 8] {
            let mut app = sealed_echo(&authority, runtime, shards);
            app.options(|options| {
                let tls = options.tls.as_mut().unwrap();
                tls.turn_handshake_steps_max = 1;
            });
            let (running, address) = serve(&mut app);
            // All are asked for before any is looked at.
            let mut streams: Vec<TlsStream> = (0..60).map(|_| connect(address, &config)).collect();
            for stream in &mut streams {
                stream.conn.write_tls(&mut stream.sock).unwrap();
            }
            let clients = streams.into_iter().map(|one| Client::over(one, "/ws"));
            for mut client in clients {
                client.echoes(MessageKind::Binary, b"there");
            }
            end(running);
        }
    });
}

#[test]
fn a_certificate_for_development_is_there_again_after_a_restart() {
    on_each_runtime(|runtime| {
        let folder = crate::folder::Folder::new("tls-dev", runtime);
        let mut prints = Vec::new();
        for _ in 0..2 {
            let mut app = echo_app(runtime, 1);
            let tls = TlsOptions::dev(folder.world());
            app.options(|options| options.tls = Some(tls));
            let (running, _) = serve(&mut app);
            prints.push(running.certificate_fingerprint().unwrap());
            end(running);
        }
        assert_eq!(prints[0], prints[1]);
    });
}
