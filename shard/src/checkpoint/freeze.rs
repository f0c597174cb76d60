//! Copies a shard between two ticks, and lays the copy out. Never changes the shard.

use hecs::Archetype;
use worldshard_protocol::EntityId;

use super::archive::{
    CHECKPOINT_LAYOUT, ColumnArchive, ComponentArchive, GhostsArchive, GroupArchive, ShardArchive,
};
use crate::component::{Codec, Component};
use crate::ghost::GhostSet;
use crate::registry::Registry;
use crate::shard::Shard;
use crate::world::Laid;

/// A shard as it was after a tick, apart from it: another thread may lay it out while the shard goes on.
pub struct Frozen {
    pub(super) shard: u16,
    pub(super) shards: u16,
    pub(super) tick: u64,
    pub(super) next_entity: u64,
    registry: Registry,
    groups: Vec<Group>,
    ghosts: GhostSet,
    rest: Vec<u8>,
}

/// Entities with the same components.
struct Group {
    ids: Vec<u64>,
    changed_ticks: Vec<u64>,
    extra_changed_ticks: Vec<u64>,
    columns: Vec<(u16, Box<dyn FrozenColumn>)>,
}

impl Frozen {
    /// Copies what a later tick may change.
    ///
    /// # Panics
    /// When an entity carries a component type that is not registered: it would be lost.
    pub(crate) fn of(shard: &Shard, rest: Vec<u8>) -> Self {
        let registry = shard.recipe().registry.clone();
        let ecs = shard.world.ecs();
        let groups = ecs.archetypes().filter(|archetype| !archetype.is_empty());
        Self {
            shard: shard.own().0,
            shards: shard.cell_map().shard_count(),
            tick: shard.tick().0,
            next_entity: shard.next_entity.0,
            groups: groups.map(|group| Group::of(group, &registry)).collect(),
            ghosts: shard.ghosts.clone(),
            registry,
            rest,
        }
    }

    /// The tick after which it was taken.
    #[must_use]
    pub fn tick(&self) -> worldshard_protocol::Tick {
        worldshard_protocol::Tick(self.tick)
    }

    /// How many entities it holds.
    #[must_use]
    pub fn entities(&self) -> usize {
        self.groups.iter().map(|group| group.ids.len()).sum()
    }

    /// Lays it out as one archive, which [`Shard::restore`] takes.
    ///
    /// # Panics
    /// When a column of one component is longer than 4 GiB.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let archive = ShardArchive {
            layout: CHECKPOINT_LAYOUT,
            shard: self.shard,
            shards: self.shards,
            tick: self.tick,
            next_entity: self.next_entity,
            components: self.components(),
            groups: self.groups.iter().map(Group::lay_out).collect(),
            ghosts: lay_out_ghosts(&self.ghosts, &self.registry),
            rest: self.rest.clone(),
        };
        rkyv::to_bytes::<rkyv::rancor::Error>(&archive)
            .expect("an archive in memory takes all that fits into memory")
            .into_vec()
    }

    fn components(&self) -> Vec<ComponentArchive> {
        let entries = self.registry.named();
        entries
            .map(|(name, version)| ComponentArchive {
                name: name.to_owned(),
                version,
            })
            .collect()
    }
}

impl std::fmt::Debug for Frozen {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            out,
            "Frozen(shard {}, tick {}, {} entities)",
            self.shard,
            self.tick,
            self.entities()
        )
    }
}

impl Group {
    fn of(archetype: &Archetype, registry: &Registry) -> Self {
        let ids = archetype.get::<&EntityId>();
        let ids = ids.expect("every entity of a world has an id");
        let laid = archetype.get::<&Laid>();
        let laid = laid.expect("every entity of a world is laid out");
        let columns = registry.freeze(archetype);
        Self {
            ids: ids.iter().map(|id| id.0).collect(),
            changed_ticks: laid.iter().map(|laid| laid.changed_tick.0).collect(),
            extra_changed_ticks: laid.iter().map(|laid| laid.extra_changed_tick.0).collect(),
            columns,
        }
    }

    fn lay_out(&self) -> GroupArchive {
        let columns = self.columns.iter();
        GroupArchive {
            ids: self.ids.clone(),
            changed_ticks: self.changed_ticks.clone(),
            extra_changed_ticks: self.extra_changed_ticks.clone(),
            columns: columns
                .map(|(component, column)| column.lay_out(*component))
                .collect(),
        }
    }
}

fn lay_out_ghosts(ghosts: &GhostSet, registry: &Registry) -> GhostsArchive {
    let mut entries = Vec::new();
    for ghost in &ghosts.entries {
        ghost.id.encode(&mut entries);
        ghost.owner.0.encode(&mut entries);
        ghost.changed_tick.encode(&mut entries);
        ghost.extra_changed_tick.encode(&mut entries);
        entries.extend_from_slice(&ghost.record);
        let extra = &ghosts.extra_bytes[ghost.extra.start as usize..ghost.extra.end as usize];
        extra.to_vec().encode(&mut entries);
    }
    let mut rows = Vec::new();
    for row in 0..ghosts.entries.len() {
        ghosts.columns.encode_row_framed(row, &mut rows);
    }
    GhostsArchive {
        entries,
        components: registry.shared_numbers().collect(),
        rows,
    }
}

/// A copy of one component of all entities of an archetype.
pub(crate) trait FrozenColumn: Send + Sync {
    /// Its canonical bytes, row by row.
    fn lay_out(&self, component: u16) -> ColumnArchive;
}

/// Copies a component's column; `None` when the archetype has none.
pub(crate) fn freeze_column<C: Component>(archetype: &Archetype) -> Option<Box<dyn FrozenColumn>> {
    let values = archetype.get::<&C>()?;
    Some(Box::new(Values::<C>(values.to_vec())))
}

struct Values<C>(Vec<C>);

impl<C: Component> FrozenColumn for Values<C> {
    fn lay_out(&self, component: u16) -> ColumnArchive {
        let mut bytes = Vec::new();
        let mut ends = Vec::with_capacity(self.0.len());
        for value in &self.0 {
            value.encode(&mut bytes);
            ends.push(u32::try_from(bytes.len()).expect("a column has less than 4 GiB"));
        }
        let width = ends.first().copied().unwrap_or_default();
        let even = (1u32..)
            .zip(&ends)
            .all(|(rows, &end)| u64::from(end) == u64::from(rows) * u64::from(width));
        if even && width > 0 {
            ends.clear();
        }
        ColumnArchive {
            component,
            ends,
            bytes,
        }
    }
}
