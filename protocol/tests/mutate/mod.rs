//! Seeded damage to stored messages.

/// SplitMix64: the same mutations everywhere.
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    /// A number below `bound`; zero when that is zero.
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ mixed >> 31) % bound.max(1) as u64) as usize
    }
}

/// One to five edits of `seed`.
pub(crate) fn mutated(seed: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=chance.below(4) {
        let at = chance.below(bytes.len());
        match chance.below(5) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, chance.below(256) as u8),
            2 if !bytes.is_empty() => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][chance.below(5)],
            3 if !bytes.is_empty() => bytes[at] ^= 1 << chance.below(8),
            _ if !bytes.is_empty() => bytes[at] = chance.below(256) as u8,
            _ => bytes.push(0),
        }
    }
    bytes
}
