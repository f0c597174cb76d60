//! A served world in real time: the pace of its ticks, the counts in its status, and what a flood does to others.

use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use worldshard::Runtime;
use worldshard::prelude::*;
use worldshard_client::{Connection, Event};
use worldshard_protocol::world::OPCODE_S2C_DELTA;
use worldshard_protocol::{ClientMessage, HotHeader, InterestWish, ViewpointMode, read_delta};
use worldshard_transport::{MessageKind, masked_frame};

use crate::socket::{
    Client, Heard, MASK, PATIENCE, end, eventually, get, now, on_each_runtime, serve,
};

const MIDDLE: [f32; 3] = [512.0, 512.0, 0.0];

/// A world of 100 entities near the middle that move in every tick before `still_from`.
fn moving(runtime: Runtime, shards: u16, tick_interval: Duration, still_from: u64) -> App {
    let mut app = App::new();
    app.bind("127.0.0.1:0")
        .runtime(runtime)
        .shards(shards)
        .world(WorldConfig {
            tick_interval,
            ..WorldConfig::default()
        })
        .populate(100, |_, entity| {
            Draft::at(Point::flat(462.0 + entity.0 as f32, 512.0))
        })
        .avatar(|_, at| Draft::at(at))
        .system(FixedUpdate, move |step: &mut Step<'_>| {
            if step.tick().0 < still_from {
                for position in step.query::<&mut Position>().iter() {
                    position.0.y += 0.01;
                }
            }
        })
        .options(|options| options.limits.close_deadline = Duration::from_millis(500));
    app
}

fn joined(address: SocketAddr, mode: ViewpointMode) -> Connection {
    let mut connection = Connection::enter(address, "/world", PATIENCE).unwrap();
    connection.join(mode, Some(MIDDLE), InterestWish::Default);
    next_delta(&mut connection);
    connection
}

fn next_delta(connection: &mut Connection) -> u64 {
    let delta = |event: &Event| match event {
        Event::Delta(applied) => Some(applied.tick.0),
        _ => None,
    };
    connection.until(PATIENCE, delta).unwrap()
}

/// 60 s when WORLDSHARD_FULL is 1, else 5 s.
fn span() -> Duration {
    let full = std::env::var("WORLDSHARD_FULL").is_ok_and(|full| full == "1");
    Duration::from_secs(if full { 60 } else { 5 })
}

#[test]
fn a_world_of_20_hz_ticks_20_times_a_second_and_numbers_its_deltas_by_one() {
    on_each_runtime(|runtime| {
        let interval = Duration::from_millis(50);
        let (running, address) = serve(&mut moving(runtime, 2, interval, u64::MAX));
        let mut client = joined(address, ViewpointMode::Camera);
        let (began, first_tick) = (now(), next_delta(&mut client));
        let (mut last_tick, mut last_sequence) = (first_tick, client.delta_sequence());
        let first_sequence = last_sequence;
        while began.elapsed() < span() {
            let tick = next_delta(&mut client);
            assert!(tick > last_tick, "two deltas of a tick");
            assert_eq!(client.delta_sequence(), last_sequence + 1);
            (last_tick, last_sequence) = (tick, client.delta_sequence());
        }
        let ticks = (last_tick - first_tick) as f64;
        let rate_hz = ticks / began.elapsed().as_secs_f64();
        assert!((19.0..=21.0).contains(&rate_hz), "{rate_hz} Hz");
        let deltas = f64::from(last_sequence - first_sequence);
        assert!(deltas >= 0.8 * ticks, "{deltas} deltas in {ticks} ticks");
        end(running);
    });
}

/// What a client counted until the world stood still.
#[derive(Default)]
struct Counted {
    frames: u64,
    bytes: u64,
    deltas: u64,
    delta_bytes: u64,
    last_sequence: u32,
}

/// Looks on as a camera and counts everything that comes, up to the delta of the last change.
fn count_until(address: SocketAddr, last_change: u64) -> (Client, Counted) {
    let mut client = Client::connect(address, "/world");
    let mut join = Vec::new();
    ClientMessage::Join {
        mode: ViewpointMode::Camera,
        at: Some(MIDDLE),
        interest: InterestWish::Default,
        full: false,
        acks: false,
    }
    .encode(None, None, &mut join);
    client.say(MessageKind::Binary, &join);
    let mut counted = Counted::default();
    loop {
        let Heard::Message(kind, payload) = client.hear() else {
            panic!("the server said something else than a message");
        };
        let header_bytes = match payload.len() {
            0..=125 => 2,
            126..=65_535 => 4,
            _ => 10,
        };
        counted.frames += 1;
        counted.bytes += payload.len() as u64 + header_bytes;
        if kind == MessageKind::Text {
            continue;
        }
        let (header, archive) = HotHeader::parse(&payload).unwrap();
        assert_eq!(header.opcode, OPCODE_S2C_DELTA);
        counted.deltas += 1;
        counted.delta_bytes += payload.len() as u64;
        counted.last_sequence = header.seq.unwrap();
        if read_delta(archive).unwrap().tick.to_native() >= last_change {
            return (client, counted);
        }
    }
}

