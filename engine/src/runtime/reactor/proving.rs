//! From an answered upgrade to a session: who shows a credential with the request, who has yet to say one, who is turned
//! away, and when a proof ceases to hold.
//!
//! Judges no credential: that is `identity`. Only names, paths and codes are logged, because credentials pass through.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use worldshard_protocol::{ErrorCode, SessionId, error_envelope};
use worldshard_transport::{
    Limits, MessageKind, Reader, Refusal, RequestHead, Response, Role, close_code, close_frame,
    data_frame,
};

use super::admission::forbidden;
use super::connection::Phase;
use super::deciding::Asked;
use super::{Reactor, Slot};
use crate::app::Framing;
use crate::hub::{Hub, NotOpened, Opening, TENANT_FULL, Visitor, banned_text, unproven};
use crate::identity::{Auth, Claim, Identity, TraceId, Unproven};
use crate::message::CloseReason;
use crate::policy::{Refused, TenantIndex};
use crate::runtime::{clock, secret, socket};

/// A connection whose request was taken, and that has no session yet.
pub(crate) struct Arriving {
    pub(super) path: String,
    framing: Framing,
    /// What its request names, or nothing.
    pub(super) trace: Option<TraceId>,
    /// The answer to its request; empty once it was given.
    answer: Bytes,
    /// Where it comes from.
    address: Option<IpAddr>,
    /// Whose client it says it is.
    pub(super) tenant: TenantIndex,
    /// Whether it is refused before the upgrade: a program reads the answer to that.
    in_header: bool,
    /// Whether it is no upgrade at all, but the wish for a room, whose answer is all that it is told.
    pub(super) begins_room: bool,
}

/// A WebSocket of who has yet to show a credential.
pub(crate) struct Proving {
    pub(super) reader: Reader,
    /// The latest that it may do so.
    pub(super) until: Instant,
    pub(super) arriving: Arriving,
    /// What its request said.
    pub(super) claim: Claim,
    /// What whoever decides was asked, if it was.
    pub(super) asked: Option<Asked>,
}

impl Arriving {
    pub(super) fn new(head: &RequestHead, framing: Framing, answer: Bytes) -> Arriving {
        Arriving {
            path: head.path.clone(),
            framing,
            trace: TraceId::of(head).or_else(|| Some(TraceId::new(secret::fresh().ok()?))),
            answer,
            address: None,
            tenant: 0,
            in_header: false,
            begins_room: false,
        }
    }

    /// Of a request that is to begin the room at its path.
    pub(super) fn to_begin_room(head: &RequestHead) -> Arriving {
        Arriving {
            begins_room: true,
            ..Arriving::new(head, Framing::Raw, Bytes::new())
        }
    }

    /// The same of who claims this and comes from there.
    pub(super) fn of(self, claim: &Claim, address: Option<IpAddr>) -> Arriving {
        Arriving {
            address,
            tenant: claim.tenant.index,
            in_header: claim.is_in_header(),
            ..self
        }
    }

    /// Where it comes from.
    pub(super) fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// What it asked for.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Whether its request has its answer.
    pub(super) fn is_answered(&self) -> bool {
        self.answer.is_empty() && !self.begins_room
    }

    pub(super) fn speaks_lanes(&self) -> bool {
        self.framing == Framing::Lanes
    }

    /// The name of its connection: that of the request, or one by chance. Only lanes are told.
    pub(super) fn trace(&self) -> Option<TraceId> {
        self.trace
    }
}

impl Reactor {
    /// What a request shows and says of its sender.
    pub(super) fn claim(&self, head: &RequestHead) -> Result<Claim, Refusal> {
        let policies = &self.process.policies;
        let tenant = policies.tenant_of(head)?;
        let rules = policies.rules();
        Ok(Claim::of(head)?.in_tenant(tenant, &rules.tenant(tenant).id))
    }

