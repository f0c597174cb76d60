//! `worldshard simulate --runtime sim`: what only a simulation has, its clients, its faults and its replay line.

use std::fmt::Write as _;
use std::sync::Arc;

use worldshard::AppRecipe;
use worldshard::runtime::{RunReport, ShardTick, SimReport, run_simulated};
use worldshard::sim::check::Check;
use worldshard::sim::{ClientScript, EventTap, Faults, SimClients, SimKeeping, SimOptions};

use crate::cli::SimulateArgs;
use crate::failure::Failure;

/// Simulates the world; what every run reports, and the lines that only a simulation has.
pub(crate) fn run(
    args: &SimulateArgs,
    recipe: &Arc<AppRecipe>,
    script: Arc<ClientScript>,
    events: EventTap,
    on_tick: impl FnMut(&ShardTick),
) -> Result<(RunReport, String), Failure> {
    let options = options(args, script, events);
    let again = |what: String| Failure::runtime(format!("{what}\n{}", replay_line(args)));
    let report = run_simulated(recipe, options, args.ticks, on_tick)
        .map_err(|error| again(error.to_string()))?;
    let story = story(args, &report);
    match report.finding {
        Some(finding) => Err(again(format!("{story}found by {finding}"))),
        None => Ok((report.run, story)),
    }
}

/// What the flags ask for.
pub(crate) fn options(
    args: &SimulateArgs,
    script: Arc<ClientScript>,
    events: EventTap,
) -> SimOptions {
    let (seed, clients, faults) = match args.faults {
        Some(seed) if args.crashes => (seed, SimClients::Live(args.clients), Faults::CRASHES),
        Some(seed) => (seed, SimClients::Live(args.clients), Faults::ALL),
        None => (args.world.seed, SimClients::Scripted(script), Faults::NONE),
    };
    let checkpoint_ticks = args.checkpoint_ticks;
    SimOptions {
        shards: args.shards,
        seed,
        clients,
        faults: args
            .without
            .iter()
            .fold(faults, |faults, kind| faults.without(*kind)),
        check: check(args),
        events: Some(events),
        keeping: args.crashes.then_some(SimKeeping { checkpoint_ticks }),
    }
}

/// How much is checked: some ticks, unless it was said.
pub(crate) fn check(args: &SimulateArgs) -> Check {
    args.check.unwrap_or(Check::Sample)
}

/// A real driver makes its own order of events, and nobody can stop all its shards to look at them.
pub(crate) fn refuse_on_threads(args: &SimulateArgs) -> Result<(), Failure> {
    let refused = match (args.faults, args.check) {
        (Some(_), _) => "--faults",
        (None, Some(Check::Sample | Check::All)) => "--check",
        (None, Some(Check::None) | None) => return Ok(()),
    };
    Err(Failure::usage(format!(
        "{refused}: only a simulation has it; leave --runtime out, or say --runtime sim"
    )))
}

/// The command that runs the same again, with every check.
pub(crate) fn replay_line(args: &SimulateArgs) -> String {
    let world = &args.world;
    let mut faults = args
        .faults
        .map_or(String::new(), |seed| format!(" --faults {seed}"));
    if args.crashes {
        let ticks = args.checkpoint_ticks;
        let _ = write!(faults, " --crashes --checkpoint-ticks {ticks}");
    }
    if !args.without.is_empty() {
        let kinds: Vec<String> = args.without.iter().map(ToString::to_string).collect();
        let _ = write!(faults, " --without {}", kinds.join(","));
    }
    format!(
        "again: worldshard simulate --world {} --entities {} --shards {} --ticks {} --seed {} --clients {}{faults} --check all",
        world.world, world.entities, args.shards, args.ticks, world.seed, args.clients,
    )
}

fn story(args: &SimulateArgs, report: &SimReport) -> String {
    let mut story = format!(
        "{} clients, {} deltas, {} enters, {} leaves\n",
        args.clients, report.deltas, report.enters, report.leaves
    );
    if args.faults.is_some() {
        let _ = writeln!(story, "faults: {}", report.faults);
    }
    let checks: Vec<String> = report
        .checks
        .iter()
        .map(|(checker, checks)| format!("{checks} {checker}"))
        .collect();
    if check(args) != Check::None {
        let _ = writeln!(story, "checks: {}", checks.join(", "));
    }
    story
}
