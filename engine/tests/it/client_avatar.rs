//! An avatar and the client that predicts it, over a path with 200 ms from word to answer, 2 % loss and broken connections: in
//! the end both have it in the same place, bit for bit. The rules and the client are the example's.

use std::collections::{BTreeMap, VecDeque};
use std::f32::consts::PI;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use worldshard::Runtime;
use worldshard::prelude::*;
use worldshard_client::Options;

use crate::lossy::{LossyPath, ONE_WAY};
use crate::socket::{PATIENCE, end, get, now, on_each_runtime, serve};

#[path = "../../../examples/avatar.rs"]
#[expect(dead_code, reason = "the example is a program, too")]
mod avatar;

use avatar::{Walker, Way};

#[test]
fn a_client_that_foresees_all_is_never_corrected_and_ends_where_the_server_does() {
    on_each_runtime(|runtime| {
        for walk in walks(runtime, around_the_rock) {
            assert_eq!(walk.corrections, 0, "{walk:?}");
        }
    });
}

#[test]
fn a_client_whose_avatar_the_wind_carries_off_is_corrected_and_ends_where_the_server_does() {
    on_each_runtime(|runtime| {
        for walk in walks(runtime, through_the_wind) {
            assert!(walk.corrections > 0, "{walk:?}");
        }
    });
}

/// Where an avatar that stands there and went in this direction goes next, in radians.
type Ways = fn(Point, f32, &mut Chance) -> f32;

/// Hither and thither near the middle, where territories meet, against the rock too.
fn around_the_rock(at: Point, heading: f32, chance: &mut Chance) -> f32 {
    let to_middle = MIDDLE - at;
    if to_middle.length() > ARENA_M {
        to_middle.y.atan2(to_middle.x)
    } else {
        heading + chance.range(-0.5, 0.5)
    }
}

/// To and fro between the wind and the middle.
fn through_the_wind(at: Point, heading: f32, _: &mut Chance) -> f32 {
    if at.x < WINDS_M {
        0.0
    } else if at.x > MIDDLE.x + ARENA_M {
        PI
    } else {
        heading
    }
}

/// What there is to tell of a walk.
#[derive(Debug)]
#[expect(dead_code, reason = "for who reads what a test prints")]
struct Walk {
    shards: u16,
    corrections: u32,
    /// Strides that the server had not confirmed, at most.
    ahead_max: usize,
    handoffs: u64,
    segments: u32,
    lost: u32,
}

/// One walk for each number of shards, all at once.
fn walks(runtime: Runtime, ways: Ways) -> Vec<Walk> {
    let walks = std::thread::scope(|scope| {
        [1, 2, 8]
            .map(|shards| scope.spawn(move || walk(runtime, shards, ways)))
            .map(|walking| walking.join().unwrap())
    });
    for walk in &walks {
        println!("{runtime}: {walk:?}");
    }
    walks.into()
}

type Places = Arc<Mutex<BTreeMap<EntityId, Point>>>;

/// Where the world itself has everything.
fn world(runtime: Runtime, shards: u16, places: &Places) -> App {
    let places = Arc::clone(places);
    let mut app = avatar::world();
    app.bind("127.0.0.1:0")
        .runtime(runtime)
        .shards(shards)
        .system(FixedUpdate, move |step: &mut Step<'_>| {
            let mut places = places.lock().unwrap();
            for (&entity, position) in step.query::<(&EntityId, &Position)>().iter() {
                places.insert(entity, position.0);
            }
        })
        .options(|options| options.limits.close_deadline = Duration::from_millis(500));
    app
}

