//! How a frozen shard is laid out: columns of canonical bytes, a table of the components' names and versions.
//!
//! Types only. `CHECKPOINT_LAYOUT` counts their changes.

use rkyv::{Archive, Serialize};

/// The layout that this build writes and reads; another one is refused.
pub const CHECKPOINT_LAYOUT: u32 = 3;

/// One shard right after a tick.
#[derive(Archive, Serialize)]
pub(crate) struct ShardArchive {
    pub(crate) layout: u32,
    pub(crate) shard: u16,
    pub(crate) shards: u16,
    pub(crate) tick: u64,
    /// The number of the next entity to be born.
    pub(crate) next_entity: u64,
    /// By their numbers in columns.
    pub(crate) components: Vec<ComponentArchive>,
    /// Entities with the same components.
    pub(crate) groups: Vec<GroupArchive>,
    pub(crate) ghosts: GhostsArchive,
    /// Viewers, waiting commands, books and counters, in canonical bytes.
    pub(crate) rest: Vec<u8>,
}

/// A registered component.
#[derive(Archive, Serialize)]
pub(crate) struct ComponentArchive {
    pub(crate) name: String,
    pub(crate) version: u16,
}

/// Entities with the same components, a row each.
#[derive(Archive, Serialize)]
pub(crate) struct GroupArchive {
    pub(crate) ids: Vec<u64>,
    /// When each record last changed.
    pub(crate) changed_ticks: Vec<u64>,
    /// When its replicated components last changed.
    pub(crate) extra_changed_ticks: Vec<u64>,
    pub(crate) columns: Vec<ColumnArchive>,
}

/// One component of all entities of a group.
#[derive(Archive, Serialize)]
pub(crate) struct ColumnArchive {
    /// Its place in the table of components.
    pub(crate) component: u16,
    /// Where each row's bytes end. Empty when all rows are as long as each other.
    pub(crate) ends: Vec<u32>,
    pub(crate) bytes: Vec<u8>,
}

/// The ghosts of the neighbours' entities, as of the same tick.
#[derive(Archive, Serialize)]
pub(crate) struct GhostsArchive {
    /// Id, owner, ticks of the last changes, record and extra of each.
    pub(crate) entries: Vec<u8>,
    /// The shared components, by number, in the order of the columns of `rows`.
    pub(crate) components: Vec<u16>,
    /// For each ghost and component whether it has one, then its bytes with their length in front.
    pub(crate) rows: Vec<u8>,
}
