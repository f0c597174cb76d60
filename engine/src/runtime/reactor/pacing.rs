//! How fast clients may be: the meter of each connection, and what is said too early and waits for its moment.
//!
//! Judges nothing: the meter does, and the hub tells the client. While something waits its connection is not read, so of
//! each connection one message waits at most, and the rest where it came from.

use std::time::Instant;

use worldshard_protocol::SessionId;
use worldshard_transport::{MessageKind, ping_frame, pong_frame};

use super::connection::{Connection, Phase};
use super::guard::Guard;
use super::{Reactor, Slot, Spoken};
use crate::hub::{Heard, Hub, Judged};
use crate::policy::{Meter, Moment, Verdict};

/// What a client said too early.
pub(super) struct Parked {
    said: Said,
    /// When it is heard.
    pub(super) until: Instant,
    /// Whether the peer has ended its side and was asked if it still reads.
    asked: bool,
    /// Whether the buckets of now are those that it was taken from.
    paid: bool,
}

/// Something that counts.
pub(super) enum Said {
    Message(MessageKind, Vec<u8>),
    Ping(Vec<u8>),
    /// Of so many bytes.
    Pong(usize),
}

impl Said {
    fn bytes(&self) -> usize {
        match self {
            Self::Message(_, payload) | Self::Ping(payload) => payload.len(),
            Self::Pong(bytes) => *bytes,
        }
    }
}

impl Connection {
    /// What it said too early is not heard any more, and takes nothing from those who share its buckets.
    pub(super) fn forget_parked(&mut self) {
        if let (Some(parked), Some(meter)) = (self.parked.take(), &mut self.meter)
            && parked.paid
        {
            meter.forget(parked.said.bytes());
        }
    }
}

impl Reactor {
    fn ear(&mut self) -> Ear<'_> {
        Ear {
            hub: &mut self.hub,
            spoken: &mut self.spoken,
            unheard: &mut self.unheard,
        }
    }

    /// The same moment for whoever measures.
    pub(super) fn moment(&self, now: Instant) -> Moment {
        Moment::at(self.process.liveness.since_start(now))
    }

    /// Gives a connection what its session's rules say now: its buckets, and how long its messages may be.
    pub(super) fn measure(&mut self, slot: Slot, now: Instant) {
        let moment = self.moment(now);
        let Some(connection) = self.slots.find_mut(slot) else {
            return;
        };
        let Phase::Open {
            session, reader, ..
        } = &mut connection.phase
        else {
            return;
        };
        let (session, before) = (*session, connection.meter.take());
        let throttles = before.as_deref().map_or(Vec::new(), Meter::throttles);
        let measure = |hub: &mut Hub| hub.measure(session, before.map(|it| *it), moment);
        if let Some((meter, message_bytes_max)) = self.hub.call("rules", measure) {
            if let Some(parked) = &mut connection.parked {
                parked.paid = false;
                if !meter.as_ref().is_some_and(|one| one.has_any(&throttles)) {
                    // Nothing holds any more that has it wait.
                    parked.until = now;
                }
            }
            connection.meter = meter.map(Box::new);
            reader.set_message_bytes_max(message_bytes_max);
        }
        self.set_alarm(slot);
    }

    /// Takes up the rules of now, if they are others, for who is connected too.
    pub(super) fn take_rules(&mut self, now: Instant) {
        let edition = self.process.policies.edition();
        if edition == std::mem::replace(&mut self.rules_edition, edition) {
            return;
        }
        self.hub.call("rules", Hub::take_rules);
        for slot in self.slots.all() {
            self.measure(slot, now);
        }
    }

    /// Lets a client's message wait; nothing else of it is read before.
    pub(super) fn park(&mut self, slot: Slot, said: Said, until: Moment, now: Instant) {
        let wait = until.since_start() - self.process.liveness.since_start(now);
        if let Some(connection) = self.slots.find_mut(slot) {
            let until = now + wait;
            connection.parked = Some(Box::new(Parked {
                said,
                until,
                asked: false,
                paid: true,
            }));
        }
        self.changed.push(slot);
        self.set_alarm(slot);
    }

    /// The peer of a connection that is not read has ended its side; or it is `gone`, and nothing reaches it any more. Who
    /// waits for its moment does not keep its place until then: a socket that was closed answers a ping with a reset, and who
    /// still reads waits on.
    pub(crate) fn ended_unread(&mut self, slot: Slot, gone: bool) {
        let Some(connection) = self.slots.find_mut(slot) else {
            return;
        };
        let Some(parked) = &mut connection.parked else {
            return;
        };
        if gone {
            return self.broken(slot);
        }
        if !std::mem::replace(&mut parked.asked, true) {
            connection.push_own(ping_frame(b""));
            self.want_write(slot);
            self.unheard = true;
        }
    }

    /// Hears what waited, and reads on.
    pub(super) fn unpark(&mut self, slot: Slot, now: Instant) {
        let Some(connection) = self.slots.find_mut(slot) else {
            return;
        };
        let (Some(parked), Phase::Open { session, lanes, .. }) =
            (connection.parked.take(), &connection.phase)
        else {
            return;
        };
        let (session, lanes) = (*session, *lanes);
        // It was not read: its silence was ours.
        connection.heard = now;
        let nothing_held = connection.held.is_empty();
        match parked.said {
            Said::Message(kind, bytes) => {
                let ear = self.ear();
                ear.message((session, lanes), kind, &bytes, || Verdict::Pass);
            }
            Said::Ping(payload) => {
                connection.push_own(pong_frame(&payload));
                self.want_write(slot);
            }
            Said::Pong(_) => {}
        }
        self.changed.push(slot);
        self.set_alarm(slot);
        match nothing_held {
            true => self.after_plaintext(slot, now),
            false => self.wait_for_turn(slot),
        }
    }
}

/// What hears messages: the parts of a reactor beside its connections.
pub(super) struct Ear<'a> {
    pub(super) hub: &'a mut Guard,
    pub(super) spoken: &'a mut Spoken,
    pub(super) unheard: &'a mut bool,
}

impl Ear<'_> {
    /// Gives a message to the hub, which asks `judge` about it; says until when it is to wait, if it is.
    pub(super) fn message(
        self,
        (session, lanes): (SessionId, bool),
        kind: MessageKind,
        bytes: &[u8],
        mut judge: impl FnMut() -> Verdict,
    ) -> Option<Moment> {
        *self.unheard = true;
        let heard = self.hub.call("message", |hub| {
            let judged = hub.judged_message(session, kind, bytes, &mut judge);
            (judged, hub.is_told())
        });
        // What systems are told on lanes too is handled at once.
        match heard {
            Some((_, false)) if lanes => self.spoken.lanes = true,
            Some(_) | None => self.spoken.raw = true,
        }
        match heard?.0 {
            Judged::Done => None,
            Judged::Later(until) => Some(until),
        }
    }

    /// A ping or a pong was judged: says whether it is heard.
    pub(super) fn control(self, session: SessionId, verdict: Verdict) -> Heard {
        if verdict == Verdict::Pass {
            return Heard::Now;
        }
        let heard = self
            .hub
            .call("control", |hub| hub.judged_control(session, verdict));
        heard.unwrap_or(Heard::Never)
    }
}
