//! The entities of an archive, for tools that know no component's type. Never makes a shard.

use std::collections::BTreeMap;

use worldshard_protocol::{EntityId, Tick};

use super::RestoreError;
use super::restore::{read, rows_of};

/// What an archive holds, by entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Which shard it is of.
    pub shard: u16,
    /// Of how many.
    pub shards: u16,
    /// The tick after which it was taken.
    pub tick: Tick,
    /// The entities, by id.
    pub entities: BTreeMap<EntityId, ContentsEntity>,
}

/// The canonical bytes of one entity's components, by registered name.
pub type ContentsEntity = BTreeMap<String, Vec<u8>>;

impl Contents {
    /// Reads an archive.
    ///
    /// # Errors
    /// When the bytes are no archive of this layout.
    pub fn read(bytes: &[u8]) -> Result<Self, RestoreError> {
        let archive = read(bytes)?;
        let damaged = || RestoreError::Damaged("a column");
        let mut entities: BTreeMap<EntityId, ContentsEntity> = BTreeMap::new();
        for group in archive.groups.iter() {
            for id in group.ids.iter() {
                entities.entry(EntityId(id.to_native())).or_default();
            }
            for column in group.columns.iter() {
                let component = usize::from(column.component.to_native());
                let component = archive.components.get(component).ok_or_else(damaged)?;
                let rows = rows_of(column, group.ids.len()).ok_or_else(damaged)?;
                for (id, row) in group.ids.iter().zip(rows) {
                    let entity = entities.entry(EntityId(id.to_native())).or_default();
                    entity.insert(component.name.as_str().to_owned(), row.to_vec());
                }
            }
        }
        Ok(Self {
            shard: archive.shard.to_native(),
            shards: archive.shards.to_native(),
            tick: Tick(archive.tick.to_native()),
            entities,
        })
    }
}
