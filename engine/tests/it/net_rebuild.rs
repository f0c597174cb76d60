//! A shard that panics under clients: it is made again from its checkpoint and what was said to it, nobody is disconnected,
//! nothing is lost, and what comes after is what its journal says.
//!
//! WORLDSHARD_FULL=1 has five hundred clients and prints the time of each tick around the panic; with WORLDSHARD_BLESS=1
//! it draws them for `docs/durability.md` too.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use worldshard::prelude::*;
use worldshard::runtime::{Recording, Running};
use worldshard::worlds::{WorldName, world};
use worldshard::{AppRecipe, Runtime};
use worldshard_client::{Connection, Event as Heard};
use worldshard_protocol::{ErrorCode, InterestWish, ViewpointMode};

use crate::folder::Folder;
use crate::socket::{PATIENCE, end, eventually, get, now, on_each_runtime, serve};

const ENTITIES: u64 = 1000;
const SHARDS: u16 = 4;

fn full() -> bool {
    std::env::var("WORLDSHARD_FULL").is_ok_and(|full| full == "1")
}

fn app(runtime: Runtime, folder: &Folder) -> App {
    let mut app = App::new();
    app.plugin(world(WorldName::Flock, ENTITIES, 7))
        .bind("127.0.0.1:0")
        .runtime(runtime)
        .shards(SHARDS)
        .options(|options| options.data = Some(folder.data()));
    app
}

struct Fleet {
    clients: Vec<Connection>,
    /// When the first was told of its last tick, in an earlier run too.
    last: Option<Instant>,
    /// What was refused, with the number of the client.
    refused: Vec<(usize, ErrorCode)>,
}

impl Fleet {
    fn join(address: SocketAddr, clients: usize) -> Self {
        let joined = (0..clients).map(|number| {
            let mut client = Connection::enter(address, "/world", PATIENCE).unwrap();
            let mode = match number % 4 {
                0 => ViewpointMode::Camera,
                _ => ViewpointMode::Avatar,
            };
            client.join(mode, None, InterestWish::Default);
            client.flush().unwrap();
            client
        });
        Self {
            clients: joined.collect(),
            last: None,
            refused: Vec::new(),
        }
    }

    /// Everybody reads what is there and steers, for so long; when new ticks came to the first, and how long after the
    /// one before.
    fn run(&mut self, length: Duration) -> Vec<(Instant, Duration)> {
        let (began, mut gaps) = (now(), Vec::new());
        let mut turn = 0.0_f32;
        while began.elapsed() < length {
            turn += 0.1;
            for (number, client) in self.clients.iter_mut().enumerate() {
                let before = client.view().tick();
                while let Some(event) = client.try_receive().unwrap() {
                    if let Heard::Error(refused) = &event {
                        self.refused.push((number, refused.code));
                    }
                    assert!(
                        !matches!(event, Heard::Closed { .. }),
                        "client {number}: {event:?}"
                    );
                }
                if number == 0 && client.view().tick() > before {
                    let now = now();
                    gaps.extend(self.last.replace(now).map(|last| (now, now - last)));
                }
                if number % 4 != 0 && turn.fract() < 0.1 {
                    client.steer([turn.sin(), turn.cos(), 0.0]);
                }
                client.flush().unwrap();
            }
            std::thread::park_timeout(Duration::from_millis(2));
        }
        gaps
    }

    /// What each sees against the world as its recording has it at that tick.
    fn compare(&self, recording: &Recording) {
        let mut replays = BTreeMap::new();
        for client in &self.clients {
            let tick = client.view().tick();
            let replay = replays
                .entry(tick)
                .or_insert_with(|| recording.at(Some(tick)).unwrap());
            for (id, seen) in client.view().iter() {
                let at = replay.shards().iter().find_map(|shard| shard.position(id));
                let at = at.unwrap_or_else(|| panic!("{id} is seen and not there, tick {tick}"));
                assert_eq!(
                    [seen.record.x, seen.record.y, seen.record.z],
                    at.to_array(),
                    "{id}"
                );
            }
        }
    }
}

