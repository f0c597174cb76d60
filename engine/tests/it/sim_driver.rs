//! The simulated driver: the same world on any number of shards and on every driver, and the same run from one seed.

use std::sync::Arc;

use worldshard::prelude::*;
use worldshard::runtime::{UnpacedRun, run_unpaced};
use worldshard::sim::check::{Check, Finding};
use worldshard::sim::{ClientScript, EventTap, Faults, SimClients, SimOptions, Simulation};
use worldshard::worlds::{WorldName, world};
use worldshard::{AppRecipe, Error};

use crate::runtimes::runs_here;

const CLIENTS: u32 = 12;
const TICKS: u64 = 120;

/// A world with scripted clients.
fn scripted(name: WorldName, shards: u16) -> (Arc<AppRecipe>, SimOptions) {
    let setup = world(name, 300, 5);
    let script = ClientScript::new(setup.config.clone(), shards, CLIENTS, 5);
    let tap = EventTap::new();
    let mut app = App::new();
    app.plugin((setup, tap.clone()))
        .script(script.clone())
        .shards(shards);
    let options = SimOptions {
        shards,
        clients: SimClients::Scripted(script),
        events: Some(tap),
        ..SimOptions::default()
    };
    (app.build().unwrap(), options)
}

fn simulate_scripted(
    name: WorldName,
    shards: u16,
    seed: u64,
    faults: Faults,
) -> (Simulation, Vec<u128>) {
    let (recipe, options) = scripted(name, shards);
    let options = SimOptions {
        seed,
        faults,
        ..options
    };
    run(Simulation::new(&recipe, options).unwrap(), TICKS)
}

fn simulate_live(shards: u16, seed: u64) -> (Simulation, Vec<u128>) {
    let recipe = App::new().plugin(world(WorldName::Flock, 300, 5)).build();
    let options = SimOptions {
        shards,
        seed,
        clients: SimClients::Live(CLIENTS),
        faults: Faults::ALL,
        ..SimOptions::default()
    };
    run(Simulation::new(&recipe.unwrap(), options).unwrap(), TICKS)
}

/// The digests of so many ticks. No client may read what it cannot apply.
fn run(mut simulation: Simulation, ticks: u64) -> (Simulation, Vec<u128>) {
    let digests = (1..=ticks).map(|tick| {
        assert_eq!(simulation.step().unwrap(), Tick(tick));
        simulation.digest()
    });
    let digests = digests.collect();
    for hub in simulation.hubs() {
        assert_eq!(hub.shard().audit().failures(), 0);
        assert!(hub.shard().audit().checks() > 0);
    }
    (simulation, digests)
}

fn sum(simulation: &Simulation, of: impl Fn(&worldshard::hub::ShardStatus) -> u64) -> u64 {
    simulation.hubs().map(|hub| of(&hub.status())).sum()
}

#[test]
fn scripted_worlds_do_not_depend_on_shards_schedules_or_faults_of_transport() {
    let transport = Faults {
        lies: 0,
        disconnects: 0,
        client_stalls: 0,
        ..Faults::ALL
    };
    for name in WorldName::ALL {
        let (one, digests) = simulate_scripted(name, 1, 1, Faults::NONE);
        assert!(
            sum(&one, |hub| hub.world.births) >= u64::from(CLIENTS) / 2,
            "{name}"
        );
        for (shards, faults) in [(2, Faults::NONE), (4, transport), (8, Faults::NONE)] {
            let (many, same) = simulate_scripted(name, shards, u64::from(shards), faults);
            assert!(digests == same, "{name} on {shards} shards");
            assert!(sum(&many, |hub| hub.world.handoffs_out) > 20, "{name}");
            assert!(sum(&many, |hub| hub.world.deltas) > 200, "{name}");
            assert!(
                sum(&many, |hub| hub.world.deltas_starved) > 20,
                "{name}: nobody stalled"
            );
        }
    }
}

