//! Headers survive the way; the vectors are in `tests/golden.rs`.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn header_is_read_as_written(svc: u8, opcode: u8, seq: Option<u32>, delta_ack: Option<u32>, asks: bool, payload: Vec<u8>) {
        let ack = asks && seq.is_some();
        let header = HotHeader { svc, opcode, seq, delta_ack, ack };
        let mut bytes = Vec::new();
        header.write(&mut bytes);
        prop_assert_eq!(bytes.len(), header.size());
        prop_assert!(bytes.len() <= HOT_HEADER_BYTES_MAX);
        bytes.extend(&payload);
        prop_assert_eq!(HotHeader::parse(&bytes), Ok((header, &payload[..])));
    }
}

#[test]
fn reserved_and_unknown_flags_are_refused() {
    for bit in 0..8 {
        let flags = 1u8 << bit;
        let bytes = [1, 2, 3, flags, 0, 0, 0, 0];
        let parsed = HotHeader::parse(&bytes);
        // ACK is known too, but not alone.
        let known = flags == FLAG_SEQ || flags == FLAG_DELTA_ACK;
        match parsed {
            Ok(_) => assert!(known, "flag {flags:#04x} accepted"),
            Err(error) => {
                assert!(!known, "flag {flags:#04x} refused");
                assert_eq!(error.code, ErrorCode::BadRequest);
                assert!(error.detail.starts_with("flags"));
            }
        }
    }
}

#[test]
fn an_acknowledgement_is_asked_for_together_with_a_number_only() {
    let (header, payload) = HotHeader::parse(&[1, 3, 0, 5, 7, 0, 0, 0, 0x68]).unwrap();
    assert!(header.ack);
    assert_eq!((header.seq, payload), (Some(7), &b"h"[..]));
    let error = HotHeader::parse(&[1, 3, 0, 4, 7, 0, 0, 0]).unwrap_err();
    assert_eq!(error.detail, "flags: ACK without SEQ");
    let mut bytes = Vec::new();
    let unnumbered = HotHeader {
        seq: None,
        ..header
    };
    unnumbered.write(&mut bytes);
    assert_eq!(bytes, [1, 3, 0, 0], "it is not asked for without a number");
}
