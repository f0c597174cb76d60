//! Runs a simulation to its end and measures it as a real run is measured. For the command line and digests.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::clock;
use super::phase_times::PhaseWatch;
use super::unpaced::{RunReport, ShardTick, neighbours};
use crate::app::AppRecipe;
use crate::error::{Error, Result};
use crate::panic::panic_text;
use crate::sim::check::{Check, Finding};
use crate::sim::{FaultCounts, SimOptions, Simulation};

/// What a simulation came to.
#[derive(Clone, Debug, PartialEq)]
pub struct SimReport {
    /// What a real run says too. The time is that of the engine and the clients: digests do not count.
    pub run: RunReport,
    /// What went wrong.
    pub faults: FaultCounts,
    /// Entities that came into a visible set.
    pub enters: u64,
    /// Entities that left one.
    pub leaves: u64,
    /// Deltas built.
    pub deltas: u64,
    /// Facts that checkers compared, by checker.
    pub checks: BTreeMap<&'static str, u64>,
    /// What they found; the run ended there.
    pub finding: Option<Finding>,
}

/// Simulates `ticks` ticks of `recipe` and shows each shard's every tick to `on_tick`, tick by tick.
///
/// # Errors
/// When a shard cannot be built, or panics.
pub fn run_simulated(
    recipe: &Arc<AppRecipe>,
    options: SimOptions,
    ticks: u64,
    mut on_tick: impl FnMut(&ShardTick),
) -> Result<SimReport> {
    let check = options.check;
    let mut simulation = Simulation::new(recipe, options)?;
    simulation.lend_clock(clock::now);
    let watches: Vec<PhaseWatch> = simulation.hubs_mut().map(PhaseWatch::over).collect();
    for number in 1..=ticks {
        let before = simulation.took();
        let step = guarded(|| simulation.step(), number)?;
        let tick = match step {
            Ok(tick) => tick,
            Err(finding) => return Ok(report(&simulation, number, Some(finding))),
        };
        let took = simulation.took() - before;
        for (berth, watch) in simulation.berths().iter().zip(&watches) {
            let shard = berth.hub.shard();
            on_tick(&ShardTick {
                tick,
                shard: berth.own,
                digest: Some(berth.digest),
                took,
                advance: Duration::ZERO,
                absorb: Duration::ZERO,
                phases: watch.take(),
                entities: berth.stats.entities,
                handoffs_out: berth.stats.handoffs_out,
                audit_failures: shard.audit().failures(),
                neighbours: (number == ticks).then(|| neighbours(shard)),
            });
        }
    }
    // The ticks of the end are for the checkers: they belong to no figure.
    let mut report = report(&simulation, ticks, None);
    if check != Check::None {
        report.finding = guarded(|| simulation.finish(), ticks)?.err();
        report.checks = simulation.checks().clone();
    }
    Ok(report)
}

/// Runs a part of the world so that its panic is an error.
fn guarded<T>(run: impl FnOnce() -> T, tick: u64) -> Result<T> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| {
        let text = panic_text(&*panic);
        Error::Runtime(format!("the simulation panicked in tick {tick}: {text}"))
    })
}

fn report(simulation: &Simulation, ticks: u64, finding: Option<Finding>) -> SimReport {
    let stats = || simulation.berths().iter().map(|berth| &berth.stats);
    let entities: u64 = stats().map(|stats| stats.entities).sum();
    let pairs: u64 = simulation.hubs().map(|hub| neighbours(hub.shard())).sum();
    let failures = |hub: &crate::hub::Hub| hub.shard().audit().failures();
    SimReport {
        run: RunReport {
            runtime: "sim",
            ticks,
            wall: simulation.took(),
            handoffs: stats().map(|stats| stats.handoffs_out).sum(),
            audit_failures: simulation.hubs().map(failures).sum(),
            entities,
            neighbours_mean: pairs as f64 / entities.max(1) as f64,
        },
        faults: *simulation.fault_counts(),
        enters: stats().map(|stats| stats.enters).sum(),
        leaves: stats().map(|stats| stats.leaves).sum(),
        deltas: stats().map(|stats| stats.deltas).sum(),
        checks: simulation.checks().clone(),
        finding,
    }
}
