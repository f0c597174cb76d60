//! A scene on real threads, one for each shard: entities cross from core to core, as they do in a server.

use std::sync::Arc;
use std::time::Duration;

use worldshard::prelude::{ShardId, Tick};
use worldshard::runtime::{ClientFactory, InProcessClient, UnpacedRun, run_unpaced};
use worldshard::{Result, Runtime};

use crate::crowd::{Join, WARM_UP_TICKS};
use crate::scenes::Scene;

/// The CPU time that all phases of so many ticks take, on all shards together, after [`WARM_UP_TICKS`].
///
/// # Errors
/// When the world cannot be run.
///
/// # Panics
/// When an entity was lost or doubled.
pub fn ticks(scene: &Scene, ticks: u64) -> Result<Duration> {
    let run = UnpacedRun {
        runtime: Runtime::Portable,
        ticks: WARM_UP_TICKS + ticks,
        digest: false,
        clients: Some(Arc::new(Clients {
            shards: scene.recipe.options().shards,
            joins: scene.joins.clone(),
        })),
    };
    let mut sum = Duration::ZERO;
    let report = run_unpaced(&scene.recipe, &run, |seen| {
        if seen.tick.0 > WARM_UP_TICKS {
            sum += seen.phases.total();
        }
    })?;
    assert_eq!(report.audit_failures, 0, "all entities are there once");
    Ok(sum)
}

struct Clients {
    shards: u16,
    joins: Vec<Join>,
}

impl ClientFactory for Clients {
    fn clients(&self, shard: ShardId) -> Vec<Box<dyn InProcessClient>> {
        let mine = self.joins.iter().skip(usize::from(shard.0));
        mine.step_by(usize::from(self.shards))
            .map(|&join| Box::new(Joined(join)) as Box<dyn InProcessClient>)
            .collect()
    }
}

/// Joins in the first tick and stays.
struct Joined(Join);

impl InProcessClient for Joined {
    fn frame(&mut self, _: &[u8]) {}

    fn poll(&mut self, tick: Tick, out: &mut Vec<Vec<u8>>) {
        if tick.0 == 1 {
            out.push(self.0.message());
        }
    }
}
