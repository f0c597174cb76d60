//! How a server stops: sessions are told that the end comes, go on for a moment so that what is under way is answered, and
//! are closed; whoever comes meanwhile is refused.
//!
//! All shards close their sessions at once: a tick needs every shard, so none goes on alone.

use std::sync::atomic::Ordering;
use std::time::Instant;

use worldshard_transport::{Refusal, Response, close_code};

use super::commit::LAST_COMMIT_WAIT;
use super::connection::Phase;
use super::{Reactor, Slot};
use crate::hub::Hub;
use crate::message::CloseReason;
use crate::runtime::control::Stop;

/// A stop that was asked for.
pub(super) struct Stopping {
    /// When patience with connections ends.
    ends: Instant,
    /// Until then sessions on lanes go on.
    notice_until: Instant,
    /// Until then requests may be answered.
    answers_until: Instant,
    /// Some have none yet.
    waits_for_answers: bool,
    /// This shard has said that its sessions may be closed.
    agreed: bool,
}

impl Reactor {
    /// At the first sign of a stop: tells every session. Then, as soon as all shards agree: no more ticks, every session is
    /// closed, what waits is written.
    pub(super) fn stop_if_asked(&mut self, now: Instant) {
        let stop = self.process.control.stop();
        if self.draining.is_some() || stop == Stop::No {
            return;
        }
        if self.stopping.is_none() {
            self.give_notice(now);
        }
        self.agree_if_done(now);
        // A shard that stands still never agrees: the others do not wait for it for ever.
        let late = |stopping: &Stopping| stopping.answers_until <= now;
        let is_late = self.stopping.as_ref().is_some_and(late);
        if is_late || self.process.control.stop() >= Stop::Drain {
            self.drain(now);
        }
    }

    /// When something is to be done about a stop whose sessions go on.
    pub(super) fn linger_until(&self) -> Option<Instant> {
        let stopping = self.stopping.as_ref()?;
        Some(match stopping.agreed || stopping.waits_for_answers {
            true => stopping.answers_until,
            false => stopping.notice_until,
        })
    }

    /// Whether the drain is over, or all ticks of an unpaced run are done.
    pub(super) fn has_ended(&self, now: Instant) -> bool {
        let drained = |until| self.slots.len() == self.late || until <= now;
        self.draining.is_some_and(drained) || self.has_run_all()
    }

    /// The answer to an upgrade while the server stops.
    pub(super) fn stop_response(&self) -> Response {
        let mut response = Refusal::new(503, STOPS).response();
        let drain_max = self.process.recipe.options().limits.drain_max;
        let seconds = drain_max.as_secs_f64().ceil().max(1.0);
        response.headers.push(("Retry-After", seconds.to_string()));
        response
    }

    fn give_notice(&mut self, now: Instant) {
        let limits = &self.process.recipe.options().limits;
        let notice = limits.drain_notice.min(limits.drain_max / 2);
        let mut stopping = Stopping {
            ends: now + limits.drain_max,
            notice_until: now + notice,
            answers_until: now + limits.drain_max / 2,
            waits_for_answers: false,
            agreed: false,
        };
        let told = self.hub.call("notice", |hub| hub.tell_draining(notice));
        if told == Some(0) {
            stopping.notice_until = now;
        }
        self.stopping = Some(stopping);
        self.unheard = true;
        for slot in self.slots.all() {
            let connection = self.slots.find_mut(slot).expect("it was just listed");
            // Who has not asked yet is answered if it asks before the end.
            if let Phase::Head { .. } = connection.phase {
                connection.late = true;
                self.late += 1;
            }
        }
    }

    /// Says that this shard's sessions may be closed, once: those who were told had their time, and requests are answered.
    fn agree_if_done(&mut self, now: Instant) {
        if self.stopping.as_ref().is_none_or(|one| one.agreed) {
            return;
        }
        let open = self.hub.call("requests", |hub| hub.requests_open());
        let Some(stopping) = &mut self.stopping else {
            return;
        };
        let waits = open.is_some_and(|open| open > 0) && now < stopping.answers_until;
        stopping.waits_for_answers = waits;
        if waits || now < stopping.notice_until {
            return;
        }
        stopping.agreed = true;
        if self.process.lingering.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.process.control.ask(Stop::Drain);
            self.process.post.ring_all();
        }
    }

    fn drain(&mut self, now: Instant) {
        let stopping = self.stopping.as_ref().expect("notice was given");
        let until = stopping.ends;
        self.draining = Some(until);
        let left = until.saturating_duration_since(now);
        self.uncommitted
            .give_up_at(now + LAST_COMMIT_WAIT.min(left / 2));
        self.hub.call("handle", Hub::handle);
        self.hub.call("shutdown", Hub::shutdown);
        for slot in self.slots.all() {
            self.close_unproven(slot, now);
        }
    }

    fn close_unproven(&mut self, slot: Slot, now: Instant) {
        let phase = self.slots.find(slot).map(|connection| &connection.phase);
        match phase {
            Some(Phase::Proving(proving)) if !proving.arriving.is_answered() => {
                let response = self.stop_response();
                self.respond(slot, &response, true, now);
            }
            Some(Phase::Proving(_)) => {
                self.close(slot, close_code::AWAY, STOPS, CloseReason::Lost, now);
            }
            Some(Phase::Head { .. } | Phase::Open { .. } | Phase::Closing { .. }) | None => {}
        }
    }
}

const STOPS: &str = "the server stops";
