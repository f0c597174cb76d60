//! Before the first tick: the population of tick 0, and the neighbours' part of it that is in sight.
//!
//! Every shard drafts all entities and keeps what concerns it, so nothing needs to be exchanged.

use worldshard_protocol::{EntityId, Tick};

use crate::audit::Tally;
use crate::component::Position;
use crate::layout::{insert_newborn, push_ghost};
use crate::recipe::Genesis;
use crate::shard::Shard;
use crate::world::World;

/// Numbers the population by its index; owned entities come in, visible ones of others as ghosts.
pub(crate) fn populate(shard: &mut Shard) {
    let recipe = shard.recipe.clone();
    let Some(population) = &recipe.population else {
        return;
    };
    let genesis = Genesis {
        config: &recipe.config,
    };
    let mut neighbours = World::new();
    let mut state = Vec::new();
    for entity in (1..=population.count).map(EntityId) {
        let draft = (population.draft)(&genesis, entity);
        let at = recipe.config.bounds.clamp(draft.position());
        let owned = shard.cell_map.owner_of(at) == shard.own;
        if !owned && !shard.within_border(shard.own, at) {
            continue;
        }
        state.clear();
        draft
            .with(Position(at))
            .encode(&recipe.registry, &mut state);
        let world = if owned {
            &mut shard.world
        } else {
            &mut neighbours
        };
        insert_newborn(&recipe.registry, world, entity, &state, Tick(0));
        if owned {
            shard.held = shard.held + Tally::of(entity);
        }
    }
    for entity in neighbours.ids() {
        let at = neighbours.position(entity).expect("it was just listed");
        push_ghost(
            &neighbours,
            entity,
            shard.cell_map.owner_of(at),
            &mut shard.ghosts,
        );
    }
    shard.next_entity = EntityId(population.count + 1);
}
