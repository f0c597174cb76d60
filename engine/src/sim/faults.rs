//! What goes wrong in a simulation: how often, and how often it did. Never does it: that is `world` and `live`.

use std::fmt;

use worldshard_shard::Chance;

/// How often each kind of fault happens, in a thousand chances for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Faults {
    /// An envelope is late by up to [`LATE_TURNS_MAX`] turns.
    pub late_envelopes: u16,
    /// A letter is late by up to [`LATE_TICKS_MAX`] ticks; what its sender says after it waits behind it.
    pub late_letters: u16,
    /// A shard about to advance does nothing for up to [`STALL_TURNS_MAX`] turns.
    pub shard_stalls: u16,
    /// A client does not read for up to [`STALL_TICKS_MAX`] ticks.
    pub client_stalls: u16,
    /// A connection breaks; another follows.
    pub disconnects: u16,
    /// A client that lies at all says what it must not.
    pub lies: u16,
}

impl Faults {
    /// Nothing goes wrong.
    pub const NONE: Self = Self {
        late_envelopes: 0,
        late_letters: 0,
        shard_stalls: 0,
        client_stalls: 0,
        disconnects: 0,
        lies: 0,
    };

    /// Everything goes wrong, each kind often enough to meet the others.
    pub const ALL: Self = Self {
        late_envelopes: 100,
        late_letters: 50,
        shard_stalls: 50,
        client_stalls: 15,
        disconnects: 8,
        lies: 400,
    };
}

/// How many faults of each kind there were.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(missing_docs, reason = "they are those of `Faults`")]
pub struct FaultCounts {
    pub late_envelopes: u64,
    pub late_letters: u64,
    pub shard_stalls: u64,
    pub client_stalls: u64,
    pub disconnects: u64,
    pub lies: u64,
}

impl FaultCounts {
    /// Each kind by its name.
    #[must_use]
    pub fn by_kind(&self) -> [(&'static str, u64); 6] {
        [
            ("late envelopes", self.late_envelopes),
            ("late letters", self.late_letters),
            ("stalled shards", self.shard_stalls),
            ("stalled clients", self.client_stalls),
            ("disconnects", self.disconnects),
            ("lies", self.lies),
        ]
    }
}

impl fmt::Display for FaultCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (name, count)) in self.by_kind().into_iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}{count} {name}")?;
        }
        Ok(())
    }
}

/// Whether a fault happens this time; counts it.
pub(crate) fn strikes(per_mille: u16, count: &mut u64, chance: &mut Chance) -> bool {
    let struck = per_mille > 0 && chance.next_u64() % 1000 < u64::from(per_mille);
    *count += u64::from(struck);
    struck
}

/// A number from 1 to `most`.
pub(crate) fn up_to(most: u64, chance: &mut Chance) -> u64 {
    1 + chance.next_u64() % most
}

/// A late envelope comes at most so many turns later. The world waits for it.
pub const LATE_TURNS_MAX: u64 = 200;

/// A late letter comes at most so many ticks later.
pub const LATE_TICKS_MAX: u64 = 20;

/// A stalled shard does nothing for at most so many turns. The world waits for it.
pub const STALL_TURNS_MAX: u64 = 400;

/// A stalled client reads nothing for at most so many ticks.
pub const STALL_TICKS_MAX: u64 = 60;
