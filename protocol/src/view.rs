//! The visible set as a client builds it, from deltas alone: the reference reader.
//!
//! Trusts no byte. Never changes when a delta is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::delta::{ArchivedDelta, DeltaError, read_delta};
use crate::digest::entity_digest;
use crate::ids::{EntityId, Tick};
use crate::record::{Extra, Record};

/// What a client knows of the world.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct View {
    /// `None` until the first full delta.
    tick: Option<Tick>,
    command_sequence: u32,
    seen: BTreeMap<EntityId, Seen>,
    /// Whose previous position differs from its present one.
    moved: Vec<EntityId>,
}

/// One entity as a client knows it.
#[derive(Clone, PartialEq, Debug)]
pub struct Seen {
    /// The last record received.
    pub record: Record,
    /// The bytes of its replicated components, by index in the greeting's table.
    pub extras: BTreeMap<u16, Vec<u8>>,
    /// Where it was one delta ago.
    previous: [f32; 3],
}

/// What one delta did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Applied {
    /// The tick that the view now shows.
    pub tick: Tick,
    /// Entities that the delta names as entered; all of the set when it was full.
    pub entered: usize,
    /// Entities with a changed record.
    pub changed: usize,
    /// Entities that left.
    pub left: usize,
}

impl View {
    /// A view that has been told nothing; only a full delta can begin it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Applies one delta, whole or not at all.
    ///
    /// # Errors
    /// The delta is malformed, does not follow the last one, or contradicts the set. The view is unchanged.
    pub fn apply(&mut self, bytes: &[u8]) -> Result<Applied, ViewError> {
        let delta = read_delta(bytes)?;
        if delta.is_full() {
            self.check_full(delta)?;
            self.replace(delta);
        } else {
            self.check_change(delta)?;
            self.change(delta);
        }
        let tick = Tick(delta.tick.to_native());
        self.tick = Some(tick);
        self.command_sequence = delta.command_sequence.to_native();
        Ok(Applied {
            tick,
            entered: delta.entered.len(),
            changed: delta.changed.len(),
            left: delta.left.len(),
        })
    }

    /// The ids of the set, ascending.
    pub fn ids(&self) -> impl Iterator<Item = EntityId> {
        self.seen.keys().copied()
    }

    /// One entity of the set.
    #[must_use]
    pub fn get(&self, id: EntityId) -> Option<&Seen> {
        self.seen.get(&id)
    }

    /// The set, ascending by id.
    pub fn iter(&self) -> impl Iterator<Item = (EntityId, &Seen)> {
        self.seen.iter().map(|(&id, seen)| (id, seen))
    }

    /// How many entities the client sees.
    #[must_use]
    pub fn len(&self) -> usize {
        self.seen.len()
    }

    /// Whether the client sees nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    /// The tick of the last delta; 0 before the first.
    #[must_use]
    pub fn tick(&self) -> Tick {
        self.tick.unwrap_or_default()
    }

    /// The client's last command that the view's state contains, not counting its join; 0 before the first.
    #[must_use]
    pub fn command_sequence(&self) -> u32 {
        self.command_sequence
    }

    /// The wrapping sum of [`entity_digest`] over the set.
    #[must_use]
    pub fn digest(&self) -> u128 {
        self.seen.values().fold(0, |sum, seen| {
            let extras = seen
                .extras
                .iter()
                .map(|(&index, value)| (index, &value[..]));
            sum.wrapping_add(entity_digest(&seen.record.to_bytes(), extras))
        })
    }

    /// Where an entity stands between the last two deltas: `alpha` 0 is the earlier, 1 the later.
    ///
    /// `alpha` beyond that range is clamped, and an entity that just entered does not move.
    #[must_use]
    pub fn position_at(&self, id: EntityId, alpha: f32) -> Option<[f32; 3]> {
        // NaN counts as 1: the newest position is always right.
        let alpha = if alpha < 1.0 { alpha.max(0.0) } else { 1.0 };
        let seen = self.seen.get(&id)?;
        let (from, to) = (seen.previous, seen.record.position());
        // The weighted sum cannot overflow, the difference of two far positions could.
        let between = |axis: usize| from[axis] * (1.0 - alpha) + to[axis] * alpha;
        Some([between(0), between(1), between(2)])
    }

    fn check_full(&self, delta: &ArchivedDelta) -> Result<(), ViewError> {
        let entered: BTreeSet<u64> = delta.entered.iter().map(|r| r.id.to_native()).collect();
        check_extras(delta, |id| entered.contains(&id.0))
    }

