//! The order-free hash of a world's state. Never looks at ghosts, owners or cameras.

use worldshard_protocol::EntityId;
use xxhash_rust::xxh3::xxh3_128_with_seed;

use crate::registry::Registry;
use crate::world::World;

/// The hash of one entity: its id and the canonical bytes of its registered components.
#[must_use]
pub fn entity_digest(id: EntityId, bytes: &[u8]) -> u128 {
    xxh3_128_with_seed(bytes, id.0)
}

/// The wrapping sum over the owned entities. Those of all shards add up, wrapping, to the world's.
///
/// # Panics
/// When an entity carries an unregistered component.
#[must_use]
pub(crate) fn world_digest(world: &World, registry: &Registry) -> u128 {
    let mut bytes = Vec::new();
    let mut sum = 0u128;
    for entity in world.ecs().iter() {
        let id = *entity
            .get::<&EntityId>()
            .expect("World::insert adds the id");
        bytes.clear();
        registry.encode_entity(&entity, &mut bytes);
        sum = sum.wrapping_add(entity_digest(id, &bytes));
    }
    sum
}

#[cfg(test)]
mod tests;
