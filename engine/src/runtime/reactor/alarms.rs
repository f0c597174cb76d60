//! When which connection is due. At most one alarm a connection; never decides what an alarm means.

use std::collections::BTreeSet;
use std::time::Instant;

use super::connection::Connection;
use super::slots::Slot;

/// The alarms of one shard, in order of time.
#[derive(Debug, Default)]
pub(crate) struct Alarms {
    set: BTreeSet<(Instant, Slot)>,
}

impl Alarms {
    /// Moves the connection's alarm to `at`.
    pub(crate) fn set(&mut self, slot: Slot, connection: &mut Connection, at: Instant) {
        if connection.alarm == Some(at) {
            return;
        }
        self.clear(slot, connection);
        connection.alarm = Some(at);
        self.set.insert((at, slot));
    }

    /// Forgets the connection's alarm.
    pub(crate) fn clear(&mut self, slot: Slot, connection: &mut Connection) {
        if let Some(at) = connection.alarm.take() {
            self.set.remove(&(at, slot));
        }
    }

    /// When the next one is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.set.first().map(|(at, _)| *at)
    }

    /// One that is due; it stays until it is moved or cleared.
    pub(crate) fn due(&self, now: Instant) -> Option<Slot> {
        let (at, slot) = self.set.first()?;
        (*at <= now).then_some(*slot)
    }
}
