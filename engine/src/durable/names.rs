//! The names of a world's files, and what they say. Never opens one.

use std::fmt;

use worldshard_protocol::Tick;
use worldshard_spatial::ShardId;

/// A file of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileName {
    /// What the world is, and what made it.
    Manifest,
    /// One shard after a tick.
    Checkpoint(Tick, ShardId),
    /// What was said to all shards after the checkpoint of a tick.
    Journal(Tick),
}

impl FileName {
    /// What a name says; `None` when it is no file of a world.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let parsed = if name == MANIFEST {
            Self::Manifest
        } else if let Some(rest) = name.strip_prefix("checkpoint-") {
            let (tick, shard) = rest.strip_suffix(".wsc")?.split_once('-')?;
            Self::Checkpoint(Tick(tick.parse().ok()?), ShardId(shard.parse().ok()?))
        } else {
            let tick = name.strip_prefix("journal-")?.strip_suffix(".wsj")?;
            Self::Journal(Tick(tick.parse().ok()?))
        };
        // Only one spelling: another file must not stand for the same thing.
        (parsed.to_string() == name).then_some(parsed)
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manifest => f.write_str(MANIFEST),
            Self::Checkpoint(tick, shard) => {
                write!(f, "checkpoint-{:012}-{:04}.wsc", tick.0, shard.0)
            }
            Self::Journal(tick) => write!(f, "journal-{:012}.wsj", tick.0),
        }
    }
}

const MANIFEST: &str = "world.json";
