//! A walker that goes to and fro across borders, as its own client and one who stands by see it over real sockets: one id,
//! no tick missing, nothing twice, no input lost.
//!
//! WORLDSHARD_FULL=1 ticks at 20 Hz and lets the walker miss no two ticks in a row, unless who stands by missed one then.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use worldshard::prelude::*;
use worldshard_client::{AckPolicy, Connection, Event as Heard, Framing};
use worldshard_protocol::{Applied, ClientMessage, InterestWish, ViewpointMode};
use worldshard_shard::Limits;
use worldshard_spatial::CellMap;

use crate::socket::{PATIENCE, end, eventually, get, on_each_runtime, serve};

#[test]
fn a_walker_that_crosses_the_border_of_two_shards_a_thousand_times_loses_nothing() {
    on_each_runtime(|runtime| walk_to_and_fro(runtime, 2, AckPolicy::Auto));
}

#[test]
fn a_walker_among_eight_shards_loses_nothing_in_a_thousand_crossings() {
    on_each_runtime(|runtime| walk_to_and_fro(runtime, 8, AckPolicy::Auto));
}

#[test]
fn a_walker_that_acknowledges_nothing_misses_no_tick_either() {
    on_each_runtime(|runtime| walk_to_and_fro(runtime, 8, AckPolicy::Never));
}

/// How many numbered steps the walker was told to take, and whether any came out of turn.
#[derive(Clone, Copy, Default, Component)]
struct Steps {
    taken: u32,
    out_of_turn: u32,
}

/// Takes a step if it is the next one.
fn step(subject: &mut Subject<'_>, payload: &[u8]) -> Result<(), Refusal> {
    let number = u32::from_le_bytes(payload.try_into().unwrap());
    subject.change(|steps: &mut Steps| {
        steps.out_of_turn += u32::from(number != steps.taken + 1);
        steps.taken = number;
    });
    Ok(())
}

fn config() -> WorldConfig {
    WorldConfig {
        tick_interval: Duration::from_millis(if full() { 50 } else { 2 }),
        bounds: Bounds {
            min: Point::ORIGIN,
            max: Point::flat(EDGE_M, EDGE_M),
        },
        cell_edge_m: 8.0,
        interest_radius_m: RADIUS_M,
        interest_radius_max_m: RADIUS_M,
        interest_hysteresis_m: HYSTERESIS_M,
        perception_radius_m: 4.0,
        handoff_hysteresis_m: HYSTERESIS_M,
        limits: Limits {
            // What was said while a busy machine did not read counts for one tick.
            commands_per_tick_max: 1024,
            ..Limits::default()
        },
        ..WorldConfig::default()
    }
}

/// A world of entities that stand in rows, and of avatars that walk near its middle, where territories meet.
fn world(runtime: Runtime, shards: u16) -> App {
    let mut app = App::new();
    app.bind("127.0.0.1:0")
        .runtime(runtime)
        .shards(shards)
        .options(|options| options.limits.close_deadline = Duration::from_millis(500))
        .component::<Steps>("steps", Visibility::Replicated)
        .world(config())
        .populate(STANDING * STANDING, |_, entity| Draft::at(standing(entity)))
        .avatar(|_, at| {
            let avatar = Appearance {
                kind: AVATAR,
                heading: 0,
            };
            let draft = Draft::at(at).appearance(avatar);
            draft.with(Steering::default()).with(Steps::default())
        })
        .command(STEP, step)
        .system(FixedUpdate, walk);
    app
}

/// Where the entities of tick 0 stand.
fn standing(entity: EntityId) -> Point {
    let number = entity.0 - 1;
    let (row, column) = (number / STANDING, number % STANDING);
    let along = |place: u64| (place as f32 + 0.5) * EDGE_M / STANDING as f32;
    Point::flat(along(column), along(row))
}

/// Carries avatars where they are steered, and turns them so that every tick of theirs is news.
fn walk(step: &mut Step<'_>) {
    let tick = step.tick().0;
    let (low, high) = (MIDDLE_M - ARENA_M, MIDDLE_M + ARENA_M);
    for (position, appearance, steering) in step
        .query::<(&mut Position, &mut Appearance, &Steering)>()
        .iter()
    {
        let to = position.0 + steering.0 * STRIDE_M;
        position.0 = Point::flat(to.x.clamp(low, high), to.y.clamp(low, high));
        appearance.heading = (tick & 0xff) as u8;
    }
}

