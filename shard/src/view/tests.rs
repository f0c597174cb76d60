//! The view against the entities it was built from, and against itself on other shards.

use std::collections::BTreeMap;

use proptest::prelude::*;
use worldshard_protocol::{EntityId, Record, Tick};
use worldshard_spatial::{Bounds, IndexKind, Point, ShardId};

use super::{Neighbour, View};
use crate::config::WorldConfig;
use crate::ghost::GhostSet;
use crate::samples::{Health, Marked, Mood, Sample, Story, registry, samples, world_of};
use crate::world::{Laid, Rank, World};

const OWN: ShardId = ShardId(1);
const OTHER: ShardId = ShardId(2);

type Samples = BTreeMap<EntityId, Sample>;

fn view_like(index: IndexKind) -> View {
    let config = WorldConfig {
        index,
        ..WorldConfig::default()
    };
    View::new(&config, &registry()).unwrap()
}

/// Entities in the order given; those for which `owned` does not hold come as ghosts.
fn rebuild(
    view: &mut View,
    order: &[(EntityId, Sample)],
    owned: impl Fn(EntityId) -> bool,
) -> World {
    let registry = registry();
    let pairs = order.iter().map(|(id, sample)| (id, sample));
    let (own, others): (Vec<_>, Vec<_>) = pairs.partition(|(id, _)| owned(**id));
    let neighbours = world_of(others.iter().copied(), &registry);
    let mut ghosts = GhostSet::new(&registry);
    for (&id, _) in others {
        let entity = neighbours.entity_ref(id).unwrap();
        ghosts.push_owned(id, &entity, &entity.get::<&Laid>().unwrap(), OTHER);
    }
    let mut world = world_of(own, &registry);
    view.rebuild(&mut world, &ghosts, OWN);
    world
}

/// Every entity stands in the view once, with all that neighbours may know of it.
fn check(view: &View, samples: &Samples, owned: impl Fn(EntityId) -> bool) {
    assert_eq!(view.len(), samples.len());
    let mut ids = Vec::new();
    for rank in 0..view.len() as u32 {
        let id = view.id(rank);
        let sample = &samples[&id];
        assert_eq!(view.position(rank), sample.position);
        assert_eq!(view.appearance(rank), sample.appearance);
        assert_eq!(Record::from_bytes(view.record(rank)).id, id.0);
        assert_eq!(view.changed_tick(rank), Tick(id.0));
        assert_eq!(view.is_owned(rank), owned(id));
        assert_eq!(view.owner(rank), if owned(id) { OWN } else { OTHER });
        assert_eq!(view.component::<Health>(rank), sample.health.as_ref());
        assert_eq!(view.column::<Mood>()[rank as usize], sample.mood);
        assert_eq!(view.column::<Marked>()[rank as usize], sample.marked);
        let extras: Vec<_> = view.extras(rank).collect();
        let mut expected = Vec::new();
        if let Some(Health { now, most }) = &sample.health {
            expected.push((0, [&now.to_le_bytes()[..], &most.to_le_bytes()].concat()));
        }
        if let Some(Story(bytes)) = &sample.story {
            let length = bytes.len() as u32;
            expected.push((1, [&length.to_le_bytes()[..], bytes].concat()));
        }
        let expected: Vec<_> = expected.iter().map(|(n, bytes)| (*n, &bytes[..])).collect();
        assert_eq!(extras, expected);
        assert_eq!(
            view.extra_changed_tick(rank),
            if extras.is_empty() {
                Tick(0)
            } else {
                Tick(id.0)
            }
        );
        ids.push(id);
    }
    ids.sort_unstable();
    assert!(ids.iter().eq(samples.keys()));
}

fn ids(view: &View) -> Vec<EntityId> {
    (0..view.len() as u32).map(|rank| view.id(rank)).collect()
}

/// Entities in two orders, and a number that cuts them between two shards.
fn two_orders() -> impl Strategy<Value = (Samples, [Vec<(EntityId, Sample)>; 2], u64)> {
    samples(40).prop_flat_map(|samples| {
        let order: Vec<_> = samples.clone().into_iter().collect();
        let orders = [
            Just(order.clone()).prop_shuffle(),
            Just(order).prop_shuffle(),
        ];
        (Just(samples), orders, 0..1000u64)
    })
}

