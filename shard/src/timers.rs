//! Timers of entities: a component, so they move with their entity and count for the digest.
//!
//! Never decides what a timer means: systems find out by its key.

use worldshard_macros::Component;
use worldshard_protocol::{EntityId, Tick};

use crate::world::World;

/// The running timers of one entity, at most one per key and [`TIMERS_MAX`] in all.
#[derive(Component, Clone, Debug, Default, PartialEq, Eq)]
#[component(crate = "crate")]
pub struct Timers {
    /// Ascending, so that equal timers have equal bytes.
    due: Vec<(Tick, u32)>,
}

impl Timers {
    /// Starts a timer, in place of one with the same key.
    ///
    /// Returns `false` when there are too many: the one due last is dropped, which may be this one.
    pub fn set(&mut self, key: u32, due: Tick) -> bool {
        self.cancel(key);
        let place = self.due.partition_point(|timer| *timer < (due, key));
        self.due.insert(place, (due, key));
        let fits = self.due.len() <= TIMERS_MAX;
        self.due.truncate(TIMERS_MAX);
        fits
    }

    /// Stops a timer; `false` when none runs with this key.
    pub fn cancel(&mut self, key: u32) -> bool {
        let place = self.due.iter().position(|timer| timer.1 == key);
        if let Some(place) = place {
            self.due.remove(place);
        }
        place.is_some()
    }

    fn change(&mut self, change: &TimerChange) -> bool {
        match change.due {
            Some(due) => self.set(change.key, due),
            None => {
                self.cancel(change.key);
                true
            }
        }
    }

    /// The running timers as (due tick, key), soonest first.
    pub fn iter(&self) -> impl Iterator<Item = (Tick, u32)> {
        self.due.iter().copied()
    }
}

/// A timer that a system started or, without a due tick, stopped.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct TimerChange {
    pub(crate) entity: EntityId,
    pub(crate) key: u32,
    pub(crate) due: Option<Tick>,
}

/// Takes the timers due by `tick` off the owned entities; `fired` becomes their (entity, key), ascending.
pub(crate) fn fire(world: &mut World, tick: Tick, fired: &mut Vec<(EntityId, u32)>) {
    fired.clear();
    for (id, timers) in world.ecs_mut().query_mut::<(&EntityId, &mut Timers)>() {
        let count = timers.due.partition_point(|timer| timer.0 <= tick);
        fired.extend(timers.due.drain(..count).map(|(_, key)| (*id, key)));
    }
    fired.sort_unstable();
}

/// Applies the changes in their order. Returns how many timers were dropped for being too many.
///
/// Only the order of changes to one entity matters.
pub(crate) fn set(world: &mut World, changes: &[TimerChange]) -> u32 {
    let mut dropped = 0;
    for change in changes {
        if let Some(mut timers) = world.get_mut::<Timers>(change.entity) {
            dropped += u32::from(!timers.change(change));
            continue;
        }
        if change.due.is_some() {
            let mut timers = Timers::default();
            timers.change(change);
            world.put(change.entity, timers);
        }
    }
    dropped
}

/// Timers of one entity; setting more drops the one due last.
pub const TIMERS_MAX: usize = 256;

#[cfg(test)]
mod tests;
