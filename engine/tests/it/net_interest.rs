//! What clients see over real sockets, at every tick that they are told of, against arithmetic of the test's own: everything
//! goes round on paths that follow from (entity, tick), and nothing of the world is asked where it is.
//!
//! WORLDSHARD_FULL=1 runs it with 1 000 clients.

use std::collections::{BTreeMap, BTreeSet};
use std::f64::consts::TAU;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use worldshard::Runtime;
use worldshard::prelude::*;
use worldshard_client::{Connection, Event as Heard};
use worldshard_protocol::{InterestWish, ViewpointMode};
use worldshard_spatial::CellMap;

use crate::socket::{PATIENCE, end, now, on_each_runtime, serve};

#[test]
fn clients_in_a_plane_world_see_exactly_who_is_within_their_radius() {
    all_see_who_is_near(Metric::Plane);
}

#[test]
fn clients_in_a_flat_world_see_exactly_who_is_within_their_radius_at_any_height() {
    all_see_who_is_near(Metric::Flat);
}

#[test]
fn clients_in_a_solid_world_see_exactly_who_is_within_their_radius() {
    all_see_who_is_near(Metric::Solid);
}

fn all_see_who_is_near(metric: Metric) {
    let full = std::env::var("WORLDSHARD_FULL").is_ok_and(|full| full == "1");
    let (clients, tick_interval) = match full {
        true => (1000, Duration::from_millis(100)),
        false => (32, Duration::from_millis(5)),
    };
    let ground = Ground::new(metric, clients);
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let config = ground.config(tick_interval);
            let map = CellMap::balanced(config.grid().unwrap(), shards, None).unwrap();
            let (running, address) = serve(&mut world(runtime, shards, &ground, config));
            let mut crowd = Crowd::join(address, &ground, map, clients);
            crowd.watch();
            let what = format!("{metric:?} on {runtime}, {shards} shards");
            let Seen {
                far, across, again, ..
            } = crowd.seen;
            println!(
                "{what}: {far} beyond half the radius, {across} across borders, {again} again"
            );
            assert!(far > 1000, "{what}: {far} beyond half the radius");
            assert!(again > 20, "{what}: {again} came back");
            assert_eq!(across > 100, shards > 1, "{what}: {across} across");
            end(running);
        }
    });
}

/// The space and the paths in it.
#[derive(Clone)]
struct Ground {
    metric: Metric,
    edges_m: [f64; 3],
}

impl Ground {
    /// Room for so many, with some of them in everybody's sight and most not.
    fn new(metric: Metric, clients: u64) -> Self {
        let count = clients as f64;
        let wide_m = (count.sqrt() * 32.0).max(400.0);
        let edges_m = match metric {
            Metric::Plane => [wide_m, wide_m, HEIGHT_M],
            Metric::Flat => [wide_m, HEIGHT_M, wide_m],
            Metric::Solid => [(count.cbrt() * 52.0).max(300.0); 3],
        };
        Self { metric, edges_m }
    }

    fn config(&self, tick_interval: Duration) -> WorldConfig {
        let [x, y, z] = self.edges_m.map(|edge_m| edge_m as f32);
        WorldConfig {
            tick_interval,
            bounds: Bounds::new(Point::ORIGIN, Point::new(x, y, z)),
            metric: self.metric,
            cell_edge_m: 10.0,
            index_edge_m: 25.0,
            interest_radius_m: RADIUS_M as f32,
            interest_radius_max_m: RADIUS_M as f32,
            interest_hysteresis_m: 0.0,
            ..WorldConfig::default()
        }
    }

