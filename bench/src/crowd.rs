//! Clients inside the process of an unpaced run: they join, read what they are sent, and count it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use worldshard::prelude::{Point, ShardId, Tick};
use worldshard::runtime::{ClientFactory, InProcessClient, PhaseTimes, UnpacedRun, run_unpaced};
use worldshard::{AppRecipe, Result, Runtime};
use worldshard_client::protocol::{ClientMessage, InterestWish, ViewpointMode};

/// Clients that join in the first tick and stay, each with the default interest of the world.
pub struct Crowd {
    shards: u16,
    mode: ViewpointMode,
    /// Where each joins.
    places: Vec<Point>,
    bytes: Arc<AtomicU64>,
}

/// What a run of some ticks cost and brought.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// CPU time of all shards, by phase, without the first ticks.
    pub phases: PhaseTimes,
    /// Ticks that were counted.
    pub ticks: u64,
    /// Entities handed off in them.
    pub handoffs: u64,
    /// Bytes that clients were sent, from the first tick on.
    pub bytes: u64,
}

impl Crowd {
    /// One client at each place; their homes are spread over the shards.
    #[must_use]
    pub fn new(shards: u16, mode: ViewpointMode, places: Vec<Point>) -> Self {
        Self {
            shards,
            mode,
            places,
            bytes: Arc::default(),
        }
    }

    /// Runs a world with these clients. The first [`WARM_UP_TICKS`] are not counted.
    ///
    /// # Errors
    /// When the world cannot be run.
    pub fn run(self, recipe: &Arc<AppRecipe>, ticks: u64) -> Result<Cost> {
        let bytes = Arc::clone(&self.bytes);
        let run = UnpacedRun {
            runtime: Runtime::Portable,
            ticks: WARM_UP_TICKS + ticks,
            digest: false,
            clients: Some(Arc::new(self)),
        };
        let mut cost = Cost {
            ticks,
            ..Cost::default()
        };
        let mut handoffs_before = 0;
        let report = run_unpaced(recipe, &run, |seen| {
            if seen.tick.0 > WARM_UP_TICKS {
                cost.phases += seen.phases;
            } else if seen.tick.0 == WARM_UP_TICKS {
                handoffs_before += seen.handoffs_out;
            }
        })?;
        assert_eq!(report.audit_failures, 0, "an entity was lost or doubled");
        cost.handoffs = report.handoffs - handoffs_before;
        cost.bytes = bytes.load(Ordering::Relaxed);
        Ok(cost)
    }
}

impl ClientFactory for Crowd {
    fn clients(&self, shard: ShardId) -> Vec<Box<dyn InProcessClient>> {
        let mine = self.places.iter().skip(usize::from(shard.0));
        mine.step_by(usize::from(self.shards))
            .map(|&at| {
                Box::new(Reader {
                    mode: self.mode,
                    at,
                    bytes: Arc::clone(&self.bytes),
                }) as Box<dyn InProcessClient>
            })
            .collect()
    }
}

struct Reader {
    mode: ViewpointMode,
    at: Point,
    bytes: Arc<AtomicU64>,
}

impl InProcessClient for Reader {
    fn frame(&mut self, payload: &[u8]) {
        self.bytes
            .fetch_add(payload.len() as u64, Ordering::Relaxed);
    }

    fn poll(&mut self, tick: Tick, out: &mut Vec<Vec<u8>>) {
        if tick.0 != 1 {
            return;
        }
        let join = ClientMessage::Join {
            mode: self.mode,
            at: Some(self.at.to_array()),
            interest: InterestWish::Default,
            full: false,
            acks: false,
        };
        let mut message = Vec::new();
        join.encode(Some(1), None, &mut message);
        out.push(message);
    }
}

/// Joining, first snapshots and first touches of memory are over by then.
pub const WARM_UP_TICKS: u64 = 10;
