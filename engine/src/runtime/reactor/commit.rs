//! What sessions of paths that wait for commits are told: not before the ticks are durable that it may tell of.
//!
//! Keeps the order per connection. Never counts bytes: what waits here is still in its session's queue, with that bound.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;
use worldshard_protocol::Tick;

use super::{Reactor, Slot};
use crate::hub::FrameClass;
use crate::message::CloseReason;

/// Output that waits for its tick to be durable.
#[derive(Debug, Default)]
pub(super) struct Uncommitted {
    /// Up to here all may be told; none where nobody waits for commits.
    durable: Option<Tick>,
    /// Ascending by tick.
    waiting: VecDeque<(Tick, Slot, Said)>,
    /// At a stop: for how long.
    gives_up: Option<Instant>,
}

/// What a hub has for a connection.
#[derive(Debug)]
enum Said {
    Frame(Bytes, FrameClass),
    Close(u16, Cow<'static, str>),
}

impl Uncommitted {
    /// Everything after `tick` waits.
    pub(super) fn after(tick: Option<Tick>) -> Self {
        Self {
            durable: tick,
            waiting: VecDeque::new(),
            gives_up: None,
        }
    }

    /// From then on nothing waits any more.
    pub(super) fn give_up_at(&mut self, at: Instant) {
        self.gives_up = Some(at);
    }

    /// When a turn must come for what waits.
    pub(super) fn due(&self) -> Option<Instant> {
        self.gives_up.filter(|_| !self.waiting.is_empty())
    }
}

impl Reactor {
    /// All up to this tick is durable: what waited for that is queued.
    pub(super) fn committed(&mut self, tick: Tick, now: Instant) {
        let Some(before) = self.uncommitted.durable else {
            return;
        };
        let durable = before.max(tick);
        self.uncommitted.durable = Some(durable);
        let is_due = |(of, ..): &mut (Tick, Slot, Said)| *of <= durable;
        while let Some((_, slot, said)) = self.uncommitted.waiting.pop_front_if(is_due) {
            if self.waits_no_more(slot) {
                match said {
                    Said::Frame(frame, class) => self.give(slot, frame, class, now),
                    Said::Close(code, reason) => self.close_as_told(slot, code, reason, now),
                }
            }
        }
    }

    /// Queues a frame of the hub's, now or when the ticks are durable that it may tell of.
    pub(super) fn give_when_committed(
        &mut self,
        slot: Slot,
        frame: Bytes,
        class: FrameClass,
        tick: Tick,
        now: Instant,
    ) {
        // A state was held by the hub: it waits for what is before it only.
        let is_state = matches!(class, FrameClass::Part | FrameClass::State);
        if self.must_wait(slot, tick, is_state) {
            self.wait_for_commit(slot, tick, Said::Frame(frame, class));
        } else {
            self.give(slot, frame, class, now);
        }
    }

    /// Closes a connection as the hub wants it, behind what waits.
    pub(super) fn close_when_committed(
        &mut self,
        slot: Slot,
        code: u16,
        reason: Cow<'static, str>,
        tick: Tick,
        now: Instant,
    ) {
        if self.must_wait(slot, tick, true) {
            self.wait_for_commit(slot, tick, Said::Close(code, reason));
        } else {
            self.close_as_told(slot, code, reason, now);
        }
    }

    /// A stop has waited long enough: what is not durable may be taken back, so it is not said. Closes are.
    pub(super) fn give_up_commits_if_due(&mut self, now: Instant) {
        if self.uncommitted.due().is_none_or(|due| due > now) {
            return;
        }
        for (_, slot, said) in std::mem::take(&mut self.uncommitted.waiting) {
            if let (true, Said::Close(code, reason)) = (self.waits_no_more(slot), said) {
                self.close_as_told(slot, code, reason, now);
            }
        }
    }

    /// Takes note that one thing less waits for a connection; whether it is still to be told.
    fn waits_no_more(&mut self, slot: Slot) -> bool {
        // Who is gone, or was told its end, is told nothing more.
        self.slots.find_mut(slot).is_some_and(|connection| {
            connection.uncommitted -= 1;
            connection.session().is_some()
        })
    }

    fn must_wait(&self, slot: Slot, tick: Tick, only_behind_others: bool) -> bool {
        let Some(durable) = self.uncommitted.durable else {
            return false;
        };
        self.slots.find(slot).is_some_and(|connection| {
            let asks = connection.waits_for_commits && !only_behind_others;
            connection.uncommitted > 0 || asks && tick > durable
        })
    }

    fn wait_for_commit(&mut self, slot: Slot, tick: Tick, said: Said) {
        if let Some(connection) = self.slots.find_mut(slot) {
            connection.uncommitted += 1;
            self.uncommitted.waiting.push_back((tick, slot, said));
        }
    }

    fn close_as_told(&mut self, slot: Slot, code: u16, reason: Cow<'static, str>, now: Instant) {
        let text = reason.clone();
        let told = CloseReason::Server { code, reason };
        self.close(slot, code, &text, told, now);
    }
}

/// For so long a stop waits for the commit of what was said last.
pub(super) const LAST_COMMIT_WAIT: Duration = Duration::from_secs(1);
