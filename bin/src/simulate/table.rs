//! The table of a run's phases: what each costs a tick and an entity. Never measures: times come with the ticks.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use worldshard::prelude::ShardId;
use worldshard::runtime::{PhaseTimes, ShardTick};

/// Sums of a run.
#[derive(Default)]
pub(crate) struct PhaseTable {
    /// Over all shards.
    times: PhaseTimes,
    entity_ticks: u64,
    /// What each shard spent in phases, and how long it stood between its halves, ascending.
    shards: BTreeMap<ShardId, (Duration, Duration)>,
}

impl PhaseTable {
    /// Takes in one shard's tick.
    pub(crate) fn add(&mut self, seen: &ShardTick) {
        self.times += seen.phases;
        self.entity_ticks += seen.entities;
        let (spent, waited) = self.shards.entry(seen.shard).or_default();
        *spent += seen.phases.total();
        *waited += seen.took.saturating_sub(seen.advance + seen.absorb);
    }

    /// A line for each phase, one for all, and one for each shard when there are several.
    pub(crate) fn lines(&self, ticks: u64) -> String {
        let total_ns = nanos(self.times.total()).max(1.0);
        let mut lines = format!(
            "{:<10}{:>12}{:>8}{:>18}   (CPU time, all shards together)\n",
            "phase", "µs/tick", "share", "ns/entity-tick"
        );
        let rows = self
            .times
            .iter()
            .map(|(phase, time)| (phase.as_str(), time));
        for (name, time) in rows.chain([("all", self.times.total())]) {
            let spent_ns = nanos(time);
            let _ = writeln!(
                lines,
                "{name:<10}{:>12.1}{:>6.1} %{:>18.1}",
                spent_ns / 1e3 / ticks.max(1) as f64,
                100.0 * spent_ns / total_ns,
                spent_ns / self.entity_ticks.max(1) as f64,
            );
        }
        if self.shards.len() > 1 {
            for (shard, (spent, waited)) in &self.shards {
                let [spent, waited] =
                    [spent, waited].map(|&time| nanos(time) / 1e3 / ticks.max(1) as f64);
                let name = format!("shard {shard}");
                let _ = writeln!(lines, "{name:<10}{spent:>12.1}   waits {waited:.1} µs/tick");
            }
        }
        lines
    }
}

fn nanos(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}
