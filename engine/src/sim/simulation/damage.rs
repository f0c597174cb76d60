//! Bits that turn over on a simulated disk, where it must cost nothing or be noticed. Never where nobody could tell: in the
//! last piece of a journal, which may just as well not have been written to its end.

use std::collections::{BTreeMap, BTreeSet};

use worldshard_protocol::Tick;
use worldshard_shard::Chance;
use worldshard_spatial::ShardId;

use crate::durable::{
    DurableError, FileName, Opening, Store as _, checkpoint_of, load, read_journal, write_chunk,
};
use crate::sim::disk::Disk;

/// The generations of which every shard's checkpoint is whole, ascending.
pub(super) fn whole_generations(disk: &Disk, shards: usize) -> Vec<Tick> {
    let mut whole: BTreeMap<Tick, BTreeSet<ShardId>> = BTreeMap::new();
    for name in names(disk) {
        if let FileName::Checkpoint(tick, shard) = name
            && disk
                .read(&name.to_string())
                .is_ok_and(|file| checkpoint_of(&file).is_some())
        {
            whole.entry(tick).or_default().insert(shard);
        }
    }
    let complete = whole.into_iter().filter(|(_, of)| of.len() == shards);
    complete.map(|(tick, _)| tick).collect()
}

/// Turns a bit over in a checkpoint of the newest generation, if an older one is there. Whether there was one.
pub(super) fn damage_checkpoint(disk: &Disk, shards: usize, chance: &mut Chance) -> bool {
    let [.., _, newest] = whole_generations(disk, shards)[..] else {
        return false;
    };
    let shard = ShardId((chance.next_u64() % shards as u64) as u16);
    let name = FileName::Checkpoint(newest, shard).to_string();
    let bytes = disk.read(&name).map_or(0, |file| file.len());
    disk.flip(&name, any(bytes * 8, chance));
    true
}

/// Turns a bit over in a journal that recovery needs, before its last piece; the world must be refused then, and the file
/// named. Then turns it back. Whether there was such a journal.
pub(super) fn damage_journal(
    disk: &Disk,
    opening: &Opening,
    chance: &mut Chance,
) -> Result<bool, String> {
    let shards = usize::from(opening.cell_map.shard_count());
    let newest = whole_generations(disk, shards).pop();
    let mut journals = Vec::new();
    for name in names(disk) {
        if let FileName::Journal(of) = name
            && Some(of) >= newest
            && let Ok(bytes) = disk.read(&name.to_string())
            && let (mut chunks, _) = read_journal(&bytes)
            && chunks.pop().is_some()
            && !chunks.is_empty()
        {
            let mut before_last = Vec::new();
            let pieces = chunks.iter();
            pieces.for_each(|chunk| write_chunk(chunk, &mut before_last));
            journals.push((name.to_string(), before_last.len()));
        }
    }
    if journals.is_empty() {
        return Ok(false);
    }
    let (name, bytes) = &journals[any(journals.len(), chance)];
    let bit = any(bytes * 8, chance);
    disk.flip(name, bit);
    let opened = load(disk, opening);
    disk.flip(name, bit);
    match opened {
        Err(DurableError::Broken { what, .. }) if what.contains(name.as_str()) => Ok(true),
        Err(error) => Err(format!(
            "bit {bit} of {name} is wrong, and it says: {error}"
        )),
        Ok(_) => Err(format!("bit {bit} of {name} is wrong, and the world opens")),
    }
}

fn names(disk: &Disk) -> Vec<FileName> {
    let names = disk.list().unwrap_or_default();
    let names = names.iter().filter_map(|name| FileName::parse(name));
    names.collect()
}

fn any(of: usize, chance: &mut Chance) -> usize {
    (chance.next_u64() % (of as u64).max(1)) as usize
}