    fn check_change(&self, delta: &ArchivedDelta) -> Result<(), ViewError> {
        let base = Tick(delta.base_tick.to_native());
        if self.tick != Some(base) {
            return Err(ViewError::BaseTick {
                have: self.tick,
                base,
            });
        }
        let known = |id: &EntityId| self.seen.contains_key(id);
        let mut entered = BTreeSet::new();
        for id in delta.entered.iter().map(|r| EntityId(r.id.to_native())) {
            if known(&id) {
                return Err(ViewError::Known(id));
            }
            entered.insert(id);
        }
        let left: BTreeSet<_> = delta
            .left
            .iter()
            .map(|id| EntityId(id.to_native()))
            .collect();
        let changed = delta.changed.iter().map(|r| EntityId(r.id.to_native()));
        if let Some(id) = changed.chain(left.iter().copied()).find(|id| !known(id)) {
            return Err(ViewError::Unknown(id));
        }
        check_extras(delta, |id| {
            entered.contains(&id) || known(&id) && !left.contains(&id)
        })
    }

    /// Takes a full delta; entities that stay keep where they were, for interpolation.
    fn replace(&mut self, delta: &ArchivedDelta) {
        let before = std::mem::take(&mut self.seen);
        self.moved.clear();
        self.enter(delta);
        for (id, seen) in &mut self.seen {
            if let Some(earlier) = before.get(id) {
                seen.previous = earlier.record.position();
                self.moved.push(*id);
            }
        }
        self.store_extras(delta);
    }

    fn change(&mut self, delta: &ArchivedDelta) {
        for id in self.moved.drain(..) {
            if let Some(seen) = self.seen.get_mut(&id) {
                seen.previous = seen.record.position();
            }
        }
        for id in delta.left.iter() {
            self.seen.remove(&EntityId(id.to_native()));
        }
        for record in delta.changed.iter().map(Record::from) {
            let id = EntityId(record.id);
            let seen = self.seen.get_mut(&id).expect("checked before the change");
            seen.previous = seen.record.position();
            seen.record = record;
            self.moved.push(id);
        }
        self.enter(delta);
        self.store_extras(delta);
    }

    fn enter(&mut self, delta: &ArchivedDelta) {
        for record in delta.entered.iter().map(Record::from) {
            let seen = Seen {
                record,
                extras: BTreeMap::new(),
                previous: record.position(),
            };
            self.seen.insert(EntityId(record.id), seen);
        }
    }

    fn store_extras(&mut self, delta: &ArchivedDelta) {
        for extra in delta.extras.iter().map(Extra::from) {
            let seen = self.seen.get_mut(&EntityId(extra.id));
            let extras = &mut seen.expect("checked before the change").extras;
            if extra.offset == Extra::REMOVED {
                extras.remove(&extra.component);
            } else {
                let start = extra.offset as usize;
                let value = &delta.blob[start..start + usize::from(extra.length)];
                extras.insert(extra.component, value.to_vec());
            }
        }
    }
}

fn check_extras(
    delta: &ArchivedDelta,
    present: impl Fn(EntityId) -> bool,
) -> Result<(), ViewError> {
    let mut owners = delta
        .extras
        .iter()
        .map(|extra| EntityId(extra.id.to_native()));
    match owners.find(|&id| !present(id)) {
        Some(id) => Err(ViewError::Unknown(id)),
        None => Ok(()),
    }
}

/// Why a view refused a delta.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ViewError {
    /// The bytes are no valid delta.
    Delta(DeltaError),
    /// The delta changes another tick's set than the view holds: one was lost, repeated or reordered.
    BaseTick {
        /// What the view shows; `None` before the first full delta.
        have: Option<Tick>,
        /// What the delta builds on.
        base: Tick,
    },
    /// It changes, removes or adorns an entity that is not in the set.
    Unknown(EntityId),
    /// It enters an entity that is already in the set.
    Known(EntityId),
}

impl From<DeltaError> for ViewError {
    fn from(error: DeltaError) -> Self {
        Self::Delta(error)
    }
}

impl fmt::Display for ViewError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delta(error) => write!(f, "{error}"),
            Self::BaseTick { have, base } => write!(f, "delta from {base}, view at {have:?}"),
            Self::Unknown(id) => write!(f, "{id} is not in the visible set"),
            Self::Known(id) => write!(f, "{id} entered twice"),
        }
    }
}

impl std::error::Error for ViewError {}

#[cfg(test)]
mod tests;
