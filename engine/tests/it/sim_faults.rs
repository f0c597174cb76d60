//! Worlds in which everything goes wrong that may, and every tick is checked by brute force: nothing is ever found.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use worldshard::AppRecipe;
use worldshard::prelude::*;
use worldshard::sim::check::{Check, Finding};
use worldshard::sim::{EventTap, Faults, SimClients, SimOptions, Simulation};
use worldshard::worlds::{WorldName, world};

/// One run: all that a finding needs to be seen again.
#[derive(Clone, Copy, Debug)]
struct Run {
    kind: Kind,
    shards: u16,
    seed: u64,
}

/// Which world.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Demo(WorldName),
    /// A world of this file's own, in each metric.
    Fair(Metric),
    /// The same, in which nearly everything crosses a border in every tick.
    Rush,
}

/// What a run, or many, came to.
#[derive(Clone, Debug, Default)]
struct Totals {
    runs: u64,
    crossings: u64,
    enters: u64,
    leaves: u64,
    deltas: u64,
    births: u64,
    removals: u64,
    commands: u64,
    faults: BTreeMap<&'static str, u64>,
    checks: BTreeMap<&'static str, u64>,
}

const KINDS: [Kind; 6] = [
    Kind::Fair(Metric::Plane),
    Kind::Demo(WorldName::Flock),
    Kind::Fair(Metric::Flat),
    Kind::Demo(WorldName::Crowd),
    Kind::Fair(Metric::Solid),
    Kind::Demo(WorldName::Swarm3d),
];

const SHARDS: [u16; 4] = [2, 3, 4, 8];

#[test]
fn nothing_is_lost_doubled_or_seen_otherwise_whatever_goes_wrong() {
    let totals = check_all(0..RUNS, TICKS);
    println!("{totals:#?}");
}

#[test]
fn nothing_is_lost_or_doubled_in_ten_million_crossings() {
    let full = std::env::var("WORLDSHARD_FULL").is_ok_and(|full| full == "1");
    let crossings = if full { 10_000_000 } else { 20_000 };
    let run = Run {
        kind: Kind::Rush,
        shards: 8,
        seed: 1,
    };
    let totals = run
        .simulate_until(|done| done.crossings >= crossings)
        .unwrap();
    println!("{totals:#?}");
    assert!(totals.crossings >= crossings && totals.checks["audit"] > 0);
}

#[test]
fn nothing_is_found_in_a_night_of_seeds() {
    if std::env::var_os("WORLDSHARD_NIGHTLY").is_none() {
        crate::runtimes::tell(&format!(
            "NOT RUN: set WORLDSHARD_NIGHTLY=1 for {NIGHTLY_RUNS} seeds"
        ));
        return;
    }
    // The seeds go on where those of every day end.
    let totals = check_all(RUNS..RUNS + NIGHTLY_RUNS, NIGHTLY_TICKS);
    println!("{totals:#?}");
    assert!(
        totals.crossings >= NIGHTLY_CROSSINGS,
        "{}",
        totals.crossings
    );
}

#[test]
fn nothing_is_found_in_the_seed_that_the_environment_names() {
    let number = |name| {
        std::env::var(name)
            .ok()
            .map(|text| text.parse::<u64>().unwrap())
    };
    let Some(seed) = number("WORLDSHARD_SIM_SEED") else {
        return;
    };
    let ticks = number("WORLDSHARD_SIM_TICKS").unwrap_or(TICKS);
    let run = Run::of(seed);
    println!("{run:?}: {:#?}", run.simulate(ticks).unwrap());
}

/// Runs them all; in each something crosses, comes into view and goes out of it, and over all every fault happens.
fn check_all(seeds: Range<u64>, ticks: u64) -> Totals {
    let mut all = Totals::default();
    for seed in seeds {
        let run = Run::of(seed);
        let totals = run.simulate(ticks).unwrap_or_else(|finding| {
            panic!(
                "found by {finding}\n{run:?}, again: WORLDSHARD_SIM_SEED={seed} WORLDSHARD_SIM_TICKS={ticks} \
                 cargo test -p worldshard --test it environment_names -- --nocapture"
            )
        });
        let least = [totals.crossings, totals.enters, totals.leaves]
            .into_iter()
            .min();
        assert!(least > Some(0), "{run:?} shows too little: {totals:#?}");
        all.add(&totals);
    }
    for (fault, count) in &all.faults {
        assert!(*count > 0, "no {fault}");
    }
    for (checker, checks) in &all.checks {
        assert!(*checks > all.runs, "{checker} checked {checks} facts");
    }
    all
}

