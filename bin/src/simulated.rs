//! `worldshard simulate --runtime sim`: what only a simulation has, its clients, its faults and its replay line.

use std::sync::Arc;

use worldshard::AppRecipe;
use worldshard::runtime::{RunReport, ShardTick, SimReport, run_simulated};
use worldshard::sim::{ClientScript, Faults, SimClients, SimOptions};

use crate::cli::SimulateArgs;
use crate::failure::Failure;

/// Simulates the world; what every run reports, and the lines that only a simulation has.
pub(crate) fn run(
    args: &SimulateArgs,
    recipe: &Arc<AppRecipe>,
    script: Arc<ClientScript>,
    on_tick: impl FnMut(&ShardTick),
) -> Result<(RunReport, String), Failure> {
    let options = match args.faults {
        Some(seed) => SimOptions {
            shards: args.shards,
            seed,
            clients: SimClients::Live(args.clients),
            faults: Faults::ALL,
        },
        None => SimOptions {
            shards: args.shards,
            seed: args.world.seed,
            clients: SimClients::Scripted(script),
            faults: Faults::NONE,
        },
    };
    let report = run_simulated(recipe, options, args.ticks, on_tick)
        .map_err(|error| Failure::runtime(format!("{error}\n{}", replay_line(args))))?;
    let story = story(args, &report);
    Ok((report.run, story))
}

/// A real driver makes its own order of events: faults cannot be had there.
pub(crate) fn refuse_on_threads(args: &SimulateArgs) -> Result<(), Failure> {
    match args.faults {
        Some(_) => Err(Failure::usage(
            "--faults: only a simulation can make them; leave --runtime out, or say --runtime sim",
        )),
        None => Ok(()),
    }
}

/// The command that runs the same again, with every check.
pub(crate) fn replay_line(args: &SimulateArgs) -> String {
    let world = &args.world;
    let faults = args
        .faults
        .map_or(String::new(), |seed| format!(" --faults {seed}"));
    format!(
        "again: worldshard simulate --world {} --entities {} --shards {} --ticks {} --seed {} --clients {}{faults}",
        world.world, world.entities, args.shards, args.ticks, world.seed, args.clients,
    )
}

fn story(args: &SimulateArgs, report: &SimReport) -> String {
    let faults = match args.faults {
        Some(_) => format!("faults: {}\n", report.faults),
        None => String::new(),
    };
    format!(
        "{} clients, {} deltas, {} enters, {} leaves\n{faults}",
        args.clients, report.deltas, report.enters, report.leaves
    )
}
