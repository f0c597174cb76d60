//! Whole entities and their bytes.

use hecs::EntityBuilder;
use proptest::collection::vec;
use proptest::prelude::*;
use worldshard_protocol::EntityId;
use worldshard_spatial::Point;

use super::{
    DecodeError, REPLICATED_BYTES_MAX, Registry, RegistryError, replicated_parts, write_part,
};
use crate::component::{Codec, Position, Steering, Visibility};
use crate::samples::{Health, Mood, Sample, Story, Stranger, registry, sample, samples, world_of};
use crate::world::World;

const ID: EntityId = EntityId(7);

fn replicated_of(world: &World, registry: &Registry) -> (Vec<u8>, u32) {
    let mut bytes = Vec::new();
    let entity = world.entity_ref(ID).unwrap();
    let left_out = registry.encode_replicated(&entity, &mut bytes);
    (bytes, left_out)
}

/// The bytes of an entity that was decoded from `bytes`.
fn again(bytes: &[u8], registry: &Registry) -> Result<Vec<u8>, DecodeError> {
    let mut builder = EntityBuilder::new();
    registry.decode_entity(bytes, &mut builder)?;
    let mut world = World::new();
    world.insert(ID, &mut builder);
    let mut again = Vec::new();
    world.encode(ID, registry, &mut again);
    Ok(again)
}

proptest! {
    #[test]
    fn entities_come_back_from_their_bytes(samples in samples(8)) {
        let registry = registry();
        let world = world_of(&samples, &registry);
        for id in world.ids() {
            let mut bytes = Vec::new();
            world.encode(id, &registry, &mut bytes);
            prop_assert_eq!(again(&bytes, &registry), Ok(bytes));
        }
    }

    #[test]
    fn cut_or_changed_bytes_are_refused_or_another_entity(
        sample in sample(),
        cut in any::<prop::sample::Index>(),
        flip in any::<(prop::sample::Index, u8)>(),
    ) {
        let registry = registry();
        let mut bytes = sample.encode(&registry);
        let flipped = flip.0.index(bytes.len());
        bytes[flipped] ^= flip.1;
        for bytes in [&bytes[..], &bytes[..cut.index(bytes.len())]] {
            if let Ok(again) = again(bytes, &registry) {
                prop_assert_eq!(again, bytes);
            }
        }
    }

    #[test]
    fn any_bytes_decode_without_a_panic(bytes in vec(prop_oneof![0..12u8, any::<u8>()], 0..64)) {
        let registry = registry();
        if let Ok(again) = again(&bytes, &registry) {
            prop_assert_eq!(again, bytes);
        }
    }
}

#[test]
fn parts_are_refused_for_what_is_wrong_with_them() {
    let registry = registry();
    let complete = Sample::at(Point::ORIGIN).encode(&registry);
    let decode = |bytes: &[u8]| again(bytes, &registry).map(|_| ());
    assert_eq!(decode(&complete), Ok(()));
    assert_eq!(decode(&[]), Err(DecodeError::Incomplete));
    assert_eq!(decode(&complete[..3]), Err(DecodeError::Framing));
    let doubled = [&complete[..], &complete[..]].concat();
    assert_eq!(decode(&doubled), Err(DecodeError::Framing));
    let mut unknown = complete.clone();
    write_part(999, &[1], &mut unknown);
    assert_eq!(
        decode(&unknown),
        Err(DecodeError::NotRegistered { number: 999 })
    );
    let number = registry.number_of(std::any::TypeId::of::<Mood>(), "Mood");
    for value in [&[9][..], &[], &[0, 0]] {
        let mut wrong = complete.clone();
        write_part(number, value, &mut wrong);
        assert_eq!(
            decode(&wrong),
            Err(DecodeError::Value { number }),
            "{value:?}"
        );
    }
}

#[test]
fn names_and_types_are_registered_once() {
    let mut registry = registry();
    let register =
        |registry: &mut Registry, name| registry.register::<Stranger>(name, Visibility::Shared);
    assert!(matches!(
        register(&mut registry, ""),
        Err(RegistryError::NameEmpty { .. })
    ));
    for name in ["mood", "position"] {
        let taken = register(&mut registry, name);
        assert!(
            matches!(taken, Err(RegistryError::NameTaken { .. })),
            "{taken:?}"
        );
    }
    let before = registry.clone();
    assert_eq!(register(&mut registry, "stranger"), Ok(()));
    assert_eq!(registry.visibility::<Stranger>(), Some(Visibility::Shared));
    assert_eq!(before.visibility::<Stranger>(), None);
    let taken = register(&mut registry, "other");
    assert!(matches!(&taken, Err(RegistryError::TypeTaken { name, .. }) if name == "stranger"));
    let built_in = registry.register::<Steering>("my steering", Visibility::Shared);
    assert!(matches!(built_in, Err(RegistryError::TypeTaken { .. })));
}

#[test]
#[should_panic(expected = "register it with `.component")]
fn an_entity_with_an_unregistered_component_is_not_encoded() {
    let registry = registry();
    let mut world = world_of([(&ID, &Sample::at(Point::ORIGIN))], &registry);
    world.put(ID, Stranger(1));
    world.encode(ID, &registry, &mut Vec::new());
}

#[test]
fn replicated_components_are_numbered_from_zero_in_the_order_of_registration() {
    let registry = registry();
    let names: Vec<_> = registry.replicated().collect();
    assert_eq!(names, [(0, "health"), (1, "story")]);
    let mut sample = Sample::at(Point::ORIGIN);
    sample.mood = Some(Mood::Calm);
    let world = world_of([(&ID, &sample)], &registry);
    assert_eq!(replicated_of(&world, &registry), (Vec::new(), 0));
    sample.story = Some(Story(vec![8, 9]));
    sample.health = Some(Health { now: 1, most: 2 });
    let world = world_of([(&ID, &sample)], &registry);
    let expected = [0, 0, 6, 0, 1, 0, 0, 0, 2, 0, 1, 0, 6, 0, 2, 0, 0, 0, 8, 9];
    assert_eq!(replicated_of(&world, &registry), (expected.to_vec(), 0));
}

#[test]
fn a_replicated_component_beyond_the_limit_is_left_out_alone() {
    let registry = registry();
    let mut sample = Sample::at(Point::ORIGIN);
    sample.health = Some(Health { now: 1, most: 2 });
    let only_health = {
        let world = world_of([(&ID, &sample)], &registry);
        replicated_of(&world, &registry).0
    };
    let length_bytes = 4;
    sample.story = Some(Story(vec![0; REPLICATED_BYTES_MAX - length_bytes]));
    let (bytes, left_out) = replicated_of(&world_of([(&ID, &sample)], &registry), &registry);
    assert_eq!(
        (bytes.len(), left_out),
        (only_health.len() + 4 + REPLICATED_BYTES_MAX, 0)
    );
    sample.story = Some(Story(vec![0; REPLICATED_BYTES_MAX - length_bytes + 1]));
    let world = world_of([(&ID, &sample)], &registry);
    let (bytes, left_out) = replicated_of(&world, &registry);
    let told: Vec<_> = replicated_parts(&bytes).collect();
    assert_eq!(left_out, 1);
    assert_eq!(told, [(0, Some(&only_health[4..])), (1, None)]);
}

#[test]
fn the_first_part_of_an_entity_is_its_position() {
    let registry = registry();
    let position = Position(Point::flat(1.0, 2.0));
    let bytes = Sample::at(position.0).encode(&registry);
    assert_eq!(bytes[..6], [0, 0, 12, 0, 0, 0]);
    assert_eq!(Position::decode(&mut &bytes[6..18]), Some(position));
}