impl Run {
    /// Worlds and numbers of shards take turns, each pair in its time.
    fn of(seed: u64) -> Self {
        let (kinds, shards) = (KINDS.len() as u64, SHARDS.len() as u64);
        Self {
            kind: KINDS[(seed % kinds) as usize],
            shards: SHARDS[((seed / kinds + seed) % shards) as usize],
            seed,
        }
    }

    fn simulate(self, ticks: u64) -> Result<Totals, Finding> {
        let mut left = ticks;
        self.simulate_until(|_| {
            let done = left == 0;
            left = left.saturating_sub(1);
            done
        })
    }

    fn simulate_until(self, mut done: impl FnMut(&Totals) -> bool) -> Result<Totals, Finding> {
        let events = EventTap::new();
        let recipe = self.recipe(&events);
        let options = SimOptions {
            shards: self.shards,
            seed: self.seed,
            clients: SimClients::Live(CLIENTS),
            faults: Faults::ALL,
            // The engine's own audit looks at every tick.
            check: if self.kind == Kind::Rush {
                Check::Sample
            } else {
                Check::All
            },
            events: Some(events),
            keeping: None,
        };
        let mut simulation = Simulation::new(&recipe, options).unwrap();
        while !done(&Totals::of(&simulation)) {
            simulation.step()?;
        }
        simulation.finish()?;
        Ok(Totals::of(&simulation))
    }

    fn recipe(self, tap: &EventTap) -> Arc<AppRecipe> {
        let mut app = App::new();
        app.plugin(tap.clone());
        match self.kind {
            Kind::Demo(name) => app.plugin(world(name, ENTITIES, self.seed)),
            Kind::Fair(metric) => fair(&mut app, metric, self.seed, FAIR),
            Kind::Rush => fair(&mut app, Metric::Plane, self.seed, RUSH),
        };
        app.build().unwrap()
    }
}

impl Totals {
    fn of(simulation: &Simulation) -> Self {
        let mut totals = Self {
            runs: 1,
            faults: simulation.fault_counts().by_kind().into_iter().collect(),
            checks: simulation.checks().clone(),
            ..Self::default()
        };
        for hub in simulation.hubs() {
            let stats = hub.shard().stats();
            totals.crossings += stats.handoffs_in;
            totals.enters += stats.enters;
            totals.leaves += stats.leaves;
            totals.deltas += stats.deltas;
            totals.births += stats.births;
            totals.removals += stats.removals;
            totals.commands += stats.commands_applied;
        }
        totals
    }

    fn add(&mut self, other: &Self) {
        self.runs += other.runs;
        self.crossings += other.crossings;
        self.enters += other.enters;
        self.leaves += other.leaves;
        self.deltas += other.deltas;
        self.births += other.births;
        self.removals += other.removals;
        self.commands += other.commands;
        for (name, count) in &other.faults {
            *self.faults.entry(name).or_default() += count;
        }
        for (name, count) in &other.checks {
            *self.checks.entry(name).or_default() += count;
        }
    }
}

/// How an entity moves, in metres per second.
#[derive(Component, Clone, Copy)]
struct Velocity(Point);

/// What clients are told of an entity beside its record; not all have one.
#[derive(Component, Clone, Copy)]
struct Mood(u8);

/// The tick in which its timer must fire.
#[derive(Component, Clone, Copy)]
struct Alarm(u64);

/// What timers did that they must not; an `Update` system panics over it, which counts as a fault of its hub.
#[derive(Default)]
struct Untimely(Vec<String>);

/// How many walkers there are, and how they walk.
#[derive(Clone, Copy)]
struct Pace {
    entities: u64,
    speed_m_s: f32,
    /// Ticks until one turns, on average.
    turns_in: u64,
}

const FAIR: Pace = Pace {
    entities: ENTITIES,
    speed_m_s: 40.0,
    turns_in: 40,
};

/// Across a territory in a tick.
const RUSH: Pace = Pace {
    entities: 1000,
    speed_m_s: 800.0,
    turns_in: 1,
};

