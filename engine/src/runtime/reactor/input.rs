//! What peers say: the HTTP head, then frames. Decides what answers a head; hands messages to the hub.

use std::time::Instant;

use bytes::{Buf as _, Bytes};
use worldshard_transport::{
    Event, Failure, MessageKind, Reader, Refusal, RequestHead, Response, Step, close_code,
    parse_head, pong_frame, upgrade_speaking,
};

use super::connection::Phase;
use super::pacing::{Ear, Said};
use super::proving::Arriving;
use super::resuming::Offer;
use super::{Reactor, Slot};
use crate::app::Framing;
use crate::hub::{Heard as Control, Hub};
use crate::identity::{answered_protocol, check_version};
use crate::message::CloseReason;
use crate::policy::{Meter, Moment};
use crate::runtime::process::{Adopt, Mail};
use crate::runtime::{site, socket};

impl Reactor {
    /// The peer said `bytes`; they are unmasked in place.
    pub(crate) fn bytes(&mut self, slot: Slot, bytes: &mut [u8], now: Instant) {
        // What is read after a reload is judged by its rules, whenever the turn before was.
        self.take_rules(now);
        let Some(connection) = self.slots.find_mut(slot) else {
            return;
        };
        connection.heard = now;
        connection.reads_not = false;
        match connection.tls {
            None => self.received(slot, bytes, now),
            Some(_) => self.unseal(slot, bytes, now),
        }
        if let Some(connection) = self.slots.find_mut(slot) {
            let lags = connection.lags();
            connection.readiness.note_lag(lags);
        }
    }

    /// The same, as it is meant.
    pub(super) fn received(&mut self, slot: Slot, bytes: &mut [u8], now: Instant) {
        let Some(connection) = self.slots.find_mut(slot) else {
            return;
        };
        match &mut connection.phase {
            Phase::Open { .. } | Phase::Proving(_) => {
                let done = self.frames(slot, bytes, now);
                self.hold(slot, &bytes[done..]);
            }
            Phase::Head { bytes: head, .. } if head.is_empty() => self.head(slot, bytes, now),
            Phase::Head { bytes: head, .. } => {
                let mut head = std::mem::take(head);
                head.extend_from_slice(bytes);
                self.head(slot, &mut head, now);
            }
            Phase::Closing { .. } => {}
        }
    }

    /// Goes on with connections that used their turn, each once, up to a bound; the rest comes in the next turn, which is
    /// at once.
    pub(super) fn resume_waiting(&mut self, now: Instant) {
        let mut resumed = 0;
        for _ in 0..self.waiting.len() {
            if resumed == RESUMED_PER_TURN {
                return;
            }
            let Some(slot) = self.waiting.pop_front() else {
                return;
            };
            let Some(connection) = self.slots.find_mut(slot) else {
                continue;
            };
            connection.waits_for_turn = false;
            // While writing is stuck it waits for the write, which puts it back here; as does what waits for its moment.
            let waits = connection.blocked.is_some() || connection.parked.is_some();
            if waits || self.outbox.over {
                continue;
            }
            resumed += 1;
            if connection.held.is_empty() {
                self.unseal_waiting(slot, now);
                continue;
            }
            let mut held = std::mem::take(&mut connection.held);
            self.changed.push(slot);
            let done = self.frames(slot, &mut held, now);
            held.advance(done);
            if !held.is_empty()
                && let Some(connection) = self.slots.find_mut(slot)
            {
                connection.held = held;
            }
            self.after_plaintext(slot, now);
        }
    }

    /// Puts the connection at the back of those that go on in the next turn. It stands there once, so it has no more of a
    /// turn than others.
    pub(super) fn wait_for_turn(&mut self, slot: Slot) {
        if let Some(connection) = self.slots.find_mut(slot)
            && !std::mem::replace(&mut connection.waits_for_turn, true)
        {
            self.waiting.push_back(slot);
        }
    }

    /// All that the peer has said so far, from the first byte of its head.
    fn head(&mut self, slot: Slot, bytes: &mut [u8], now: Instant) {
        match parse_head(bytes) {
            Err(refusal) => self.respond(slot, &refusal.response(), true, now),
            Ok(Some((head, len))) => self.answer(slot, &head, &mut bytes[len..], now),
            Ok(None) => {
                let connection = self.slots.find_mut(slot);
                if let Some(Phase::Head { bytes: kept, .. }) = connection.map(|one| &mut one.phase)
                {
                    *kept = bytes.to_vec();
                }
            }
        }
    }

