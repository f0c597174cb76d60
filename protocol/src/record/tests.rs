//! A record laid out by hand is the archived record.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn record_bytes_are_the_archive(id: u64, x: f32, y: f32, z: f32, kind: u8, heading: u8, spare: u16) {
        let record = Record { id, x, y, z, kind, heading, spare };
        let archived = rkyv::to_bytes::<rkyv::rancor::Error>(&record).unwrap();
        prop_assert_eq!(archived.to_vec(), record.to_bytes().to_vec());
        prop_assert_eq!(Record::from_bytes(&record.to_bytes()).to_bytes(), record.to_bytes());
    }

    #[test]
    fn extra_bytes_are_the_archive(id: u64, component: u16, length: u16, offset: u32) {
        let extra = Extra { id, component, length, offset };
        let archived = rkyv::to_bytes::<rkyv::rancor::Error>(&extra).unwrap();
        prop_assert_eq!(archived.to_vec(), extra.to_bytes().to_vec());
    }
}

#[test]
fn record_with_a_position_that_is_no_number_is_invalid() {
    let record = Record {
        id: 1,
        ..Record::default()
    };
    assert!(record.is_valid());
    assert!(
        !Record {
            y: f32::NAN,
            ..record
        }
        .is_valid()
    );
    assert!(
        !Record {
            z: f32::NEG_INFINITY,
            ..record
        }
        .is_valid()
    );
    assert!(
        !Record {
            id: (1 << 53) + 1,
            ..record
        }
        .is_valid()
    );
}