/// What a client has seen of its walker so far.
struct Walk {
    session: u64,
    entity: EntityId,
    map: CellMap,
    owner: ShardId,
    crossings: u64,
    told: Told,
    command_sequence: u32,
    steps: Steps,
    steps_index: u16,
}

/// The ticks that a client was told of.
#[derive(Default)]
struct Told {
    /// Ticks between two deltas that none was received for: the tick behind them, and how many.
    gaps: Vec<(u64, u64)>,
    last: Option<u64>,
}

impl Told {
    fn note(&mut self, tick: u64) {
        if let Some(last) = self.last.replace(tick) {
            assert!(tick > last, "tick {tick} came after {last}");
            if tick > last + 1 {
                self.gaps.push((tick, tick - last - 1));
            }
        }
    }

    /// Ticks up to `tick` that no delta came for.
    fn missed_until(&self, tick: u64) -> u64 {
        let missed = |&(behind, count): &(u64, u64)| {
            let first = behind - count;
            (tick + 1).saturating_sub(first).min(count)
        };
        self.gaps.iter().map(missed).sum()
    }

    fn missed(&self) -> u64 {
        self.missed_until(u64::MAX - 1)
    }

    /// Whether any of the ticks from `first` up to `end` is missing.
    fn missed_between(&self, first: u64, end: u64) -> bool {
        let mut gaps = self.gaps.iter();
        gaps.any(|&(behind, count)| behind > first && behind - count < end)
    }
}

impl Walk {
    /// Judges one delta. That no entity enters or leaves twice, the client has checked.
    fn see(&mut self, client: &Connection, applied: &Applied) {
        let tick = applied.tick.0;
        self.told.note(tick);
        assert_eq!(avatars(client), [self.entity], "tick {tick}");
        let view = client.view();
        let seen = view.get(self.entity).unwrap();
        let at = Point::from_array(seen.record.position());
        if self.map.distance_squared(self.owner, at) > HYSTERESIS_M * HYSTERESIS_M {
            self.owner = self.map.owner_of(at);
            self.crossings += 1;
        }
        let mut bytes = &seen.extras[&self.steps_index][..];
        let mut number = || {
            let (first, rest) = bytes.split_first_chunk().unwrap();
            bytes = rest;
            u32::from_le_bytes(*first)
        };
        let (taken, out_of_turn) = (number(), number());
        assert!(taken >= self.steps.taken, "a step was taken back");
        assert_eq!(out_of_turn, 0, "steps came out of turn, tick {tick}");
        self.steps = Steps { taken, out_of_turn };
        assert!(view.command_sequence() >= self.command_sequence);
        self.command_sequence = view.command_sequence();
        for entity in (1..=STANDING * STANDING).map(EntityId) {
            let distance_m = (standing(entity) - at).length();
            let sees = view.get(entity).is_some();
            assert!(
                sees || distance_m > RADIUS_M,
                "{entity} is not seen at {tick}"
            );
            assert!(
                !sees || distance_m <= RADIUS_M + HYSTERESIS_M,
                "{entity} is seen"
            );
        }
    }
}

/// A camera in the middle, which hears through the same thread as the walker: what the machine does to one it does to both.
struct Bystander {
    client: Connection,
    entity: EntityId,
    told: Told,
}

impl Bystander {
    fn join(address: SocketAddr, acks: AckPolicy, entity: EntityId) -> Self {
        let mut client = Connection::enter(address, "/world", PATIENCE).unwrap();
        client.set_ack_policy(acks);
        let at = [MIDDLE_M, MIDDLE_M, 0.0];
        client.join(ViewpointMode::Camera, Some(at), InterestWish::Default);
        let delta = |event: &Heard| matches!(event, Heard::Delta(_)).then_some(());
        client.until(PATIENCE, delta).unwrap();
        let told = Told::default();
        Self {
            client,
            entity,
            told,
        }
    }

