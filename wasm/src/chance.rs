//! Random numbers of one guest, which follow from a seed and the room's name. Never for secrets: who knows the seed knows
//! them all.

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub(crate) struct Chance {
    key: u64,
    draws: u64,
}

impl Chance {
    pub(crate) fn new(seed: u64, room: &str) -> Self {
        // Mixed after each byte and by the length, so that no two names can cancel each other out.
        let start = mix(seed) ^ room.len() as u64;
        let key = room
            .bytes()
            .fold(mix(start), |key, byte| mix(key ^ (u64::from(byte) + 1)));
        Self { key, draws: 0 }
    }

    /// Any 64 bits.
    pub(crate) fn next_u64(&mut self) -> u64 {
        self.draws = self.draws.wrapping_add(1);
        mix(self.key.wrapping_add(self.draws.wrapping_mul(GOLDEN_GAMMA)))
    }

    /// A number in 0 ≤ x < 1, a multiple of 2^-53.
    pub(crate) fn next_f64(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Any bytes.
    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let drawn = self.next_u64().to_le_bytes();
            chunk.copy_from_slice(&drawn[..chunk.len()]);
        }
    }
}

/// The finaliser of SplitMix64: every bit of the input changes half of the output's.
fn mix(value: u64) -> u64 {
    let mut mixed = value.wrapping_add(GOLDEN_GAMMA);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

const GOLDEN_GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
