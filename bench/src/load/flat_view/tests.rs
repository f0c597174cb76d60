use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use worldshard_client::protocol::{DeltaHead, View, write_delta};

use super::*;

const FULL: u8 = 1;

/// A delta as it comes: lists of ids, each with a place, which need not fit what is known.
type Lists = (
    bool,
    std::collections::BTreeMap<u64, u8>,
    std::collections::BTreeMap<u64, u8>,
    Vec<u64>,
    Vec<u64>,
);

fn lists() -> impl Strategy<Value = Lists> {
    (
        prop::bool::weighted(0.2),
        btree_map(0u64..12, 0u8..3, 0..6),
        btree_map(0u64..12, 0u8..3, 0..4),
        vec(0u64..12, 0..3),
        vec(0u64..12, 0..2),
    )
}

fn records(ids: &std::collections::BTreeMap<u64, u8>) -> Vec<[u8; 24]> {
    let record = |(&id, &place): (&u64, &u8)| {
        let record = Record {
            id,
            x: f32::from(place),
            ..Record::default()
        };
        record.to_bytes()
    };
    ids.iter().map(record).collect()
}

fn delta(tick: u64, base_tick: u64, lists: &Lists, known: &[u64]) -> Vec<u8> {
    let (full, entered, changed, left, extras) = lists;
    // Mostly what fits: ids that are known change and leave, others enter.
    let odd = entered.len() == 5;
    let mut entered = entered.clone();
    let mut changed = changed.clone();
    let mut left = left.clone();
    if !odd {
        entered.retain(|id, _| *full || !known.contains(id));
        changed.retain(|id, _| known.contains(id));
        left.retain(|id| known.contains(id));
    }
    left.sort_unstable();
    left.dedup();
    left.retain(|id| !changed.contains_key(id));
    if *full {
        changed.clear();
        left.clear();
    }
    let mut extras = extras.clone();
    extras.sort_unstable();
    extras.dedup();
    let extras: Vec<Extra> = extras
        .into_iter()
        .map(|id| Extra {
            id,
            component: 0,
            length: 0,
            offset: 0,
        })
        .collect();
    let head = DeltaHead {
        tick,
        base_tick: if *full { 0 } else { base_tick },
        command_sequence: tick as u32,
        flags: if *full { FULL } else { 0 },
    };
    let mut bytes = Vec::new();
    let (entered, changed) = (records(&entered), records(&changed));
    write_delta(&head, &entered, &changed, &left, &extras, &[], &mut bytes);
    bytes
}

proptest! {
    #[test]
    fn a_flat_view_takes_and_refuses_what_the_reference_does(deltas in vec(lists(), 1..12)) {
        let (mut flat, mut reference) = (FlatView::default(), View::new());
        let mut scratch = Vec::new();
        let mut refused = 0;
        for (at, lists) in deltas.iter().enumerate() {
            let known: Vec<u64> = reference.ids().map(|id| id.0).collect();
            let base = reference.tick().0;
            let bytes = delta(base + 1 + at as u64 % 2, base, lists, &known);
            let expected = reference.apply(&bytes);
            let taken = flat.apply(&bytes, &mut scratch);
            prop_assert_eq!(taken.is_ok(), expected.is_ok(), "{:?}, {:?}", taken, expected);
            if taken.is_err() {
                refused += 1;
                break;
            }
            let seen: Vec<Record> = reference.iter().map(|(_, seen)| seen.record).collect();
            prop_assert_eq!(&flat.records, &seen);
            prop_assert_eq!(flat.len(), reference.len());
            prop_assert_eq!(flat.tick(), reference.tick());
            prop_assert_eq!(flat.command_sequence(), reference.command_sequence());
        }
        prop_assert!(refused <= 1);
    }
}
