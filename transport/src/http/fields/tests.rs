use proptest::prelude::*;

use super::*;

/// As the rules are written, byte by byte.
fn find_head_slowly(bytes: &[u8], bytes_max: usize) -> Result<Option<usize>, Refusal> {
    let (mut line_start, mut last) = (0, None);
    for (at, &byte) in bytes.iter().take(bytes_max).enumerate() {
        match (last.replace(byte), byte) {
            (Some(b'\r'), b'\n') if at == 1 => {
                return Err(Refusal::new(400, "head begins with an empty line"));
            }
            (Some(b'\r'), b'\n') if at == line_start + 1 => return Ok(Some(at + 1)),
            (Some(b'\r'), b'\n') => line_start = at + 1,
            (Some(b'\r'), _) | (_, b'\n') => {
                return Err(Refusal::new(400, "line does not end with CR LF"));
            }
            (_, b'\r' | b'\t') => {}
            (_, 0..0x20 | 0x7f) => return Err(Refusal::new(400, "control character in head")),
            _ => {}
        }
    }
    if bytes.len() >= bytes_max {
        return Err(Refusal::new(431, "head is too long"));
    }
    Ok(None)
}

/// Bytes of which heads are made, and some that none has; most lines end as they should.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => Just(&b"\r\n"[..]),
        8 => Just(&b"a: b"[..]),
        4 => Just(&b"GET"[..]),
        2 => Just(&b"\t"[..]),
        1 => Just(&b"\r"[..]),
        1 => Just(&b"\n"[..]),
        1 => Just(&b"\x01"[..]),
        1 => Just(&b"\x7f"[..]),
        1 => Just(&b"\xff"[..]),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn the_end_of_a_head_is_where_the_rules_say(bytes in pieces(), bytes_max in 0_usize..40) {
        let found = find_head(&bytes, bytes_max);
        prop_assert_eq!(found, find_head_slowly(&bytes, bytes_max));
    }
}

#[test]
fn tokens_are_those_of_the_rfc() {
    let others = b"!#$%&'*+-.^_`|~";
    for byte in 0..=u8::MAX {
        let may = byte.is_ascii_alphanumeric() || others.contains(&byte);
        assert_eq!(is_token_byte(byte), may, "{byte:#x}");
    }
}