    /// The first line that the log has of a connection's name.
    pub(super) fn log_arrival(&mut self, slot: Slot, arriving: &Arriving) {
        if let Some(connection) = self.slots.find_mut(slot) {
            connection.trace = arriving.trace;
        }
        let trace = arriving.trace.map(tracing::field::display);
        tracing::debug!(
            trace,
            path = arriving.path,
            "a connection asks for a WebSocket"
        );
    }

    /// Opens a session for who shows enough with its request, or waits for its first message.
    pub(super) fn admit(&mut self, slot: Slot, claim: Claim, mut arriving: Arriving, now: Instant) {
        let options = self.process.recipe.options();
        let auth = options.auth.as_ref().unwrap_or(&Auth::None);
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
            Err(why) if arriving.in_header => self.unauthorized(slot, arriving.tenant, &why, now),
            Err(why) => {
                self.turn_away(slot, arriving, ErrorCode::AuthFailed, &why.to_string(), now);
            }
        }
    }

    /// Takes the first message of who has yet to prove itself; none when it was no text.
    pub(super) fn prove(&mut self, slot: Slot, said: Option<&str>, now: Instant) {
        let Some(proving) = self.stop_proving(slot, now) else {
            return;
        };
        let arriving = proving.arriving;
        let auth = self.process.recipe.options().auth.as_ref();
        let claim = said
            .ok_or(Unproven::FirstMessage("it is not a text"))
            .and_then(|text| proving.claim.then_said(text));
        let claim = match (claim, auth.and_then(Auth::decider)) {
            (Ok(claim), Some(decider)) => {
                return self.ask(slot, &decider.clone(), claim, arriving, now);
            }
            (claim, _) => claim,
        };
        let prove = |claim| {
            let auth = auth.unwrap_or(&Auth::None);
            auth.prove(claim, clock::since_1970())
        };
        match claim.and_then(prove) {
            Ok(identity) => self.enter(slot, identity, arriving, now),
            Err(why) => {
                self.turn_away(slot, arriving, ErrorCode::AuthFailed, &why.to_string(), now);
            }
        }
    }

    /// Who a connection is that goes on with a session, as far as it shows anything new. Whoever decides is not asked again.
    pub(super) fn visitor(&self, claim: Claim, arriving: &Arriving) -> Result<Visitor, Unproven> {
        let auth = self.process.recipe.options().auth.as_ref();
        let now = clock::since_1970();
        let auth = auth
            .filter(|auth| auth.asks() && auth.decider().is_none() && claim.credential.is_some());
        Ok(Visitor {
            tenant: Some(claim.tenant.index),
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
        if let Some(reason) = self.is_banned(&identity) {
            self.process
                .policies
                .refused_to(identity.tenant, Refused::Banned);
            if arriving.in_header && !arriving.is_answered() {
                return self.respond(slot, &forbidden(&reason).response(), true, now);
            }
            let code = ErrorCode::NotAllowed;
            return self.turn_away(slot, arriving, code, &banned_text(&reason), now);
        }
        let trace = arriving.trace();
        let framing = arriving.framing;
        let opening = Opening {
            path: std::mem::take(&mut arriving.path),
            framing,
        };
        let open = |hub: &mut Hub| hub.open_as(opening, identity, trace);
        match self.hub.call("open", open) {
            Some(Ok(session)) => {
                self.answer_upgrade(slot, &mut arriving);
                let address = arriving.address;
                self.hub
                    .call("address", |hub| hub.set_address(session, address));
                self.seat(slot, session, framing, now);
            }
            Some(Err(NotOpened::TooManySessions(full))) => {
                let code = ErrorCode::TooManySessions;
                self.turn_away(slot, arriving, code, &full.to_string(), now);
            }
            Some(Err(NotOpened::TenantFull)) if arriving.is_answered() => {
                let code = ErrorCode::ResourceExhausted;
                self.turn_away(slot, arriving, code, TENANT_FULL, now);
            }
            Some(Err(NotOpened::TenantFull)) => {
                let mut response = Response::text(503, TENANT_FULL);
                response.headers.push(("Retry-After", "1".to_owned()));
                self.respond(slot, &response, true, now);
            }
            None => self.finish(slot, CloseReason::Lost),
        }
    }

    /// Why a user may not come, if so.
    pub(super) fn is_banned(&self, identity: &Identity) -> Option<String> {
        let policies = &self.process.policies;
        let user = identity.user.as_ref()?;
        let rules = policies.rules();
        let tenant = &rules.tenant(identity.tenant).id;
        policies.bans.of_user(tenant, user, clock::since_1970())
    }

    /// From now on the connection is that of a session.
    pub(super) fn seat(&mut self, slot: Slot, session: SessionId, framing: Framing, now: Instant) {
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
            reader: Box::new(Reader::new(Role::Server, Limits::default())),
            lanes: framing == Framing::Lanes,
            expires,
        };
        self.measure(slot, now);
        if framing == Framing::Lanes
            && let Some(connection) = self.slots.find(slot)
        {
            socket::prepare_for_state(&connection.socket);
        }
        self.want_write(slot);
        self.set_alarm(slot);
    }

    /// Queues the answer to an upgrade, unless that was done.
    pub(super) fn answer_upgrade(&mut self, slot: Slot, arriving: &mut Arriving) {
        let answer = std::mem::take(&mut arriving.answer);
        if !answer.is_empty() {
            self.tally.answered(true, 101);
        }
        if let Some(connection) = self.slots.find_mut(slot) {
            connection.push_own(answer);
        }
        self.want_write(slot);
    }

    /// Answers a request whose credential is not taken, before the upgrade.
    pub(super) fn unauthorized(
        &mut self,
        slot: Slot,
        tenant: TenantIndex,
        why: &Unproven,
        now: Instant,
    ) {
        self.process
            .policies
            .refused_to(tenant, Refused::Credential);
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
        mut arriving: Arriving,
        code: ErrorCode,
        detail: &str,
        now: Instant,
    ) {
        if code == ErrorCode::AuthFailed {
            let tenant = arriving.tenant;
            self.process
                .policies
                .refused_to(tenant, Refused::Credential);
        }
        self.answer_upgrade(slot, &mut arriving);
        if arriving.speaks_lanes()
            && let Some(connection) = self.slots.find_mut(slot)
        {
            let envelope = error_envelope(code, detail, None);
            connection.push_own(data_frame(MessageKind::Text, envelope.as_bytes()));
        }
        self.tally.turned_away[code as usize] += 1;
        let trace = self.slots.find(slot).and_then(|one| one.trace);
        let trace = trace.map(tracing::field::display);
        tracing::debug!(trace, code = code.as_str(), "a connection gets no session");
        let reason = format!("{code}: {detail}");
        self.end_with(slot, close_frame(close_code::POLICY, &reason), now);
    }

    /// It has shown no credential in time, or nobody decided on what it showed.
    pub(super) fn ran_out_of_time(&mut self, slot: Slot, now: Instant) {
        let deadline: Duration = self.process.recipe.options().limits.auth_deadline;
        let Some(proving) = self.stop_proving(slot, now) else {
            return;
        };
        let what = match proving.asked {
            Some(_) => "decision",
            None => "credential",
        };
        let detail = format!("no {what} within {} s", deadline.as_secs_f64());
        self.refuse_late(slot, proving.arriving, ErrorCode::Timeout, &detail, now);
    }

    /// What is known of who has yet to prove itself. It is told what becomes of it before anything more is read.
    pub(super) fn stop_proving(&mut self, slot: Slot, now: Instant) -> Option<Proving> {
        let connection = self.slots.find_mut(slot)?;
        let between = Phase::Closing {
            ended_output: false,
            until: now,
        };
        match std::mem::replace(&mut connection.phase, between) {
            Phase::Proving(proving) => Some(*proving),
            other @ (Phase::Head { .. } | Phase::Open { .. } | Phase::Closing { .. }) => {
                connection.phase = other;
                None
            }
        }
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