#[test]
fn scripted_worlds_are_the_same_on_the_real_drivers() {
    for runtime in [Runtime::Glommio, Runtime::Portable] {
        if !runs_here(runtime, 2) {
            continue;
        }
        for name in WorldName::ALL {
            let (_, expected) = simulate_scripted(name, 4, 1, Faults::NONE);
            let (recipe, options) = scripted(name, 2);
            let SimClients::Scripted(script) = options.clients else {
                panic!("they are scripted");
            };
            let plan = UnpacedRun {
                runtime,
                ticks: TICKS,
                digest: true,
                clients: Some(script),
            };
            let mut digests = vec![0_u128; TICKS as usize];
            let report = run_unpaced(&recipe, &plan, |seen| {
                let digest = &mut digests[seen.tick.0 as usize - 1];
                *digest = digest.wrapping_add(seen.digest.unwrap());
            });
            assert_eq!(report.unwrap().audit_failures, 0);
            assert!(digests == expected, "{name} on {runtime:?}");
        }
    }
}

#[test]
fn one_seed_gives_one_run_and_another_seed_another() {
    let (first, digests) = simulate_live(4, 7);
    let (again, same) = simulate_live(4, 7);
    assert!(digests == same);
    assert_eq!(first.fault_counts(), again.fault_counts());
    let status = |simulation: &Simulation| {
        simulation
            .hubs()
            .map(|hub| hub.status())
            .collect::<Vec<_>>()
    };
    assert_eq!(status(&first), status(&again));
    let (_, other) = simulate_live(4, 8);
    assert!(digests != other);
}

/// A run in which everything goes wrong, to its end.
fn check_faults(seed: u64, check: Check) -> Simulation {
    let tap = EventTap::new();
    let setup = world(WorldName::ALL[seed as usize % 3], 200, seed);
    let recipe = App::new().plugin((setup, tap.clone())).build().unwrap();
    let options = SimOptions {
        shards: 4,
        seed,
        clients: SimClients::Live(CLIENTS),
        faults: Faults::ALL,
        check,
        events: Some(tap),
        keeping: None,
    };
    let mut simulation = Simulation::new(&recipe, options).unwrap();
    let good = |found: Finding| panic!("seed {seed}: {found}");
    for _ in 0..150 {
        simulation.step().map_or_else(good, drop);
    }
    simulation.finish().unwrap_or_else(good);
    simulation
}

#[test]
fn every_kind_of_fault_happens_and_no_checker_finds_a_difference() {
    for seed in 1..=6 {
        let simulation = check_faults(seed, Check::All);
        for (kind, count) in simulation.fault_counts().by_kind() {
            assert!(count > 0, "seed {seed}: no {kind}");
        }
        for (checker, checks) in simulation.checks() {
            assert!(
                *checks > 20,
                "seed {seed}: {checker} compared {checks} facts"
            );
        }
    }
}

#[test]
fn a_sample_of_a_good_run_is_found_good() {
    for seed in 7..=14 {
        check_faults(seed, Check::Sample);
    }
}

#[test]
fn scripted_clients_see_exactly_what_they_must_though_they_stall() {
    for name in WorldName::ALL {
        let (recipe, options) = scripted(name, 4);
        let options = SimOptions {
            check: Check::All,
            ..options
        };
        let mut simulation = Simulation::new(&recipe, options).unwrap();
        for _ in 0..300 {
            simulation
                .step()
                .unwrap_or_else(|found| panic!("{name}: {found}"));
        }
        simulation
            .finish()
            .unwrap_or_else(|found| panic!("{name}: {found}"));
    }
}

#[test]
fn a_world_without_shards_is_refused() {
    let recipe = App::new().build().unwrap();
    let options = SimOptions {
        shards: 0,
        ..SimOptions::default()
    };
    let refused = Simulation::new(&recipe, options).map(|_| ());
    assert!(matches!(refused, Err(Error::Option { name: "shards", .. })));
}