    /// Judges everything that has come: the walker is there, once, whoever owns it.
    fn look(&mut self) {
        while let Some(event) = self.client.try_receive().unwrap() {
            if let Heard::Delta(applied) = event {
                self.told.note(applied.tick.0);
                assert_eq!(avatars(&self.client), [self.entity], "{:?}", applied.tick);
            }
        }
    }
}

fn avatars(client: &Connection) -> Vec<EntityId> {
    let seen = client.view().iter();
    seen.filter(|(_, seen)| seen.record.kind == AVATAR)
        .map(|(id, _)| id)
        .collect()
}

fn walk_to_and_fro(runtime: Runtime, shards: u16, acks: AckPolicy) {
    let (running, address) = serve(&mut world(runtime, shards));
    let (mut client, mut walk) = join(address, shards, acks);
    let mut bystander = Bystander::join(address, acks, walk.entity);
    let (mut way, mut steps) = (0, 0);
    steer(&mut client, way);
    while walk.crossings < CROSSINGS {
        let heard = hear_all(&mut client, &mut walk);
        bystander.look();
        if !heard {
            continue;
        }
        let at = client.view().get(walk.entity).unwrap().record.position();
        if has_arrived(at, way) {
            way = (way + 1) % WAYS.len();
            steer(&mut client, way);
        }
        steps += 1;
        client.say(&ClientMessage::Custom {
            opcode: STEP,
            payload: &u32::to_le_bytes(steps),
        });
    }
    client.steer([0.0; 3]);
    while client.view().command_sequence() != client.sequence() {
        hear_all(&mut client, &mut walk);
    }
    assert_eq!(walk.steps.taken, steps, "steps were lost");
    bystander.look();
    let (missed, missed_by_bystander) = (walk.told.missed(), bystander.told.missed());
    judge_gaps(address, &mut client, &mut walk);
    let handoffs = total(&status(address), "handoffs_in");
    println!(
        "{runtime}, {shards} shards, {acks:?}: {handoffs} handoffs, {steps} steps, {missed} of {} ticks starved, \
         {missed_by_bystander} of the bystander",
        walk.told.last.unwrap()
    );
    // One tick that each crossing cost would be far beyond this.
    assert!(
        missed <= 2 * missed_by_bystander + CROSSINGS / 4,
        "{missed} ticks missed, {missed_by_bystander} by who stands still"
    );
    if full() {
        let long = walk.told.gaps.iter().filter(|(_, count)| *count > 1);
        for &(behind, count) in long {
            let machine = bystander.told.missed_between(behind - count, behind);
            assert!(
                machine,
                "{count} ticks before {behind}: {:?}",
                bystander.told.gaps
            );
        }
    }
    let missed = walk.told.missed();
    assert!((walk.crossings..=walk.crossings + missed).contains(&handoffs));
    end(running);
}

/// Joins with an avatar in the middle of the world and waits for its first delta.
fn join(address: SocketAddr, shards: u16, acks: AckPolicy) -> (Connection, Walk) {
    let mut client = Connection::connect(address, "/world", Framing::Lanes).unwrap();
    client.set_ack_policy(acks);
    let greeting = client.until(PATIENCE, |event| match event {
        Heard::Greeting(greeting) => Some(greeting.clone()),
        _ => None,
    });
    let greeting = greeting.unwrap();
    let steps = greeting
        .components
        .iter()
        .find(|one| one.name == "steps")
        .unwrap();
    let at = [MIDDLE_M + HYSTERESIS_M, MIDDLE_M + HYSTERESIS_M, 0.0];
    client.join(ViewpointMode::Avatar, Some(at), InterestWish::Default);
    let entity = client.until(PATIENCE, |event| match event {
        Heard::Text(text) => {
            let said: Value = serde_json::from_str(text).unwrap();
            assert_eq!(said["type"], "joined");
            said["data"]["entity"].as_u64()
        }
        _ => None,
    });
    let map = CellMap::balanced(config().grid().unwrap(), shards, None).unwrap();
    let walk = Walk {
        session: greeting.session,
        entity: EntityId(entity.unwrap()),
        owner: map.owner_of(Point::from_array(at)),
        map,
        crossings: 0,
        told: Told::default(),
        command_sequence: 0,
        steps: Steps::default(),
        steps_index: steps.index,
    };
    (client, walk)
}

