//! When messages to many leave: together, at the end of a window. Never holds the messages: hub and connections do.

use std::time::Instant;

use super::{Reactor, Slot};
use crate::app::Coalesce;
use crate::hub::Hub;

/// The window in which messages to many gather.
pub(super) struct Window {
    wish: Coalesce,
    /// When the last one ended with something in it.
    ended: Option<Instant>,
    /// This one ends in this turn.
    ends: bool,
    /// A tick was completed in this turn.
    pub(super) ticked: bool,
    /// The hub keeps messages beyond this turn.
    hub_waits: bool,
    /// Connections that were given messages which may wait.
    waiting: Vec<Slot>,
}

impl Window {
    pub(super) fn new(wish: Coalesce) -> Window {
        Window {
            wish,
            ended: None,
            ends: false,
            ticked: false,
            hub_waits: false,
            waiting: Vec::new(),
        }
    }

    /// When a turn must come for what waits; none for what waits until a tick.
    pub(super) fn due(&self) -> Option<Instant> {
        match self.wish {
            Coalesce::Within(wait) if self.hub_waits || !self.waiting.is_empty() => {
                self.ended.map(|ended| ended + wait)
            }
            Coalesce::Within(_) | Coalesce::Tick => None,
        }
    }

    fn is_due(&mut self, now: Instant) -> bool {
        let ticked = std::mem::take(&mut self.ticked);
        match self.wish {
            Coalesce::Tick => ticked,
            // After a pause at once: there was nothing with which a message could have shared a write.
            Coalesce::Within(wait) => self.ended.is_none_or(|ended| ended + wait <= now),
        }
    }
}

impl Reactor {
    /// Lets go of what waits, if it is time. Comes before the output of the turn is delivered.
    pub(super) fn end_window_if_due(&mut self, now: Instant) {
        let waits = self.hub.call("waits", |hub| hub.waits()) == Some(true);
        self.window.ends = self.window.is_due(now) || self.draining.is_some();
        self.window.hub_waits = waits && !self.window.ends;
        if !self.window.ends {
            return;
        }
        if waits {
            self.hub.call("release", Hub::release);
        }
        let mut waiting = std::mem::take(&mut self.window.waiting);
        if waits || !waiting.is_empty() {
            self.window.ended = Some(now);
        }
        for slot in waiting.drain(..) {
            if let Some(connection) = self.slots.find_mut(slot) {
                connection.waits = false;
                self.want_write(slot);
            }
        }
        self.window.waiting = waiting;
    }

    /// Notes that a connection was given messages that may wait; so many that they may not are written with this turn.
    pub(super) fn may_wait(&mut self, slot: Slot, now: Instant) {
        let Some(connection) = self.slots.find_mut(slot) else {
            return;
        };
        if self.window.ends {
            self.window.ended = Some(now);
            self.want_write(slot);
        } else if connection.queued_bytes() > self.coalesce_bytes_max {
            self.want_write(slot);
        } else if !std::mem::replace(&mut connection.waits, true) {
            self.window.waiting.push(slot);
        }
    }
}
