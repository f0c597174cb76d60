//! Counters and gauges of one shard, for status, benches and checkers. Never decides anything.

use worldshard_protocol::{EntityId, Tick};
use worldshard_spatial::Point;

use crate::command::Interest;

/// Counters since the start, unless said otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShardStats {
    /// Entities owned now.
    pub entities: u64,
    /// Ghosts held now.
    pub ghosts: u64,
    /// Viewpoints here now.
    pub viewers: u64,
    /// Deltas on their way now, over all sessions.
    pub credits_out: u64,
    /// Commands that wait for their turn now.
    pub commands_pending: u64,
    /// Sessions heard of whose viewpoint is not here, now; until the next tick's envelopes.
    pub undelivered_sessions: u64,
    /// Of those, forgotten because they were too many.
    pub undelivered_forgotten: u64,
    /// Entities given to other shards.
    pub handoffs_out: u64,
    /// Entities taken over from other shards.
    pub handoffs_in: u64,
    /// Ghosts sent.
    pub ghosts_sent: u64,
    /// Entities born here.
    pub births: u64,
    /// Entities removed here.
    pub removals: u64,
    /// Records laid out because their entity changed.
    pub records_changed: u64,
    /// Replicated components that clients are not told of now, because they are longer than
    /// [`REPLICATED_BYTES_MAX`](crate::REPLICATED_BYTES_MAX).
    pub extras_too_long: u64,
    /// Positions that a system made infinite or not a number: the last good one stood instead.
    pub positions_refused: u64,
    /// Viewpoints that a join began.
    pub joins: u64,
    /// Commands applied.
    pub commands_applied: u64,
    /// Of the joins and of the commands applied or refused, those that a script asked for.
    pub commands_scripted: u64,
    /// Commands refused.
    pub commands_refused: u64,
    /// Custom interests whose predicate panicked or is not registered any more: the default one stood instead.
    pub interests_failed: u64,
    /// Deltas built.
    pub deltas: u64,
    /// Their bytes, without WebSocket header.
    pub delta_bytes: u64,
    /// Times that nothing was built for want of a credit.
    pub deltas_starved: u64,
    /// Entities that came into a visible set.
    pub enters: u64,
    /// Entities that left a visible set.
    pub leaves: u64,
    /// Candidates that interest looked at.
    pub candidates: u64,
    /// Timers that fired.
    pub timers_fired: u64,
    /// Timers dropped because their entity had too many.
    pub timers_dropped: u64,
    /// Spawns refused because their spawner asked for too many in one tick.
    pub spawns_refused: u64,
}

/// A session's viewpoint, as a checker sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ViewerStats {
    /// Where it looks from.
    pub at: Point,
    /// Its avatar.
    pub avatar: Option<EntityId>,
    /// What it wants to see.
    pub interest: Interest,
    /// Size of its visible set.
    pub visible: usize,
    /// Ticks in which no delta was built for it for want of a credit.
    pub starved_ticks: u64,
    /// Deltas on their way to it.
    pub in_flight: usize,
    /// Number of the last delta built for it.
    pub delta_sequence: u32,
    /// The last tick in which it was decided what it sees.
    pub built: Option<Tick>,
    /// The home's number of the last command that was applied or given up.
    pub commands_done: u32,
    /// Commands that wait for their turn.
    pub commands_pending: usize,
    /// Commands that never arrived and were given up.
    pub commands_skipped: u64,
    /// The client's number of the last command applied.
    pub client_sequence: u32,
    /// How often its session was resumed, as of the join or the last refresh.
    pub generation: u32,
}
