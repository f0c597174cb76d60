//! Second phase: timers fire and systems run, once per tick, over the entities owned here.
//!
//! Never decides who owns what. Systems see neighbours as of the last absorb.

use worldshard_protocol::Tick;

use crate::component::Position;
use crate::letter::{Birth, SpawnKey, Spawner};
use crate::shard::Shard;
use crate::step::{News, Step};
use crate::timers;

/// Runs every system in order, then takes out what they removed and notes what they spawned.
pub(crate) fn simulate(shard: &mut Shard, tick: Tick) {
    if shard.recipe.still {
        return;
    }
    let mut fired = Vec::new();
    timers::fire(&mut shard.world, tick, &mut fired);
    shard.stats.timers_fired += fired.len() as u64;
    // A command of this tick may have removed who crossed.
    let mut crossings = std::mem::take(&mut shard.crossings);
    crossings.retain(|crossing| shard.world.owns(crossing.entity));
    crossings.sort_unstable();
    let recipe = shard.recipe.clone();
    let news = News {
        fired: &fired,
        crossings: &crossings,
    };
    let mut step = Step::new(
        shard.own,
        tick,
        &recipe,
        &shard.world,
        &shard.view,
        &shard.resources,
        news,
    );
    for (number, system) in (0u16..).zip(&recipe.systems) {
        if shard.quarantine.holds(number) {
            continue;
        }
        shard.running.set(Some(number));
        (system.run)(&mut step);
    }
    shard.running.set(None);
    let effects = step.into_effects();
    shard.stats.spawns_refused += effects.spawns_refused;
    shard.stats.timers_dropped += u64::from(timers::set(&mut shard.world, &effects.timers));
    for entity in effects.despawns {
        shard.remove_entity(entity, None);
    }
    for spawn in effects.spawns {
        let at = recipe.config.bounds.clamp(spawn.draft.position());
        let mut state = Vec::new();
        spawn
            .draft
            .with(Position(at))
            .encode(&recipe.registry, &mut state);
        let key = SpawnKey {
            spawner: Spawner::Entity(spawn.spawner),
            ordinal: spawn.ordinal,
        };
        shard.births.push(Birth {
            key,
            at,
            state: Some(state.into()),
        });
    }
}
