//! `worldshard simulate`: a world without a network, as fast as it runs, and what it cost.
//!
//! Stdout gets digests only. Never reads a clock: durations come with the ticks.

mod table;

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use worldshard::prelude::{App, Tick};
use worldshard::runtime::{RunReport, ShardTick, UnpacedRun, run_unpaced};
use worldshard::sim::{ClientScript, EventTap};
use worldshard::worlds;

use crate::cli::SimulateArgs;
use crate::failure::Failure;
use crate::simulated;
use crate::swarm;
use table::PhaseTable;

/// Runs the world and prints the summary.
pub(crate) fn run(args: &SimulateArgs) -> Result<(), Failure> {
    if let Some(seconds) = args.swarm {
        return swarm::run(args, Duration::from_secs(seconds));
    }
    let wanted = &args.world;
    let setup = worlds::world(wanted.world, wanted.entities, wanted.seed);
    let script = ClientScript::new(setup.config.clone(), args.shards, args.clients, wanted.seed);
    let mut app = App::new();
    app.plugin(setup).shards(args.shards);
    if args.faults.is_none() {
        app.script(script.clone());
    }
    let events = EventTap::new();
    if args.runtime.real().is_none() {
        app.plugin(events.clone());
    }
    let recipe = app.build()?;
    let resident_before = resident_bytes();
    let mut watch = Watch::new(args);
    let (report, story) = match args.runtime.real() {
        Some(runtime) => {
            simulated::refuse_on_threads(args)?;
            let plan = UnpacedRun {
                runtime,
                ticks: args.ticks,
                digest: args.digest,
                clients: Some(script),
            };
            let report = run_unpaced(&recipe, &plan, |tick| watch.see(tick))?;
            (report, String::new())
        }
        None => simulated::run(args, &recipe, script, events, |tick| watch.see(tick))?,
    };
    watch.finish()?;
    let resident = watch.resident_bytes_most.saturating_sub(resident_before);
    eprint!("{}{story}", summary(args, &report, &watch, resident));
    if report.audit_failures > 0 {
        return Err(Failure::runtime(format!(
            "{} audits failed: an entity was lost or doubled\n{}",
            report.audit_failures,
            simulated::replay_line(args)
        )));
    }
    Ok(())
}

/// Looks at ticks as they come: prints digests and progress, and keeps the most memory seen.
struct Watch<'a> {
    args: &'a SimulateArgs,
    digests: Digests,
    shows_progress: bool,
    /// Of the first shard: all are as far, give or take a tick.
    elapsed: Duration,
    shown: Duration,
    phases: PhaseTable,
    resident_bytes_most: u64,
    broken: Option<io::Error>,
}

impl<'a> Watch<'a> {
    fn new(args: &'a SimulateArgs) -> Self {
        Self {
            args,
            digests: Digests {
                wanted: args.digest,
                shards: usize::from(args.shards),
                open: BTreeMap::new(),
            },
            shows_progress: io::stderr().is_terminal(),
            elapsed: Duration::ZERO,
            shown: Duration::ZERO,
            phases: PhaseTable::default(),
            resident_bytes_most: 0,
            broken: None,
        }
    }

    fn see(&mut self, seen: &ShardTick) {
        if let Some((tick, digest)) = self.digests.add(seen)
            && self.broken.is_none()
        {
            self.broken = writeln!(io::stdout(), "{tick} {digest:032x}").err();
        }
        self.phases.add(seen);
        if seen.shard.0 != 0 {
            return;
        }
        self.elapsed += seen.took;
        if seen.tick.0 == 1 || self.elapsed >= self.shown + PROGRESS_INTERVAL {
            self.shown = self.elapsed;
            self.resident_bytes_most = self.resident_bytes_most.max(resident_bytes());
            if self.shows_progress || seen.tick.0 > 1 {
                eprintln!(
                    "tick {} of {}, {:.1?}",
                    seen.tick, self.args.ticks, self.elapsed
                );
            }
        }
    }

    /// Digests that nobody could read are a failure: a comparison would pass on what it never saw.
    fn finish(&mut self) -> Result<(), Failure> {
        self.resident_bytes_most = self.resident_bytes_most.max(resident_bytes());
        match self.broken.take() {
            Some(error) => Err(Failure::runtime(format!(
                "writing digests to stdout: {error}"
            ))),
            None => Ok(()),
        }
    }
}

/// Sums of the shards' parts. A shard may be a tick ahead of another.
struct Digests {
    wanted: bool,
    shards: usize,
    open: BTreeMap<Tick, (usize, u128)>,
}

impl Digests {
    /// The world's digest of a tick, once the last shard's part came.
    fn add(&mut self, seen: &ShardTick) -> Option<(Tick, u128)> {
        let part = seen.digest.filter(|_| self.wanted)?;
        let (parts, sum) = self.open.entry(seen.tick).or_default();
        *parts += 1;
        *sum = sum.wrapping_add(part);
        let (parts, sum) = (*parts, *sum);
        (parts == self.shards).then(|| {
            self.open.remove(&seen.tick);
            (seen.tick, sum)
        })
    }
}

fn summary(
    args: &SimulateArgs,
    report: &RunReport,
    watch: &Watch<'_>,
    resident_bytes: u64,
) -> String {
    let wall_s = report.wall.as_secs_f64();
    let entity_ticks = (report.entities.max(1) * report.ticks) as f64;
    let audit = if report.audit_failures == 0 {
        "green"
    } else {
        "FAILED"
    };
    format!(
        "{} {} entities, {} shards, {} ticks, runtime {}, seed {}\n\
         {:.1} ticks/s, {:.3} µs per entity-tick, {wall_s:.2} s\n\
         {} handoffs, audit {audit}\n\
         {:.1} neighbours within perception on average, {:.0} bytes of memory per entity\n\
         {}",
        args.world.world,
        report.entities,
        args.shards,
        report.ticks,
        report.runtime,
        args.world.seed,
        report.ticks as f64 / wall_s,
        wall_s * 1e6 / entity_ticks,
        report.handoffs,
        report.neighbours_mean,
        resident_bytes as f64 / report.entities.max(1) as f64,
        watch.phases.lines(report.ticks),
    )
}

/// Memory of this process that is in use; 0 where the system does not say.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line
        .and_then(|line| line.trim().strip_suffix(" kB"))
        .and_then(|number| number.trim().parse().ok());
    kilobytes.unwrap_or(0_u64) * 1024
}

/// Between two lines of progress.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);
