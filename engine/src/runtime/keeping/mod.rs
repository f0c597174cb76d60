//! Keeps a running world on disk: two threads for all shards, and what each shard gives them.
//!
//! The **keeper** appends what was said to shards and says which tick is durable, once for all shards; the **scribe** lays
//! out frozen shards and writes checkpoints, so that no tick waits for either. A world is never more than [`AHEAD_MAX`] ticks
//! ahead of its journal: a slow disk dilates its time.

mod directory;
mod opening;
mod own;
mod recording;
mod shared;
mod threads;

use worldshard_protocol::Tick;
use worldshard_shard::Frozen;
use worldshard_spatial::ShardId;

pub use opening::{Recovery, manifest_of, shards_kept};
pub use recording::{Difference, Recording, first_difference};

pub(crate) use opening::{Opened, open};
pub(crate) use own::OwnKeeping;
pub(crate) use shared::{Image, Shared};
pub(crate) use threads::{Keeping, Threads};

/// What a shard gives the keeper.
pub(crate) enum Kept {
    /// What was said to it up to a tick.
    Piece {
        shard: ShardId,
        tick: Tick,
        piece: Vec<u8>,
        closes: bool,
    },
    /// Its part of the digest of a tick.
    Digest {
        shard: ShardId,
        tick: Tick,
        part: u128,
    },
    /// A checkpoint of it was written.
    Written { shard: ShardId, tick: Tick },
}

/// What a shard gives the scribe.
pub(crate) struct ToWrite {
    pub(crate) shard: ShardId,
    pub(crate) frozen: Frozen,
}

/// Ticks that a world may be ahead of what is durable. Beyond: it waits, and its time is dilated.
pub(crate) const AHEAD_MAX: u64 = 8;
