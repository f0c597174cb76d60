//! The simulation: a world's hubs, the mail between them, its clients, and the seed that orders what they do.
//!
//! Owns them all. Never judges what comes of it: that is for checkers.

mod checks;
mod clients;
mod crash;
mod damage;
mod turn;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use worldshard_protocol::{EntityId, SessionId, Tick};
use worldshard_shard::{Chance, WorldConfig};
use worldshard_spatial::ShardId;

use crate::app::AppRecipe;
use crate::durable::settle;
use crate::error::{Error, Result};
use crate::hub::{Commons, Hub};
use crate::sim::berth::Berth;
use crate::sim::check::{Check, Checkers, Finding};
use crate::sim::client::SimClient;
use crate::sim::clock::Clock;
use crate::sim::disk::Disk;
use crate::sim::faults::{CrashCounts, FaultCounts, Faults};
use crate::sim::keeping::{Keeping, SimKeeping};
use crate::sim::live::Mind;
use crate::sim::mail::Mail;
use crate::sim::observed::{EventTap, Inherited};
use crate::sim::script::ClientScript;
use crate::sim::stopwatch::Stopwatch;
use turn::Action;

/// How a world is simulated.
#[derive(Clone, Debug)]
pub struct SimOptions {
    /// How many shards, at least 1.
    pub shards: u16,
    /// The order of events, the faults and what live clients do come from it.
    pub seed: u64,
    /// Who connects.
    pub clients: SimClients,
    /// What goes wrong.
    pub faults: Faults,
    /// How much is checked.
    pub check: Check,
    /// The tap that was added to the application as a plugin, if the order of events is to be checked.
    pub events: Option<EventTap>,
    /// How the world is kept, if it is: only then processes and shards may end in it.
    pub keeping: Option<SimKeeping>,
}

/// The clients of a simulation.
#[derive(Clone, Debug)]
pub enum SimClients {
    /// They do what the world's script says, which must be this one: the world does not depend on the seed.
    Scripted(Arc<ClientScript>),
    /// So many that speak for themselves: the world depends on when they are heard.
    Live(u32),
}

impl Default for SimOptions {
    fn default() -> Self {
        Self {
            shards: 1,
            seed: 0,
            clients: SimClients::Live(0),
            faults: Faults::NONE,
            check: Check::None,
            events: None,
            keeping: None,
        }
    }
}

/// A world in virtual time: all its shards and clients, on the caller's thread.
pub struct Simulation {
    config: Arc<WorldConfig>,
    letters_max: usize,
    berths: Vec<Berth>,
    mail: Mail,
    clients: Vec<SimClient>,
    /// Of live clients.
    minds: Vec<Mind>,
    /// The tick in which each client acted last.
    acted: Vec<Tick>,
    script: Option<Arc<ClientScript>>,
    /// Whose session is whose.
    numbers: BTreeMap<SessionId, usize>,
    faults: Faults,
    counts: FaultCounts,
    /// Clients only read and acknowledge: the run is to end.
    is_ending: bool,
    chance: Chance,
    /// Every shard has absorbed it.
    tick: Tick,
    turn: u64,
    /// What may happen in this turn. Kept for its memory.
    /// None where time does not matter: then shards run as fast as they can.
    clock: Option<Clock>,
    may: Vec<Action>,
    check: Check,
    checkers: Checkers,
    events: Option<EventTap>,
    /// What keeps the world; none if nobody does.
    keeping: Option<Keeping>,
    /// How it does.
    options: SimKeeping,
    /// How many processes have had the world before.
    process: u32,
    /// What they left to this one.
    inherited: Inherited,
    /// From this turn on the process ends.
    crash_at: Option<u64>,
    /// The world cannot be kept: the process ends at once.
    is_broken: bool,
    /// From this turn on a shard is lost.
    mend_at: Option<u64>,
    /// How many turns the last tick took.
    tick_turns: u64,
    stopwatch: Stopwatch,
}

