//! Random numbers that are the same on any shard and in any order of systems.
//!
//! A number is a function of seed, entity, tick, stream and draw. Nothing is kept outside a `Chance`.

use worldshard_protocol::{EntityId, Tick};
use worldshard_spatial::{Metric, Point};

/// The draws of one entity in one tick from one named stream.
///
/// Asking for the same stream twice gives the same numbers twice: different uses need different names.
#[derive(Clone, Debug)]
pub struct Chance {
    key: u64,
    draws: u64,
}

impl Chance {
    /// The stream at its first draw.
    #[must_use]
    pub fn new(seed: u64, entity: EntityId, tick: Tick, stream: &str) -> Self {
        // Mixed after each part, so that no two parts can cancel each other out.
        let key = [entity.0, tick.0, stream_hash(stream)]
            .into_iter()
            .fold(mix(seed), |key, part| mix(key ^ part));
        Self { key, draws: 0 }
    }

    /// Any 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.draws += 1;
        mix(self.key.wrapping_add(self.draws.wrapping_mul(GOLDEN_GAMMA)))
    }

    /// A number in 0 ≤ x < 1, a multiple of 2^-24.
    pub fn next_f32(&mut self) -> f32 {
        (self.next_u64() >> 40) as f32 / (1u32 << 24) as f32
    }

    /// A number in `start` ≤ x < `end`; `start` when the range is empty.
    pub fn range(&mut self, start: f32, end: f32) -> f32 {
        let value = start + (end - start) * self.next_f32();
        // The sum may round up to `end`.
        if value < end { value } else { start }
    }

    /// A direction of length one on the counted axes, zero on the other.
    ///
    /// Square roots and divisions only, which every machine rounds alike; sines they do not.
    pub fn unit_vector(&mut self, metric: Metric) -> Point {
        loop {
            let cube = [(); 3].map(|()| 2.0 * self.next_f32() - 1.0);
            let candidate = metric.project(Point::from_array(cube));
            let length = candidate.length();
            // Points of the corners would favour the diagonals; very short ones lose precision.
            if (0.125..=1.0).contains(&length) {
                return candidate * (1.0 / length);
            }
        }
    }
}

/// FNV-1a: names are short, and this is stable for ever.
fn stream_hash(stream: &str) -> u64 {
    stream.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The output function of SplitMix64: every input bit flips about half of the output bits.
pub(crate) fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// SplitMix64's step: odd, so the counter visits all 2^64 states.
const GOLDEN_GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests;
