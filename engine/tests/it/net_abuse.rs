//! Peers that claim too much, never read, or flood: each is bounded, and nobody else notices.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use worldshard::Runtime;
use worldshard::prelude::*;
use worldshard_client::Connection;
use worldshard_protocol::{InterestWish, ViewpointMode};
use worldshard_transport::{MessageKind, masked_frame, masked_ping};

use crate::socket::{
    Client, Heard, MASK, PATIENCE, echo_app, end, eventually, get, now, on_each_runtime, serve,
};

#[test]
fn a_claim_of_a_gigabyte_is_refused_at_the_frames_head() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let (running, address) = serve(&mut echo_app(runtime, shards));
            let mut client = Client::connect(address, "/ws");
            let mut head = vec![0x82, 0x80 | 127];
            head.extend((1_u64 << 30).to_be_bytes());
            head.extend(MASK);
            client.write(&head);
            assert!(matches!(client.hear(), Heard::Close(Some(1009), _)));
            assert_eq!(client.hear(), Heard::End);
            end(running);
        }
    });
}

/// Writes `frame` until the server takes no more, without ever reading; says how many bytes it took.
fn write_until_stuck(stream: &mut TcpStream, frame: &[u8]) -> usize {
    stream
        .set_write_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    let mut taken = 0;
    loop {
        match stream.write(frame) {
            Ok(bytes) => taken += bytes,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return taken;
            }
            Err(error) => panic!("{error} after {taken} bytes"),
        }
        assert!(
            taken < 256 << 20,
            "the server reads without end from who never reads"
        );
    }
}

/// On 1, 2 and 8 shards at the same time: most of it is waiting.
fn on_each_shard_count(test: fn(Runtime, u16)) {
    on_each_runtime(|runtime| {
        std::thread::scope(|scope| {
            for shards in [1, 2, 8] {
                scope.spawn(move || test(runtime, shards));
            }
        });
    });
}

fn assert_served(address: SocketAddr) {
    Client::connect(address, "/ws").echoes(MessageKind::Text, b"others are served");
}

#[test]
fn a_peer_that_never_reads_is_no_longer_read_and_then_cut_while_others_are_served() {
    on_each_shard_count(never_reads);
}

fn never_reads(runtime: Runtime, shards: u16) {
    let mut app = echo_app(runtime, shards);
    app.options(|options| options.limits.stall_max = Duration::from_secs(2));
    let (running, address) = serve(&mut app);
    let mut other = Client::connect(address, "/ws");
    let mut deaf = Client::connect(address, "/ws");
    let frame = masked_frame(MessageKind::Binary, &[7; 16 * 1024], MASK);
    let began = now();
    write_until_stuck(&mut deaf.stream, &frame);
    // Its own reads would end the stall: only another write tells that it was cut.
    deaf.stream
        .set_write_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    let mut longest = Duration::ZERO;
    eventually(PATIENCE, "the peer that never reads is cut", || {
        let asked = now();
        other.echoes(MessageKind::Text, b"on time");
        longest = longest.max(asked.elapsed());
        let written = deaf.stream.write(&[0]);
        written.is_err_and(|error| {
            matches!(
                error.kind(),
                ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
            )
        })
    });
    assert!(
        began.elapsed() > Duration::from_millis(1200),
        "cut too early"
    );
    assert!(
        longest < Duration::from_secs(1),
        "others waited {longest:?}"
    );
    end(running);
}

#[test]
fn pings_whose_pongs_are_not_read_stop_being_read() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let (running, address) = serve(&mut echo_app(runtime, shards));
            let mut deaf = Client::connect(address, "/ws");
            let pings = masked_ping(&[1; 125], MASK).repeat(1000);
            write_until_stuck(&mut deaf.stream, &pings);
            assert_served(address);
            // It reads at last: every pong is there, and it is served again.
            let mut bytes = [0; 64 * 1024];
            assert!(deaf.stream.read(&mut bytes).unwrap() > 0);
            drop(deaf);
            assert_served(address);
            end(running);
        }
    });
}

#[test]
fn floods_of_small_messages_do_not_delay_others() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let (running, address) = serve(&mut echo_app(runtime, shards));
            let mut probe = Client::connect(address, "/ws");
            let flood = masked_frame(MessageKind::Binary, b"", MASK).repeat(5000);
            let mut flooding: Vec<Client> =
                (0..4).map(|_| Client::connect(address, "/ws")).collect();
            for client in &mut flooding {
                client.write(&flood);
            }
            let asked = now();
            probe.echoes(MessageKind::Text, b"in between");
            assert!(asked.elapsed() < Duration::from_secs(1));
            for client in &mut flooding {
                for _ in 0..5000 {
                    assert_eq!(
                        client.hear(),
                        Heard::Message(MessageKind::Binary, Vec::new())
                    );
                }
            }
            end(running);
        }
    });
}

#[test]
fn a_silent_peer_is_pinged_and_one_that_does_not_answer_is_dropped() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let mut app = echo_app(runtime, shards);
            app.options(|options| {
                options.limits.ping_interval = Duration::from_millis(200);
                options.limits.silence_max = Duration::from_millis(600);
            });
            let (running, address) = serve(&mut app);
            let mut mute = Client::connect(address, "/ws");
            let began = now();
            assert_eq!(mute.hear(), Heard::Ping(Vec::new()));
            let why = "TIMEOUT: nothing was heard for 0.6 s".to_owned();
            assert_eq!(mute.hear(), Heard::Close(Some(1008), why));
            assert_eq!(mute.hear(), Heard::End);
            let took = began.elapsed();
            assert!(
                took >= Duration::from_millis(550) && took < Duration::from_secs(3),
                "{took:?}"
            );
            end(running);
        }
    });
}

#[test]
fn a_client_that_does_not_read_the_world_is_kept_for_longer_than_a_silent_one() {
    on_each_shard_count(does_not_read_the_world);
}

fn does_not_read_the_world(runtime: Runtime, shards: u16) {
    let mut app = App::new();
    app.bind("127.0.0.1:0").runtime(runtime).shards(shards);
    app.world(WorldConfig::default())
        .populate(10, |_, _| Draft::at(Point::flat(512.0, 512.0)))
        .system(FixedUpdate, |step: &mut Step<'_>| {
            let tick = step.tick().0;
            for appearance in step.query::<&mut Appearance>().iter() {
                appearance.heading = (tick & 0xff) as u8;
            }
        })
        .options(|options| {
            options.limits.ping_interval = Duration::from_millis(100);
            options.limits.silence_max = Duration::from_millis(300);
            options.limits.stall_max = Duration::from_secs(3);
        });
    let (running, address) = serve(&mut app);
    let is_delta = |event: &worldshard_client::Event| match event {
        worldshard_client::Event::Delta(applied) => Some(applied.tick.0),
        _ => None,
    };
    let mut client = Connection::enter(address, "/world", PATIENCE).unwrap();
    let at = Some([512.0, 512.0, 0.0]);
    client.join(ViewpointMode::Camera, at, InterestWish::Default);
    let first = client.until(PATIENCE, is_delta).unwrap();
    let began = now();
    eventually(PATIENCE, "it is silent for long", || {
        began.elapsed() > Duration::from_secs(1)
    });
    // It reads again, and is up to date.
    while client.until(PATIENCE, is_delta).unwrap() < first + 20 {}
    client.flush().unwrap();
    let began = now();
    eventually(PATIENCE, "it is given up", || {
        // Who asks is connected too.
        get(address, "/status").1.contains(r#""connections":1,"#)
    });
    let took = began.elapsed();
    assert!(took > Duration::from_millis(2500), "{took:?}");
    end(running);
}
