//! The check of pieces against the standard library on the whole.

use super::Utf8Check;

fn accepts(pieces: &[&[u8]]) -> bool {
    let mut check = Utf8Check::default();
    pieces.iter().all(|piece| check.feed(piece).is_ok()) && check.finish().is_ok()
}

#[test]
fn every_short_sequence_is_judged_as_by_the_standard_library_wherever_cut() {
    // Each class of byte that the rules tell apart, at its ends.
    let classes = [
        0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1,
        0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff,
    ];
    let mut accepted = 0;
    let count = classes.len();
    for number in 0..count.pow(4) {
        let at = |digit: u32| classes[number / count.pow(digit) % count];
        let bytes = [at(0), at(1), at(2), at(3)];
        let expected = std::str::from_utf8(&bytes).is_ok();
        accepted += usize::from(expected);
        let [a, b, c, d] = &bytes;
        assert_eq!(accepts(&[&bytes]), expected, "{bytes:x?}");
        assert_eq!(
            accepts(&[&[*a], &[*b], &[], &[*c], &[*d]]),
            expected,
            "{bytes:x?}"
        );
        assert_eq!(accepts(&[&bytes[..2], &bytes[2..]]), expected, "{bytes:x?}");
        assert_eq!(accepts(&[&bytes[..3], &bytes[3..]]), expected, "{bytes:x?}");
    }
    assert!(accepted > 100);
}
