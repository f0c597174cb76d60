//! Worlds whose processes, shards and disks fail at any moment: whatever a client was told comes back, and every tick that is
//! done again comes out as it did.

use std::collections::BTreeMap;
use std::ops::Range;

use worldshard::prelude::*;
use worldshard::sim::check::{Check, Finding};
use worldshard::sim::{
    EventTap, FaultKind, Faults, SimClients, SimKeeping, SimOptions, Simulation,
};
use worldshard::worlds::{WorldName, world};

/// One run: all that a finding needs to be seen again.
#[derive(Clone, Copy, Debug)]
struct Run {
    world: WorldName,
    shards: u16,
    checkpoint_ticks: u64,
    seed: u64,
}

/// What a run, or many, came to, by name.
type Totals = BTreeMap<&'static str, u64>;

#[test]
fn nothing_that_was_told_is_lost_whatever_ends() {
    let totals = check_all(0..RUNS, TICKS);
    println!("{totals:#?}");
    for (name, count) in &totals {
        assert!(*count > 0, "no {name}");
    }
}

#[test]
fn nothing_is_lost_in_a_night_of_crashes() {
    if std::env::var_os("WORLDSHARD_NIGHTLY").is_none() {
        eprintln!("not run: set WORLDSHARD_NIGHTLY=1 for {NIGHTLY_RUNS} seeds");
        return;
    }
    println!("{:#?}", check_all(RUNS..RUNS + NIGHTLY_RUNS, NIGHTLY_TICKS));
}

#[test]
fn nothing_is_lost_in_the_crash_seed_that_the_environment_names() {
    let number = |name| {
        std::env::var(name)
            .ok()
            .map(|text| text.parse::<u64>().unwrap())
    };
    let Some(seed) = number("WORLDSHARD_CRASH_SEED") else {
        return;
    };
    let ticks = number("WORLDSHARD_SIM_TICKS").unwrap_or(TICKS);
    let run = Run::of(seed);
    println!(
        "{run:?}: {:#?}",
        run.simulate(Faults::CRASHES, ticks).unwrap()
    );
}

#[test]
fn a_disk_that_is_full_when_a_run_ends_loses_nothing() {
    let events = EventTap::new();
    let recipe = App::new()
        .plugin(world(WorldName::Crowd, 50, 11578))
        .plugin(events.clone())
        .shards(3)
        .build()
        .unwrap();
    let options = SimOptions {
        shards: 3,
        seed: 11578,
        clients: SimClients::Live(7),
        faults: Faults::CRASHES,
        check: Check::All,
        events: Some(events),
        keeping: Some(SimKeeping {
            checkpoint_ticks: 2,
        }),
    };
    let mut simulation = Simulation::new(&recipe, options).unwrap();
    for _ in 0..200 {
        simulation.step().unwrap();
    }
    simulation.finish().unwrap();
}

#[test]
fn processes_end_between_any_two_turns_and_clients_come_again() {
    only(&[FaultKind::ProcessCrashes], "process crashes");
}

#[test]
fn shards_are_lost_in_any_part_of_a_tick_and_nobody_notices() {
    only(&[FaultKind::ShardCrashes], "shard crashes");
}

#[test]
fn what_a_shard_was_told_before_it_was_lost_comes_back_from_the_disk_too() {
    let kinds = [FaultKind::ProcessCrashes, FaultKind::ShardCrashes];
    only(&kinds, "shard crashes");
}

#[test]
fn machines_stop_and_what_was_on_its_way_to_the_disk_is_torn() {
    only(
        &[FaultKind::ProcessCrashes, FaultKind::TornTails],
        "torn tails",
    );
}

#[test]
fn a_damaged_checkpoint_costs_nothing_while_an_older_one_is_there() {
    let kinds = [FaultKind::ProcessCrashes, FaultKind::DamagedCheckpoints];
    only(&kinds, "damaged checkpoints");
}

#[test]
fn a_damaged_journal_is_refused_by_name() {
    let kinds = [FaultKind::ProcessCrashes, FaultKind::DamagedJournals];
    only(&kinds, "damaged journals");
}

#[test]
fn a_full_disk_ends_the_process_and_loses_nothing() {
    only(&[FaultKind::FullDisks], "full disks");
}

#[test]
fn a_slow_disk_is_waited_for() {
    only(
        &[FaultKind::ProcessCrashes, FaultKind::SlowDisks],
        "slow disks",
    );
}

#[test]
fn a_kept_world_is_a_function_of_its_seed() {
    let digests = || {
        let mut simulation = Run::of(3).begin(Faults::CRASHES);
        let step = |_| {
            let tick = simulation.step().unwrap();
            (tick, simulation.digest())
        };
        (0..TICKS).map(step).collect::<Vec<_>>()
    };
    assert_eq!(digests(), digests());
}

