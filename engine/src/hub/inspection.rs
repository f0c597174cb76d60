//! What operators see of one shard, and what they say to its clients. Never decides who may ask.

use serde::Serialize;
use serde_json::{Value, json};
use worldshard_protocol::{EntityId, SessionId};
use worldshard_transport::{MessageKind, data_frame};

use crate::app::{Framing, RoomId};
use crate::hub::Hub;
use crate::hub::session::{Connection, Session};

/// Which sessions an operator asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct SessionFilter {
    /// Of this tenant alone.
    pub(crate) tenant: Option<String>,
    /// Of this user alone.
    pub(crate) user: Option<String>,
    /// Behind this one.
    pub(crate) after: u64,
    /// At most so many.
    pub(crate) max: usize,
}

/// One session as operators see it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct SessionInfo {
    pub(crate) session: u64,
    tenant: String,
    user: Option<String>,
    path: String,
    /// Its home.
    shard: u16,
    /// `open`, `closing`, or `detached` while it waits for another connection.
    state: &'static str,
    /// By the world's time.
    seconds_open: f64,
    /// In its message queue.
    bytes_waiting: usize,
    /// The name of the connection that it was opened over.
    trace: Option<String>,
}

impl Hub {
    /// Sessions of this home, ascending.
    pub(crate) fn list_sessions(&self, filter: &SessionFilter) -> Vec<SessionInfo> {
        let behind = |session: &SessionId| session.value() > filter.after;
        let is = |wanted: &Option<String>, is: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| Some(wanted) == is)
        };
        let sessions = self.desk.sessions.iter();
        sessions
            .filter(|(session, entry)| behind(session) && !entry.is_gone())
            .map(|(session, entry)| self.session_info(*session, entry))
            .filter(|one| is(&filter.tenant, Some(&one.tenant)))
            .filter(|one| is(&filter.user, one.user.as_deref()))
            .take(filter.max)
            .collect()
    }

    /// All that is known of a session of this home, but for what its client showed or says.
    pub(crate) fn inspect_session(&self, session: SessionId) -> Option<Value> {
        let entry = self.desk.sessions.get(&session)?;
        let info = (!entry.is_gone()).then(|| self.session_info(session, entry))?;
        let rooms: Vec<Value> = self
            .desk
            .memberships
            .rooms(session)
            .map(|room| json!({ "kind": &*self.recipe.kind_label(room), "name": &*room.name }))
            .collect();
        let mut value = serde_json::to_value(info).ok()?;
        let standing = entry.standing.as_deref();
        value["rooms"] = rooms.into();
        value["lanes"] = standing.is_some().into();
        value["frames_waiting"] = entry.egress.queued.len().into();
        value["entity"] = standing.and_then(|one| one.entity).map(|id| id.0).into();
        value["viewpoint_at"] = standing
            .filter(|one| one.tells())
            .map(|one| one.owner.0)
            .into();
        value["resumed"] = standing.map(|one| one.resumption.generation).into();
        Some(value)
    }

    /// An entity as this shard sees it: its own, or a ghost.
    pub(crate) fn inspect_entity(&self, entity: EntityId) -> Option<Value> {
        let view = self.shard.view();
        let mut ranks = 0..view.len() as u32;
        let rank = ranks.find(|rank| view.id(*rank) == entity)?;
        let names: Vec<(u16, &str)> = self.recipe.world.registry.replicated().collect();
        let components: serde_json::Map<String, Value> = view
            .extras(rank)
            .filter_map(|(index, bytes)| {
                let (_, name) = names.iter().find(|(number, _)| *number == index)?;
                let hex = data_encoding::HEXLOWER.encode(bytes);
                Some(((*name).to_owned(), hex.into()))
            })
            .collect();
        Some(json!({
            "entity": entity.0,
            "shard": self.desk.own.0,
            "owner": view.owner(rank).0,
            "ghost": !view.is_owned(rank),
            "position": view.position(rank).to_array(),
            "changed_tick": view.changed_tick(rank).0,
            "components": components,
        }))
    }

    /// A room that lives here.
    pub(crate) fn inspect_room(&self, id: &RoomId) -> Option<Value> {
        let entry = self.rooms.find(id)?;
        let members: Vec<Value> = entry
            .state
            .members
            .iter()
            .map(|one| {
                let user = one.user.as_ref().map(|user| user.as_str());
                json!({ "session": one.session.value(), "user": user })
            })
            .collect();
        let timers: Vec<&str> = entry.state.timers.keys().map(AsRef::as_ref).collect();
        Some(json!({
            "kind": &*self.recipe.kind_label(id),
            "name": &*id.name,
            "shard": self.desk.own.0,
            "members": members,
            "coming": entry.coming,
            "timers": timers,
            "note": entry.state.note.as_deref(),
        }))
    }

    /// Says a text to every session of this home, or of one tenant: as it is on raw paths, as `sys/notice` on lanes. How many
    /// were told.
    pub fn notify(&mut self, text: &str, tenant: Option<&str>) -> usize {
        let notice = format!(
            r#"{{"v":1,"svc":"sys","type":"notice","data":{{"text":{}}}}}"#,
            Value::from(text)
        );
        let on_lanes = data_frame(MessageKind::Text, notice.as_bytes());
        let raw = data_frame(MessageKind::Text, text.as_bytes());
        let sessions: Vec<SessionId> = self
            .desk
            .sessions_open()
            .filter(|one| tenant.is_none_or(|tenant| self.desk.tenant_id(*one) == tenant))
            .collect();
        for session in &sessions {
            let frame = match self.desk.framing_if_open(*session) {
                Some(Framing::Lanes) => &on_lanes,
                Some(Framing::Raw) | None => &raw,
            };
            self.desk.push_reliable(*session, frame.clone());
        }
        sessions.len()
    }

    fn session_info(&self, session: SessionId, entry: &Session) -> SessionInfo {
        let interval = self.recipe.world.config.tick_interval;
        let ticks = self.desk.tick.since(entry.opened);
        let user = entry.identity.as_deref().and_then(|one| one.user.as_ref());
        SessionInfo {
            session: session.value(),
            tenant: self.desk.tenant_id(session),
            user: user.map(|user| user.as_str().to_owned()),
            path: entry.path.to_string(),
            shard: self.desk.own.0,
            state: match entry.connection {
                Connection::Open => "open",
                Connection::Closing(..) | Connection::Gone => "closing",
                Connection::Detached => "detached",
            },
            seconds_open: ticks as f64 * interval.as_secs_f64(),
            bytes_waiting: entry.egress.reliable_bytes,
            trace: entry.trace.map(|trace| trace.to_string()),
        }
    }
}