/// Fast walkers in a small world, so that much happens: all cross, some are born, some go, moods change.
fn fair(app: &mut App, metric: Metric, seed: u64, pace: Pace) -> &mut App {
    let edge_m = if metric == Metric::Solid { 48.0 } else { 96.0 };
    let far = Point::new(edge_m, edge_m, edge_m);
    let config = WorldConfig {
        seed,
        bounds: Bounds::new(Point::ORIGIN, far),
        metric,
        cell_edge_m: 6.0,
        index_edge_m: 5.0,
        interest_radius_m: 12.0,
        interest_radius_max_m: 16.0,
        interest_hysteresis_m: 1.5,
        perception_radius_m: 3.0,
        handoff_hysteresis_m: 0.75,
        avatar_speed_max_m_s: pace.speed_m_s,
        ..WorldConfig::default()
    };
    app.world(config)
        .component::<Velocity>("velocity", Visibility::Shared)
        .component::<Mood>("mood", Visibility::Replicated)
        .component::<Alarm>("alarm", Visibility::Private)
        .resource(Untimely::default)
        .populate(pace.entities, move |genesis, entity| {
            let mut chance = genesis.chance(entity, "birth");
            let max = genesis.config.bounds.max.to_array();
            let at = Point::from_array(max.map(|max| chance.range(0.0, max)));
            let walker = walker(
                at,
                chance.unit_vector(genesis.config.metric) * pace.speed_m_s,
            );
            if entity.0.is_multiple_of(3) {
                walker.with(Mood(0))
            } else {
                walker
            }
        })
        .avatar(|_, at| walker(at, Point::ORIGIN).with(Steering::default()))
        .system(FixedUpdate, move |step: &mut Step<'_>| walk(step, pace))
        .system(FixedUpdate, wake)
        .system(Update, |cx: &mut Context<'_>| {
            let untimely = std::mem::take(&mut cx.resource_mut::<Untimely>().0);
            assert!(untimely.is_empty(), "{untimely:?}");
        })
}

fn walker(at: Point, velocity: Point) -> Draft {
    Draft::at(at).with(Velocity(velocity)).with(Alarm(0))
}

type Walker<'a> = (
    &'a EntityId,
    &'a mut Position,
    &'a mut Velocity,
    Option<&'a mut Mood>,
    Option<&'a Steering>,
);

fn walk(step: &mut Step<'_>, pace: Pace) {
    let (dt, space) = (step.dt(), *step.space());
    for (&id, position, velocity, mood, steering) in step.query::<Walker<'_>>().iter() {
        let mut chance = step.chance(id, "walk");
        if let Some(steering) = steering {
            velocity.0 = steering.0 * pace.speed_m_s;
        } else if chance.next_u64().is_multiple_of(pace.turns_in) {
            velocity.0 = chance.unit_vector(space.metric) * pace.speed_m_s;
        }
        if let Some(mood) = mood
            && chance.next_u64().is_multiple_of(10)
        {
            mood.0 = mood.0.wrapping_add(1);
        }
        position.0 = space.bounds.clamp(position.0 + velocity.0 * dt);
        if steering.is_none() && chance.next_u64().is_multiple_of(400) {
            step.despawn(id);
            let max = space.bounds.max.to_array();
            let at = Point::from_array(max.map(|max| chance.range(0.0, max)));
            step.spawn(id, walker(at, velocity.0).with(Mood(7)));
        }
    }
}

/// A timer fires in the tick of its entity's alarm and in no other, then is set again; some are replaced or stopped.
fn wake(step: &mut Step<'_>) {
    let (now, fired) = (step.tick().0, step.fired());
    let mut untimely = step.resource_mut::<Untimely>();
    for (&id, alarm) in step.query::<(&EntityId, &mut Alarm)>().iter() {
        let times = fired.iter().filter(|timer| **timer == (id, TIMER)).count();
        if times != usize::from(alarm.0 == now) {
            let due = alarm.0;
            untimely
                .0
                .push(format!("{id}: {times} timers fired, due in tick {due}"));
        }
        let mut chance = step.chance(id, "alarm");
        let lot = chance.next_u64() % 32;
        if alarm.0 <= now || lot == 0 {
            let after_ticks = 1 + chance.next_u64() % 16;
            step.timer(id, TIMER, after_ticks);
            alarm.0 = now + after_ticks;
        } else if lot == 1 {
            step.cancel_timer(id, TIMER);
            alarm.0 = 0;
        }
    }
}

const TIMER: u32 = 7;

/// Enough that each metre of a border is crossed.
const ENTITIES: u64 = 250;

const CLIENTS: u32 = 10;

/// Every day: each world on each number of shards, and some again.
const RUNS: u64 = 36;
const TICKS: u64 = 160;

const NIGHTLY_RUNS: u64 = 504;
const NIGHTLY_TICKS: u64 = 1000;
const NIGHTLY_CROSSINGS: u64 = 1_000_000;