#[test]
fn a_shard_that_is_lost_now_and_then_leaves_the_world_as_it_was() {
    // Every other fault draws from the same chance: without them the clients do the same in both.
    let digests = |faults: Faults| {
        let script = worldshard::sim::ClientScript::new(
            world(WorldName::Crowd, ENTITIES, 5).config,
            3,
            6,
            5,
        );
        let recipe = App::new()
            .plugin(world(WorldName::Crowd, ENTITIES, 5))
            .script(script.clone())
            .build()
            .unwrap();
        let options = SimOptions {
            shards: 3,
            seed: 5,
            clients: SimClients::Scripted(script),
            faults,
            check: Check::All,
            events: None,
            keeping: Some(SimKeeping {
                checkpoint_ticks: 7,
            }),
        };
        let mut simulation = Simulation::new(&recipe, options).unwrap();
        let step = |_| {
            simulation.step().unwrap();
            simulation.digest()
        };
        (0..TICKS).map(step).collect::<Vec<_>>()
    };
    let lost = Faults {
        shard_crashes: 500,
        ..Faults::NONE
    };
    assert_eq!(digests(Faults::NONE), digests(lost));
}

/// Runs a few seeds with these kinds of faults alone, often; all of them happen.
fn only(kinds: &[FaultKind], counted: &str) {
    let mut faults = Faults {
        shard_crashes: 500,
        damaged_checkpoints: 900,
        damaged_journals: 900,
        full_disks: 30,
        slow_disks: 300,
        ..Faults::CRASHES
    };
    for kind in FaultKind::ALL {
        if !kinds.contains(&kind) {
            faults = faults.without(kind);
        }
    }
    let mut count = 0;
    for seed in 0..KIND_RUNS {
        let run = Run::of(seed);
        let totals = run.simulate(faults, TICKS);
        let totals = totals.unwrap_or_else(|finding| panic!("{finding}\n{run:?}, {faults:?}"));
        count += totals[counted];
    }
    assert!(count > 0, "no {counted}");
}

fn check_all(seeds: Range<u64>, ticks: u64) -> Totals {
    let mut all = Totals::new();
    for seed in seeds {
        let run = Run::of(seed);
        let totals = run.simulate(Faults::CRASHES, ticks).unwrap_or_else(|finding| {
            panic!(
                "{finding}\n{run:?}, again: WORLDSHARD_CRASH_SEED={seed} WORLDSHARD_SIM_TICKS={ticks} \
                 cargo test -p worldshard --test it environment_names -- --nocapture"
            )
        });
        for (name, count) in totals {
            *all.entry(name).or_default() += count;
        }
    }
    all
}

impl Run {
    fn of(seed: u64) -> Self {
        const WORLDS: [WorldName; 3] = [WorldName::Crowd, WorldName::Swarm3d, WorldName::Flock];
        const SHARDS: [u16; 5] = [2, 4, 1, 3, 8];
        Self {
            world: WORLDS[(seed % 3) as usize],
            shards: SHARDS[(seed % 5) as usize],
            checkpoint_ticks: 1 + seed * 7 % 24,
            seed,
        }
    }

    fn begin(self, faults: Faults) -> Simulation {
        let events = EventTap::new();
        let recipe = App::new()
            .plugin(events.clone())
            .plugin(world(self.world, ENTITIES, self.seed))
            .build()
            .unwrap();
        let options = SimOptions {
            shards: self.shards,
            seed: self.seed,
            clients: SimClients::Live(CLIENTS),
            faults,
            check: Check::All,
            events: Some(events),
            keeping: Some(SimKeeping {
                checkpoint_ticks: self.checkpoint_ticks,
            }),
        };
        Simulation::new(&recipe, options).unwrap()
    }

    fn simulate(self, faults: Faults, ticks: u64) -> Result<Totals, Finding> {
        let mut simulation = self.begin(faults);
        for _ in 0..ticks {
            simulation.step()?;
        }
        simulation.finish()?;
        let mut totals: Totals = simulation.fault_counts().by_kind().into_iter().collect();
        totals.extend(simulation.checks());
        Ok(totals)
    }
}

const ENTITIES: u64 = 80;
const CLIENTS: u32 = 8;

/// Every day.
const RUNS: u64 = 40;
const TICKS: u64 = 120;

const NIGHTLY_RUNS: u64 = 2000;
const NIGHTLY_TICKS: u64 = 400;

/// Of each kind of fault by itself.
const KIND_RUNS: u64 = 5;