    fn answer(&mut self, slot: Slot, head: &RequestHead, leftover: &mut [u8], now: Instant) {
        self.note_upgrade(slot, head);
        if self.answers_new_room(slot, head, leftover, now) {
            return;
        }
        let framing = self.process.recipe.framing(&head.path);
        if framing.is_none() || !head.is_upgrade() {
            let response = self.plain_answer(head, framing, now);
            return self.respond(slot, &response, head.method != "HEAD", now);
        }
        if let Err(response) = self.let_through(slot, head, now) {
            return self.respond(slot, &response, true, now);
        }
        let tenant = match self.process.policies.tenant_of(head) {
            Ok(tenant) => tenant,
            Err(Refusal { status, reason }) => {
                // To the letter, as wsPrism's clients know it.
                let response = Response::text(status, reason.into_owned());
                return self.respond(slot, &response, true, now);
            }
        };
        let offer = framing.and_then(|framing| Offer::of(head, framing));
        let home = match offer {
            None => match self.room_host(tenant, head) {
                Some(Ok(host)) => Some(host),
                Some(Err(refusal)) => return self.respond(slot, &refusal.response(), true, now),
                None => (self.process.place)(head),
            },
            Some(offer) => match self.hub.call("home", |hub| hub.home_of(&offer.token)) {
                Some(Ok(home)) => Some(home),
                Some(Err(refusal)) => return self.respond(slot, &refusal.response(), true, now),
                None => return self.finish(slot, CloseReason::Lost),
            },
        };
        match home {
            Some(home) if home != self.own => self.hand_over(slot, home, head, leftover, now),
            Some(_) | None => self.open(slot, head, leftover, now),
        }
    }

    fn plain_answer(&self, head: &RequestHead, framing: Option<Framing>, now: Instant) -> Response {
        if let Some(response) = site::respond(&self.process, head, now) {
            return response;
        }
        match (self.process.recipe.respond(head), framing) {
            (Some(response), _) => response,
            (None, Some(_)) => Refusal::new(426, "this path speaks WebSocket").response(),
            (None, None) => Refusal::new(404, "nothing is served at this path").response(),
        }
    }

    /// Queues the only answer of the connection; it ends behind it.
    pub(super) fn respond(
        &mut self,
        slot: Slot,
        response: &Response,
        with_body: bool,
        now: Instant,
    ) {
        let upgrades = self.slots.find(slot).is_some_and(|one| one.upgrades);
        self.tally.answered(upgrades, response.status);
        let bytes = match with_body {
            true if response.body.len() <= COPIED_BYTES_MAX => response.encode(),
            true => {
                if let Some(connection) = self.slots.find_mut(slot) {
                    connection.push_own(response.encode_head_only());
                }
                response.body.clone()
            }
            false => response.encode_head_only(),
        };
        self.end_with(slot, bytes, now);
    }

    /// For the counts of answers.
    fn note_upgrade(&mut self, slot: Slot, head: &RequestHead) {
        if let Some(connection) = self.slots.find_mut(slot) {
            connection.upgrades = head.is_upgrade();
        }
    }

    /// Moves the connection to its home. Refused when there is no descriptor left to move it by.
    pub(super) fn hand_over(
        &mut self,
        slot: Slot,
        home: worldshard_spatial::ShardId,
        head: &RequestHead,
        leftover: &[u8],
        now: Instant,
    ) {
        let Some(connection) = self.slots.find_mut(slot) else {
            return;
        };
        let Ok(socket) = socket::duplicate(&connection.socket) else {
            let refusal = Refusal::new(503, "no descriptor is left; come back later");
            return self.respond(slot, &refusal.response(), true, now);
        };
        let adopt = Box::new(Adopt {
            socket,
            head: head.clone(),
            leftover: leftover.to_vec(),
            tls: connection.tls.take(),
        });
        self.process.liveness.connection_given(home);
        self.send(home, Mail::Adopt(adopt));
        let left = self.let_go(slot, CloseReason::Lost);
        self.moved.extend(left.map(|connection| connection.socket));
    }

