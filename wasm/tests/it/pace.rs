//! What hogs cost the rooms beside them on the same shard: the time from tick to tick, with and without. Figures come by
//!
//! ```text
//! WORLDSHARD_FULL=1 cargo test --release -p worldshard-wasm --test it pace -- --nocapture
//! ```

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use worldshard::prelude::*;
use worldshard::runtime::busy;
use worldshard::{Rooms, Runtime};
use worldshard_transport::MessageKind;
use worldshard_wasm::{EPOCH, Guests, Host, Limits};

use crate::guests::everything;
use crate::module;
use crate::socket::{Client, Heard, PATIENCE, end, eventually, get, now, on_each_runtime, serve};

/// Notes when it is told of each tick.
struct Watch(Arc<Mutex<Vec<Instant>>>);

impl Service for Watch {
    fn tick(&mut self, _: &mut Room<'_>) {
        self.0.lock().unwrap().push(now());
    }
}

/// A server with one shard, a room that watches, quiet rooms with guests, and one after the other that dies of what it is told.
struct Shard {
    address: SocketAddr,
    noted: Arc<Mutex<Vec<Instant>>>,
    hogs: u64,
    hog: Option<Client>,
}

impl Shard {
    /// From tick to tick, for so many ticks, while once in each a guest does what is said; a room dies of that four times,
    /// then it is another's turn.
    fn pace(&mut self, ticks: usize, deed: &str) -> Vec<Duration> {
        let ticks_noted = |shard: &Self| shard.noted.lock().unwrap().len();
        let first = ticks_noted(self);
        while ticks_noted(self) <= first + ticks {
            // Not in step with the ticks.
            std::thread::park_timeout(TICK - Duration::from_micros(self.hogs % 7 * 500));
            if deed != QUIET {
                self.tell_a_hog(deed);
            }
        }
        let noted = self.noted.lock().unwrap();
        let since = noted[first..].windows(2).map(|pair| pair[1] - pair[0]);
        since.collect()
    }

    fn tell_a_hog(&mut self, deed: &str) {
        if self.hogs.is_multiple_of(TRAPS) {
            let path = format!("/guests/hog-{}", self.hogs);
            self.hog = Some(Client::connect(self.address, &path));
        }
        self.hogs += 1;
        let hog = self.hog.as_mut().unwrap();
        hog.say(MessageKind::Text, deed.as_bytes());
        if self.hogs.is_multiple_of(TRAPS) {
            let closed = Heard::Close(Some(1011), "the room failed".to_owned());
            assert_eq!(hog.hear(), closed);
        }
    }

    /// Panics of rooms, as the server shows them.
    fn panics(&self) -> u64 {
        let status: serde_json::Value =
            serde_json::from_str(&get(self.address, "/status").1).unwrap();
        status["shards"][0]["room_panics"].as_u64().unwrap()
    }
}

/// For each deed, from tick to tick, ascending. They take turns, so that what else the machine does hits all alike.
fn measure(runtime: Runtime, rounds: usize, ticks: usize) -> [Vec<Duration>; 3] {
    let host = Host::counting(Limits::default(), EPOCH, busy).unwrap();
    let guests = Guests::new(module(&host, &everything()).unwrap());
    let noted = Arc::default();
    let watch = Arc::clone(&noted);
    let mut app = App::new();
    app.bind("127.0.0.1:0")
        .runtime(runtime)
        .shards(1)
        .pace(TICK, 1)
        // Nobody here answers a ping.
        .options(|options| {
            options.limits.ping_interval = Duration::from_secs(3600);
            options.limits.silence_max = Duration::from_secs(7200);
        })
        .rooms(Rooms::at("/guests/{room}", guests.make()))
        .rooms(Rooms::at("/watch/{room}", move |_| {
            Watch(Arc::clone(&watch))
        }));
    let (running, address) = serve(&mut app);
    let mut members = vec![Client::connect(address, "/watch/it")];
    members.extend((0..20).map(|room| Client::connect(address, &format!("/guests/quiet-{room}"))));
    let mut shard = Shard {
        address,
        noted,
        hogs: 0,
        hog: None,
    };
    shard.pace(ticks, QUIET);
    let mut paces = DEEDS.map(|_| Vec::new());
    for _ in 0..rounds {
        for (pace, deed) in paces.iter_mut().zip(DEEDS) {
            pace.extend(shard.pace(ticks, deed));
        }
    }
    eventually(PATIENCE, "each hog was stopped", || {
        shard.panics() == shard.hogs
    });
    let hogs = shard.hogs;
    drop((members, shard));
    end(running);
    println!(
        "{runtime}: {hogs} hogs in {} ticks of {TICK:?}",
        rounds * ticks * 2
    );
    paces.each_mut().map(|pace| {
        pace.sort_unstable();
        std::mem::take(pace)
    })
}

/// In the short form ticks go on and each hog is stopped; in the long one the ticks beside 1 000 hogs of each kind are as even
/// as before.
#[test]
fn hogs_do_not_change_the_pace_of_the_rooms_beside_them() {
    let is_full = std::env::var("WORLDSHARD_FULL").is_ok_and(|full| full == "1");
    let (rounds, ticks) = if is_full { (10, 100) } else { (1, 10) };
    on_each_runtime(|runtime| {
        let paces = measure(runtime, rounds, ticks);
        let share = |pace: &[Duration], part: f64| pace[((pace.len() - 1) as f64 * part) as usize];
        for (pace, deed) in paces.iter().zip(DEEDS) {
            assert!(pace.len() >= rounds * ticks);
            let [p50, p90, p99, most] = [0.5, 0.9, 0.99, 1.0].map(|part| share(pace, part));
            println!(
                "{deed:>6}: from tick to tick p50 {p50:.2?}, p90 {p90:.2?}, p99 {p99:.2?}, most {most:.2?}"
            );
        }
        let [quiet, beside @ ..] = paces.each_ref().map(|pace| share(pace, 0.99));
        let is_even = |p99: &Duration| *p99 <= quiet + quiet / 10;
        assert!(
            !is_full || beside.iter().all(is_even),
            "{quiet:?}, {beside:?}"
        );
    });
}

const QUIET: &str = "quiet";

/// What guests do: nothing, never return, take all memory.
const DEEDS: [&str; 3] = [QUIET, "spin", "grow"];

const TICK: Duration = Duration::from_millis(50);

/// Traps within a minute that a room has.
const TRAPS: u64 = 4;
