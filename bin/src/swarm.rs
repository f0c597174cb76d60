//! `worldshard simulate --swarm`: one small world after another, each with other faults, until the time is up or one fails.
//!
//! All that a run is follows from its number. The clock only says when to stop.

mod shrink;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use worldshard::prelude::{App, Chance, EntityId, Tick};
use worldshard::sim::check::Check;
use worldshard::sim::{ClientScript, EventTap, Simulation};
use worldshard::worlds::{self, WorldName};

use crate::cli::{DriverName, SimulateArgs, WorldArgs};
use crate::failure::Failure;
use crate::simulated;

/// Runs worlds until the time is up; the first that fails ends it, with the smallest that fails like it.
pub(crate) fn run(args: &SimulateArgs, time: Duration) -> Result<(), Failure> {
    // A run that panics says so in its finding.
    std::panic::set_hook(Box::new(|_| {}));
    let swarm = Swarm {
        began: now(),
        time,
        next: AtomicU64::new(args.first),
        end: args.first.saturating_add(args.runs),
        state: Mutex::new(State::default()),
    };
    let jobs = match args.jobs {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        jobs => usize::from(jobs),
    };
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| swarm.work());
        }
    });
    let state = swarm.lock();
    eprintln!("{}", swarm.progress(&state));
    let Some(first) = &state.failure else {
        return Ok(());
    };
    eprintln!("made smaller, which takes up to {SHRINK_MAX:?} ...");
    let until = now() + SHRINK_MAX;
    let smallest = shrink::shrink(first, |args| now() < until && simulate(args).is_err());
    let finding = simulate(&smallest).err();
    let finding = finding.unwrap_or_else(|| "it does not fail again".to_owned());
    Err(Failure::runtime(format!(
        "the smallest run that fails: {finding}\n{}",
        simulated::replay_line(&smallest)
    )))
}

/// What its threads share.
struct Swarm {
    began: Instant,
    time: Duration,
    /// The number of the next run.
    next: AtomicU64,
    end: u64,
    state: Mutex<State>,
}

/// What all runs came to.
#[derive(Default)]
struct State {
    runs: u64,
    ticks: u64,
    faults: BTreeMap<&'static str, u64>,
    checks: u64,
    shown: Duration,
    /// The run that failed.
    failure: Option<SimulateArgs>,
}

/// What one run came to.
struct Told {
    faults: Vec<(&'static str, u64)>,
    checks: u64,
}

impl Swarm {
    fn work(&self) {
        while now() - self.began < self.time {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.end || self.lock().failure.is_some() {
                return;
            }
            let args = run_of(number);
            let outcome = simulate(&args);
            let mut state = self.lock();
            state.runs += 1;
            state.ticks += args.ticks;
            match outcome {
                Ok(told) => state.add(&told),
                Err(finding) => {
                    if state.failure.is_none() {
                        eprintln!("run {number}: {finding}\n{}", simulated::replay_line(&args));
                        state.failure = Some(args);
                    }
                    return;
                }
            }
            let elapsed = now() - self.began;
            if elapsed >= state.shown + PROGRESS_INTERVAL {
                state.shown = elapsed;
                eprintln!("{}", self.progress(&state));
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn progress(&self, state: &State) -> String {
        let elapsed_s = (now() - self.began).as_secs_f64();
        let faults: Vec<String> = state
            .faults
            .iter()
            .map(|(name, count)| format!("{count} {name}"))
            .collect();
        format!(
            "{elapsed_s:.0} s: {} runs, {} ticks, {:.1} runs/s, {} facts compared; {}",
            state.runs,
            state.ticks,
            state.runs as f64 / elapsed_s,
            state.checks,
            faults.join(", ")
        )
    }
}

impl State {
    fn add(&mut self, told: &Told) {
        for &(name, count) in &told.faults {
            *self.faults.entry(name).or_default() += count;
        }
        self.checks += told.checks;
    }
}

/// The run with this number.
fn run_of(number: u64) -> SimulateArgs {
    let mut chance = Chance::new(number, EntityId(0), Tick(0), "swarm");
    // Mostly little of it: many small runs find more than a few large ones.
    let mut between = |least: u64, most: u64| {
        let (one, other) = (chance.next_u64(), chance.next_u64());
        least + (one % (most - least + 1)).min(other % (most - least + 1))
    };
    SimulateArgs {
        world: WorldArgs {
            world: WorldName::ALL[(number % 3) as usize],
            entities: between(30, 120),
            seed: number,
        },
        shards: between(1, 8) as u16,
        ticks: 200,
        runtime: DriverName::Sim,
        clients: between(4, 12) as u32,
        faults: Some(number),
        crashes: true,
        checkpoint_ticks: between(1, 24),
        without: Vec::new(),
        check: Some(match number % 4 {
            0 => Check::All,
            _ => Check::Sample,
        }),
        digest: false,
        swarm: None,
        jobs: 0,
        first: 0,
        runs: 0,
    }
}

/// One run to its end; what is wrong with it, if anything is.
fn simulate(args: &SimulateArgs) -> Result<Told, String> {
    let run = || {
        let mut simulation = begin(args)?;
        let found = |finding| format!("found by {finding}");
        for _ in 0..args.ticks {
            simulation.step().map_err(found)?;
        }
        simulation.finish().map_err(found)?;
        Ok(Told {
            faults: simulation.fault_counts().by_kind(),
            checks: simulation.checks().values().sum(),
        })
    };
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(format!("a panic: {}", text.unwrap_or("of no text")))
    })
}

fn begin(args: &SimulateArgs) -> Result<Simulation, String> {
    let wanted = &args.world;
    let setup = worlds::world(wanted.world, wanted.entities, wanted.seed);
    let script = ClientScript::new(setup.config.clone(), args.shards, args.clients, wanted.seed);
    let events = EventTap::new();
    let mut app = App::new();
    app.plugin(setup).plugin(events.clone()).shards(args.shards);
    let recipe = app.build().map_err(|error| error.to_string())?;
    let options = simulated::options(args, script, events);
    Simulation::new(&recipe, options).map_err(|error| error.to_string())
}

#[expect(
    clippy::disallowed_methods,
    reason = "it says when a swarm ends; no run reads it"
)]
fn now() -> Instant {
    Instant::now()
}

/// Between two lines of progress.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(10);

/// A smaller run is looked for no longer.
const SHRINK_MAX: Duration = Duration::from_secs(120);
