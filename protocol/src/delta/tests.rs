//! The hand-written layout is rkyv's; the reader refuses whatever breaks a promise.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::*;

/// Deltas that keep every promise, from a map of ids to the list each one is in.
fn valid_delta() -> impl Strategy<Value = Delta> {
    let record = (0u8..3, any::<[i16; 3]>(), any::<(u8, u8)>());
    let entities = btree_map(0u64..=1 << 53, record, 0..40);
    let components = vec((any::<u16>(), vec(any::<u8>(), 0..9)), 0..4);
    let head = (1u64..1 << 53, any::<u32>(), any::<bool>());
    (entities, components, head).prop_map(|(entities, components, (tick, sequence, full))| {
        let mut delta = Delta {
            tick,
            base_tick: if full { 0 } else { tick - 1 },
            command_sequence: sequence,
            flags: if full { DELTA_FULL } else { 0 },
            ..Delta::default()
        };
        for (id, (list, [x, y, z], (kind, heading))) in entities {
            let record = Record {
                id,
                x: f32::from(x) / 7.0,
                y: f32::from(y),
                z: f32::from(z),
                kind,
                heading,
                spare: 0,
            };
            match list {
                0 => delta.entered.push(record),
                1 if !full => delta.changed.push(record),
                2 if !full => delta.left.push(id),
                _ => delta.entered.push(record),
            }
        }
        let owners: Vec<u64> = delta.entered.iter().map(|record| record.id).collect();
        for (id, (component, value)) in owners.into_iter().zip(components) {
            delta.extras.push(Extra {
                id,
                component,
                length: value.len() as u16,
                offset: delta.blob.len() as u32,
            });
            delta.blob.extend(value);
        }
        delta
    })
}

fn archived(delta: &Delta) -> Vec<u8> {
    rkyv::to_bytes::<rkyv::rancor::Error>(delta)
        .unwrap()
        .to_vec()
}

fn written(delta: &Delta, out: &mut Vec<u8>) {
    let laid_out = |records: &[Record]| records.iter().map(Record::to_bytes).collect::<Vec<_>>();
    let head = DeltaHead {
        tick: delta.tick,
        base_tick: delta.base_tick,
        command_sequence: delta.command_sequence,
        flags: delta.flags,
    };
    let (entered, changed) = (laid_out(&delta.entered), laid_out(&delta.changed));
    let (left, extras, blob) = (&delta.left, &delta.extras, &delta.blob);
    write_delta(&head, &entered, &changed, left, extras, blob, out);
}

proptest! {
    #[test]
    fn written_delta_is_the_archive(delta in valid_delta(), header in vec(any::<u8>(), 0..13)) {
        let mut out = header.clone();
        written(&delta, &mut out);
        let (front, bytes) = out.split_at(header.len());
        prop_assert_eq!(front, &header[..]);
        prop_assert_eq!(bytes, &archived(&delta)[..]);
        let lists = (&delta.entered, &delta.changed, &delta.left, &delta.extras, &delta.blob);
        let size = delta_bytes(lists.0.len(), lists.1.len(), lists.2.len(), lists.3.len(), lists.4.len());
        prop_assert_eq!(bytes.len(), size);
        let read = read_delta(bytes).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let back = rkyv::deserialize::<Delta, rkyv::rancor::Error>(read).unwrap();
        prop_assert_eq!(back, delta);
    }

    #[test]
    fn truncated_delta_is_refused(delta in valid_delta(), share in 0.0..1.0) {
        let bytes = archived(&delta);
        let cut = (bytes.len() as f64 * share) as usize;
        prop_assert!(read_delta(&bytes[..cut]).is_err());
        prop_assert!(read_delta(&bytes[bytes.len() - cut..]).is_err() || cut == bytes.len());
        let mut longer = vec![0];
        longer.extend(&bytes);
        prop_assert!(read_delta(&longer).is_err());
    }
}

fn record(id: u64) -> Record {
    Record {
        id,
        x: 1.0,
        ..Record::default()
    }
}

