//! Zones: each crossing is told once, with the zone before and the zone after, wherever the entity went meanwhile.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use worldshard_protocol::world::ViewpointMode;
use worldshard_protocol::{EntityId, Tick};
use worldshard_shard::{CommandBody, Crossing, Interest, NamedSystem, Zone, ZoneOf};
use worldshard_spatial::{CellGrid, IndexKind, Metric, Point};

use crate::drift::{config, recipe};
use crate::lockstep::Lockstep;

/// What the systems of all shards were told, and in which tick.
type Log = Arc<Mutex<Vec<(Tick, Crossing)>>>;

/// A world in which everything drifts and is handed over on the very line, with zones of `edge_m`.
fn zoned(shards: u16, edge_m: f32, metric: Metric) -> (Lockstep, ZoneOf, Log) {
    let mut config = config(metric, IndexKind::Grid, 4);
    config.handoff_hysteresis_m = 0.0;
    let grid = CellGrid::new(config.bounds, edge_m, config.metric).unwrap();
    let zone_of: ZoneOf = Arc::new(move |at| Zone(grid.cell_of(at).0.into()));
    let mut recipe = recipe(config, 200);
    recipe.zones = Some(zone_of.clone());
    let log = Log::default();
    let told = log.clone();
    recipe.systems.push(NamedSystem {
        name: "log",
        run: Arc::new(move |step| {
            let crossings = step.crossings();
            assert!(crossings.iter().all(|crossing| step.owns(crossing.entity)));
            let told_now = crossings.iter().map(|&crossing| (step.tick(), crossing));
            told.lock().unwrap().extend(told_now);
        }),
    });
    (Lockstep::new(recipe, shards), zone_of, log)
}

/// What was told, ascending; brute force over all positions says the same. Also how often a handoff coincided.
fn crossings(shards: u16, edge_m: f32, metric: Metric) -> (Vec<(Tick, Crossing)>, u32) {
    let (mut world, zone_of, log) = zoned(shards, edge_m, metric);
    let mut expected = Vec::new();
    let mut coincidences = 0;
    for _ in 0..60 {
        let before = world.entities();
        world.step();
        for (entity, (at, owner)) in world.entities() {
            let Some((was_at, old_owner)) = before.get(&entity) else {
                continue;
            };
            let (from, to) = (zone_of(*was_at), zone_of(at));
            if from != to {
                expected.push((world.tick.next(), Crossing { entity, from, to }));
                coincidences += u32::from(owner != *old_owner);
            }
        }
    }
    world.step();
    let mut told = std::mem::take(&mut *log.lock().unwrap());
    told.sort_unstable();
    assert_eq!(told, expected, "{shards} shards, zones of {edge_m} m");
    (told, coincidences)
}

#[test]
fn every_crossing_is_told_once_with_both_zones_on_any_number_of_shards() {
    // Zones as large as cells of ownership, whose lines are those of territories; and zones across them.
    for (edge_m, metric, handoffs_min) in [(16.0, Metric::Plane, 25), (50.0, Metric::Solid, 1)] {
        let (alone, handoffs) = crossings(1, edge_m, metric);
        assert_eq!(handoffs, 0);
        assert!(alone.len() > 300, "only {} crossings", alone.len());
        for shards in [2, 8] {
            let (many, handoffs) = crossings(shards, edge_m, metric);
            assert_eq!(alone, many, "{shards} shards");
            assert!(
                handoffs >= handoffs_min,
                "{handoffs} crossings with a handoff"
            );
        }
    }
}

#[test]
fn the_crossings_of_one_entity_are_a_chain() {
    let (told, _) = crossings(4, 16.0, Metric::Plane);
    let mut zones: BTreeMap<EntityId, Zone> = BTreeMap::new();
    for (tick, Crossing { entity, from, to }) in told {
        let last = zones.insert(entity, to);
        assert!(
            last.is_none_or(|last| last == from),
            "{entity} at tick {tick}: from {from:?}, where it was not"
        );
    }
}

#[test]
fn nothing_is_told_of_an_entity_that_left_the_world_meanwhile() {
    let (mut world, zone_of, log) = zoned(2, 16.0, Metric::Plane);
    let at = Point::flat(11.0, 40.0);
    let walker = world.join(1, ViewpointMode::Avatar, at, Interest::Radius(5.0), false);
    world.step();
    let entity = world.clients[&walker].entity.unwrap();
    let place = |world: &Lockstep| world.entities()[&entity].0;
    // It drifts by itself; whether it crosses is seen afterwards.
    let crossed = (0..100).any(|_| {
        let before = zone_of(place(&world));
        world.step();
        zone_of(place(&world)) != before
    });
    assert!(crossed, "it stayed where it was");
    let told = |log: &Log| {
        let log = log.lock().unwrap();
        log.iter().filter(|(_, one)| one.entity == entity).count()
    };
    assert_eq!(told(&log), 0, "it is told in the tick that follows");
    world.command(walker, CommandBody::Leave);
    world.step();
    world.step();
    assert_eq!(told(&log), 0);
    assert!(!world.entities().contains_key(&entity));
}