    /// Where an entity is after a tick: on a circle of its own, a few metres a tick.
    fn place(&self, entity: u64, tick: u64) -> [f64; 3] {
        let share = |stride: f64| (entity as f64 * stride).fract();
        let radius_m = CIRCLE_MAX_M * (0.4 + 0.6 * share(0.414_213_562));
        let turn = TAU * (tick as f64 / (radius_m * 1.6) + share(0.259_921_049));
        let way = [turn.cos(), turn.sin(), (turn + 1.0).sin()];
        let strides = [0.819_172_513, 0.671_043_606, 0.549_700_477];
        [0, 1, 2].map(|axis| {
            let room_m = self.edges_m[axis] - 2.0 * CIRCLE_MAX_M;
            CIRCLE_MAX_M + share(strides[axis]) * room_m + radius_m * way[axis]
        })
    }

    /// How far apart two places are for this world.
    fn distance_m(&self, one: [f64; 3], other: [f64; 3]) -> f64 {
        let axes: &[usize] = match self.metric {
            Metric::Plane => &[0, 1],
            Metric::Flat => &[0, 2],
            Metric::Solid => &[0, 1, 2],
        };
        let squares = axes.iter().map(|&axis| (one[axis] - other[axis]).powi(2));
        squares.sum::<f64>().sqrt()
    }
}

fn world(runtime: Runtime, shards: u16, ground: &Ground, config: WorldConfig) -> App {
    let ground = ground.clone();
    let mut app = App::new();
    app.bind("127.0.0.1:0")
        .runtime(runtime)
        .shards(shards)
        .options(|options| options.limits.close_deadline = Duration::from_millis(500))
        .world(config)
        .avatar(|_, at| Draft::at(at))
        .system(FixedUpdate, move |step: &mut Step<'_>| {
            let tick = step.tick().0;
            for (id, position) in step.query::<(&EntityId, &mut Position)>().iter() {
                let at = ground.place(id.0, tick).map(|metres| metres as f32);
                position.0 = Point::from_array(at);
            }
        });
    app
}

/// One client and what it looks through.
struct Watcher {
    client: Connection,
    entity: Option<u64>,
    /// Where a camera looks from.
    at: [f64; 3],
    judged: u64,
    known: BTreeSet<u64>,
    left: BTreeSet<u64>,
}

/// What a run must have had in it to prove anything.
#[derive(Default)]
struct Seen {
    /// Entities more than half the radius away that were seen.
    far: u64,
    /// Entities that were seen while in another shard's territory than who saw them.
    across: u64,
    /// Times that somebody came back into a sight that he had left.
    again: u64,
}

struct Crowd<'a> {
    ground: &'a Ground,
    map: CellMap,
    watchers: Vec<Watcher>,
    entities: Vec<u64>,
    /// Where everybody is, by tick.
    places: BTreeMap<u64, BTreeMap<u64, [f64; 3]>>,
    /// From this tick on everybody is on his path and nobody else comes.
    complete_from: u64,
    seen: Seen,
}

impl<'a> Crowd<'a> {
    /// Everybody joins; every fourth as a camera.
    fn join(address: SocketAddr, ground: &'a Ground, map: CellMap, clients: u64) -> Self {
        let mut watchers: Vec<Watcher> = (1..=clients)
            .map(|number| {
                let mut client = Connection::enter(address, "/world", PATIENCE).unwrap();
                let mode = match number % 4 {
                    0 => ViewpointMode::Camera,
                    _ => ViewpointMode::Avatar,
                };
                let at = ground.place(number, 0).map(|metres| metres as f32);
                client.join(mode, Some(at), InterestWish::Default);
                client.flush().unwrap();
                Watcher {
                    client,
                    entity: None,
                    at: at.map(f64::from),
                    judged: 0,
                    known: BTreeSet::new(),
                    left: BTreeSet::new(),
                }
            })
            .collect();
        // All join at once, or a thousand of them would wait for a tick each.
        for watcher in &mut watchers {
            watcher.entity = watcher.client.until(PATIENCE, joined).unwrap();
        }
        let entities = watchers.iter().filter_map(|one| one.entity).collect();
        let delta = |event: &Heard| matches!(event, Heard::Delta(_)).then_some(());
        let mut complete_from = 0;
        for watcher in &mut watchers {
            while watcher.client.try_receive().unwrap().is_some() {}
            watcher.client.until(PATIENCE, delta).unwrap();
            complete_from = complete_from.max(watcher.client.view().tick().0 + 2);
        }
        Self {
            ground,
            map,
            watchers,
            entities,
            places: BTreeMap::new(),
            complete_from,
            seen: Seen::default(),
        }
    }

