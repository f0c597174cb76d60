//! What the log says of the lives of sessions, at level debug: each line has the session and the name of the connection that
//! it was opened over, so that one name finds them all. Never what clients showed or said.

use worldshard_protocol::SessionId;

use crate::app::RoomId;
use crate::hub::desk::Desk;
use crate::identity::TraceId;
use crate::message::CloseReason;

impl Desk {
    /// The name of the connection that a session was opened over, for the log.
    fn trace(&self, session: SessionId) -> String {
        let entry = self.sessions.get(&session);
        let trace = entry.and_then(|entry| entry.trace);
        trace.map_or_else(String::new, |trace| trace.to_string())
    }

    pub(crate) fn log_opened(&self, session: SessionId) {
        if !is_logged() {
            return;
        }
        let user = self.identity(session).and_then(|one| one.user.as_ref());
        tracing::debug!(
            trace = self.trace(session),
            %session,
            path = self.path(session),
            tenant = self.tenant_id(session),
            user = user.map(|user| user.as_str()),
            "session opened"
        );
    }

    pub(crate) fn log_room(&self, session: SessionId, room: &RoomId, what: &str, reason: &str) {
        if is_logged() {
            let (trace, room) = (self.trace(session), &*room.name);
            tracing::debug!(trace, %session, room, reason, "room {what}");
        }
    }

    pub(crate) fn log_detached(&self, session: SessionId) {
        if is_logged() {
            tracing::debug!(trace = self.trace(session), %session, "session waits for another connection");
        }
    }

    /// It goes on over the connection with this name.
    pub(crate) fn log_resumed(&self, session: SessionId, connection: Option<TraceId>) {
        if is_logged() {
            let connection = connection.map(|trace| trace.to_string());
            let trace = self.trace(session);
            tracing::debug!(trace, %session, connection, "session resumed");
        }
    }

    pub(crate) fn log_closed(&self, session: SessionId, reason: &CloseReason) {
        if is_logged() {
            let (by, code, why) = match reason {
                CloseReason::Client { code } => ("client", Some(*code), ""),
                CloseReason::Server { code, reason } => ("server", Some(*code), &**reason),
                CloseReason::Lost => ("network", None, "the connection broke"),
                CloseReason::Timeout => ("server", None, "nothing was heard or taken"),
            };
            let trace = self.trace(session);
            tracing::debug!(trace, %session, by, code, reason = why, "session closed");
        }
    }
}

fn is_logged() -> bool {
    tracing::enabled!(tracing::Level::DEBUG)
}
