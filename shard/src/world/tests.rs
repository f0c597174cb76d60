//! The world against a map.

use std::collections::BTreeMap;

use hecs::EntityBuilder;
use proptest::collection::vec;
use proptest::prelude::*;
use worldshard_protocol::EntityId;
use worldshard_spatial::Point;

use super::World;
use crate::component::{Position, Steering};
use crate::samples::{Health, Sample, populate, registry, sample, world_of};

proptest! {
    #[test]
    fn the_directory_agrees_with_a_map(
        wishes in vec(((1..20u64).prop_map(EntityId), prop::option::of(sample())), 0..60),
    ) {
        let registry = registry();
        let mut world = World::new();
        let mut model = BTreeMap::new();
        for (id, sample) in wishes {
            match sample {
                Some(sample) if !model.contains_key(&id) => {
                    populate(&mut world, [(&id, &sample)], &registry);
                    model.insert(id, sample);
                }
                _ => prop_assert_eq!(world.remove(id), model.remove(&id).is_some()),
            }
            prop_assert_eq!(world.len(), model.len());
        }
        prop_assert_eq!(world.is_empty(), model.is_empty());
        prop_assert_eq!(world.ids(), model.keys().copied().collect::<Vec<_>>());
        for id in (0..21).map(EntityId) {
            let sample = model.get(&id);
            prop_assert_eq!(world.owns(id), sample.is_some());
            prop_assert_eq!(world.position(id), sample.map(|sample| sample.position));
            let health = world.get::<Health>(id).as_deref().cloned();
            prop_assert_eq!(health, sample.and_then(|sample| sample.health.clone()));
            if let Some(sample) = sample {
                let mut bytes = Vec::new();
                world.encode(id, &registry, &mut bytes);
                prop_assert_eq!(bytes, sample.encode(&registry));
            }
        }
    }
}

const ID: EntityId = EntityId(3);

fn world_of_one() -> World {
    world_of([(&ID, &Sample::at(Point::ORIGIN))], &registry())
}

#[test]
fn components_are_added_replaced_and_changed_in_place() {
    let mut world = world_of_one();
    assert!(world.get::<Steering>(ID).is_none());
    for speed in [1.0, 2.0] {
        assert!(world.put(ID, Steering(Point::flat(speed, 0.0))));
        assert_eq!(world.get::<Steering>(ID).unwrap().0.x, speed);
    }
    world.get_mut::<Steering>(ID).unwrap().0.x = 3.0;
    assert_eq!(world.get::<Steering>(ID).unwrap().0.x, 3.0);
    assert!(!world.put(EntityId(4), Steering::default()));
    assert!(world.get_mut::<Steering>(EntityId(4)).is_none());
}

#[test]
#[should_panic(expected = "inserted twice")]
fn an_entity_is_inserted_once() {
    populate(
        &mut world_of_one(),
        [(&ID, &Sample::at(Point::ORIGIN))],
        &registry(),
    );
}

#[test]
#[should_panic(expected = "lacks a position or an appearance")]
fn an_entity_has_an_appearance() {
    let mut builder = EntityBuilder::new();
    builder.add(Position(Point::ORIGIN));
    World::new().insert(ID, &mut builder);
}
