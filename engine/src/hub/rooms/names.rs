//! Names for rooms that the server makes. Never knows which are taken.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::app::Creation;

/// A new name for a room of this kind, of which as many were `made`; `random` are 16 bytes that nobody can guess. None for kinds that name themselves.
pub(crate) fn make(creation: Creation, made: &AtomicU64, random: [u8; 16]) -> Option<String> {
    match creation {
        Creation::Implicit | Creation::Explicit => None,
        Creation::Uuid => Some(uuid(random)),
        Creation::Short(letters) => {
            let count = made.fetch_add(1, Ordering::Relaxed);
            Some(short(count, letters))
        }
    }
}

/// A version 4 UUID (RFC 9562, section 5.4).
fn uuid(random: [u8; 16]) -> String {
    let mut bits = u128::from_be_bytes(random);
    bits = bits & !(0xf << 76) | 0x4 << 76;
    bits = bits & !(0b11 << 62) | 0b10 << 62;
    let hex = format!("{bits:032x}");
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    parts.join("-")
}

/// The name with this number, of so many letters: all differ until all have come.
pub(super) fn short(count: u64, letters: u8) -> String {
    let names = u128::from(LETTERS).pow(letters.into());
    // A step without a common factor with the number of names reaches each of them, neighbours far apart.
    let step = names * 618 / 1000;
    let step = (step..).find(|step| step % 2 == 1 && step % 13 != 0);
    let step = step.expect("every second number is odd");
    let mut left = u128::from(count) % names * step % names;
    let mut letter = || {
        let at = (left % u128::from(LETTERS)) as u8;
        left /= u128::from(LETTERS);
        char::from(b'A' + at)
    };
    (0..letters).map(|_| letter()).collect()
}

const LETTERS: u64 = 26;
