//! Timers of entities that change their owner: each fires once, in its tick, where its entity is then.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use worldshard_protocol::{EntityId, Tick};
use worldshard_shard::{Chance, NamedSystem, Step};
use worldshard_spatial::{IndexKind, Metric, ShardId};

use crate::drift::{config, recipe};
use crate::lockstep::Lockstep;

/// What the systems of all shards were told: when, of whose timer, and on which shard.
type Log = Arc<Mutex<Vec<(Tick, EntityId, u32, ShardId)>>>;

/// What an entity does to one of its timers.
#[derive(Clone, Copy)]
enum Deed {
    /// Starts it, or starts it anew.
    Set {
        key: u32,
        after_ticks: u64,
    },
    Cancel {
        key: u32,
    },
}

/// What an entity does in a tick, by lot: any shard would have it do the same.
fn deed(entity: EntityId, tick: Tick) -> Option<Deed> {
    let mut chance = Chance::new(SEED, entity, tick, "deed");
    let key = (chance.next_u64() % KEYS) as u32;
    match chance.next_u64() % 8 {
        0 | 1 => {
            let after_ticks = 1 + chance.next_u64() % AFTER_TICKS_MAX;
            Some(Deed::Set { key, after_ticks })
        }
        2 => Some(Deed::Cancel { key }),
        _ => None,
    }
}

fn world(shards: u16) -> (Lockstep, Log) {
    let mut recipe = recipe(config(Metric::Plane, IndexKind::Grid, SEED), 300);
    let log = Log::default();
    let told = log.clone();
    let run = move |step: &mut Step<'_>| {
        let (tick, own) = (step.tick(), step.shard());
        let fired = step.fired().iter();
        told.lock()
            .unwrap()
            .extend(fired.map(|&(entity, key)| (tick, entity, key, own)));
        for &entity in step.query::<&EntityId>().iter() {
            match deed(entity, tick) {
                Some(Deed::Set { key, after_ticks }) => step.timer(entity, key, after_ticks),
                Some(Deed::Cancel { key }) => step.cancel_timer(entity, key),
                None => {}
            }
        }
    };
    recipe.systems.push(NamedSystem {
        name: "timers",
        run: Arc::new(run),
    });
    (Lockstep::new(recipe, shards), log)
}

/// A timer that runs: when it is due, and who owned its entity when it was set.
struct Running {
    due: Tick,
    set_on: ShardId,
}

/// What happened to timers whose entity had another owner by then.
#[derive(Debug, Default)]
struct Travelled {
    fired: u32,
    replaced: u32,
    cancelled: u32,
}

/// Runs the world against a map from (entity, key) to due tick; returns all that was told, and what had travelled.
fn run(shards: u16) -> (Vec<(Tick, EntityId, u32)>, Travelled) {
    let (mut world, log) = world(shards);
    let mut model: BTreeMap<(EntityId, u32), Running> = BTreeMap::new();
    let mut travelled = Travelled::default();
    let mut all = Vec::new();
    for _ in 0..TICKS {
        let entities = world.entities();
        world.step();
        let tick = world.tick;
        let due: Vec<_> = model.extract_if(.., |_, timer| timer.due == tick).collect();
        let mut expected = Vec::new();
        for ((entity, key), timer) in due {
            let owner = entities[&entity].1;
            travelled.fired += u32::from(owner != timer.set_on);
            expected.push((tick, entity, key, owner));
        }
        let mut told = std::mem::take(&mut *log.lock().unwrap());
        told.sort_unstable();
        assert_eq!(told, expected, "{shards} shards, tick {tick}");
        all.extend(
            told.iter()
                .map(|&(tick, entity, key, _)| (tick, entity, key)),
        );
        for (&entity, &(_, owner)) in &entities {
            match deed(entity, tick) {
                Some(Deed::Set { key, after_ticks }) => {
                    let due = Tick(tick.0 + after_ticks);
                    let timer = Running { due, set_on: owner };
                    let before = model.insert((entity, key), timer);
                    let moved = before.is_some_and(|before| before.set_on != owner);
                    travelled.replaced += u32::from(moved);
                }
                Some(Deed::Cancel { key }) => {
                    let before = model.remove(&(entity, key));
                    let moved = before.is_some_and(|before| before.set_on != owner);
                    travelled.cancelled += u32::from(moved);
                }
                None => {}
            }
        }
        // Who has left the world takes its timers along.
        let entities = world.entities();
        model.retain(|(entity, _), _| entities.contains_key(entity));
    }
    (all, travelled)
}

#[test]
fn a_timer_fires_once_in_its_tick_whatever_borders_its_entity_crosses() {
    let (alone, _) = run(1);
    assert!(alone.len() > 1000, "only {} fired", alone.len());
    for shards in [2, 8] {
        let (many, travelled) = run(shards);
        assert_eq!(alone, many, "{shards} shards");
        let Travelled {
            fired,
            replaced,
            cancelled,
        } = travelled;
        assert!(
            fired > 100 && replaced > 10 && cancelled > 10,
            "{shards} shards: too few had travelled: {travelled:?}"
        );
    }
}

const SEED: u64 = 11;
const TICKS: u64 = 120;
const KEYS: u64 = 5;

/// Long enough to cross a border meanwhile.
const AFTER_TICKS_MAX: u64 = 30;
