//! Runs a world as fast as it can, on real threads and mailboxes, without a listener. For measurements and digests.

use std::sync::Arc;
use std::time::{Duration, Instant};

use flume::Sender;
use worldshard_protocol::Tick;
use worldshard_shard::Shard;
use worldshard_spatial::ShardId;

use super::clock;
use super::cores;
use super::in_process::Factory;
use super::phase_times::{PhaseTimes, PhaseWatch};
use super::probe;
use super::reactor::Halves;
use super::server::{Server, Wiring};
use crate::app::{AppRecipe, Runtime};
use crate::error::{Error, Result};
use crate::hub::Hub;

/// What a run is asked to do.
#[derive(Clone)]
pub struct UnpacedRun {
    /// Which driver.
    pub runtime: Runtime,
    /// Ticks to run.
    pub ticks: u64,
    /// Whether each tick's digest is computed; it costs a pass over all entities.
    pub digest: bool,
    /// Where clients come from, if any.
    pub clients: Option<Factory>,
}

/// One shard after one tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardTick {
    /// Which tick.
    pub tick: Tick,
    /// Which shard.
    pub shard: ShardId,
    /// The shard's part of the digest, if asked for; the world's is the wrapping sum over shards.
    pub digest: Option<u128>,
    /// Since the shard's last tick, waiting for others included, digests not.
    pub took: Duration,
    /// In the first half: apply, simulate, release.
    pub advance: Duration,
    /// In the second half: receive, index, observe, publish.
    pub absorb: Duration,
    /// CPU time, by phase.
    pub phases: PhaseTimes,
    /// Entities the shard owns.
    pub entities: u64,
    /// Entities it has given away since the start.
    pub handoffs_out: u64,
    /// Audits that failed since the start.
    pub audit_failures: u64,
    /// After the last tick: how many others each entity has within the perception radius, summed over those owned.
    pub neighbours: Option<u64>,
}

/// What a run came to.
#[derive(Clone, Debug, PartialEq)]
pub struct RunReport {
    /// Which driver ran.
    pub runtime: &'static str,
    /// Ticks run.
    pub ticks: u64,
    /// From when all shards were built to the last tick.
    pub wall: Duration,
    /// Entities handed off.
    pub handoffs: u64,
    /// Audits that failed.
    pub audit_failures: u64,
    /// Entities at the end.
    pub entities: u64,
    /// At the end: how many others an entity has within the perception radius, on average.
    pub neighbours_mean: f64,
}

/// Runs `run.ticks` ticks of `recipe` and shows each shard's every tick to `on_tick`, per shard in order.
///
/// # Errors
/// When the driver cannot run here, a shard cannot be built, or a shard panics.
pub fn run_unpaced(
    recipe: &Arc<AppRecipe>,
    run: &UnpacedRun,
    mut on_tick: impl FnMut(&ShardTick),
) -> Result<RunReport> {
    let shards = cores::shards(recipe.options().shards);
    let (chosen, reason) = probe::choose(run.runtime, shards)?;
    tracing::debug!(runtime = chosen.name(), reason, "unpaced run");
    let (sender, ticks_done) = flume::bounded(LOTS_UNREAD_MAX);
    let wiring = Wiring {
        chosen,
        shards,
        ticks: Some(run.ticks),
        hosting: Some(Hosting {
            ticks: run.ticks,
            digest: run.digest,
            clients: run.clients.clone(),
            sender,
        }),
        place: |_| None,
        certificates: None,
        archives: None,
    };
    let server = Server::start(recipe, wiring)?;
    let began = clock::now();
    let mut ended = began;
    let mut last = vec![None; usize::from(shards)];
    for lot in ticks_done {
        ended = ended.max(lot.ended);
        for tick in lot.ticks {
            on_tick(&tick);
            last[usize::from(tick.shard.0)] = Some(tick);
        }
    }
    let wall = ended - began;
    server.join().map_err(Error::Runtime)?;
    let last = || last.iter().flatten();
    let entities: u64 = last().map(|tick| tick.entities).sum();
    let neighbours: u64 = last().filter_map(|tick| tick.neighbours).sum();
    Ok(RunReport {
        runtime: chosen.name(),
        ticks: run.ticks,
        wall,
        handoffs: last().map(|tick| tick.handoffs_out).sum(),
        audit_failures: last().map(|tick| tick.audit_failures).sum(),
        entities,
        neighbours_mean: neighbours as f64 / entities.max(1) as f64,
    })
}

/// What each shard of an unpaced run needs beside its hub.
#[derive(Clone)]
pub(crate) struct Hosting {
    ticks: u64,
    digest: bool,
    pub(crate) clients: Option<Factory>,
    sender: Sender<Lot>,
}

/// Some ticks of one shard, ascending. The caller's thread runs on a shard's core: to be shown each would wake it as often.
struct Lot {
    ticks: Vec<ShardTick>,
    /// When the second half of the last of them was done.
    ended: Instant,
}

/// Shows a shard's ticks to the thread that asked for the run.
pub(crate) struct Observer {
    hosting: Hosting,
    shard: ShardId,
    phases: PhaseWatch,
    before: Instant,
    /// What the caller was not shown yet.
    seen: Vec<ShardTick>,
    shown: Instant,
}

impl Hosting {
    pub(crate) fn observer(&self, hub: &mut Hub, now: Instant) -> Observer {
        Observer {
            hosting: self.clone(),
            shard: hub.shard().own(),
            phases: PhaseWatch::over(hub),
            before: now,
            seen: Vec::new(),
            shown: now,
        }
    }
}

impl Observer {
    pub(crate) fn observe(&mut self, tick: Tick, hub: &Hub, halves: Halves) {
        let ended = clock::now();
        let shard = hub.shard();
        let stats = shard.stats();
        let is_last = tick.0 == self.hosting.ticks;
        self.seen.push(ShardTick {
            tick,
            shard: self.shard,
            digest: self.hosting.digest.then(|| shard.digest()),
            took: ended.saturating_duration_since(self.before),
            advance: halves.advance,
            absorb: halves.absorb,
            phases: self.phases.take(),
            entities: stats.entities,
            handoffs_out: stats.handoffs_out,
            audit_failures: shard.audit().failures(),
            neighbours: is_last.then(|| neighbours(shard)),
        });
        if is_last || ended.saturating_duration_since(self.shown) >= SHOW_INTERVAL {
            self.shown = ended;
            // Waits when the reader is slow: an unpaced world has time. A reader that is gone wants nothing.
            let ticks = std::mem::take(&mut self.seen);
            let _ = self.hosting.sender.send(Lot { ticks, ended });
        }
        self.before = clock::now();
    }
}

/// How many others each entity has within the perception radius, summed over those owned here.
pub(crate) fn neighbours(shard: &Shard) -> u64 {
    let (view, perception_m) = (shard.view(), shard.recipe().config.perception_radius_m);
    let mut pairs = 0;
    for rank in (0..view.len() as u32).filter(|&rank| view.is_owned(rank)) {
        view.within(view.position(rank), perception_m, |other| {
            pairs += u64::from(other.rank != rank);
        });
    }
    pairs
}

/// Lots of ticks that the caller has not looked at. Beyond: the shards wait.
const LOTS_UNREAD_MAX: usize = 1024;

/// Between two lots of ticks that the caller is shown.
const SHOW_INTERVAL: Duration = Duration::from_millis(100);
