//! The table of a run's phases: what each costs a tick and an entity. Never measures: times come with the ticks.

use std::fmt::Write as _;
use std::time::Duration;

use worldshard::runtime::{PhaseTimes, ShardTick};

/// Sums of a run, over all shards.
#[derive(Default)]
pub(crate) struct PhaseTable {
    times: PhaseTimes,
    entity_ticks: u64,
}

impl PhaseTable {
    /// Takes in one shard's tick.
    pub(crate) fn add(&mut self, seen: &ShardTick) {
        self.times += seen.phases;
        self.entity_ticks += seen.entities;
    }

    /// A line for each phase, and one for all.
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
        lines
    }
}

fn nanos(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}
