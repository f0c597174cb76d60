//! Fifth phase: the view that interest uses now and systems use in the next tick.
//!
//! Own entities and ghosts alike, in an order independent of shards and of the kind of index.

use crate::shard::Shard;

/// Rebuilds the view from what the shard owns and what its neighbours told it.
pub(crate) fn index(shard: &mut Shard) {
    shard
        .view
        .rebuild(&mut shard.world, &shard.ghosts, shard.own);
}
