//! Lays entities out for the wire, once per entity and change, whoever sees them.
//!
//! Owns the comparison that decides what changed. Never decides who is told.

use hecs::{Entity, EntityBuilder, EntityRef};
use worldshard_protocol::{EntityId, Record, Tick};
use worldshard_spatial::{Point, ShardId};

use crate::component::{Appearance, Position};
use crate::ghost::GhostSet;
use crate::registry::Registry;
use crate::world::{Laid, World};

impl Laid {
    /// Writes the record anew; true when it differs from the one before.
    pub(crate) fn refresh(
        &mut self,
        id: EntityId,
        at: Point,
        appearance: Appearance,
        tick: Tick,
    ) -> bool {
        let Appearance { kind, heading } = appearance;
        let Point { x, y, z } = at;
        let record = Record {
            id: id.0,
            x,
            y,
            z,
            kind,
            heading,
            spare: 0,
        }
        .to_bytes();
        let changed = record != self.record;
        if changed {
            self.record = record;
            self.changed_tick = tick;
        }
        changed
    }

    /// Where the entity was when it was last laid out.
    pub(crate) fn position(&self) -> Point {
        let [x, y, z] = Record::from_bytes(&self.record).position();
        Point::new(x, y, z)
    }

    /// Returns how many were left out because they are too long.
    fn refresh_extra(
        &mut self,
        entity: &EntityRef<'_>,
        registry: &Registry,
        tick: Tick,
        scratch: &mut Vec<u8>,
    ) -> u32 {
        scratch.clear();
        let left_out = registry.encode_replicated(entity, scratch);
        if *scratch != self.extra {
            self.extra.clone_from(scratch);
            self.extra_changed_tick = tick;
        }
        left_out
    }
}

/// Lays out the replicated components of all owned entities. Costs nothing when there are none.
/// Returns how many were left out because they are too long.
pub(crate) fn refresh_extras(world: &mut World, registry: &Registry, tick: Tick) -> u64 {
    if registry.replicated().next().is_none() {
        return 0;
    }
    let mut left_out = 0;
    let mut scratch = Vec::new();
    let ecs = world.ecs();
    for (handle, laid) in ecs.query::<(Entity, &mut Laid)>().iter() {
        let entity = ecs
            .entity(handle)
            .expect("the query yields living entities");
        left_out += u64::from(laid.refresh_extra(&entity, registry, tick, &mut scratch));
    }
    left_out
}

/// Takes in an entity that came into the world in this tick, laid out.
pub(crate) fn insert_newborn(
    registry: &Registry,
    world: &mut World,
    id: EntityId,
    state: &[u8],
    tick: Tick,
) {
    let mut builder = EntityBuilder::new();
    registry
        .decode_entity(state, &mut builder)
        .expect("the sender encoded it with the same registry");
    world.insert(id, &mut builder);
    let entity = world.entity_ref(id).expect("it was just inserted");
    let at = entity
        .get::<&Position>()
        .expect("every entity has a position")
        .0;
    let appearance = *entity
        .get::<&Appearance>()
        .expect("every entity has an appearance");
    let mut laid = entity
        .get::<&mut Laid>()
        .expect("every entity of a world is laid out");
    laid.refresh(id, at, appearance, tick);
    laid.refresh_extra(&entity, registry, tick, &mut Vec::new());
}

/// Takes in an entity that was laid out before, with the ticks of the last changes of its record and its extras; `None`
/// when it is not complete.
pub(crate) fn insert_laid(
    registry: &Registry,
    world: &mut World,
    id: EntityId,
    builder: &mut EntityBuilder,
    [changed, extra_changed]: [Tick; 2],
) -> Option<()> {
    let at = builder.get::<&Position>()?.0;
    let appearance = *builder.get::<&Appearance>()?;
    world.insert(id, builder);
    let entity = world.entity_ref(id)?;
    let mut laid = entity.get::<&mut Laid>()?;
    laid.refresh(id, at, appearance, changed);
    laid.refresh_extra(&entity, registry, extra_changed, &mut Vec::new());
    // An entity may have changed back to what an empty layout looks like.
    laid.changed_tick = changed;
    laid.extra_changed_tick = extra_changed;
    Some(())
}

/// Adds an entity of a world to a set of ghosts.
pub(crate) fn push_ghost(world: &World, id: EntityId, owner: ShardId, ghosts: &mut GhostSet) {
    let entity = world
        .entity_ref(id)
        .expect("only entities of a world are copied");
    let laid = entity
        .get::<&Laid>()
        .expect("every entity of a world is laid out");
    ghosts.push_owned(id, &entity, &laid, owner);
}