#[test]
fn the_counters_in_the_status_are_what_the_clients_counted() {
    const STILL_FROM: u64 = 150;
    on_each_runtime(|runtime| {
        let interval = Duration::from_millis(10);
        let (running, address) = serve(&mut moving(runtime, 2, interval, STILL_FROM));
        let counted: Vec<_> = std::thread::scope(|scope| {
            let counting: Vec<_> = (0..3)
                .map(|_| scope.spawn(|| count_until(address, STILL_FROM - 1)))
                .collect();
            let counted = counting.into_iter().map(|counting| counting.join());
            counted.collect::<Result<_, _>>().unwrap()
        });
        let status =
            || -> serde_json::Value { serde_json::from_str(&get(address, "/status").1).unwrap() };
        // Each shard writes its own part, from time to time.
        eventually(PATIENCE, "every shard is past the last change", || {
            let status = status();
            let shards = status["shards"].as_array().unwrap();
            let past = |shard: &serde_json::Value| shard["tick"].as_u64() > Some(STILL_FROM + 20);
            shards.len() == 2 && shards.iter().all(past)
        });
        let status = status();
        let sum = |pick: &dyn Fn(&serde_json::Value) -> &serde_json::Value| -> u64 {
            let shards = status["shards"].as_array().unwrap();
            shards
                .iter()
                .map(|shard| pick(shard).as_u64().unwrap())
                .sum()
        };
        let counts = |pick: fn(&Counted) -> u64| counted.iter().map(|(_, one)| pick(one)).sum();
        let expected: [u64; 5] = [
            counts(|one| one.frames),
            counts(|one| one.bytes),
            counts(|one| one.deltas),
            counts(|one| one.delta_bytes),
            counts(|one| u64::from(one.last_sequence)),
        ];
        let told = [
            sum(&|shard| &shard["frames_out"]),
            sum(&|shard| &shard["bytes_out"]),
            sum(&|shard| &shard["world"]["deltas"]),
            sum(&|shard| &shard["world"]["delta_bytes"]),
            // Each client's deltas are numbered from one.
            sum(&|shard| &shard["world"]["deltas"]),
        ];
        assert_eq!(told, expected);
        assert_eq!(sum(&|shard| &shard["world"]["viewers"]), 3);
        assert_eq!(sum(&|shard| &shard["sessions"]), 3);
        assert!(expected[2] > 20, "{} deltas prove nothing", expected[2]);
        end(running);
    });
}

/// Ticks from an input to the delta that has it: the median of 21.
fn input_latency_ticks(client: &mut Connection) -> u64 {
    let mut latencies: Vec<u64> = (0..21)
        .map(|turn| {
            let said_after = next_delta(client);
            client.steer([if turn % 2 == 0 { 0.5 } else { -0.5 }, 0.0, 0.0]);
            client.flush().unwrap();
            let sequence = client.sequence();
            loop {
                let tick = next_delta(client);
                if client.view().command_sequence() >= sequence {
                    return tick - said_after;
                }
            }
        })
        .collect();
    latencies.sort_unstable();
    latencies[latencies.len() / 2]
}

/// Ends a flood also when a check fails: else the scope would wait for it for ever.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Steers as fast as the socket takes it, and reads what comes of it, until told to stop.
fn flood(address: SocketAddr, stop: &AtomicBool) {
    let mut join = Vec::new();
    ClientMessage::Join {
        mode: ViewpointMode::Avatar,
        at: Some(MIDDLE),
        interest: InterestWish::Default,
        full: false,
        acks: false,
    }
    .encode(None, None, &mut join);
    let mut steer = Vec::new();
    let direction = [1.0, 0.0, 0.0];
    ClientMessage::Steer { direction }.encode(None, None, &mut steer);
    let mut client = Client::connect(address, "/world");
    client.say(MessageKind::Binary, &join);
    let mut answers = client.stream.try_clone().unwrap();
    let flood = masked_frame(MessageKind::Binary, &steer, MASK).repeat(1000);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut buffer = [0; 64 * 1024];
            while answers.read(&mut buffer).is_ok_and(|bytes| bytes > 0) {}
        });
        while !stop.load(Ordering::Relaxed) {
            client.write(&flood);
        }
        client.stream.shutdown(std::net::Shutdown::Both).unwrap();
    });
}

#[test]
fn a_flood_of_inputs_delays_those_of_another_client_by_at_most_a_tick() {
    on_each_runtime(|runtime| {
        // One shard: the flood and the other are served by the same thread.
        let interval = Duration::from_millis(50);
        let (running, address) = serve(&mut moving(runtime, 1, interval, u64::MAX));
        let mut client = joined(address, ViewpointMode::Avatar);
        let quiet = input_latency_ticks(&mut client);
        let stop = AtomicBool::new(false);
        let flooded = std::thread::scope(|scope| {
            let flooding = scope.spawn(|| flood(address, &stop));
            let stopping = StopOnDrop(&stop);
            let messages_in = || -> u64 {
                let status: serde_json::Value =
                    serde_json::from_str(&get(address, "/status").1).unwrap();
                status["shards"][0]["messages_in"].as_u64().unwrap()
            };
            eventually(PATIENCE, "the flood arrives", || messages_in() > 10_000);
            let before = messages_in();
            let flooded = input_latency_ticks(&mut client);
            let arrived = messages_in() - before;
            assert!(!flooding.is_finished(), "the flood was cut off");
            drop(stopping);
            assert!(arrived > 5_000, "{arrived} messages are no flood");
            flooded
        });
        assert!(
            flooded <= quiet + 1,
            "{flooded} ticks under a flood, {quiet} without"
        );
        end(running);
    });
}