    /// Answers an upgrade, and hands what follows it to the session that it opens, or to who is to prove itself. Of
    /// what is no upgrade, only the wish for a room is handed over.
    pub(super) fn open(
        &mut self,
        slot: Slot,
        head: &RequestHead,
        leftover: &mut [u8],
        now: Instant,
    ) {
        if !head.is_upgrade() {
            return self.begin_room(slot, head, now);
        }
        self.note_upgrade(slot, head);
        let options = self.process.recipe.options();
        let Some(framing) = self.process.recipe.framing(&head.path) else {
            return self.finish(slot, CloseReason::Lost);
        };
        if let Err(answer) = check_version(head, options.protocol_version.as_deref()) {
            return self.respond(slot, &answer, true, now);
        }
        // Somebody may have been banned on the way from another shard.
        let claim = match self
            .check_address(slot, head)
            .and_then(|()| self.claim(head))
        {
            Ok(claim) => claim,
            Err(refusal) => return self.respond(slot, &refusal.response(), true, now),
        };
        let offer = Offer::of(head, framing);
        let resuming = offer.as_ref().and_then(|offer| offer.protocol.as_deref());
        let protocol = answered_protocol(head, resuming);
        let answer = match upgrade_speaking(head, &options.origins, protocol) {
            Ok(answer) => answer,
            Err(refusal) => return self.respond(slot, &refusal.response(), true, now),
        };
        if self.stopping.is_some() {
            let response = self.stop_response();
            return self.respond(slot, &response, true, now);
        }
        if offer.is_none()
            && let tenant = claim.tenant.index
            && let Some(Err(refusal)) = self
                .hub
                .call("admits", |hub| hub.admits(tenant, &head.path))
        {
            return self.respond(slot, &refusal.response(), true, now);
        }
        let address = self.address(slot, head);
        let arriving = Arriving::new(head, framing, answer).of(&claim, address);
        self.log_arrival(slot, &arriving);
        match &offer {
            Some(offer) => self.go_on(slot, offer, claim, arriving, now),
            None => self.admit(slot, claim, arriving, now),
        }
        let done = self.frames(slot, leftover, now);
        self.hold(slot, &leftover[done..]);
    }

    /// Takes frames up to the budget of a turn, and says how far it came; what is left is to be held. The connection goes
    /// to the back of the queue where it used its turn.
    fn frames(&mut self, slot: Slot, input: &mut [u8], now: Instant) -> usize {
        let mut budget = Budget {
            frames: self.process.recipe.options().limits.turn_frames_max,
            controls: CONTROLS_PER_TURN,
        };
        let moment = self.moment(now);
        let mut at = 0;
        // With no byte left, one more look lets the reader free what it held of the last message.
        while at == input.len() || !budget.is_spent() {
            match self.frame(slot, &mut input[at..], &mut budget, moment) {
                Heard::Event(consumed) => at += consumed,
                Heard::Early(consumed, said, until) => {
                    self.park(slot, said, until, now);
                    return at + consumed;
                }
                Heard::Pong(consumed, pong) => {
                    at += consumed;
                    if let Some(connection) = self.slots.find_mut(slot) {
                        connection.push_own(pong);
                    }
                    self.want_write(slot);
                }
                Heard::First(consumed, said) => {
                    at += consumed;
                    self.prove(slot, said.as_deref(), now);
                }
                Heard::Nothing => return input.len(),
                Heard::Wait => return at,
                Heard::Failure(Failure { code, reason }) => {
                    let told = CloseReason::Server {
                        code,
                        reason: reason.into(),
                    };
                    self.close_answered(slot, code, reason, told, now);
                    return input.len();
                }
                Heard::Close(code) => {
                    let told = CloseReason::Client {
                        code: code.unwrap_or(close_code::NO_STATUS),
                    };
                    let echoed = code.unwrap_or(close_code::NO_STATUS);
                    self.close_answered(slot, echoed, "", told, now);
                    return input.len();
                }
            }
        }
        self.wait_for_turn(slot);
        self.changed.push(slot);
        at
    }

    /// Keeps what a client has said and is not heard yet.
    fn hold(&mut self, slot: Slot, bytes: &[u8]) {
        if !bytes.is_empty()
            && let Some(connection) = self.slots.find_mut(slot)
        {
            connection.held.extend_from_slice(bytes);
        }
    }

    /// Closes behind the answers to what was read before: who says something and then its last word is heard out.
    fn close_answered(
        &mut self,
        slot: Slot,
        code: u16,
        text: &str,
        told: CloseReason,
        now: Instant,
    ) {
        if std::mem::take(&mut self.unheard) {
            self.hub.call("handle", Hub::handle);
            self.deliver(now);
        }
        let phase = self.slots.find(slot).map(|connection| &connection.phase);
        // An answer may have been to close it.
        if matches!(phase, Some(Phase::Open { .. } | Phase::Proving(_))) {
            self.close(slot, code, text, told, now);
        }
    }