proptest! {
    #[test]
    fn the_view_is_the_same_in_any_storage_order_on_any_shard_with_any_index(
        (samples, orders, cut) in two_orders(),
    ) {
        let mut expected = view_like(IndexKind::Grid);
        rebuild(&mut expected, &orders[0], |_| true);
        check(&expected, &samples, |_| true);
        for kind in [IndexKind::Grid, IndexKind::Tree] {
            // Rebuilt over an older one: nothing of it may be left.
            let mut view = view_like(kind);
            rebuild(&mut view, &orders[0][..orders[0].len() / 2], |_| false);
            let owned = |id: EntityId| id.0 < cut;
            rebuild(&mut view, &orders[1], owned);
            check(&view, &samples, owned);
            prop_assert_eq!(ids(&view), ids(&expected));
        }
    }

    #[test]
    fn own_entities_know_their_rank(samples in samples(20), cut in 0..1000u64) {
        let order: Vec<_> = samples.into_iter().collect();
        let mut view = view_like(IndexKind::Grid);
        let world = rebuild(&mut view, &order, |id| id.0 < cut);
        for id in world.ids() {
            let rank = *world.entity_ref(id).unwrap().get::<&Rank>().unwrap();
            prop_assert_eq!(view.id(rank.value()), id);
        }
    }

    #[test]
    fn own_entities_look_around_themselves_and_ghosts_do_not(
        samples in samples(40),
        radius_m in 0.0..600.0f32,
    ) {
        let order: Vec<_> = samples.into_iter().collect();
        let mut view = view_like(IndexKind::Grid);
        let world = rebuild(&mut view, &order, |id| id.0 % 2 == 0);
        let mut looked = Vec::new();
        let seen = view.around_each(radius_m, |rank, near| {
            looked.push(rank);
            near.iter().map(|near| near.rank).collect::<Vec<_>>()
        });
        prop_assert!(looked.into_iter().eq((0..view.len() as u32).filter(|&rank| view.is_owned(rank))));
        for (id, rank) in world.ecs().query::<(&EntityId, &Rank)>().iter() {
            prop_assert_eq!(view.id(rank.value()), *id);
            let mut expected = Vec::new();
            view.within(view.position(rank.value()), radius_m, |near| expected.push(near.rank));
            expected.retain(|&near| near != rank.value());
            prop_assert_eq!(seen.of(rank), &expected);
        }
        let met = view.around_pairs(radius_m, |[lower, higher], _, [seen, other]| {
            let seen: &mut Vec<u32> = seen;
            seen.push(higher);
            other.push(lower);
        });
        for rank in world.ecs().query::<&Rank>().iter() {
            prop_assert_eq!(met.of(rank), seen.of(rank));
        }
    }

    #[test]
    fn queries_find_what_a_search_of_all_finds(
        samples in samples(40),
        at in (-50.0..1100.0f32, -50.0..1100.0f32),
        radius_m in 0.0..300.0f32,
        k in 0..10usize,
    ) {
        let order: Vec<_> = samples.clone().into_iter().collect();
        let mut view = view_like(IndexKind::Tree);
        rebuild(&mut view, &order, |id| id.0 % 2 == 0);
        let centre = Point::flat(at.0, at.1);
        let metric = WorldConfig::default().metric;
        let all: Vec<Neighbour> = (0..view.len() as u32)
            .map(|rank| view.neighbour(rank, metric.distance_squared(centre, view.position(rank))))
            .filter(|near| near.distance_squared <= radius_m * radius_m)
            .collect();
        let mut found = Vec::new();
        view.within(centre, radius_m, |near| found.push(near));
        prop_assert_eq!(&found, &all);

        let mut nearest = Vec::new();
        view.nearest(centre, k, radius_m, &mut nearest);
        let mut by_distance: Vec<_> = all.iter().map(|n| (n.distance_squared, n.id)).collect();
        by_distance.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        by_distance.truncate(k);
        let nearest: Vec<_> = nearest.iter().map(|&(d2, rank)| (d2, view.id(rank))).collect();
        prop_assert_eq!(nearest, by_distance);

        let half = Point::new(radius_m, radius_m, 0.0);
        let area = Bounds::new(centre - half, centre + half);
        let mut boxed = Vec::new();
        view.within_box(area, |rank| boxed.push(rank));
        let expected: Vec<u32> = (0..view.len() as u32)
            .filter(|&rank| metric.contains(&area, view.position(rank)))
            .collect();
        prop_assert_eq!(boxed, expected);
    }
}