/// Judges everything that has come; waits for something. False when there was no delta.
fn hear_all(client: &mut Connection, walk: &mut Walk) -> bool {
    let mut heard = client.receive(PATIENCE).unwrap();
    assert!(heard.is_some(), "nothing comes any more");
    let mut deltas = 0;
    while let Some(event) = heard {
        match event {
            Heard::Delta(applied) => {
                deltas += 1;
                walk.see(client, &applied);
            }
            other => panic!("{other:?}"),
        }
        heard = client.try_receive().unwrap();
    }
    deltas > 0
}

fn steer(client: &mut Connection, way: usize) {
    let [x, y] = WAYS[way];
    client.steer([x, y, 0.0]);
}

/// Whether the walker is beyond the middle, where it was steered.
fn has_arrived(at: [f32; 3], way: usize) -> bool {
    let beyond = |axis: usize| (at[axis] - MIDDLE_M) * WAYS[way][axis] > HYSTERESIS_M;
    beyond(0) && beyond(1)
}

/// Expects that the ticks without a delta are just those in which the server had no credit to build one.
fn judge_gaps(address: SocketAddr, client: &mut Connection, walk: &mut Walk) {
    let stopped = walk.told.last.unwrap();
    let mut told = None;
    eventually(PATIENCE, "the shards tell of the end of the walk", || {
        hear_all(client, walk);
        let status = status(address);
        let shards = status["shards"].as_array().unwrap();
        // No viewpoint is on its way between shards any more.
        let settled = |one: &Value| one["tick"].as_u64().unwrap() > stopped + 1;
        if shards.len() == usize::from(walk.map.shard_count()) && shards.iter().all(settled) {
            told = Some(starved(&status, walk));
        }
        told.is_some()
    });
    let (tick, starved_ticks) = told.unwrap();
    while walk.told.last.unwrap() <= tick {
        hear_all(client, walk);
    }
    // A shard may tell of itself between the halves of a tick.
    let missed = [tick - 1, tick].map(|tick| walk.told.missed_until(tick));
    assert!(
        missed.contains(&starved_ticks),
        "{missed:?} ticks had no delta, but {starved_ticks} had no credit, up to {tick}: {:?}",
        walk.told.gaps
    );
    assert!(
        missed[0] < tick / 2,
        "{} of {tick} ticks without credit: nothing was tried",
        missed[0]
    );
}

fn status(address: SocketAddr) -> Value {
    let (code, body) = get(address, "/status");
    assert_eq!(code, 200);
    serde_json::from_str(&body).unwrap()
}

/// The tick of the owner's numbers, and in how many the walker had no credit.
fn starved(status: &Value, walk: &Walk) -> (u64, u64) {
    let shard = &status["shards"][usize::from(walk.owner.0)];
    let mut slowest = shard["slowest"].as_array().unwrap().iter();
    let slow = slowest.find(|one| one["session"] == walk.session);
    (
        shard["tick"].as_u64().unwrap(),
        slow.map_or(0, |slow| slow["starved_ticks"].as_u64().unwrap()),
    )
}

fn total(status: &Value, counter: &str) -> u64 {
    let shards = status["shards"].as_array().unwrap().iter();
    shards
        .map(|one| one["world"][counter].as_u64().unwrap())
        .sum()
}

fn full() -> bool {
    std::env::var("WORLDSHARD_FULL").is_ok_and(|full| full == "1")
}

const CROSSINGS: u64 = 1000;

const EDGE_M: f32 = 64.0;
const MIDDLE_M: f32 = EDGE_M / 2.0;
/// The walker stays so near to the middle.
const ARENA_M: f32 = 5.0;
/// How far the walker comes in a tick.
const STRIDE_M: f32 = 3.0;
const RADIUS_M: f32 = 10.0;
const HYSTERESIS_M: f32 = 0.5;

/// Entities in a row, and rows.
const STANDING: u64 = 16;

/// Each leads from one quarter into another beyond the vertical border.
const WAYS: [[f32; 2]; 4] = [[-0.7, -0.7], [0.7, 0.7], [-0.7, 0.7], [0.7, -0.7]];

const AVATAR: u8 = 1;
const STEP: u8 = 64;
