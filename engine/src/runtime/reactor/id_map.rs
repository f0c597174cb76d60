//! A map by session. Sessions are numbered by their homes: nobody outside can choose numbers that collide.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use worldshard_protocol::SessionId;

/// A map by session.
pub(super) type SessionMap<V> = HashMap<SessionId, V, BuildHasherDefault<NumberHasher>>;

/// Spreads numbers by one multiplication.
#[derive(Default)]
pub(super) struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(29);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
