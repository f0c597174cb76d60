//! From an answered upgrade to a session: who shows a credential with the request, who has yet to say one, who is turned
//! away, and when a proof ceases to hold.
//!
//! Judges no credential: that is `identity`. Nothing here is logged, because credentials pass through.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use bytes::Bytes;
use worldshard_protocol::{ErrorCode, SessionId, error_envelope};
use worldshard_transport::{
    Limits, MessageKind, Reader, RequestHead, Role, close_code, close_frame, data_frame,
};

use super::connection::Phase;
use super::deciding::Asked;
use super::{Reactor, Slot};
use crate::app::Framing;
use crate::hub::{Hub, Opening, Visitor, unproven};
use crate::identity::{Auth, Claim, Identity, TraceId, Unproven};
use crate::message::CloseReason;
use crate::runtime::{clock, secret, socket};

/// A connection whose request was taken, and that has no session yet.
pub(crate) struct Arriving {
    pub(super) path: String,
    framing: Framing,
    /// The tenant that its request names.
    pub(super) tenant: Option<String>,
    /// What its request names, or nothing.
    pub(super) trace: Option<TraceId>,
    /// The answer to its request; empty once it was given.
    answer: Bytes,
}

/// A WebSocket of who has yet to show a credential.
pub(crate) struct Proving {
    pub(super) reader: Reader,
    /// The latest that it may do so.
    pub(super) until: Instant,
    pub(super) arriving: Arriving,
    /// What its request said.
    pub(super) claim: Claim,
    /// While whoever decides was asked and has not answered.
    pub(super) asked: Option<Asked>,
}

impl Arriving {
    pub(super) fn new(head: &RequestHead, framing: Framing, answer: Bytes) -> Arriving {
        Arriving {
            path: head.path.clone(),
            framing,
            tenant: head.query_value("tenant").map(Cow::into_owned),
            trace: TraceId::of(head),
            answer,
        }
    }

    /// What it asked for.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn speaks_lanes(&self) -> bool {
        self.framing == Framing::Lanes
    }

    /// Whether its request was answered, so that it is a WebSocket.
    pub(super) fn is_answered(&self) -> bool {
        self.answer.is_empty()
    }

    /// The name of its connection, which only lanes are told: that of the request, or one by chance.
    fn trace(&self) -> Option<TraceId> {
        let fresh = || Some(TraceId::new(secret::fresh().ok()?));
        let trace = || self.trace.or_else(fresh);
        self.speaks_lanes().then(trace)?
    }
}

impl Reactor {
    /// Opens a session for who shows enough with its request, or waits for its first message.
    pub(super) fn admit(&mut self, slot: Slot, claim: Claim, mut arriving: Arriving, now: Instant) {
        let options = self.process.recipe.options();
        let auth = options.auth.as_ref().unwrap_or(&Auth::None);
        let in_header = claim.is_in_header();
        let waits = auth.asks() && claim.credential.is_none();
        if waits {
            let limits = Limits {
                message_bytes_max: options.limits.message_bytes_max.min(FIRST_BYTES_MAX),
                ..Limits::default()
            };
            let until = now + options.limits.auth_deadline;
            self.answer_upgrade(slot, &mut arriving);
            if let Some(connection) = self.slots.find_mut(slot) {
                connection.phase = Phase::Proving(Box::new(Proving {
                    reader: Reader::new(Role::Server, limits),
                    until,
                    arriving,
                    claim,
                    asked: None,
                }));
            }
            return self.set_alarm(slot);
        }
        if let Some(decider) = auth.decider() {
            return self.ask(slot, &decider.clone(), claim, arriving, now);
        }
        match auth.prove(claim, clock::since_1970()) {
            Ok(identity) => self.enter(slot, identity, arriving, now),
            Err(why) if in_header => self.unauthorized(slot, &why, now),
            Err(why) => {
                self.answer_upgrade(slot, &mut arriving);
                let lanes = arriving.speaks_lanes();
                self.turn_away(slot, lanes, ErrorCode::AuthFailed, &why.to_string(), now);
            }
        }
    }

    /// Takes the first message of who has yet to prove itself; none when it was no text.
    pub(super) fn prove(&mut self, slot: Slot, said: Option<&str>, now: Instant) {
        let Some(connection) = self.slots.find_mut(slot) else {
            return;
        };
        // Until it is told what became of it, which is before anything more is read.
        let between = Phase::Closing {
            ended_output: false,
            until: now,
        };
        let proving = match std::mem::replace(&mut connection.phase, between) {
            Phase::Proving(proving) => *proving,
            other @ (Phase::Head { .. } | Phase::Open { .. } | Phase::Closing { .. }) => {
                connection.phase = other;
                return;
            }
        };
        let lanes = proving.arriving.speaks_lanes();
        let auth = self.process.recipe.options().auth.as_ref();
        let claim = said
            .ok_or(Unproven::FirstMessage("it is not a text"))
            .and_then(|text| proving.claim.then_said(text));
        let claim = match (claim, auth.and_then(Auth::decider)) {
            (Ok(claim), Some(decider)) => {
                return self.ask(slot, &decider.clone(), claim, proving.arriving, now);
            }
            (claim, _) => claim,
        };
        let prove = |claim| {
            let auth = auth.unwrap_or(&Auth::None);
            auth.prove(claim, clock::since_1970())
        };
        match claim.and_then(prove) {
            Ok(identity) => self.enter(slot, identity, proving.arriving, now),
            Err(why) => self.turn_away(slot, lanes, ErrorCode::AuthFailed, &why.to_string(), now),
        }
    }

