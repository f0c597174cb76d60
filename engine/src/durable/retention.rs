//! Which files are not needed any more. Never takes one away.

use std::collections::BTreeSet;

use worldshard_protocol::Tick;

use super::names::FileName;

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
