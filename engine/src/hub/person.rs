//! Who is behind a session: what is known of it while it is open, who may go on with it, and who is turned out.
//!
//! Never proves anything: that is `identity`, before a session opens.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use worldshard_protocol::{ErrorCode, SessionId, error_envelope};
use worldshard_spatial::ShardId;
use worldshard_transport::{MessageKind, Refusal, close_code, data_frame};

use crate::app::Framing;
use crate::hub::desk::Desk;
use crate::hub::detached::NO_SESSION;
use crate::hub::session::Session;
use crate::hub::token::Token;
use crate::hub::{Hub, Opening};
use crate::identity::{Environment, Identity, TooManySessions, TraceId, Unproven};
use crate::letter::Letter;
use crate::message::Event;
use crate::policy::TenantIndex;

/// A connection that would go on with a session.
#[derive(Clone, Debug, Default)]
pub struct Visitor {
    /// The time, since 1970.
    pub now: Duration,
    /// The connection's name.
    pub trace: Option<TraceId>,
    /// The tenant that it names; none when it was not asked.
    pub tenant: Option<u16>,
    /// Who it proved to be, if it showed a credential beside the resume token.
    pub identity: Option<Identity>,
}

/// Why no session opens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotOpened {
    /// Its user has as many sessions as allowed.
    TooManySessions(TooManySessions),
    /// Its tenant has.
    TenantFull,
}

impl From<TooManySessions> for NotOpened {
    fn from(why: TooManySessions) -> Self {
        Self::TooManySessions(why)
    }
}

/// What the sessions of a home run in, those that wait for a connection included.
#[derive(Clone, Copy, Default)]
pub(crate) struct Environments {
    pub(crate) native: u64,
    pub(crate) browser: u64,
}

impl Environments {
    fn of(&mut self, environment: Option<Environment>) -> Option<&mut u64> {
        match environment? {
            Environment::Native => Some(&mut self.native),
            Environment::Browser => Some(&mut self.browser),
        }
    }

    pub(crate) fn enter(&mut self, environment: Option<Environment>) {
        if let Some(count) = self.of(environment) {
            *count += 1;
        }
    }

    pub(crate) fn leave(&mut self, environment: Option<Environment>) {
        if let Some(count) = self.of(environment) {
            *count -= 1;
        }
    }
}

impl Hub {
    /// Takes in a connection whose upgrade was answered and of which this is known. On lanes, the greeting is its first
    /// frame. With as many sessions as allowed, the user's sessions that give way are told and closed.
    ///
    /// # Errors
    /// The user has as many sessions as allowed, and none gives way; or its tenant has.
    pub fn open_as(
        &mut self,
        opening: Opening,
        identity: Identity,
        trace: Option<TraceId>,
    ) -> Result<SessionId, NotOpened> {
        let (session, displaced) = self.desk.open(opening, identity, trace)?;
        self.desk.log_opened(session);
        self.displace(displaced);
        self.events.push(Event::Opened(session));
        self.greet(session, trace);
        self.enter_room(session);
        Ok(session)
    }

    /// Whose of those who share the server a session is: its place in the list.
    #[must_use]
    pub fn tenant(&self, session: SessionId) -> u16 {
        self.desk.tenant(session)
    }

    /// When a session is to end, since 1970, if that is known.
    #[must_use]
    pub fn expires(&self, session: SessionId) -> Option<Duration> {
        self.desk.identity(session)?.expires
    }

    /// Closes a session whose token has expired.
    pub fn expired(&mut self, session: SessionId) {
        let (code, why) = (ErrorCode::AuthFailed, Unproven::Expired.to_string());
        let envelope = error_envelope(code, &why, None);
        self.turn_out(session, &envelope, format!("{code}: {why}").into());
    }

    /// Has sessions end that gave way to a newer one, wherever their homes are.
    pub(crate) fn displace(&mut self, displaced: Vec<SessionId>) {
        for session in displaced {
            let home = ShardId(session.home());
            if home == self.desk.own {
                self.displaced(session);
            } else {
                let letter = Letter::Displaced(session);
                self.desk.output.letters.push((home, letter));
            }
        }
    }

    /// Ends a session of this home that gave way to a newer one.
    pub(crate) fn displaced(&mut self, session: SessionId) {
        self.turn_out(session, KICKED, Cow::Borrowed("kicked"));
    }

    /// Says where the connection of a session comes from.
    pub(crate) fn set_address(&mut self, session: SessionId, address: Option<IpAddr>) {
        if let Some(entry) = self.desk.sessions.get_mut(&session) {
            entry.address = address;
        }
    }

