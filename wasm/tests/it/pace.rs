//! What hogs cost the rooms beside them on the same shard: the time from tick to tick, with and without. Figures come by
//!
//! ```text
//! WORLDSHARD_FULL=1 cargo test --release -p worldshard-wasm --test it pace -- --nocapture
//! ```

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use worldshard::prelude::*;
use worldshard::runtime::busy;
use worldshard::{Rooms, Runtime};
use worldshard_transport::MessageKind;
use worldshard_wasm::{EPOCH, Guests, Host, Limits};

use crate::guests::everything;
use crate::module;
use crate::socket::{Client, Heard, end, get, now, on_each_runtime, serve};

/// Notes when it is told of each tick.
struct Watch(Arc<Mutex<Vec<Instant>>>);

impl Service for Watch {
    fn tick(&mut self, _: &mut Room<'_>) {
        self.0.lock().unwrap().push(now());
    }
}

/// From tick to tick, ascending.
struct Pace(Vec<Duration>);

impl Pace {
    fn share(&self, part: f64) -> Duration {
        self.0[((self.0.len() - 1) as f64 * part).round() as usize]
    }
}

/// Serves for so many ticks on one shard, with a room that watches, and others with guests of which one in each tick does
/// what is said. A room dies of that four times; then it is another's turn.
fn pace(runtime: Runtime, ticks: usize, hog: Option<&str>) -> Pace {
    let host = Host::counting(Limits::default(), EPOCH, busy).unwrap();
    let guests = Guests::new(module(&host, &everything()).unwrap());
    let noted = Arc::default();
    let watch = Arc::clone(&noted);
    let mut app = App::new();
    app.bind("127.0.0.1:0")
        .runtime(runtime)
        .shards(1)
        .pace(TICK, 1)
        .rooms(Rooms::at("/guests/{room}", guests.make()))
        .rooms(Rooms::at("/watch/{room}", move |_| {
            Watch(Arc::clone(&watch))
        }));
    let (running, address) = serve(&mut app);
    let watching = Client::connect(address, "/watch/it");
    let quiet: Vec<Client> = (0..20)
        .map(|room| Client::connect(address, &format!("/guests/quiet-{room}")))
        .collect();

    let mut hogs = 0;
    let mut client: Option<Client> = None;
    while noted.lock().unwrap().len() < ticks {
        // Not in step with the ticks.
        std::thread::park_timeout(TICK - Duration::from_micros(hogs % 7 * 500));
        let Some(hog) = hog else { continue };
        if hogs % TRAPS == 0 {
            let path = format!("/guests/hog-{hogs}");
            client = Some(Client::connect(address, &path));
        }
        hogs += 1;
        let client = client.as_mut().unwrap();
        client.say(MessageKind::Text, hog.as_bytes());
        if hogs % TRAPS == 0 {
            let closed = Heard::Close(Some(1011), "the room failed".to_owned());
            assert_eq!(client.hear(), closed);
        }
    }
    let status: serde_json::Value = serde_json::from_str(&get(address, "/status").1).unwrap();
    let panics = status["shards"][0]["room_panics"].as_u64().unwrap();
    assert!(
        (hogs.saturating_sub(1)..=hogs).contains(&panics),
        "{status}"
    );
    drop((quiet, watching, client));
    end(running);

    let noted = noted.lock().unwrap();
    // The first are of a server that starts.
    let since = noted.windows(2).skip(5).map(|pair| pair[1] - pair[0]);
    let mut since: Vec<Duration> = since.collect();
    since.sort_unstable();
    println!(
        "{runtime}, {}: {hogs} hogs in {ticks} ticks of {TICK:?}; from tick to tick p50 {:.2?}, p99 {:.2?}, most {:.2?}",
        hog.unwrap_or("quiet"),
        Pace(since.clone()).share(0.5),
        Pace(since.clone()).share(0.99),
        since[since.len() - 1]
    );
    Pace(since)
}

/// In the short form ticks go on and each hog is stopped; in the long one the ticks beside 1 000 hogs are as even as before.
#[test]
fn hogs_do_not_change_the_pace_of_the_rooms_beside_them() {
    let is_full = std::env::var("WORLDSHARD_FULL").is_ok_and(|full| full == "1");
    let ticks = if is_full { 1_100 } else { 20 };
    on_each_runtime(|runtime| {
        let quiet = pace(runtime, ticks, None);
        for hog in ["spin", "grow"] {
            let beside = pace(runtime, ticks, Some(hog));
            let (before, after) = (quiet.share(0.99), beside.share(0.99));
            if is_full {
                assert!(
                    after <= before + before / 10,
                    "{before:?}, {after:?} beside {hog}"
                );
            }
        }
    });
}

const TICK: Duration = Duration::from_millis(50);

/// Traps within a minute that a room has.
const TRAPS: u64 = 4;