/// The times between ticks as they came, with a line where a shard was killed.
fn picture(title: &str, ticks: &[(Instant, Duration)], kills: &[Instant]) -> String {
    use std::fmt::Write;

    const WIDE_PX: f64 = 720.0;
    const HIGH_PX: f64 = 240.0;
    const MOST_MS: f64 = 150.0;
    let (first, last) = (ticks.first().unwrap().0, ticks.last().unwrap().0);
    let across =
        |at: Instant| 50.0 + (WIDE_PX - 70.0) * (at - first).div_duration_f64(last - first);
    let up = |ms: f64| HIGH_PX - 40.0 - (HIGH_PX - 70.0) * ms.min(MOST_MS) / MOST_MS;
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE_PX} {HIGH_PX}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#fff"/>
<text x="50" y="18">{title}</text>
"##
    );
    for ms in [0.0, 50.0, 100.0, 150.0] {
        let (y, end) = (up(ms), WIDE_PX - 20.0);
        writeln!(svg, r##"<path d="M50 {y}H{end}" stroke="#ddd"/><text x="44" y="{y}" text-anchor="end" dy="4">{ms}</text>"##).unwrap();
    }
    for &kill in kills {
        let (x, low, high) = (across(kill), up(0.0), up(MOST_MS));
        writeln!(svg, r##"<path d="M{x:.1} {low}V{high}" stroke="#c33" stroke-dasharray="4 3"/><text x="{x:.1}" y="{}" text-anchor="middle" fill="#c33">a shard is killed</text>"##, low + 18.0).unwrap();
    }
    for &(at, gap) in ticks {
        let (x, y) = (across(at), up(gap.as_secs_f64() * 1e3));
        writeln!(
            svg,
            r##"<circle cx="{x:.1}" cy="{y:.1}" r="2.5" fill="#246"/>"##
        )
        .unwrap();
    }
    svg + "</svg>\n"
}

fn sum(address: SocketAddr, name: &str) -> u64 {
    let (_, body) = get(address, "/status");
    let status: Value = serde_json::from_str(&body).unwrap();
    let shards = status["shards"].as_array().unwrap();
    let of = |shard: &Value| shard[name].as_u64().or(shard["world"][name].as_u64());
    shards
        .iter()
        .map(|shard| of(shard).unwrap_or_else(|| panic!("no {name}")))
        .sum()
}

/// Ends the server, and does again all that its folder holds: each tick has the digest that was written for it.
fn judge(running: Running, folder: &Folder, recipe: &Arc<AppRecipe>) -> Recording {
    end(running);
    let recording = Recording::open(&folder.world(), recipe).unwrap();
    let digests = folder.digests();
    let mut compared = 0;
    for &generation in &recording.generations().unwrap() {
        let mut replay = recording.after(generation).unwrap();
        while replay.step().unwrap() {
            compared += u64::from(digests.contains_key(&replay.tick()));
            if let Some(&digest) = digests.get(&replay.tick()) {
                assert_eq!(replay.digest(), digest, "tick {}", replay.tick());
            }
        }
    }
    assert!(compared > 20, "{compared} ticks compared");
    recording
}

#[test]
fn a_shard_that_is_killed_under_clients_comes_back_and_nobody_is_disconnected() {
    on_each_runtime(|runtime| {
        let folder = Folder::new("killed-shard", runtime);
        let mut app = app(runtime, &folder);
        let recipe = app.build().unwrap();
        let (running, address) = serve(&mut self::app(runtime, &folder));
        let clients = if full() { 500 } else { 40 };
        let mut fleet = Fleet::join(address, clients);
        let quiet = fleet.run(Duration::from_millis(1700));
        let avatars = clients as u64 - clients as u64 / 4;
        eventually(PATIENCE, "all avatars are born", || {
            sum(address, "entities") == ENTITIES + avatars
        });
        let (mut kills, mut ticks_seen) = (Vec::new(), quiet.clone());
        let longest = |gaps: &[(Instant, Duration)]| gaps.iter().map(|&(_, gap)| gap).max();
        for (round, shard) in [(1, 1), (2, 1), (3, 3)] {
            let before = sum(address, "ticks_rebuilt");
            kills.push(now());
            running.debug_kill(shard);
            let gaps = fleet.run(Duration::from_millis(1100));
            assert_eq!(sum(address, "rebuilds"), round);
            let ticks = sum(address, "ticks_rebuilt") - before;
            let (longest, usual) = (longest(&gaps).unwrap(), longest(&quiet).unwrap());
            ticks_seen.extend_from_slice(&gaps);
            println!(
                "{runtime}, {clients} clients: shard {shard} did {ticks} ticks again; longest time between ticks {longest:.1?}, {usual:.1?} before"
            );
            if full() {
                println!(
                    "ms between ticks: {:?}",
                    gaps.iter()
                        .map(|(_, gap)| gap.as_millis())
                        .collect::<Vec<_>>()
                );
            }
        }
        if full() && std::env::var("WORLDSHARD_BLESS").is_ok_and(|bless| bless == "1") {
            let title = format!(
                "{runtime}: milliseconds between ticks, as one of {clients} clients sees them"
            );
            let name = format!("../docs/rebuild-{runtime}.svg");
            fs::write(name, picture(&title, &ticks_seen, &kills)).unwrap();
        }
        // Shards show their numbers at moments of their own: one that is on its way is in two of them, or in none.
        eventually(PATIENCE, "all entities are there", || {
            sum(address, "entities") == ENTITIES + avatars
        });
        assert_eq!(sum(address, "audit_failures"), 0);
        assert_eq!(sum(address, "sessions"), clients as u64);
        fleet.compare(&judge(running, &folder, &recipe));
    });
}

/// A command that is poison: the system that finds it panics, until the command is gone.
#[derive(Clone, Copy, Default, Component)]
struct Poison(u8);

/// A flock with a command that poisons its avatar, and a system that finds it, or panics from tick 100 on anyway.
fn poisonous(runtime: Runtime, folder: &Folder, ran: &Arc<AtomicU32>) -> App {
    let counted = Arc::clone(ran);
    let mut app = App::new();
    app.bind("127.0.0.1:0")
        .runtime(runtime)
        .shards(SHARDS)
        .options(|options| options.data = Some(folder.data()))
        .world(world(WorldName::Flock, ENTITIES, 7).config)
        .populate(ENTITIES, |genesis, entity| {
            let Bounds { min, max } = genesis.config.bounds;
            let mut chance = genesis.chance(entity, "birth");
            Draft::at(Point::flat(
                chance.range(min.x, max.x),
                chance.range(min.y, max.y),
            ))
        })
        .component::<Poison>("poison", Visibility::Private)
        .avatar(|_, at| Draft::at(at).with(Poison::default()))
        .command(200, |subject, payload| {
            subject.change(|poison: &mut Poison| poison.0 = payload[0]);
            Ok(())
        })
        .system(FixedUpdate, move |step: &mut Step<'_>| {
            counted.fetch_add(1, Ordering::Relaxed);
            for poison in step.query::<&Poison>().iter() {
                assert_ne!(poison.0, 1, "poisoned");
            }
            assert!(step.tick() < Tick(100), "out of order from tick 100 on");
        });
    app
}