    /// Closes the sessions, connected or not, of those who may not come at `now`, since 1970.
    pub(crate) fn end_banned(&mut self, now: Duration) {
        let policies = Arc::clone(&self.desk.commons.policies);
        let rules = policies.rules();
        let mut banned = Vec::new();
        for (session, entry) in &self.desk.sessions {
            if entry.is_gone() {
                continue;
            }
            let identity = entry.identity.as_deref();
            let by_user = || {
                let one = identity?;
                let tenant = &rules.tenant(one.tenant).id;
                policies.bans.of_user(tenant, one.user.as_ref()?, now)
            };
            let address = entry.address;
            let by_address = address.and_then(|address| policies.bans.of_address(address, now));
            let reason = by_address.or_else(by_user);
            banned.extend(reason.map(|reason| (*session, reason)));
        }
        for (session, reason) in banned {
            let (code, why) = (ErrorCode::NotAllowed, banned_text(&reason));
            let envelope = error_envelope(code, &why, None);
            self.turn_out(session, &envelope, format!("{code}: {why}").into());
        }
    }

    /// Closes a session of this home, connected or not; false when there is none.
    pub fn kick(&mut self, session: SessionId, reason: &str) -> bool {
        let entry = self.desk.sessions.get(&session);
        let is_there = entry.is_some_and(|entry| !entry.is_gone());
        if is_there {
            let envelope = format!(
                r#"{{"v":1,"svc":"sys","type":"kicked","data":{{"reason":{}}}}}"#,
                serde_json::Value::from(reason)
            );
            self.turn_out(session, &envelope, Cow::Borrowed("kicked"));
        }
        is_there
    }

    /// Closes a session, connected or not, and says this before where it speaks lanes.
    fn turn_out(&mut self, session: SessionId, envelope: &str, reason: Cow<'static, str>) {
        if self.desk.framing_if_open(session) == Some(Framing::Lanes) {
            let frame = data_frame(MessageKind::Text, envelope.as_bytes());
            self.desk.push_reliable(session, frame);
        }
        self.desk.close(session, close_code::POLICY, reason);
        self.end_detached();
    }
}

impl Desk {
    /// What is known of who is behind a session that has not ended.
    pub(crate) fn identity(&self, session: SessionId) -> Option<&Identity> {
        let entry = self.sessions.get(&session)?;
        let identity = entry.identity.as_deref()?;
        (!entry.is_gone()).then_some(identity)
    }

    /// Whose of those who share the server a session is.
    pub(crate) fn tenant(&self, session: SessionId) -> TenantIndex {
        // Asked about every message; where no tenants are named all are of the first.
        if !self.rules.named {
            return 0;
        }
        if let Some((speaker, tenant)) = self.speaker
            && speaker == session
        {
            return tenant;
        }
        self.sessions.get(&session).map_or(0, Session::tenant)
    }

    /// The same, by its name.
    pub(crate) fn tenant_id(&self, session: SessionId) -> String {
        self.rules_of(session).id.to_string()
    }

    /// Whether a session that lost its connection still has its user's seat, which it keeps while it waits.
    pub(crate) fn keep_seat(&self, session: SessionId) -> bool {
        let seats = &self.commons.seats;
        self.identity(session).is_none_or(|one| {
            let user = one.user.as_ref();
            user.is_none_or(|user| seats.set_detached(one.tenant, user, session, true))
        })
    }

    /// A session has ended: its user may have another.
    pub(crate) fn leave_seat(&mut self, session: SessionId) {
        let Some(entry) = self.sessions.get_mut(&session) else {
            return;
        };
        entry.place = None;
        let Some(identity) = entry.identity.as_deref() else {
            return;
        };
        self.environments.leave(identity.environment);
        if let Some(user) = &identity.user {
            self.commons.seats.leave(identity.tenant, user, session);
        }
    }

