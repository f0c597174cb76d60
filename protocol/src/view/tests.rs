//! A view built from deltas equals the set they were made from, or does not change at all.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::*;
use crate::delta::{DELTA_FULL, Delta};

/// What the server would show: position seed and components of each visible entity.
type Model = BTreeMap<u64, (u8, BTreeMap<u16, Vec<u8>>)>;

fn model() -> impl Strategy<Value = Model> {
    let extras = btree_map(0u16..3, vec(0u8..4, 0..3), 0..3);
    btree_map(0u64..12, (0u8..3, extras), 0..10)
}

fn record(id: u64, place: u8) -> Record {
    Record {
        id,
        x: f32::from(place) * 1.5,
        y: -1.0,
        z: 0.25,
        kind: 3,
        heading: place,
        spare: 0,
    }
}

/// The delta that turns one set into the next; from nothing, a full one.
fn delta_between(before: Option<(u64, &Model)>, tick: u64, after: &Model) -> Delta {
    let empty = Model::new();
    let known = before.map_or(&empty, |(_, known)| known);
    let mut delta = Delta {
        tick,
        base_tick: before.map_or(0, |(base, _)| base),
        flags: if before.is_some() { 0 } else { DELTA_FULL },
        left: known
            .keys()
            .filter(|id| !after.contains_key(id))
            .copied()
            .collect(),
        ..Delta::default()
    };
    for (&id, (place, extras)) in after {
        let earlier = known.get(&id);
        match earlier {
            None => delta.entered.push(record(id, *place)),
            Some((old, _)) if old != place => delta.changed.push(record(id, *place)),
            Some(_) => {}
        }
        for component in 0..3 {
            let old = earlier.and_then(|(_, extras)| extras.get(&component));
            let new = extras.get(&component);
            let (length, offset) = match new {
                _ if old == new => continue,
                None => (0, Extra::REMOVED),
                Some(value) => (value.len() as u16, delta.blob.len() as u32),
            };
            delta.blob.extend(new.into_iter().flatten());
            delta.extras.push(Extra {
                id,
                component,
                length,
                offset,
            });
        }
    }
    delta
}

fn bytes(delta: &Delta) -> Vec<u8> {
    rkyv::to_bytes::<rkyv::rancor::Error>(delta)
        .unwrap()
        .to_vec()
}

fn assert_shows(view: &View, model: &Model) {
    assert!(view.ids().map(|id| id.0).eq(model.keys().copied()));
    assert_eq!(view.len(), model.len());
    for (id, seen) in view.iter() {
        let (place, extras) = &model[&id.0];
        assert_eq!(seen.record, record(id.0, *place));
        assert_eq!(&seen.extras, extras);
    }
}

proptest! {
    #[test]
    fn view_equals_the_set_the_deltas_were_made_from(sets in vec((model(), any::<bool>()), 1..8)) {
        let mut view = View::new();
        let mut before: Option<(u64, Model)> = None;
        for (tick, (set, full)) in (5..).zip(sets) {
            let known = before.as_ref().filter(|_| !full).map(|(tick, set)| (*tick, set));
            let delta = delta_between(known, tick, &set);
            let applied = view.apply(&bytes(&delta)).unwrap();
            prop_assert_eq!(applied.tick, Tick(tick));
            prop_assert_eq!(applied.entered, delta.entered.len());
            prop_assert_eq!(view.tick(), Tick(tick));
            assert_shows(&view, &set);
            let mut fresh = View::new();
            fresh.apply(&bytes(&delta_between(None, tick, &set))).unwrap();
            prop_assert_eq!(view.digest(), fresh.digest());
            // Where entities stood one delta ago is what the earlier set says.
            for (id, seen) in view.iter() {
                let earlier = before.as_ref().and_then(|(_, set)| set.get(&id.0));
                let from = earlier.map_or(seen.record, |(place, _)| record(id.0, *place));
                prop_assert_eq!(view.position_at(id, 0.0), Some(from.position()));
                prop_assert_eq!(view.position_at(id, 1.0), Some(seen.record.position()));
            }
            before = Some((tick, set));
        }
    }

    #[test]
    fn view_is_unchanged_by_what_it_refuses(
        first in model(),
        second in model(),
        cut in any::<prop::sample::Index>(),
        flips in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut view = View::new();
        view.apply(&bytes(&delta_between(None, 5, &first))).unwrap();
        let good = bytes(&delta_between(Some((5, &first)), 6, &second));
        let mut bad = good.clone();
        for (at, flip) in flips {
            let at = at.index(bad.len());
            bad[at] ^= flip;
        }
        for bytes in [&good[..cut.index(good.len())], &bad[..]] {
            let mut tried = view.clone();
            match tried.apply(bytes) {
                Ok(applied) => prop_assert_eq!(tried.len() + applied.left, view.len() + applied.entered),
                Err(_) => prop_assert_eq!(&tried, &view),
            }
        }
        view.apply(&good).unwrap();
        assert_shows(&view, &second);
    }
}