    /// Judges every delta of everybody, until each has had enough of them.
    fn watch(&mut self) {
        let mut heard_last = now();
        while self.watchers.iter().any(|watcher| watcher.judged < TICKS) {
            let mut heard = false;
            for at in 0..self.watchers.len() {
                while let Some(event) = self.watchers[at].client.try_receive().unwrap() {
                    let Heard::Delta(applied) = event else {
                        panic!("{event:?}");
                    };
                    heard = true;
                    if applied.tick.0 >= self.complete_from {
                        self.judge(at, applied.tick.0);
                    }
                }
            }
            if heard {
                heard_last = now();
            } else {
                assert!(heard_last.elapsed() < PATIENCE, "nothing comes any more");
                std::thread::park_timeout(Duration::from_millis(1));
            }
        }
    }

    /// What a client sees after its delta of `tick`, against where everybody must be.
    fn judge(&mut self, at: usize, tick: u64) {
        let (ground, entities) = (self.ground, &self.entities);
        let places = self.places.entry(tick).or_insert_with(|| {
            let place = |&entity: &u64| (entity, ground.place(entity, tick));
            entities.iter().map(place).collect()
        });
        let watcher = &mut self.watchers[at];
        watcher.judged += 1;
        let from = watcher.entity.map_or(watcher.at, |entity| places[&entity]);
        let owner = |place: [f64; 3]| {
            let place = place.map(|metres| metres as f32);
            self.map.owner_of(Point::from_array(place))
        };
        let mut sees = BTreeSet::new();
        for (id, seen) in watcher.client.view().iter() {
            let place = places.get(&id.0).copied();
            let place = place.unwrap_or_else(|| panic!("{id} does not exist, tick {tick}"));
            let told = seen.record.position().map(f64::from);
            let off = [0, 1, 2].map(|axis| (told[axis] - place[axis]).abs() < CLOSE_M);
            assert_eq!(
                off, [true; 3],
                "{id} at {told:?}, not {place:?}, tick {tick}"
            );
            let distance_m = ground.distance_m(from, place);
            assert!(
                distance_m < RADIUS_M + CLOSE_M,
                "{id} is seen from {distance_m} m, tick {tick}"
            );
            self.seen.far += u64::from(distance_m > RADIUS_M / 2.0);
            self.seen.across += u64::from(owner(from) != owner(place));
            self.seen.again += u64::from(watcher.left.remove(&id.0));
            sees.insert(id.0);
        }
        for (id, place) in &*places {
            let distance_m = ground.distance_m(from, *place);
            assert!(
                sees.contains(id) || distance_m > RADIUS_M - CLOSE_M,
                "{id} is not seen from {distance_m} m, tick {tick}"
            );
        }
        watcher.left.extend(&watcher.known - &sees);
        watcher.known = sees;
        while self.places.len() > TICKS as usize {
            self.places.pop_first();
        }
    }
}

/// What a client is told when it has joined: its avatar, if it has one.
fn joined(event: &Heard) -> Option<Option<u64>> {
    let Heard::Text(text) = event else {
        return None;
    };
    let said: Value = serde_json::from_str(text).unwrap();
    assert_eq!(said["type"], "joined", "{text}");
    Some(said["data"]["entity"].as_u64())
}

/// Deltas that everybody is judged by.
const TICKS: u64 = 100;

const RADIUS_M: f64 = 100.0;
const CIRCLE_MAX_M: f64 = 80.0;
/// Of a world whose interest does not look up or down.
const HEIGHT_M: f64 = 500.0;
/// As near to the radius, or to the truth, as single precision cannot tell.
const CLOSE_M: f64 = 1e-3;