    /// Whether who shows this token may go on with its session; names the sessions that give way to it. What the visitor
    /// proved anew counts from now on.
    ///
    /// # Errors
    /// 401 when it proved to be somebody else, or the session's time is over; 410 when another one has its place; 503 when
    /// its tenant has none left.
    pub(crate) fn recognise(
        &mut self,
        token: &Token,
        visitor: &Visitor,
    ) -> Result<Vec<SessionId>, Refusal> {
        let session = token.session;
        let mut identity = self.identity(session).cloned().unwrap_or_default();
        let before = identity.environment;
        // Of a session that came back from disk only its token says whose it is.
        let entry = self.sessions.get(&session);
        let came_back = entry.is_some_and(|entry| entry.place.is_none());
        if came_back {
            identity.tenant = self.tenant_of(token).ok_or(NO_SESSION)?;
            if let Some((user, expires)) = &token.of {
                identity.user = Some(user.clone());
                identity.expires = *expires;
            }
        }
        if visitor.tenant.is_some_and(|one| one != identity.tenant) {
            return Err(unproven(&Unproven::OtherTenant));
        }
        if let Some(proven) = &visitor.identity {
            if proven.user != identity.user {
                return Err(unproven(&Unproven::OtherUser));
            }
            identity.expires = proven.expires;
            identity.environment = identity.environment.or(proven.environment);
            identity.connect = identity.connect.or_else(|| proven.connect.clone());
        }
        if identity.expires.is_some_and(|at| at <= visitor.now) {
            let why = Unproven::Expired;
            let reason = format!("{}: {why}", ErrorCode::AuthFailed);
            self.close(session, close_code::POLICY, reason.into());
            return Err(unproven(&why));
        }
        if let Some(why) = self.is_banned(&identity, visitor.now) {
            return Err(Refusal {
                status: 403,
                reason: why.into(),
            });
        }
        let displaced = match came_back {
            true => self.seat_again(session, &identity)?,
            false if !self.sit_down(session, &identity) => return Err(NO_SESSION),
            false => Vec::new(),
        };
        if before.is_none() {
            self.environments.enter(identity.environment);
        }
        if let Some(entry) = self.sessions.get_mut(&session) {
            entry.identity = (!identity.is_nobodys()).then(|| Box::new(identity));
        }
        Ok(displaced)
    }

    /// Why a user may not come, if so.
    fn is_banned(&self, identity: &Identity, now: Duration) -> Option<String> {
        let policies = &self.commons.policies;
        let rules = policies.rules();
        let tenant = &rules.tenant(identity.tenant).id;
        let reason = policies
            .bans
            .of_user(tenant, identity.user.as_ref()?, now)?;
        Some(banned_text(&reason))
    }

    /// The tenant that a token names: none where those of this process have no such.
    fn tenant_of(&self, token: &Token) -> Option<TenantIndex> {
        let rules = self.commons.policies.rules();
        match (&token.tenant, rules.named) {
            (Some(id), true) => rules.index(id),
            (None, false) => Some(0),
            (Some(_), false) | (None, true) => None,
        }
    }

    /// Gives a session that came back from disk a place and a seat, as to one that opens.
    fn seat_again(
        &mut self,
        session: SessionId,
        identity: &Identity,
    ) -> Result<Vec<SessionId>, Refusal> {
        let rules = self.commons.policies.rules();
        let tenant = rules.tenant(identity.tenant);
        let place = tenant.usage.take_session(tenant.limits.sessions_max);
        let place = place.ok_or(Refusal::new(503, TENANT_FULL))?;
        let displaced = match &identity.user {
            Some(user) => {
                let seats = &self.commons.seats;
                let taken = seats.take(identity.tenant, user, session, &tenant.policy);
                taken.map_err(|_| NO_SESSION)?
            }
            None => Vec::new(),
        };
        if let Some(entry) = self.sessions.get_mut(&session) {
            entry.place = Some(place);
        }
        Ok(displaced)
    }

    /// Whether a session that goes on still has its user's seat.
    fn sit_down(&self, session: SessionId, identity: &Identity) -> bool {
        let (seats, tenant) = (&self.commons.seats, identity.tenant);
        let user = identity.user.as_ref();
        user.is_none_or(|user| seats.set_detached(tenant, user, session, false))
    }
}

/// The answer to a request whose credential is not taken.
pub(crate) fn unproven(why: &Unproven) -> Refusal {
    Refusal {
        status: 401,
        reason: format!("{}: {why}", ErrorCode::AuthFailed).into(),
    }
}

/// What somebody is told who is banned for this reason.
pub(crate) fn banned_text(reason: &str) -> String {
    format!("banned: {reason}")
}

/// The answer to who would be one session more than the tenant may have; the words are wsPrism's.
pub(crate) const TENANT_FULL: &str = "Tenant Capacity Exceeded";

/// For clients on lanes, before they are closed; the words are wsPrism's.
const KICKED: &str =
    r#"{"v":1,"svc":"sys","type":"kicked","data":{"reason":"max_sessions_exceeded"}}"#;
