//! Ids that cross the wire: entities, sessions, ticks.
//!
//! All fit a JavaScript number exactly. Never allocates one: that is the engine's and the shards' work.

use std::fmt;
use std::ops::Add;

/// Names an entity in the whole world, for ever: never reused, at most [`EntityId::MAX`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EntityId(pub u64);

impl EntityId {
    /// The largest id, 2^53: beyond it JavaScript numbers are no longer exact, so readers refuse it.
    pub const MAX: EntityId = EntityId(1 << 53);
}

/// Names a session; its home shard is in the top bits, so routing needs no table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SessionId(u64);

impl SessionId {
    /// Joins a home shard and that home's own counter.
    ///
    /// # Panics
    /// When `home` is not below [`SHARDS_MAX`] or `counter` is beyond [`SESSION_COUNTER_MAX`].
    #[must_use]
    pub fn new(home: u16, counter: u64) -> Self {
        assert!(home < SHARDS_MAX, "home {home} is not below {SHARDS_MAX}");
        assert!(
            counter <= SESSION_COUNTER_MAX,
            "session counter {counter} exhausted"
        );
        Self(u64::from(home) << SESSION_COUNTER_BITS | counter)
    }

    /// The shard whose thread holds the client's connection.
    #[must_use]
    pub fn home(self) -> u16 {
        // At most 10 bits are left after the shift: both constructors see to it.
        (self.0 >> SESSION_COUNTER_BITS) as u16
    }

    /// The number as it stands on the wire, below 2^53.
    #[must_use]
    pub fn value(self) -> u64 {
        self.0
    }

    /// Reads a number from the wire; `None` when no home could have made it.
    #[must_use]
    pub fn from_value(value: u64) -> Option<Self> {
        let home = value >> SESSION_COUNTER_BITS;
        (home < u64::from(SHARDS_MAX)).then_some(Self(value))
    }
}

/// The number of a fixed interval of world time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Tick(pub u64);

impl Tick {
    /// The tick after this one.
    #[must_use]
    pub fn next(self) -> Self {
        self + 1
    }

    /// How many ticks have passed since `earlier`; zero when it is not earlier.
    #[must_use]
    pub fn since(self, earlier: Tick) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<u64> for Tick {
    type Output = Tick;

    fn add(self, ticks: u64) -> Tick {
        Tick(self.0 + ticks)
    }
}

impl fmt::Display for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Tick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Homes fit in 10 bits of a session id: an engine with more shards is refused at start.
pub const SHARDS_MAX: u16 = 1024;

/// The last counter of a home: at a million sessions a second it lasts 100 days, then accepting panics.
pub const SESSION_COUNTER_MAX: u64 = (1 << SESSION_COUNTER_BITS) - 1;

const SESSION_COUNTER_BITS: u32 = 43;

#[cfg(test)]
mod tests;
