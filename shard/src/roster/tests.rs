//! The roster against the view it was made of, and its editions against each other.

use proptest::collection::btree_set;
use proptest::prelude::*;
use worldshard_protocol::{EntityId, Tick};
use worldshard_spatial::{Point, ShardId};

use super::Roster;
use crate::config::WorldConfig;
use crate::ghost::GhostSet;
use crate::samples::{Sample, registry, world_of};
use crate::view::View;
use crate::world::{Laid, World};

/// Entities laid out at the tick that equals their id; the even ones come as ghosts.
pub(crate) fn view_of(ids: &[u64]) -> View {
    let registry = registry();
    let sample = |&id: &u64| {
        let spot = (id * 37 % 1000) as f32;
        (EntityId(id), Sample::at(Point::flat(spot, 1000.0 - spot)))
    };
    let (others, own): (Vec<_>, Vec<_>) = ids.iter().map(sample).partition(|(id, _)| id.0 % 2 == 0);
    let by_ref = |pairs: &[(EntityId, Sample)]| -> World {
        world_of(pairs.iter().map(|(id, sample)| (id, sample)), &registry)
    };
    let (mut world, neighbours) = (by_ref(&own), by_ref(&others));
    let mut ghosts = GhostSet::new(&registry);
    for (id, _) in others {
        let entity = neighbours.entity_ref(id).unwrap();
        ghosts.push_owned(id, &entity, &entity.get::<&Laid>().unwrap(), ShardId(2));
    }
    let mut view = View::new(&WorldConfig::default(), &registry).unwrap();
    view.rebuild(&mut world, &ghosts, ShardId(1));
    view
}

fn check(roster: &Roster, view: &View, ids: &[u64], tick: u64) {
    let mut ascending = ids.to_vec();
    ascending.sort_unstable();
    assert_eq!(roster.ids_of(roster.edition()), &ascending);
    for rank in 0..view.len() as u32 {
        let slot = roster.slot(rank);
        assert_eq!(ascending[slot as usize], view.id(rank).0);
        assert_eq!(&roster.records()[slot as usize], view.record(rank));
        assert_eq!(view.rows().ids[roster.row(slot)], view.id(rank).0);
        for from in [0, slot / 2, slot] {
            assert_eq!(roster.find(view.id(rank).0, from), Ok(slot));
        }
        let bit = 1 << (slot % 64);
        for since in [0, tick / 2, tick - 1] {
            let changed = roster.changed(slot / 64, bit, Tick(since)) == bit;
            assert_eq!(
                changed,
                view.changed_tick(rank) > Tick(since),
                "{since} {tick}"
            );
        }
    }
}

proptest! {
    #[test]
    fn slots_ascend_with_ids_and_hold_what_the_view_holds(
        ids in btree_set(1..500u64, 1..200),
        late in 1..500u64,
    ) {
        let order: Vec<u64> = ids.iter().copied().collect();
        let shuffled: Vec<u64> = order.iter().copied().rev().collect();
        let tick = late.max(*order.last().unwrap());
        let mut roster = Roster::default();
        for ids in [&order, &order, &shuffled] {
            let view = view_of(ids);
            roster.update(&view, Tick(tick));
            check(&roster, &view, ids, tick);
        }
    }

    #[test]
    fn an_edition_knows_where_the_slots_of_the_one_before_went(
        before in btree_set(1..300u64, 1..150),
        after in btree_set(1..300u64, 1..150),
    ) {
        prop_assume!(before != after);
        let (before, after): (Vec<u64>, Vec<u64>) = (before.into_iter().collect(), after.into_iter().collect());
        let mut roster = Roster::default();
        roster.update(&view_of(&before), Tick(300));
        let edition = roster.edition();
        roster.update(&view_of(&before), Tick(301));
        prop_assert_eq!(roster.edition(), edition, "the same entities in the same order");
        roster.update(&view_of(&after), Tick(302));
        prop_assert_eq!(roster.edition(), edition + 1);
        prop_assert_eq!(roster.ids_of(edition), &before);
        let mut from = 0;
        for id in &before {
            let found = roster.find(*id, from);
            prop_assert_eq!(found, after.binary_search(id).map(|at| at as u32).map_err(|at| at as u32));
            from = found.unwrap_or_else(|higher| higher);
        }
        for (former, id) in (0u32..).zip(&before) {
            let now = roster.moved(former).map(|slot| after[slot as usize]);
            prop_assert_eq!(now, after.contains(id).then_some(*id));
        }
    }
}
