//! Who is behind a session: what is known of it while it is open, who may go on with it, and who is turned out.
//!
//! Never proves anything: that is `identity`, before a session opens.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use worldshard_protocol::{ErrorCode, SessionId, error_envelope};
use worldshard_spatial::ShardId;
use worldshard_transport::{MessageKind, Refusal, close_code, data_frame};

use crate::app::Framing;
use crate::hub::desk::Desk;
use crate::hub::detached::NO_SESSION;
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
    /// Who it proved to be, if it showed a credential beside the resume token.
    pub identity: Option<Identity>,
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
    /// frame. With as many sessions as allowed, the user's session that gives way is told and closed.
    ///
    /// # Errors
    /// The user has as many sessions as allowed, and none gives way.
    pub fn open_as(
        &mut self,
        opening: Opening,
        identity: Identity,
        trace: Option<TraceId>,
    ) -> Result<SessionId, TooManySessions> {
        let (session, displaced) = self.desk.open(opening, identity, trace)?;
        self.desk.log_opened(session);
        self.displace(displaced);
        self.events.push(Event::Opened(session));
        self.greet(session, trace);
        self.enter_room(session);
        Ok(session)
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

    /// Has a session end that gave way to a newer one, wherever its home is.
    pub(crate) fn displace(&mut self, displaced: Option<SessionId>) {
        let Some(session) = displaced else {
            return;
        };
        let home = ShardId(session.home());
        if home == self.desk.own {
            self.displaced(session);
        } else {
            let letter = Letter::Displaced(session);
            self.desk.output.letters.push((home, letter));
        }
    }

    /// Ends a session of this home because an operator says so; false when there is none.
    pub fn kick(&mut self, session: SessionId, reason: &str) -> bool {
        if self.desk.path(session).is_none() {
            return false;
        }
        let envelope = format!(
            r#"{{"v":1,"svc":"sys","type":"kicked","data":{{"reason":{}}}}}"#,
            serde_json::Value::from(reason)
        );
        self.turn_out(session, &envelope, Cow::Owned(reason.to_owned()));
        true
    }

    /// Ends a session of this home that gave way to a newer one.
    pub(crate) fn displaced(&mut self, session: SessionId) {
        self.turn_out(session, KICKED, Cow::Borrowed("kicked"));
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
        let entry = self.sessions.get(&session);
        let identity = entry.and_then(|entry| entry.identity.as_deref());
        identity.map_or(0, |one| one.tenant)
    }

    /// Sessions with a connection, by whose they are. Where no tenants are named, no session is looked at.
    pub(crate) fn sessions_by_tenant(&self) -> BTreeMap<String, u64> {
        let rules = self.commons.policies.rules();
        let mut counts = vec![0; rules.tenants.len()];
        match rules.named {
            false => counts[0] = self.connected(),
            true => {
                let connected = self.sessions.values().filter(|one| one.is_connected());
                for entry in connected {
                    let tenant = entry.identity.as_deref().map_or(0, |one| one.tenant);
                    counts[usize::from(tenant)] += 1;
                }
            }
        }
        let names = rules.tenants.iter().map(|one| one.id.to_string());
        names.zip(counts).collect()
    }

    /// The same, by its name.
    pub(crate) fn tenant_id(&self, session: SessionId) -> String {
        let rules = self.commons.policies.rules();
        rules.tenant(self.tenant(session)).id.to_string()
    }

    /// Whether a session that lost its connection still has its user's seat, which it keeps while it waits.
    pub(crate) fn keep_seat(&self, session: SessionId) -> bool {
        let user = self.identity(session).and_then(|one| one.user.as_ref());
        user.is_none_or(|user| self.commons.seats.set_detached(user, session, true))
    }

    /// A session has ended: its user may have another.
    pub(crate) fn leave_seat(&mut self, session: SessionId) {
        let entry = self.sessions.get(&session);
        let Some(identity) = entry.and_then(|entry| entry.identity.as_deref()) else {
            return;
        };
        self.environments.leave(identity.environment);
        if let Some(user) = &identity.user {
            self.commons.seats.leave(user, session);
        }
    }

    /// Whether who shows this token may go on with its session; names the session that gives way to it. What the visitor
    /// proved anew counts from now on.
    ///
    /// # Errors
    /// 401 when it proved to be somebody else, or the session's time is over; 410 when another one has its place.
    pub(crate) fn recognise(
        &mut self,
        token: &Token,
        visitor: &Visitor,
    ) -> Result<Option<SessionId>, Refusal> {
        let session = token.session;
        let mut identity = self.identity(session).cloned().unwrap_or_default();
        let before = identity.environment;
        // Of a session that came back from disk only its token says whose it is.
        let came_back = token.of.as_ref().filter(|_| identity.user.is_none());
        if let Some((user, expires)) = came_back {
            identity.user = Some(user.clone());
            identity.expires = *expires;
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
        let seats = &self.commons.seats;
        let displaced = match &identity.user {
            Some(user) if came_back.is_some() => {
                seats.take(user, session).map_err(|_| NO_SESSION)?
            }
            Some(user) if !seats.set_detached(user, session, false) => return Err(NO_SESSION),
            Some(_) | None => None,
        };
        if before.is_none() {
            self.environments.enter(identity.environment);
        }
        if let Some(entry) = self.sessions.get_mut(&session) {
            entry.identity = (!identity.is_nobodys()).then(|| Box::new(identity));
        }
        Ok(displaced)
    }
}

/// The answer to a request whose credential is not taken.
pub(crate) fn unproven(why: &Unproven) -> Refusal {
    Refusal {
        status: 401,
        reason: format!("{}: {why}", ErrorCode::AuthFailed).into(),
    }
}

/// For clients on lanes, before they are closed; the words are wsPrism's.
const KICKED: &str =
    r#"{"v":1,"svc":"sys","type":"kicked","data":{"reason":"max_sessions_exceeded"}}"#;
