//! Read-only copies of entities owned next door, as they travel and as a view takes them in.
//!
//! Never decides who gets a ghost: that is `release`.

use std::ops::Range;

use hecs::EntityRef;
use worldshard_protocol::{EntityId, RECORD_BYTES, Record, Tick};
use worldshard_spatial::{Point, ShardId};

use crate::column::Columns;
use crate::registry::Registry;
use crate::world::Laid;

/// One ghost; its shared components are in the same row of its set's columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ghost {
    pub(crate) id: EntityId,
    /// The owner after the exchange, which is not the sender when the entity strayed.
    pub(crate) owner: ShardId,
    pub(crate) changed_tick: Tick,
    pub(crate) extra_changed_tick: Tick,
    pub(crate) record: [u8; RECORD_BYTES],
    /// Where its replicated components are in the set's `extra_bytes`.
    pub(crate) extra: Range<u32>,
}

impl Ghost {
    /// Where the entity is, by its record.
    pub(crate) fn position(&self) -> Point {
        Point::from_array(Record::from_bytes(&self.record).position())
    }
}

/// All ghosts from one shard for another in one tick, or from all others together. The default holds none, of no
/// registry.
#[derive(Clone, Debug, Default)]
pub(crate) struct GhostSet {
    pub(crate) entries: Vec<Ghost>,
    pub(crate) columns: Columns,
    pub(crate) extra_bytes: Vec<u8>,
}

impl GhostSet {
    /// A set without ghosts.
    pub(crate) fn new(registry: &Registry) -> Self {
        Self {
            entries: Vec::new(),
            columns: Columns::empty_like(registry),
            extra_bytes: Vec::new(),
        }
    }

    /// The number of ghosts.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Drops all ghosts and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.columns.clear();
        self.extra_bytes.clear();
    }

    /// Adds the ghost of an entity that is laid out; `owner` is where it lives after the exchange.
    pub(crate) fn push_owned(
        &mut self,
        id: EntityId,
        entity: &EntityRef<'_>,
        laid: &Laid,
        owner: ShardId,
    ) {
        self.push_laid(id, laid, owner);
        self.columns.push_from_entity(entity);
    }

    /// As [`push_owned`](Self::push_owned), but for the row of its shared components, which the caller adds for many
    /// ghosts together.
    pub(crate) fn push_laid(&mut self, id: EntityId, laid: &Laid, owner: ShardId) {
        let start = offset(self.extra_bytes.len());
        self.extra_bytes.extend_from_slice(&laid.extra);
        self.entries.push(Ghost {
            id,
            owner,
            changed_tick: laid.changed_tick,
            extra_changed_tick: laid.extra_changed_tick,
            record: laid.record,
            extra: start..offset(self.extra_bytes.len()),
        });
    }

    /// Adds a ghost as it was told; the row of its shared components is the caller's to add.
    pub(crate) fn push_told(
        &mut self,
        id: EntityId,
        owner: ShardId,
        [changed_tick, extra_changed_tick]: [Tick; 2],
        record: [u8; RECORD_BYTES],
        extra: &[u8],
    ) {
        let start = offset(self.extra_bytes.len());
        self.extra_bytes.extend_from_slice(extra);
        self.entries.push(Ghost {
            id,
            owner,
            changed_tick,
            extra_changed_tick,
            record,
            extra: start..offset(self.extra_bytes.len()),
        });
    }

    /// Moves all ghosts of another set of the same registry into this one.
    pub(crate) fn append(&mut self, other: &mut GhostSet) {
        let shift = offset(self.extra_bytes.len());
        self.extra_bytes.append(&mut other.extra_bytes);
        // Checks that the sum of both still has offsets.
        offset(self.extra_bytes.len());
        self.columns.append(&mut other.columns);
        self.entries
            .extend(other.entries.drain(..).map(|ghost| Ghost {
                extra: ghost.extra.start + shift..ghost.extra.end + shift,
                ..ghost
            }));
    }
}

fn offset(length: usize) -> u32 {
    u32::try_from(length).expect("the extras of one tick's ghosts are less than 4 GiB")
}

#[cfg(test)]
mod tests;
