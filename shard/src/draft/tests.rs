//! Drafts and the entities they become.

use worldshard_protocol::EntityId;
use worldshard_spatial::Point;

use super::Draft;
use crate::component::{Appearance, Position};
use crate::samples::{Health, Mood, Stranger, registry};
use crate::world::World;

fn bytes_of(draft: &Draft) -> Vec<u8> {
    let mut bytes = Vec::new();
    draft.encode(&registry(), &mut bytes);
    bytes
}

#[test]
fn a_draft_has_the_bytes_of_its_entity() {
    let registry = registry();
    let health = Health { now: 3, most: 4 };
    let appearance = Appearance {
        kind: 5,
        heading: 6,
    };
    let draft = Draft::at(Point::flat(1.0, 2.0))
        .with(Mood::Angry(1))
        .with(health.clone())
        .appearance(appearance);
    let mut builder = hecs::EntityBuilder::new();
    builder.add_bundle((
        health,
        appearance,
        Position(Point::flat(1.0, 2.0)),
        Mood::Angry(1),
    ));
    let mut world = World::new();
    world.insert(EntityId(1), &mut builder);
    let mut expected = Vec::new();
    world.encode(EntityId(1), &registry, &mut expected);
    assert_eq!(bytes_of(&draft), expected);
}

#[test]
fn the_last_of_a_type_counts() {
    let here = Point::flat(1.0, 2.0);
    let there = Point::flat(3.0, 4.0);
    let draft = Draft::at(here)
        .with(Mood::Angry(1))
        .with(Mood::Calm)
        .with(Position(there));
    assert_eq!(draft.position(), there);
    assert_eq!(
        bytes_of(&draft),
        bytes_of(&Draft::at(there).with(Mood::Calm))
    );
}

#[test]
#[should_panic(expected = "Stranger is not registered: add `.component::<")]
fn an_unregistered_component_is_named() {
    bytes_of(&Draft::at(Point::ORIGIN).with(Stranger(1)));
}
