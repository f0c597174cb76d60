//! Counts entities over all shards, so that a lost or doubled one is noticed a tick later, everywhere.
//!
//! Invariant: what all shards hold before a tick is what they held before the last one, less the removed,
//! plus the born. Order-free sums of hashed ids make it a check of identity, not of number alone.

use std::ops::{Add, Sub};

use worldshard_protocol::{EntityId, Tick};

use crate::chance::mix;
use crate::component::Codec;

/// A set of entities, as a count and an order-free sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many.
    pub count: u64,
    /// Wrapping sum of the hashes of their ids.
    pub sum: u64,
}

impl Tally {
    /// The set of one.
    #[must_use]
    pub fn of(entity: EntityId) -> Self {
        Self {
            count: 1,
            sum: mix(entity.0),
        }
    }
}

impl Add for Tally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            count: self.count.wrapping_add(other.count),
            sum: self.sum.wrapping_add(other.sum),
        }
    }
}

impl Sub for Tally {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            count: self.count.wrapping_sub(other.count),
            sum: self.sum.wrapping_sub(other.sum),
        }
    }
}

/// What one shard tells all others in every envelope.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    /// Owned before this tick.
    pub(crate) held: Tally,
    /// Removed from the world in this tick.
    pub(crate) removed: Tally,
}

/// The running check of one shard.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    expected: Option<Tally>,
    checks: u64,
    failures: u64,
    first_failure: Option<AuditFailure>,
}

/// The first failure is told when it happens; what goes on is the count.
impl Codec for Audit {
    fn encode(&self, out: &mut Vec<u8>) {
        self.expected.encode(out);
        (self.checks, self.failures).encode(out);
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        Some(Self {
            expected: Option::decode(bytes)?,
            checks: u64::decode(bytes)?,
            failures: u64::decode(bytes)?,
            first_failure: None,
        })
    }
}

/// Entities that are not where they must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditFailure {
    /// The tick in which it was noticed: the fault is in the tick before.
    pub tick: Tick,
    /// What all shards should hold.
    pub expected: Tally,
    /// What they hold.
    pub found: Tally,
}

impl Audit {
    /// Closes the books of one tick: `total` over all shards, and what was born in this tick.
    pub(crate) fn close(&mut self, tick: Tick, total: Account, born: Tally) {
        if let Some(expected) = self.expected {
            self.checks += 1;
            if expected != total.held {
                self.failures += 1;
                self.first_failure.get_or_insert(AuditFailure {
                    tick,
                    expected,
                    found: total.held,
                });
            }
        }
        self.expected = Some(total.held - total.removed + born);
    }

    /// Ticks checked.
    #[must_use]
    pub fn checks(&self) -> u64 {
        self.checks
    }

    /// Ticks in which entities were lost or doubled.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failures
    }

    /// The first of them.
    #[must_use]
    pub fn first_failure(&self) -> Option<AuditFailure> {
        self.first_failure
    }
}