fn walk(runtime: Runtime, shards: u16, ways: Ways) -> Walk {
    let places = Places::default();
    let (running, address) = serve(&mut world(runtime, shards, &places));
    let path = LossyPath::to(address, u64::from(shards));
    let mut options = Options::new(&format!("ws://{}/world", path.address)).unwrap();
    options.reconnect.base = Duration::from_millis(100);
    let mut walker = Walker::new(options).unwrap();
    while walker.own.is_none() {
        assert!(walker.hear(PATIENCE).unwrap(), "no avatar");
    }
    let entity = walker.link.avatar().unwrap();
    let mut seen = Seen::default();
    let mut chance = Chance::new(u64::from(shards), entity, Tick(0), "ways");
    let (mut heading, mut strides) = (PI, 0);
    let deadline = now() + PATIENCE * 6;
    while strides < STRIDES {
        let next = now() + STRIDE_EVERY;
        while seen.hear(&mut walker, next.saturating_duration_since(now())) {}
        let from = *walker.own.as_ref().unwrap().state();
        heading = ways(from, heading, &mut chance);
        let said_at = now();
        if !walker.stride(Way::at_angle(heading)) {
            // There is no connection just now.
            assert!(now() < deadline, "only {strides} strides");
            continue;
        }
        seen.stride(&walker, from, said_at);
        strides += 1;
        if strides % CUT_EVERY == 0 {
            path.cut();
        }
    }
    while walker.own.as_ref().unwrap().pending() > 0 {
        assert!(seen.hear(&mut walker, PATIENCE), "not all is confirmed");
    }
    // It is the session of the beginning, which went on over other connections.
    assert_eq!(walker.link.avatar(), Some(entity));
    let (view, sequence) = (walker.link.view(), walker.link.sequence());
    assert_eq!(view.command_sequence(), sequence);
    let bits = |at: Point| at.to_array().map(f32::to_bits);
    let own = *walker.own.as_ref().unwrap().state();
    let servers = places.lock().unwrap()[&entity];
    assert_eq!(bits(own), bits(servers), "{own:?} is not {servers:?}");
    let carried = path.carried();
    assert!(carried.lost > 0, "{carried:?}");
    let status: Value = serde_json::from_str(&get(address, "/status").1).unwrap();
    let handoffs = status["shards"].as_array().unwrap().iter();
    let handoffs = handoffs.map(|one| one["world"]["handoffs_in"].as_u64().unwrap());
    let walk = Walk {
        shards,
        corrections: walker.corrections,
        ahead_max: seen.ahead_max,
        handoffs: handoffs.sum(),
        segments: carried.segments,
        lost: carried.lost,
    };
    assert!(shards == 1 || walk.handoffs > 0, "no border: {walk:?}");
    walker.link.finish(PATIENCE);
    end(running);
    walk
}

/// What a client showed, and when it was told that it was right.
#[derive(Default)]
struct Seen {
    said: VecDeque<(u32, Instant)>,
    ahead_max: usize,
}

impl Seen {
    /// Hears one thing. Only a correction moves what is shown, and nothing is confirmed before it can have been heard of.
    fn hear(&mut self, walker: &mut Walker, timeout: Duration) -> bool {
        let shown = walker.own.as_ref().map(|own| *own.state());
        let corrections = walker.corrections;
        let heard = walker.hear(timeout).unwrap();
        let own = walker.own.as_ref().expect("the session goes on");
        let is_moved = shown.is_some_and(|shown| shown != *own.state());
        assert_eq!(is_moved, walker.corrections > corrections);
        while self.said.len() > own.pending() {
            let (sequence, at) = self.said.pop_front().unwrap();
            assert!(now() - at >= 2 * ONE_WAY, "{sequence} came too early");
        }
        heard
    }

    /// A stride is shown at once, and nothing leaps.
    fn stride(&mut self, walker: &Walker, from: Point, said_at: Instant) {
        let own = walker.own.as_ref().unwrap();
        let shown_m = (*own.state() - from).length();
        assert!(shown_m <= STRIDE_M, "{shown_m} m in a stride");
        self.said.push_back((walker.link.sequence(), said_at));
        self.ahead_max = self.ahead_max.max(own.pending());
    }
}

const STRIDES: u32 = 300;
const STRIDE_EVERY: Duration = Duration::from_millis(20);
/// Strides between two cuts of the connection; the last comes with the last stride.
const CUT_EVERY: u32 = 100;
/// The bits of a sum near the middle of the world are 0.06 mm apart.
const STRIDE_M: f32 = 0.5 + 1e-3;
/// Where territories meet, and the rock stands.
const MIDDLE: Point = Point::flat(512.0, 512.0);
const ARENA_M: f32 = 10.0;
/// West of here no wind blows.
const WINDS_M: f32 = 488.0;
