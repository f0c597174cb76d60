//! Which generations have all their files, and which files are not needed any more. Never takes one away.

use std::collections::BTreeSet;

use worldshard_protocol::Tick;
use worldshard_spatial::ShardId;

use super::names::FileName;

/// The ticks of which every shard's checkpoint is there, whatever is in it.
#[must_use]
pub fn complete(names: &[FileName], shards: u16) -> BTreeSet<Tick> {
    let names: BTreeSet<FileName> = names.iter().copied().collect();
    let is_complete = |tick: &Tick| {
        let mut shards = (0..shards).map(ShardId);
        shards.all(|shard| names.contains(&FileName::Checkpoint(*tick, shard)))
    };
    let ticks = names.iter().filter_map(|name| match name {
        FileName::Checkpoint(tick, _) => Some(*tick),
        FileName::Manifest | FileName::Journal(_) => None,
    });
    ticks.filter(is_complete).collect()
}

/// The files of generations before the last `kept` whole ones. `whole` are the ticks of which every shard's checkpoint was
/// written; whatever is newer than the oldest of those that are kept stays.
#[must_use]
pub fn outdated(names: &[FileName], whole: &BTreeSet<Tick>, kept: usize) -> Vec<FileName> {
    let Some(&oldest) = whole.iter().nth_back(kept.clamp(1, whole.len().max(1)) - 1) else {
        return Vec::new();
    };
    let is_older = |name: &&FileName| match name {
        FileName::Manifest => false,
        FileName::Checkpoint(tick, _) | FileName::Journal(tick) => *tick < oldest,
    };
    let mut outdated: Vec<FileName> = names.iter().filter(is_older).copied().collect();
    // Checkpoints first: one without its journal would lead nowhere.
    outdated.sort_unstable();
    outdated
}