impl Simulation {
    /// A world at tick 0. Scripted clients are connected; live ones come with the first tick.
    ///
    /// # Errors
    /// When there is no shard or too many for this world, or a shard cannot be built.
    pub fn new(recipe: &Arc<AppRecipe>, options: SimOptions) -> Result<Self> {
        let shards = options.shards;
        if shards == 0 {
            let detail = "0; a world has at least one".to_owned();
            let name = "shards";
            return Err(Error::Option { name, detail });
        }
        let commons = Commons::new(recipe, shards)?;
        let interval = recipe.world().config.tick_interval;
        let clock = (options.faults.clock_jumps > 0).then(|| Clock::new(interval));
        let berth = |own| {
            let hub = Hub::new(ShardId(own), recipe.clone(), commons.clone())?;
            Ok(Berth::new(ShardId(own), hub, shards, clock.as_ref()))
        };
        let is_scripted = matches!(options.clients, SimClients::Scripted(_));
        if is_scripted && options.faults.process_crashes > 0 {
            let detail = "process crashes: a script knows no session of another process".to_owned();
            let name = "faults";
            return Err(Error::Option { name, detail });
        }
        let (clients, script) = match options.clients {
            SimClients::Scripted(script) => (script.clients(), Some(script)),
            SimClients::Live(clients) => (clients, None),
        };
        let count = clients as usize;
        let mut simulation = Self {
            config: Arc::new(recipe.world().config.clone()),
            letters_max: recipe.options().limits.service_letters_max,
            berths: (0..shards).map(berth).collect::<Result<_>>()?,
            mail: Mail::default(),
            clients: (0..clients).map(SimClient::new).collect(),
            minds: (0..count).map(|_| Mind::default()).collect(),
            acted: vec![Tick(0); count],
            script,
            numbers: BTreeMap::new(),
            faults: options.faults,
            counts: FaultCounts::default(),
            is_ending: false,
            chance: Chance::new(options.seed, EntityId(0), Tick(0), "simulation"),
            tick: Tick(0),
            clock,
            turn: 0,
            may: Vec::new(),
            check: options.check,
            checkers: Checkers::new(options.check),
            events: options.events,
            keeping: None,
            options: options.keeping.unwrap_or_default(),
            process: 0,
            inherited: Inherited::default(),
            crash_at: None,
            is_broken: false,
            mend_at: None,
            tick_turns: 0,
            stopwatch: Stopwatch::default(),
        };
        if options.keeping.is_some() {
            simulation.begin_to_keep()?;
        }
        simulation.connect_scripted();
        for at in 0..simulation.berths.len() {
            simulation.collect(at);
        }
        Ok(simulation)
    }

    /// Runs until every shard has absorbed the next tick; says which. Some may have begun the one after it. When the process
    /// ends meanwhile, the next one is that after the tick that came back.
    ///
    /// # Errors
    /// What the checkers found.
    ///
    /// # Panics
    /// When a system of the world panics.
    pub fn step(&mut self) -> Result<Tick, Finding> {
        let tick = self.run_tick()?;
        if self.checkers.due(tick) {
            let observed = self.observe();
            self.checkers.look(&observed)?;
        } else if self.check == Check::None {
            self.clients.iter_mut().for_each(SimClient::forget);
        }
        Ok(tick)
    }

    /// Ends the run: clients say nothing more, everything on its way arrives, and the checkers look at the end of it.
    ///
    /// # Errors
    /// What the checkers found.
    ///
    /// # Panics
    /// When a system of the world panics.
    pub fn finish(&mut self) -> Result<(), Finding> {
        self.is_ending = true;
        (self.crash_at, self.mend_at) = (None, None);
        if self.is_broken {
            self.crash()?;
        } else if let Some(keeping) = &self.keeping {
            keeping.disk.make_room();
        }
        for _ in 0..TICKS_TO_END {
            self.settle();
            self.step()?;
        }
        self.settle();
        self.run_tick()?;
        self.settle();
        let observed = self.observe();
        self.checkers.look(&observed)?;
        self.checkers.finish(&observed)
    }

    /// A fresh disk with the first generation on it.
    fn begin_to_keep(&mut self) -> Result<()> {
        let disk = Arc::new(Disk::default());
        let shards = self.berths.iter().map(|berth| berth.hub.shard());
        let archives = settle(&*disk, shards, Tick(0));
        let archives = archives.map_err(|error| Error::Runtime(error.to_string()))?;
        self.keep(Keeping::new(self.options, disk, Tick(0), archives));
        self.counts.crashes = Some(CrashCounts::default());
        self.checkers.keep();
        Ok(())
    }

    /// The last tick that every shard has absorbed.
    #[must_use]
    pub fn tick(&self) -> Tick {
        self.tick
    }

    /// The digest of all entities after [`tick`](Self::tick).
    #[must_use]
    pub fn digest(&self) -> u128 {
        let parts = self.berths.iter().map(|berth| berth.digest);
        parts.fold(0, u128::wrapping_add)
    }

    /// The hubs, ascending by shard. Some may have begun the next tick.
    pub fn hubs(&self) -> impl Iterator<Item = &Hub> {
        self.berths.iter().map(|berth| &berth.hub)
    }

    /// The clients, by number.
    #[must_use]
    pub fn clients(&self) -> &[SimClient] {
        &self.clients
    }

    /// What went wrong so far.
    #[must_use]
    pub fn fault_counts(&self) -> &FaultCounts {
        &self.counts
    }

    /// Facts compared so far, by checker.
    #[must_use]
    pub fn checks(&self) -> &BTreeMap<&'static str, u64> {
        self.checkers.checks()
    }

    pub(crate) fn berths(&self) -> &[Berth] {
        &self.berths
    }

    pub(crate) fn hubs_mut(&mut self) -> impl Iterator<Item = &mut Hub> {
        self.berths.iter_mut().map(|berth| &mut berth.hub)
    }

    /// Lends it a clock: from now on it knows how long it took.
    pub(crate) fn lend_clock(&mut self, now: fn() -> Instant) {
        self.stopwatch.lend(now);
    }

    /// The time that steps took on a clock that was lent, digests and checks not included.
    pub(crate) fn took(&self) -> Duration {
        self.stopwatch.total()
    }
}

/// At the end of a run: a join is answered, commands wait for it, and both may be sent after a viewpoint that has gone
/// on, at a tick for each shard on the way and one for each that was ahead.
const TICKS_TO_END: usize = 16;
