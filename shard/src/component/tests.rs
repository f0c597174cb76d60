//! Values and their canonical bytes.

use std::fmt::Debug;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use worldshard_protocol::{EntityId, Tick};
use worldshard_spatial::Point;

use super::{Appearance, Codec, Position};
use crate::samples::{Diary, Health, Marked, Mood};

fn bytes_of<T: Codec>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    value.encode(&mut bytes);
    bytes
}

/// The value comes back from its bytes, and takes no byte of what follows.
fn check<T: Codec + PartialEq + Debug>(value: &T) {
    let mut bytes = bytes_of(value);
    bytes.push(0xa5);
    let mut rest = &bytes[..];
    assert_eq!(T::decode(&mut rest).as_ref(), Some(value));
    assert_eq!(rest, [0xa5]);
}

/// Every prefix of a value that is not the value is refused.
fn check_cut<T: Codec + Debug>(value: &T) {
    let bytes = bytes_of(value);
    for length in 0..bytes.len() {
        assert!(T::decode(&mut &bytes[..length]).is_none(), "{length} bytes");
    }
}

type Everything = (
    (u8, u16, u32, u64, u128),
    (i8, i16, i32, i64, i128),
    (f32, f64, bool, char),
    [u16; 3],
    Option<Vec<String>>,
    Vec<Option<(u8, bool)>>,
    (Point, EntityId, Tick),
    (),
);

fn everything() -> impl Strategy<Value = Everything> {
    (
        any::<(u8, u16, u32, u64, u128)>(),
        any::<(i8, i16, i32, i64, i128)>(),
        any::<(f32, f64, bool, char)>(),
        any::<[u16; 3]>(),
        option::of(vec(any::<String>(), 0..4)),
        vec(any::<Option<(u8, bool)>>(), 0..9),
        (any::<[f32; 3]>(), 0..=EntityId::MAX.0, any::<u64>())
            .prop_map(|(at, id, tick)| (Point::from_array(at), EntityId(id), Tick(tick))),
        Just(()),
    )
}

proptest! {
    #[test]
    fn every_value_comes_back_from_its_bytes(value in everything()) {
        check(&value);
        check_cut(&value);
    }

    /// One value has one encoding: what is accepted is what would have been written.
    #[test]
    fn any_bytes_are_refused_or_canonical(bytes in vec(prop_oneof![0..4u8, any::<u8>()], 0..64)) {
        fn canonical<T: Codec>(bytes: &[u8]) {
            let mut rest = bytes;
            if let Some(value) = T::decode(&mut rest) {
                assert_eq!(bytes_of(&value), bytes[..bytes.len() - rest.len()]);
            }
        }
        canonical::<(bool, char)>(&bytes);
        canonical::<Vec<Vec<Option<u8>>>>(&bytes);
        canonical::<(Option<String>, [bool; 2])>(&bytes);
        canonical::<EntityId>(&bytes);
        canonical::<[f64; 2]>(&bytes);
        canonical::<Mood>(&bytes);
        canonical::<Diary>(&bytes);
        canonical::<Position>(&bytes);
        canonical::<Everything>(&bytes);
    }
}

#[test]
fn structs_are_their_fields_in_order() {
    let health = Health {
        now: 0x0102_0304,
        most: 0x0506,
    };
    assert_eq!(bytes_of(&health), [4, 3, 2, 1, 6, 5]);
    let position = Position(Point::new(1.0, 0.0, -2.0));
    assert_eq!(
        bytes_of(&position),
        [0, 0, 0x80, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0xc0]
    );
    let appearance = Appearance {
        kind: 7,
        heading: 9,
    };
    assert_eq!(bytes_of(&appearance), [7, 9]);
    assert!(bytes_of(&Marked).is_empty());
    check(&health);
    check(&position);
    check(&appearance);
    check(&Marked);
}

#[test]
fn enums_are_one_byte_and_the_fields_of_the_variant() {
    let hunting = Mood::Hunting {
        prey: EntityId(2),
        since: Tick(3),
    };
    assert_eq!(bytes_of(&Mood::Calm), [0]);
    assert_eq!(bytes_of(&Mood::Angry(5)), [1, 5]);
    assert_eq!(bytes_of(&hunting)[..9], [2, 2, 0, 0, 0, 0, 0, 0, 0]);
    check(&hunting);
    check_cut(&hunting);
    assert_eq!(Mood::decode(&mut &[3u8][..]), None);
}

#[test]
fn a_length_beyond_the_bytes_is_refused_before_allocating() {
    let bytes = [0xff, 0xff, 0xff, 0xff, 1, 2, 3];
    assert_eq!(Vec::<u8>::decode(&mut &bytes[..]), None);
    assert_eq!(Vec::<()>::decode(&mut &bytes[..]), None);
    assert_eq!(String::decode(&mut &bytes[..]), None);
}

#[test]
fn ids_that_javascript_cannot_hold_are_refused() {
    check(&EntityId::MAX);
    let beyond = bytes_of(&(EntityId::MAX.0 + 1));
    assert_eq!(EntityId::decode(&mut &beyond[..]), None);
}

#[test]
#[should_panic(expected = "at least one byte")]
fn a_vec_of_values_without_bytes_cannot_be_written() {
    bytes_of(&vec![(), ()]);
}
