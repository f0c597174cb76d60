//! What shards show of themselves to each other without a letter: that they live, and how many connections they hold.
//!
//! Atomics only. Decides nothing: the acceptor and `/healthz` do.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use worldshard_protocol::Tick;
use worldshard_spatial::ShardId;

/// One place per shard, written by that shard and read by all.
#[derive(Debug)]
pub(crate) struct Liveness {
    epoch: Instant,
    /// When a session was last open.
    busy_ms: AtomicU64,
    /// Connections of the process, those included that are on their way from one shard to another.
    connections: AtomicU32,
    shards: Vec<Place>,
}

#[derive(Debug, Default)]
struct Place {
    stamp_ms: AtomicU64,
    connections: AtomicU32,
    tick: AtomicU64,
    /// It runs no more, as it should.
    ended: AtomicBool,
}

impl Liveness {
    /// Places for `shards` shards, all of them alive at `now`.
    pub(crate) fn new(shards: u16, now: Instant) -> Liveness {
        Liveness {
            epoch: now,
            busy_ms: AtomicU64::new(0),
            connections: AtomicU32::new(0),
            shards: (0..shards).map(|_| Place::default()).collect(),
        }
    }

    /// Says that `shard` turns its loop.
    pub(crate) fn stamp(&self, shard: ShardId, now: Instant) {
        let place = &self.shards[usize::from(shard.0)];
        place.stamp_ms.store(self.millis(now), Ordering::Relaxed);
    }

    /// Says that `shard` has ended: it is neither live nor stale.
    pub(crate) fn end(&self, shard: ShardId) {
        let place = &self.shards[usize::from(shard.0)];
        place.ended.store(true, Ordering::Relaxed);
    }

    /// Whether a shard has ended.
    pub(crate) fn has_ended(&self) -> bool {
        let mut shards = self.shards.iter();
        shards.any(|place| place.ended.load(Ordering::Relaxed))
    }

    /// Counts a connection of the process, unless there are `max`.
    pub(crate) fn connection_admitted(&self, max: u32) -> bool {
        let more = |count| (count < max).then_some(count + 1);
        let admitted = self
            .connections
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        admitted.is_ok()
    }

    /// Takes it back: the connection has ended.
    pub(crate) fn connection_ended(&self) {
        let before = self.connections.fetch_sub(1, Ordering::Relaxed);
        debug_assert!(before > 0, "more connections ended than began");
    }

    /// Counts a connection that was given to `shard`; whoever gives it counts, so that a rush spreads at once.
    pub(crate) fn connection_given(&self, shard: ShardId) {
        let place = &self.shards[usize::from(shard.0)];
        place.connections.fetch_add(1, Ordering::Relaxed);
    }

    /// Says which tick `shard` has completed.
    pub(crate) fn ticked(&self, shard: ShardId, tick: Tick) {
        let place = &self.shards[usize::from(shard.0)];
        place.tick.store(tick.0, Ordering::Relaxed);
    }

    /// The last tick that every shard has completed.
    pub(crate) fn tick(&self) -> Tick {
        let ticks = self
            .shards
            .iter()
            .map(|place| place.tick.load(Ordering::Relaxed));
        Tick(ticks.min().unwrap_or_default())
    }

    /// Takes back a count: the connection ended or moved on.
    pub(crate) fn connection_gone(&self, shard: ShardId) {
        let place = &self.shards[usize::from(shard.0)];
        let before = place.connections.fetch_sub(1, Ordering::Relaxed);
        debug_assert!(before > 0, "more connections ended than began");
    }

    /// Says that a session is open now: the process is not idle.
    pub(crate) fn busy(&self, now: Instant) {
        self.busy_ms.store(self.millis(now), Ordering::Relaxed);
    }

    /// How long ago a session was last open.
    pub(crate) fn idle(&self, now: Instant) -> Duration {
        let busy_ms = self.busy_ms.load(Ordering::Relaxed);
        Duration::from_millis(self.millis(now).saturating_sub(busy_ms))
    }

    /// Connections of the process.
    pub(crate) fn connections(&self) -> u32 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Shards that have not turned their loop for more than [`STALE_AFTER`].
    pub(crate) fn stale(&self, now: Instant) -> Vec<ShardId> {
        let now_ms = self.millis(now);
        let ids = (0..).map(ShardId);
        ids.zip(&self.shards)
            .filter(|(_, place)| place.is_stale(now_ms) && !place.ended.load(Ordering::Relaxed))
            .map(|(shard, _)| shard)
            .collect()
    }

    /// The live shard with the fewest connections; `None` when none is live.
    pub(crate) fn least_loaded(&self, now: Instant) -> Option<ShardId> {
        let now_ms = self.millis(now);
        let ids = (0..).map(ShardId);
        ids.zip(&self.shards)
            .filter(|(_, place)| !place.is_stale(now_ms) && !place.ended.load(Ordering::Relaxed))
            .min_by_key(|(_, place)| place.connections.load(Ordering::Relaxed))
            .map(|(shard, _)| shard)
    }

    fn millis(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.epoch);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

impl Place {
    fn is_stale(&self, now_ms: u64) -> bool {
        let stamp_ms = self.stamp_ms.load(Ordering::Relaxed);
        u128::from(now_ms.saturating_sub(stamp_ms)) > STALE_AFTER.as_millis()
    }
}

/// A shard silent for longer gets no new connections, and `/healthz` names it.
pub(crate) const STALE_AFTER: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
