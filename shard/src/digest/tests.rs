//! What the digest depends on, and what it does not.

use proptest::prelude::*;
use worldshard_protocol::EntityId;
use worldshard_spatial::Point;

use super::{entity_digest, world_digest};
use crate::component::{Appearance, Position};
use crate::samples::{Health, Sample, registry, sample, samples, world_of};
use crate::world::{Laid, Rank};

proptest! {
    #[test]
    fn storage_order_and_shards_do_not_count(
        (order, cut) in samples(12)
            .prop_flat_map(|samples| Just(samples.into_iter().collect::<Vec<_>>()).prop_shuffle())
            .prop_flat_map(|order| { let len = order.len(); (Just(order), 0..=len) }),
    ) {
        let registry = registry();
        let digest = |part: &[(EntityId, Sample)]| {
            let world = world_of(part.iter().map(|(id, sample)| (id, sample)), &registry);
            world_digest(&world, &registry)
        };
        let mut sorted = order.clone();
        sorted.sort_by_key(|(id, _)| *id);
        let whole = digest(&sorted);
        prop_assert_eq!(digest(&order), whole);
        let halves = digest(&order[..cut]).wrapping_add(digest(&order[cut..]));
        prop_assert_eq!(halves, whole);
    }

    #[test]
    fn every_bit_of_an_entity_counts(sample in sample(), bit in any::<prop::sample::Index>()) {
        let (id, bytes) = (EntityId(7), sample.encode(&registry()));
        let mut flipped = bytes.clone();
        let bit = bit.index(8 * bytes.len());
        flipped[bit / 8] ^= 1 << (bit % 8);
        prop_assert_ne!(entity_digest(id, &flipped), entity_digest(id, &bytes));
        prop_assert_ne!(entity_digest(EntityId(8), &bytes), entity_digest(id, &bytes));
    }
}

#[test]
fn components_count_and_what_the_engine_keeps_beside_them_does_not() {
    let registry = registry();
    let id = EntityId(5);
    let mut sample = Sample::at(Point::ORIGIN);
    sample.health = Some(Health { now: 1, most: 1 });
    let world = world_of([(&id, &sample)], &registry);
    let digest = world_digest(&world, &registry);

    let entity = world.entity_ref(id).unwrap();
    entity.get::<&mut Laid>().unwrap().record[0] ^= 1;
    entity.get::<&mut Rank>().unwrap().rank += 1;
    assert_eq!(world_digest(&world, &registry), digest);

    world.get_mut::<Health>(id).unwrap().now ^= 1;
    assert_ne!(world_digest(&world, &registry), digest);
    world.get_mut::<Health>(id).unwrap().now ^= 1;
    assert_eq!(world_digest(&world, &registry), digest);
    // The sign of zero is a bit of state too.
    world.get_mut::<Position>(id).unwrap().0.x = -0.0;
    assert_ne!(world_digest(&world, &registry), digest);
    world.get_mut::<Position>(id).unwrap().0.x = 0.0;
    *world.get_mut::<Appearance>(id).unwrap() = Appearance {
        kind: 0,
        heading: 128,
    };
    assert_ne!(world_digest(&world, &registry), digest);
}

#[test]
fn digests_are_the_same_on_every_machine() {
    assert_eq!(entity_digest(EntityId(1), b"worldshard"), GOLDEN);
}

const GOLDEN: u128 = 24_233_998_741_435_117_842_944_494_402_939_490_814;
