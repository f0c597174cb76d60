//! One shard of a simulation: its hub, its half of the exchange, and what stands in its way.
//!
//! Never decides when it runs: that is the simulation.

use std::time::Instant;

use worldshard_protocol::Tick;
use worldshard_shard::ShardStats;
use worldshard_spatial::ShardId;

use crate::hub::Hub;
use crate::lockstep::Lockstep;
use crate::sim::clock::{Clock, Schedule};
use crate::sim::observed::ShardSeen;

/// One shard of a simulation.
pub(crate) struct Berth {
    pub(crate) own: ShardId,
    pub(crate) hub: Hub,
    pub(crate) lockstep: Lockstep,
    /// When its ticks are due; none when it runs as fast as it can.
    pub(crate) schedule: Option<Schedule>,
    /// Something happened that the `Update` systems have not seen.
    pub(crate) unheard: bool,
    /// Before this turn it does nothing.
    pub(crate) stalled_until: u64,
    /// The last tick that it has absorbed.
    pub(crate) absorbed: Tick,
    /// The digest of its entities after that tick: it may be ahead of it by now.
    pub(crate) digest: u128,
    /// Its counters after that tick.
    pub(crate) stats: ShardStats,
    /// The same for checkers, if they look at that tick.
    pub(crate) seen: Option<ShardSeen>,
}

impl Berth {
    pub(crate) fn new(own: ShardId, hub: Hub, shards: u16, clock: Option<&Clock>) -> Self {
        let schedule = clock.map(|clock| Schedule::new(hub.recipe(), clock.now()));
        Self {
            own,
            digest: hub.shard().digest(),
            stats: hub.shard().stats(),
            seen: None,
            lockstep: Lockstep::new(shards, hub.shard().tick()),
            schedule,
            unheard: true,
            stalled_until: 0,
            absorbed: hub.shard().tick(),
            hub,
        }
    }

    /// Whether its next first half may run: at most one tick ahead of `tick`.
    pub(crate) fn may_advance(&self, tick: Tick) -> bool {
        !self.lockstep.is_exchanging() && self.lockstep.tick() <= tick.next()
    }

    /// When its next tick is due, if it has a schedule.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.schedule.as_ref().map(Schedule::due)
    }
}
