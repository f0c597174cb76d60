//! One alarm for each session, in the world's time. Never knows what it is for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use worldshard::prelude::*;

/// When sessions are to be looked at again.
#[derive(Default)]
pub(crate) struct Alarms {
    at: BTreeMap<SessionId, Duration>,
    in_order: BTreeSet<(Duration, SessionId)>,
}

impl Alarms {
    /// Sets the alarm of a session, in place of the one it had.
    pub(crate) fn set(&mut self, session: SessionId, at: Duration) {
        self.cancel(session);
        self.at.insert(session, at);
        self.in_order.insert((at, session));
    }

    pub(crate) fn cancel(&mut self, session: SessionId) {
        if let Some(at) = self.at.remove(&session) {
            self.in_order.remove(&(at, session));
        }
    }

    /// Takes the first alarm that is due.
    pub(crate) fn take_due(&mut self, now: Duration) -> Option<SessionId> {
        let &(at, session) = self.in_order.first()?;
        if at > now {
            return None;
        }
        self.cancel(session);
        Some(session)
    }
}
