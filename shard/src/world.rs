//! The entities that one shard owns: a `hecs` world and the way from an id to its place in it.
//!
//! Never holds ghosts, and never decides who owns what. Nothing here depends on the order in which
//! `hecs` stores entities.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use hecs::{Entity, EntityBuilder, EntityRef, Ref, RefMut};
use worldshard_protocol::{EntityId, RECORD_BYTES, Tick};
use worldshard_spatial::Point;

use crate::component::{Appearance, Component, Position};
use crate::registry::Registry;

/// The owned entities of a shard.
#[derive(Default)]
pub struct World {
    ecs: hecs::World,
    /// For look-ups only: its order means nothing.
    directory: HashMap<EntityId, Entity, BuildHasherDefault<IdHasher>>,
}

impl World {
    /// A world without entities.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of owned entities.
    #[must_use]
    pub fn len(&self) -> usize {
        self.directory.len()
    }

    /// Whether no entity is owned.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.directory.is_empty()
    }

    /// Whether this shard owns the entity.
    #[must_use]
    pub fn owns(&self, id: EntityId) -> bool {
        self.directory.contains_key(&id)
    }

    /// The components, for queries.
    #[must_use]
    pub fn ecs(&self) -> &hecs::World {
        &self.ecs
    }

    /// For queries that write. Spawning or despawning here would lose the directory.
    pub(crate) fn ecs_mut(&mut self) -> &mut hecs::World {
        &mut self.ecs
    }

    /// Takes ownership of an entity with the builder's components.
    ///
    /// What is laid out of it starts afresh unless the builder brings it.
    ///
    /// # Panics
    /// When the entity is owned already. What was decoded has a position and an appearance.
    pub(crate) fn insert(&mut self, id: EntityId, builder: &mut EntityBuilder) {
        debug_assert!(
            builder.has::<Position>() && builder.has::<Appearance>(),
            "entity {id} lacks a position or an appearance"
        );
        if !builder.has::<Laid>() {
            builder.add(Laid::default());
        }
        builder.add_bundle((id, Rank::default()));
        let entity = self.ecs.spawn(builder.build());
        let former = self.directory.insert(id, entity);
        assert!(former.is_none(), "entity {id} inserted twice");
    }

    /// Gives an entity up; `false` when it is not owned.
    pub(crate) fn remove(&mut self, id: EntityId) -> bool {
        let Some(entity) = self.directory.remove(&id) else {
            return false;
        };
        self.ecs
            .despawn(entity)
            .expect("the directory names living entities");
        true
    }

    /// Sets a component of an owned entity, which need not have had one; `false` when it is not owned.
    ///
    /// Adding one moves the entity within `hecs`; to change a value use [`World::get_mut`].
    pub(crate) fn put<C: Component>(&mut self, id: EntityId, component: C) -> bool {
        let Some(&entity) = self.directory.get(&id) else {
            return false;
        };
        if let Ok(value) = self.ecs.query_one_mut::<&mut C>(entity) {
            *value = component;
        } else {
            self.ecs
                .insert_one(entity, component)
                .expect("the directory names living entities");
        }
        true
    }

    /// All components of an owned entity.
    #[must_use]
    pub fn entity_ref(&self, id: EntityId) -> Option<EntityRef<'_>> {
        let entity = *self.directory.get(&id)?;
        Some(
            self.ecs
                .entity(entity)
                .expect("the directory names living entities"),
        )
    }

    /// One component; `None` when the entity is not owned or lacks it.
    ///
    /// # Panics
    /// While the component is borrowed mutably.
    #[must_use]
    pub fn get<C: Component>(&self, id: EntityId) -> Option<Ref<'_, C>> {
        self.entity_ref(id)?.get::<&C>()
    }

    /// One component, to change it; `None` when the entity is not owned or lacks it.
    ///
    /// # Panics
    /// While the component is borrowed.
    #[must_use]
    pub fn get_mut<C: Component>(&self, id: EntityId) -> Option<RefMut<'_, C>> {
        self.entity_ref(id)?.get::<&mut C>()
    }

    /// Where an owned entity is.
    #[must_use]
    pub fn position(&self, id: EntityId) -> Option<Point> {
        self.get::<Position>(id).map(|position| position.0)
    }

    /// Appends the canonical bytes of an owned entity.
    ///
    /// # Panics
    /// When it is not owned, or carries an unregistered component.
    pub fn encode(&self, id: EntityId, registry: &Registry, out: &mut Vec<u8>) {
        let entity = self
            .entity_ref(id)
            .expect("only owned entities are encoded");
        registry.encode_entity(&entity, out);
    }

    /// The owned entities, ascending. Sorts all of them: for tests and tools, not for ticks.
    #[must_use]
    pub fn ids(&self) -> Vec<EntityId> {
        let mut ids: Vec<EntityId> = self.ecs.query::<&EntityId>().iter().copied().collect();
        ids.sort_unstable();
        ids
    }
}

/// What clients and ghosts are told of an entity, laid out once per change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Laid {
    /// The wire record.
    pub(crate) record: [u8; RECORD_BYTES],
    /// When the record last changed.
    pub(crate) changed_tick: Tick,
    /// When the extras last changed.
    pub(crate) extra_changed_tick: Tick,
    /// The replicated components as `Registry::encode_replicated` writes them; empty when there are none.
    pub(crate) extra: Vec<u8>,
}

/// The entity's place in the view, for queries: `&Rank` finds what [`View::around_each`](crate::View::around_each)
/// saw around it. Written whenever the view is rebuilt; not part of the world's state.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Rank {
    pub(crate) rank: u32,
    /// Its place among the owned in the order of storage, in which queries go.
    pub(crate) row: u32,
}

impl Rank {
    /// As the view counts.
    #[must_use]
    pub fn value(self) -> u32 {
        self.rank
    }
}

/// Spreads ids, which the engine hands out one after another, over the table.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes
            .iter()
            .for_each(|&byte| self.write_u64(u64::from(byte)));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = crate::chance::mix(self.0 ^ value);
    }
}

#[cfg(test)]
mod tests;