fn change() -> Delta {
    Delta {
        tick: 9,
        base_tick: 8,
        entered: vec![record(1), record(5)],
        changed: vec![record(2), record(6)],
        left: vec![3, 7],
        extras: vec![Extra {
            id: 5,
            component: 0,
            length: 2,
            offset: 1,
        }],
        blob: vec![1, 2, 3],
        ..Delta::default()
    }
}

/// One promise broken by `edit`, nothing else.
#[track_caller]
fn refused(edit: impl FnOnce(&mut Delta), expected: DeltaError) {
    let mut delta = change();
    assert!(read_delta(&archived(&delta)).is_ok());
    edit(&mut delta);
    assert_eq!(read_delta(&archived(&delta)).err(), Some(expected));
}

#[test]
fn delta_with_a_broken_promise_is_refused_by_name() {
    let order = |list, id| DeltaError::Order { list, id };
    refused(|d| d.flags = 0x82, DeltaError::Flags(0x82));
    refused(|d| d.base_tick = 9, DeltaError::Head);
    refused(|d| d.tick = u64::MAX, DeltaError::Head);
    refused(|d| d.flags = DELTA_FULL, DeltaError::Head);
    refused(|d| d.entered[1].id = u64::MAX, DeltaError::Id(u64::MAX));
    refused(|d| d.left[1] = (1 << 53) + 1, DeltaError::Id((1 << 53) + 1));
    refused(|d| d.changed[1].x = f32::NAN, DeltaError::Position(6));
    refused(|d| d.entered[0].z = f32::INFINITY, DeltaError::Position(1));
    refused(|d| d.entered.swap(0, 1), order("entered", 1));
    refused(|d| d.changed[0].id = 6, order("changed", 6));
    refused(|d| d.left[1] = 3, order("left", 3));
    refused(|d| d.left[1] = 6, DeltaError::Twice(6));
    refused(|d| d.left[0] = 1, DeltaError::Twice(1));
    refused(|d| d.changed[0].id = 5, DeltaError::Twice(5));
    refused(|d| d.extras[0].offset = 2, DeltaError::Extra(5));
    refused(|d| d.extras[0].offset = u32::MAX, DeltaError::Extra(5));
    refused(|d| d.extras.push(d.extras[0]), order("extras", 5));
}

#[test]
fn removed_component_needs_no_bytes_unless_the_delta_is_full() {
    let mut delta = change();
    delta.extras[0] = Extra {
        id: 5,
        component: 0,
        length: 0,
        offset: Extra::REMOVED,
    };
    assert!(read_delta(&archived(&delta)).is_ok());
    delta = Delta {
        flags: DELTA_FULL,
        base_tick: 0,
        changed: Vec::new(),
        left: Vec::new(),
        ..delta
    };
    assert_eq!(
        read_delta(&archived(&delta)).err(),
        Some(DeltaError::Extra(5))
    );
}

#[test]
fn delta_with_a_gap_between_lists_is_refused() {
    // A gap that rkyv accepts: a byte no list covers, with the pointers adjusted to skip it.
    let delta = Delta {
        left: vec![4],
        tick: 2,
        base_tick: 1,
        ..Delta::default()
    };
    let mut bytes = archived(&delta);
    bytes.insert(0, 0);
    assert!(rkyv::access::<ArchivedDelta, rkyv::rancor::Failure>(&bytes).is_ok());
    assert_eq!(read_delta(&bytes).err(), Some(DeltaError::Size));
}

#[test]
fn empty_list_that_points_elsewhere_is_refused() {
    let delta = Delta {
        left: vec![4],
        tick: 2,
        base_tick: 1,
        ..Delta::default()
    };
    let mut bytes = archived(&delta);
    let blob_at = bytes.len() - 8;
    let offset = i32::from_le_bytes(bytes[blob_at..blob_at + 4].try_into().unwrap());
    assert!(read_delta(&bytes).is_ok());
    bytes[blob_at..blob_at + 4].copy_from_slice(&(offset + 3).to_le_bytes());
    assert!(read_delta(&bytes).is_err());
}