fn seen_at_tick_5() -> View {
    let set = Model::from([(1, (0, BTreeMap::new())), (2, (0, BTreeMap::new()))]);
    let mut view = View::new();
    view.apply(&bytes(&delta_between(None, 5, &set))).unwrap();
    view
}

#[track_caller]
fn refused(delta: Delta, expected: ViewError) {
    let mut view = seen_at_tick_5();
    let delta = Delta {
        tick: 6,
        base_tick: 5,
        ..delta
    };
    assert_eq!(view.apply(&bytes(&delta)), Err(expected));
    assert_eq!(view, seen_at_tick_5());
}

#[test]
fn delta_that_contradicts_the_set_is_refused() {
    let one = |id| vec![record(id, 1)];
    let of = |id| {
        vec![Extra {
            id,
            ..Extra::default()
        }]
    };
    let unknown = ViewError::Unknown(EntityId(3));
    refused(
        Delta {
            left: vec![1, 3],
            ..Delta::default()
        },
        unknown,
    );
    refused(
        Delta {
            changed: one(3),
            ..Delta::default()
        },
        unknown,
    );
    refused(
        Delta {
            extras: of(3),
            ..Delta::default()
        },
        unknown,
    );
    refused(
        Delta {
            entered: one(2),
            ..Delta::default()
        },
        ViewError::Known(EntityId(2)),
    );
    let of_the_left = Delta {
        extras: of(2),
        left: vec![2],
        ..Delta::default()
    };
    refused(of_the_left, ViewError::Unknown(EntityId(2)));
}

#[test]
fn delta_that_skips_one_is_refused() {
    let delta = Delta {
        tick: 8,
        base_tick: 7,
        ..Delta::default()
    };
    let error = |have| ViewError::BaseTick {
        have,
        base: Tick(7),
    };
    assert_eq!(
        seen_at_tick_5().apply(&bytes(&delta)),
        Err(error(Some(Tick(5))))
    );
    assert_eq!(View::new().apply(&bytes(&delta)), Err(error(None)));
}

#[test]
fn position_between_two_ticks_is_interpolated_and_clamped() {
    let mut view = seen_at_tick_5();
    let delta = Delta {
        tick: 6,
        base_tick: 5,
        changed: vec![record(2, 2)],
        ..Delta::default()
    };
    view.apply(&bytes(&delta)).unwrap();
    let x = |alpha| view.position_at(EntityId(2), alpha).unwrap()[0];
    assert_eq!([x(0.0), x(0.5), x(1.0)], [0.0, 1.5, 3.0]);
    assert_eq!([x(-9.0), x(9.0), x(f32::NAN)], [0.0, 3.0, 3.0]);
    assert_eq!(view.position_at(EntityId(9), 0.5), None);
}

#[test]
fn digest_sees_every_part_of_a_set() {
    let one = |value: &[u8]| Model::from([(1, (0, BTreeMap::from([(0, value.to_vec())])))]);
    let digest = |set: &Model| {
        let mut view = View::new();
        view.apply(&bytes(&delta_between(None, 5, set))).unwrap();
        view.digest()
    };
    let bare = Model::from([(1, (0, BTreeMap::new()))]);
    let swapped = |a, b| Model::from([(1, (a, BTreeMap::new())), (2, (b, BTreeMap::new()))]);
    let sets = [
        Model::new(),
        bare,
        one(&[]),
        one(&[0]),
        one(&[0, 0]),
        swapped(0, 1),
        swapped(1, 0),
        swapped(0, 2),
        swapped(2, 0),
    ];
    let digests: std::collections::BTreeSet<u128> = sets.iter().map(digest).collect();
    assert_eq!(digests.len(), sets.len());
}
