//! Timers against a map from key to due tick.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use worldshard_protocol::{EntityId, Tick};
use worldshard_spatial::Point;

use super::{TIMERS_MAX, TimerChange, Timers, fire, set};
use crate::component::Codec;
use crate::samples::{Sample, registry, world_of};
use crate::world::World;

fn world_of_three() -> World {
    let sample = Sample::at(Point::ORIGIN);
    world_of(
        [3, 1, 2].map(EntityId).iter().map(|id| (id, &sample)),
        &registry(),
    )
}

fn change(entity: u64, key: u32, due: Option<u64>) -> TimerChange {
    let (entity, due) = (EntityId(entity), due.map(Tick));
    TimerChange { entity, key, due }
}

proptest! {
    #[test]
    fn timers_agree_with_a_map(changes in vec((1..4u64, 0..6u32, prop::option::of(1..20u64)), 0..60)) {
        let mut world = world_of_three();
        let mut model = BTreeMap::new();
        for (entity, key, due) in changes {
            set(&mut world, &[change(entity, key, due)]);
            match due {
                Some(due) => model.insert((entity, key), due),
                None => model.remove(&(entity, key)),
            };
        }
        let mut fired = Vec::new();
        for tick in 1..20 {
            fire(&mut world, Tick(tick), &mut fired);
            let due: Vec<_> = model.iter().filter(|(_, due)| **due == tick).collect();
            let expected: Vec<_> = due.iter().map(|((id, key), _)| (EntityId(*id), *key)).collect();
            prop_assert_eq!(&fired, &expected);
        }
        fire(&mut world, Tick(1000), &mut fired);
        prop_assert!(fired.is_empty());
    }

    #[test]
    fn equal_timers_have_equal_bytes(
        order in Just((0..8u32).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let bytes = |keys: &[u32]| {
            let mut timers = Timers::default();
            keys.iter().for_each(|&key| { timers.set(key, Tick(u64::from(key / 3))); });
            let mut bytes = Vec::new();
            timers.encode(&mut bytes);
            bytes
        };
        prop_assert_eq!(bytes(&order), bytes(&[0, 1, 2, 3, 4, 5, 6, 7]));
    }
}

#[test]
fn beyond_the_limit_the_timer_due_last_is_dropped() {
    let mut timers = Timers::default();
    for key in 0..TIMERS_MAX as u32 {
        assert!(timers.set(key, Tick(10)));
    }
    assert!(!timers.set(9999, Tick(11)));
    assert!(timers.iter().all(|(_, key)| key != 9999));
    assert!(!timers.set(9998, Tick(9)));
    assert_eq!(timers.iter().next(), Some((Tick(9), 9998)));
    assert_eq!(timers.iter().count(), TIMERS_MAX);
    // The same key again replaces, so nothing is dropped.
    assert!(timers.set(9998, Tick(12)));

    let mut world = world_of_three();
    let changes: Vec<_> = (0..TIMERS_MAX as u32 + 2)
        .map(|key| change(1, key, Some(5)))
        .collect();
    assert_eq!(set(&mut world, &changes), 2);
}

#[test]
fn cancelling_nothing_adds_nothing() {
    let mut world = world_of_three();
    assert_eq!(
        set(&mut world, &[change(1, 0, None), change(9, 0, Some(1))]),
        0
    );
    assert!(world.get::<Timers>(EntityId(1)).is_none());
}