    /// Reads up to the next event or the end of the budget; a message of a session goes to the hub.
    fn frame(&mut self, slot: Slot, input: &mut [u8], budget: &mut Budget, now: Moment) -> Heard {
        let Some(connection) = self.slots.find_mut(slot) else {
            return Heard::Nothing;
        };
        let (session, lanes, reader) = match &mut connection.phase {
            Phase::Open {
                session,
                reader,
                lanes,
                ..
            } => (Some(*session), *lanes, &mut **reader),
            Phase::Proving(proving) if proving.asked.is_some() => return Heard::Wait,
            Phase::Proving(proving) => (None, false, &mut proving.reader),
            Phase::Head { .. } | Phase::Closing { .. } => return Heard::Nothing,
        };
        let len = input.len();
        let (consumed, event) = match budget.read(reader, input) {
            Ok(step) => (step.consumed, step.event),
            Err(failure) => return Heard::Failure(failure),
        };
        let mut meter = connection.meter.as_deref_mut();
        let mut judge = |bytes, is_hot| Meter::verdict(meter.as_deref_mut(), now, bytes, is_hot);
        let ear = Ear {
            hub: &mut self.hub,
            spoken: &mut self.spoken,
            unheard: &mut self.unheard,
        };
        match (event, session) {
            (None, _) if consumed < len => Heard::Event(consumed),
            (None, _) => Heard::Nothing,
            (Some(Event::Close { code, .. }), _) => Heard::Close(code),
            (Some(Event::Ping(payload)), None) => Heard::Pong(consumed, pong_frame(payload)),
            (Some(Event::Pong(_)), None) => Heard::Event(consumed),
            (Some(Event::Ping(payload)), Some(session)) => {
                match ear.control(session, judge(payload.len(), false)) {
                    Control::Now => Heard::Pong(consumed, pong_frame(payload)),
                    Control::Never => Heard::Event(consumed),
                    Control::At(until) => {
                        Heard::Early(consumed, Said::Ping(payload.to_vec()), until)
                    }
                }
            }
            (Some(Event::Pong(payload)), Some(session)) => {
                match ear.control(session, judge(payload.len(), false)) {
                    Control::Now | Control::Never => Heard::Event(consumed),
                    Control::At(until) => Heard::Early(consumed, Said::Pong(payload.len()), until),
                }
            }
            (Some(Event::Message { kind, payload }), None) => {
                let said = match kind {
                    MessageKind::Text => std::str::from_utf8(payload).ok(),
                    MessageKind::Binary => None,
                };
                Heard::First(consumed, said.map(str::to_owned))
            }
            (Some(Event::Message { kind, payload }), Some(session)) => {
                let is_hot = lanes && kind == MessageKind::Binary;
                let judge = || judge(payload.len(), is_hot);
                match ear.message((session, lanes), kind, payload, judge) {
                    None => Heard::Event(consumed),
                    Some(until) => {
                        let said = Said::Message(kind, payload.to_vec());
                        Heard::Early(consumed, said, until)
                    }
                }
            }
        }
    }
}

/// What a connection may still say in this turn.
struct Budget {
    /// Of any kind, those of which a message is made each.
    frames: usize,
    /// Of these, pings and pongs.
    controls: usize,
}

impl Budget {
    /// Reads up to the next event, and takes off what it says.
    fn read<'a>(
        &mut self,
        reader: &'a mut Reader,
        input: &'a mut [u8],
    ) -> Result<Step<'a>, Failure> {
        let step = reader.read_at_most(input, &mut self.frames)?;
        if let Some(Event::Ping(_) | Event::Pong(_)) = step.event {
            self.controls -= 1;
        }
        Ok(step)
    }

    fn is_spent(&self) -> bool {
        self.frames == 0 || self.controls == 0
    }
}

/// What a peer said, as far as the runtime cares.
enum Heard {
    /// So many bytes are done with.
    Event(usize),
    /// The same, and this is to be heard then.
    Early(usize, Said, Moment),
    Pong(usize, Bytes),
    /// The first message of who has yet to prove itself; none when it is not a text.
    First(usize, Option<String>),
    /// All bytes are done with.
    Nothing,
    /// No byte is heard before it is decided whether its peer is let in.
    Wait,
    Failure(Failure),
    Close(Option<u16>),
}

/// Pings and pongs taken from one connection in a turn. Each ping makes a frame to be written, and who asks for more than
/// a few at once asks for no answer soon: the others come first.
const CONTROLS_PER_TURN: usize = 16;

/// Connections that go on in one turn with what was read of them before, so that ticks and the others wait for no more
/// than these.
const RESUMED_PER_TURN: usize = 64;

/// A longer body leaves from where it lies, behind its head.
const COPIED_BYTES_MAX: usize = 4096;