#[test]
fn a_command_that_makes_its_tick_panic_is_dropped_and_a_system_that_always_does_is_quarantined() {
    on_each_runtime(|runtime| {
        let folder = Folder::new("poison", runtime);
        let ran = Arc::new(AtomicU32::new(0));
        let make = || poisonous(runtime, &folder, &ran);
        let recipe = make().build().unwrap();
        let (running, address) = serve(&mut make());
        let mut fleet = Fleet::join(address, 8);
        fleet.run(Duration::from_millis(600));
        assert_eq!(sum(address, "rebuilds"), 0);
        fleet.clients[1].say(&worldshard_protocol::ClientMessage::Custom {
            opcode: 200,
            payload: &[1],
        });
        fleet.run(Duration::from_millis(600));
        let rebuilds = sum(address, "rebuilds");
        // Once as it was, once without the command: that was enough.
        assert_eq!(rebuilds, 2, "the command is dropped, and its tick goes on");
        assert!(fleet.refused.contains(&(1, ErrorCode::Internal)));
        let done = |fleet: &Fleet| fleet.clients[1].view().command_sequence();
        let before = done(&fleet);
        eventually(PATIENCE, "what it says later is done", || {
            fleet.run(Duration::from_millis(100));
            done(&fleet) > before
        });
        eventually(PATIENCE, "tick 100", || {
            fleet.run(Duration::from_millis(100));
            sum(address, "tick") > 110 * u64::from(SHARDS)
        });
        // On every shard the system is quarantined at the third attempt; nothing else stopped.
        assert_eq!(sum(address, "rebuilds"), 2 + 3 * u64::from(SHARDS));
        let runs = ran.load(Ordering::Relaxed);
        fleet.run(Duration::from_millis(300));
        assert_eq!(ran.load(Ordering::Relaxed), runs, "it runs no more");
        let (_, body) = get(address, "/status");
        assert!(body.contains("quarantined"), "{body}");
        assert_eq!(sum(address, "audit_failures"), 0);
        judge(running, &folder, &recipe);
        // The next process tries it once more, and a replay does too.
        let (running, address) = serve(&mut make());
        eventually(PATIENCE, "another quarantine", || {
            sum(address, "rebuilds") == 3 * u64::from(SHARDS)
        });
        let last = sum(address, "tick");
        eventually(PATIENCE, "ticks without it", || {
            sum(address, "tick") > last + 10 * u64::from(SHARDS)
        });
        judge(running, &folder, &recipe);
    });
}
