//! The simulated driver: the same world on any number of shards and on every driver, and the same run from one seed.

use std::sync::Arc;

use worldshard::prelude::*;
use worldshard::runtime::{UnpacedRun, probe, run_unpaced};
use worldshard::sim::{ClientScript, Faults, Heard, SimClients, SimOptions, Simulation};
use worldshard::worlds::{WorldName, world};
use worldshard::{AppRecipe, Error};

const CLIENTS: u32 = 12;
const TICKS: u64 = 120;

/// A world with scripted clients.
fn scripted(name: WorldName, shards: u16) -> (Arc<AppRecipe>, Arc<ClientScript>) {
    let setup = world(name, 300, 5);
    let script = ClientScript::new(setup.config.clone(), shards, CLIENTS, 5);
    let mut app = App::new();
    app.plugin(setup).script(script.clone()).shards(shards);
    (app.build().unwrap(), script)
}

fn simulate_scripted(
    name: WorldName,
    shards: u16,
    seed: u64,
    faults: Faults,
) -> (Simulation, Vec<u128>) {
    let (recipe, script) = scripted(name, shards);
    let options = SimOptions {
        shards,
        seed,
        clients: SimClients::Scripted(script),
        faults,
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
    };
    run(Simulation::new(&recipe.unwrap(), options).unwrap(), TICKS)
}

/// The digests of so many ticks. No client may read what it cannot apply.
fn run(mut simulation: Simulation, ticks: u64) -> (Simulation, Vec<u128>) {
    let digests = (1..=ticks).map(|tick| {
        assert_eq!(simulation.step(), Tick(tick));
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
        if let Err(cause) = probe::choose(runtime, 2) {
            eprintln!("{runtime:?}: not run: {cause}");
            continue;
        }
        for name in WorldName::ALL {
            let (_, expected) = simulate_scripted(name, 4, 1, Faults::NONE);
            let (recipe, script) = scripted(name, 2);
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

#[test]
fn every_kind_of_fault_happens_and_costs_nobody_a_delta() {
    for seed in 1..=6 {
        let recipe = App::new()
            .plugin(world(WorldName::Flock, 200, seed))
            .build();
        let options = SimOptions {
            shards: 4,
            seed,
            clients: SimClients::Live(CLIENTS),
            faults: Faults::ALL,
        };
        let mut simulation = Simulation::new(&recipe.unwrap(), options).unwrap();
        let mut deltas = 0;
        for _ in 0..200 {
            simulation.step();
            for (client, heard) in simulation.take_heard() {
                for one in heard {
                    assert_eq!(one.trouble(), None, "seed {seed}: client {client}");
                    deltas += u32::from(matches!(one, Heard::Delta(_)));
                }
            }
        }
        assert!(deltas > 500, "seed {seed}: {deltas} deltas");
        for (kind, count) in simulation.fault_counts().by_kind() {
            assert!(count > 0, "seed {seed}: no {kind}");
        }
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