    /// Who a connection is that goes on with a session, as far as it shows anything new. Whoever decides is not asked again.
    pub(super) fn visitor(&self, claim: Claim, arriving: &Arriving) -> Result<Visitor, Unproven> {
        let auth = self.process.recipe.options().auth.as_ref();
        let now = clock::since_1970();
        let auth = auth
            .filter(|auth| auth.asks() && auth.decider().is_none() && claim.credential.is_some());
        Ok(Visitor {
            now,
            trace: arriving.trace(),
            identity: auth.map(|auth| auth.prove(claim, now)).transpose()?,
        })
    }

    /// Opens a session for who may have one.
    pub(super) fn enter(
        &mut self,
        slot: Slot,
        identity: Identity,
        mut arriving: Arriving,
        now: Instant,
    ) {
        let trace = arriving.trace();
        let framing = arriving.framing;
        self.answer_upgrade(slot, &mut arriving);
        let opening = Opening {
            path: arriving.path,
            framing,
        };
        let open = |hub: &mut Hub| hub.open_as(opening, identity, trace);
        match self.hub.call("open", open) {
            Some(Ok(session)) => self.seat(slot, session, framing, now),
            Some(Err(full)) => {
                let lanes = framing == Framing::Lanes;
                let code = ErrorCode::TooManySessions;
                self.turn_away(slot, lanes, code, &full.to_string(), now);
            }
            None => self.finish(slot, CloseReason::Lost),
        }
    }

    /// From now on the connection is that of a session.
    pub(super) fn seat(&mut self, slot: Slot, session: SessionId, framing: Framing, now: Instant) {
        let limits = Limits {
            message_bytes_max: self.process.recipe.options().limits.message_bytes_max,
            ..Limits::default()
        };
        let expires = self.hub.call("expires", |hub| hub.expires(session));
        let expires = expires.flatten().and_then(|at| {
            let left = at.saturating_sub(clock::since_1970());
            now.checked_add(left)
        });
        self.unheard = true;
        self.sessions.insert(session, slot);
        let waits_for_commits = self.hub.call("path", |hub| hub.waits_for_commits(session));
        let connection = self.slots.find_mut(slot).expect("it was just heard");
        connection.waits_for_commits = waits_for_commits == Some(true);
        connection.phase = Phase::Open {
            session,
            reader: Box::new(Reader::new(Role::Server, limits)),
            lanes: framing == Framing::Lanes,
            expires,
        };
        if framing == Framing::Lanes {
            socket::prepare_for_state(&connection.socket);
        }
        self.want_write(slot);
        self.set_alarm(slot);
    }

    /// Queues the answer to an upgrade, unless that was done.
    pub(super) fn answer_upgrade(&mut self, slot: Slot, arriving: &mut Arriving) {
        if let Some(connection) = self.slots.find_mut(slot) {
            connection.push_own(std::mem::take(&mut arriving.answer));
        }
        self.want_write(slot);
    }

    /// Answers a request whose credential is not taken, before the upgrade.
    pub(super) fn unauthorized(&mut self, slot: Slot, why: &Unproven, now: Instant) {
        let mut response = unproven(why).response();
        response
            .headers
            .push(("WWW-Authenticate", "Bearer".to_owned()));
        self.respond(slot, &response, true, now);
    }

    /// Ends a connection that has no session, so that even a browser reads why.
    pub(super) fn turn_away(
        &mut self,
        slot: Slot,
        lanes: bool,
        code: ErrorCode,
        detail: &str,
        now: Instant,
    ) {
        if lanes && let Some(connection) = self.slots.find_mut(slot) {
            let envelope = error_envelope(code, detail, None);
            connection.push_own(data_frame(MessageKind::Text, envelope.as_bytes()));
        }
        let reason = format!("{code}: {detail}");
        self.end_with(slot, close_frame(close_code::POLICY, &reason), now);
    }

    /// It has shown no credential in time.
    pub(super) fn ran_out_of_time(&mut self, slot: Slot, now: Instant) {
        let deadline: Duration = self.process.recipe.options().limits.auth_deadline;
        let phase = self.slots.find(slot).map(|connection| &connection.phase);
        let Some(Phase::Proving(proving)) = phase else {
            return;
        };
        if proving.asked.is_some() {
            return self.waited_too_long(slot, now);
        }
        let lanes = proving.arriving.speaks_lanes();
        let detail = format!("no credential within {} s", deadline.as_secs_f64());
        self.turn_away(slot, lanes, ErrorCode::Timeout, &detail, now);
    }

    /// The token of an open session has expired.
    pub(super) fn expire(&mut self, slot: Slot) {
        let Some(connection) = self.slots.find_mut(slot) else {
            return;
        };
        if let Phase::Open {
            session, expires, ..
        } = &mut connection.phase
        {
            let session = *session;
            *expires = None;
            self.unheard = true;
            self.hub.call("expired", |hub| hub.expired(session));
        }
        self.set_alarm(slot);
    }
}

/// The first message is at most so long, in bytes: a stranger's. A longer one closes the connection with 1009.
const FIRST_BYTES_MAX: usize = 16 * 1024;
