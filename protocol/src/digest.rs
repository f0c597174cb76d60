//! The order-free digest of a set of entities as clients see them.
//!
//! Not cryptographic: it finds mistakes, not forgers. Never the digest of the world, which covers every component.

use crate::record::RECORD_BYTES;

/// The 128-bit hash of one entity: its record and its components, ascending by index.
///
/// The digest of a set is the wrapping sum over its entities, so the order of summing does not matter.
pub fn entity_digest<'e>(
    record: &[u8; RECORD_BYTES],
    extras: impl IntoIterator<Item = (u16, &'e [u8])>,
) -> u128 {
    let mut state = absorb(START, record);
    for (component, value) in extras {
        // The head keeps (component, length) apart from the value: no two lists of extras read alike.
        let head = u64::from(component) << 32 | value.len() as u64 & 0xffff_ffff;
        state = absorb(step(state, head), value);
    }
    // Without the last mixing, differences in the last word could cancel in the sum.
    step(step(state, 0), 0)
}

/// Takes the bytes in words of eight, the last one filled up with zeros.
fn absorb(state: u128, bytes: &[u8]) -> u128 {
    bytes.chunks(8).fold(state, |state, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        step(state, u64::from_le_bytes(word))
    })
}

fn step(state: u128, word: u64) -> u128 {
    let mixed = (state ^ u128::from(word)).wrapping_mul(MULTIPLIER);
    mixed ^ mixed >> 67
}

const START: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
/// Odd, with bits spread over both halves.
const MULTIPLIER: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
