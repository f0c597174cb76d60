//! Columns against the entities they were filled from.

use std::collections::BTreeMap;

use proptest::prelude::*;
use worldshard_protocol::EntityId;
use worldshard_spatial::Point;

use super::Columns;
use crate::samples::{Diary, Health, Marked, Mood, Sample, Story, registry, samples, world_of};
use crate::world::Rank;

/// Row by row, the shared components of the samples and nothing else.
fn check<'a>(columns: &Columns, samples: impl IntoIterator<Item = &'a Sample>) {
    let mut rows = 0;
    for (row, sample) in samples.into_iter().enumerate() {
        assert_eq!(columns.get(row), sample.health.as_ref());
        assert_eq!(columns.get(row), sample.mood.as_ref());
        assert_eq!(columns.get(row), sample.marked.as_ref());
        assert_eq!(columns.get(row), sample.story.as_ref());
        rows += 1;
    }
    assert_eq!(columns.rows, rows);
    assert_eq!(columns.slice::<Health>().len(), rows);
    assert_eq!(columns.slice::<Mood>().len(), rows);
    assert_eq!(columns.slice::<Marked>().len(), rows);
}

/// One row per entity, by ascending id.
fn pushed(samples: &BTreeMap<EntityId, Sample>) -> Columns {
    let registry = registry();
    let world = world_of(samples, &registry);
    let mut columns = Columns::empty_like(&registry);
    for &id in samples.keys() {
        columns.push_from_entity(&world.entity_ref(id).unwrap());
    }
    columns
}

proptest! {
    #[test]
    fn rows_hold_the_shared_components_of_their_entities(samples in samples(12)) {
        check(&pushed(&samples), samples.values());
    }

    #[test]
    fn rows_of_many_entities_are_those_of_each(samples in samples(12), more in samples(12)) {
        let registry = registry();
        let mut columns = pushed(&more);
        let world = world_of(&samples, &registry);
        let handle = |&id| world.entity_ref(id).unwrap().entity();
        let handles: Vec<_> = samples.keys().map(handle).collect();
        columns.extend_from_world(world.ecs(), &handles);
        check(&columns, more.values().chain(samples.values()));
    }

    #[test]
    fn appended_rows_stand_behind_the_own_ones(own in samples(8), other in samples(8)) {
        let mut columns = pushed(&own);
        let mut others = pushed(&other);
        columns.append(&mut others);
        check(&columns, own.values().chain(other.values()));
        check(&others, []);
        others.append(&mut columns);
        check(&others, own.values().chain(other.values()));
    }

    #[test]
    fn scattered_rows_reach_their_places(
        (own, ghosts, places) in (samples(8), samples(8)).prop_flat_map(|(own, ghosts)| {
            let places: Vec<u32> = (0..(own.len() + ghosts.len()) as u32).collect();
            (Just(own), Just(ghosts), Just(places).prop_shuffle())
        }),
    ) {
        let registry = registry();
        let world = world_of(&own, &registry);
        for (&id, &place) in own.keys().zip(&places) {
            world.entity_ref(id).unwrap().get::<&mut Rank>().unwrap().rank = place;
        }
        // Rows of an earlier use must not shine through where an entity lacks a component.
        let mut columns = pushed(&ghosts);
        columns.reset(places.len());
        columns.scatter_from_world(world.ecs());
        columns.scatter_from_columns(&pushed(&ghosts), &places[own.len()..]);
        let all: Vec<&Sample> = own.values().chain(ghosts.values()).collect();
        let mut expected = all.clone();
        for (sample, &place) in all.iter().zip(&places) {
            expected[place as usize] = sample;
        }
        check(&columns, expected);
    }
}

#[test]
fn clearing_leaves_no_rows() {
    let samples = BTreeMap::from([(EntityId(1), Sample::at(Point::ORIGIN))]);
    let mut columns = pushed(&samples);
    columns.clear();
    check(&columns, []);
}

#[test]
#[should_panic(expected = "Diary is not visible to neighbours")]
fn a_private_component_has_no_column() {
    let _ = pushed(&BTreeMap::new()).slice::<Diary>();
}

#[test]
fn a_story_is_shared_because_it_is_replicated() {
    let mut sample = Sample::at(Point::ORIGIN);
    sample.story = Some(Story(vec![1]));
    let columns = pushed(&BTreeMap::from([(EntityId(1), sample.clone())]));
    assert_eq!(columns.slice(), [sample.story]);
}
