//! What clients on lanes say and are told about rooms: the service `room` of the ext lane.
//!
//! Never decides who is let in: that is the room's host.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use worldshard_protocol::app::SYS_SVC_NAME;
use worldshard_protocol::{ErrorCode, ExtEnvelope, SessionId, UserId, WireError};
use worldshard_transport::{MessageKind, data_frame};

use super::denial::Denial;
use super::memberships::{TOO_MANY_WISHES, Wish};
use crate::app::{ExtSaid, Framing, RoomId};
use crate::hub::Hub;
use crate::hub::desk::Desk;
use crate::message::Payload;

/// What a client wants to see of the list of rooms.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct ListWish {
    /// Rooms whose names come after this one.
    after: Option<String>,
    max: Option<usize>,
}

#[derive(Serialize)]
struct ListedLine<'a> {
    room: &'a str,
    members: u32,
    #[serde(skip_serializing_if = "str::is_empty")]
    note: &'a str,
}

#[derive(Serialize)]
struct MemberLine<'a> {
    session: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a UserId>,
}

impl Hub {
    /// Takes what a client says to the service `room`.
    pub(crate) fn take_room(
        &mut self,
        session: SessionId,
        said: &ExtSaid,
    ) -> Result<(), WireError> {
        let Some(kind) = self.recipe.joinable_kind() else {
            let detail = "svc: no rooms are joined on this server";
            return Err(WireError::new(ErrorCode::BadRequest, detail));
        };
        let (named, seq) = (said.room.as_deref(), said.seq);
        match &*said.kind {
            "join" => {
                let default = self.recipe.rooms[usize::from(kind)].default_room.as_deref();
                let name = named.or(default).unwrap_or(DEFAULT_ROOM).into();
                let request = Payload::Text(said.data.clone());
                let wish = Wish::Client(seq);
                let tenant = self.desk.tenant(session);
                let room = RoomId { tenant, kind, name };
                self.desk.join_room(session, room, request, wish);
                Ok(())
            }
            "leave" => {
                let room = self.room_meant(session, kind, named)?;
                self.desk.leave_room(session, &room, said.seq);
                Ok(())
            }
            "members" => {
                let room = self.room_meant(session, kind, named)?;
                let asked = self.desk.ask_members(session, room, seq);
                let too_many = || WireError::new(ErrorCode::RateLimited, TOO_MANY_WISHES);
                asked.then_some(()).ok_or_else(too_many)
            }
            "list" => {
                let wish = serde_json::from_str::<Option<ListWish>>(said.data.as_str());
                let wish = wish.map_err(|error| {
                    WireError::new(ErrorCode::BadRequest, format!("data: {error}"))
                })?;
                self.desk
                    .tell_rooms(session, kind, wish.unwrap_or_default(), seq)
            }
            kind => {
                let detail = format!("type: the service room takes no {kind:?}");
                Err(WireError::new(ErrorCode::BadRequest, detail))
            }
        }
    }

    /// The room that a client means: the named one, or the last that it joined. It must be in it.
    fn room_meant(
        &self,
        session: SessionId,
        kind: u16,
        named: Option<&str>,
    ) -> Result<RoomId, WireError> {
        let room = match named {
            Some(name) => Some(RoomId {
                tenant: self.desk.tenant(session),
                kind,
                name: name.into(),
            }),
            None => self.desk.active_room(session, kind),
        };
        let room = room.filter(|room| self.desk.memberships.has(session, room));
        room.ok_or_else(|| not_a_member(named))
    }

    /// The room that a message is for; none when it is for systems, as on raw paths it is.
    pub(crate) fn room_of_message(
        &self,
        session: SessionId,
        named: Option<&str>,
    ) -> Result<Option<RoomId>, WireError> {
        let Some(name) = named else {
            let on_lanes = self.desk.framing_if_open(session) != Some(Framing::Raw);
            let kind = self.recipe.joinable_kind().filter(|_| on_lanes);
            return Ok(kind.and_then(|kind| self.desk.active_room(session, kind)));
        };
        let in_it = self.desk.memberships.rooms(session);
        let room = in_it.filter(|room| &*room.name == name).last();
        let room = room.ok_or_else(|| not_a_member(named))?;
        Ok(Some(room.clone()))
    }
}

impl Desk {
    /// The room of this kind that a session joined last.
    fn active_room(&self, session: SessionId, kind: u16) -> Option<RoomId> {
        let rooms = self.memberships.rooms(session);
        rooms.filter(|room| room.kind == kind).last().cloned()
    }

    pub(super) fn say_joined(&mut self, session: SessionId, room: &RoomId, seq: Option<u32>) {
        self.say_of_room(session, SYS_SVC_NAME, "joined", room, seq, None);
    }

    pub(super) fn say_left(
        &mut self,
        session: SessionId,
        room: &RoomId,
        reason: &str,
        seq: Option<u32>,
    ) {
        let data = serde_json::json!({ "reason": reason });
        self.say_of_room(session, SYS_SVC_NAME, "left", room, seq, Some(data));
    }

    /// Tells a client that speaks lanes that these wishes of it are not granted.
    pub(super) fn tell_refused(
        &mut self,
        session: SessionId,
        room: &RoomId,
        denial: &Denial,
        seqs: &[Option<u32>],
    ) {
        if self.framing_if_open(session) == Some(Framing::Lanes) {
            let detail = denial.detail(room);
            for seq in seqs {
                self.refuse(session, denial.code, &detail, *seq);
            }
        }
    }

    pub(super) fn tell_members(
        &mut self,
        session: SessionId,
        room: &RoomId,
        members: &[(SessionId, Option<UserId>)],
        seq: Option<u32>,
    ) {
        let lines = members.iter().map(|(session, user)| MemberLine {
            session: session.value(),
            user: user.as_ref(),
        });
        let lines: Vec<_> = lines.collect();
        let data = serde_json::json!({ "members": lines });
        self.say_of_room(session, ROOM_SVC_NAME, "members", room, seq, Some(data));
    }

    fn tell_rooms(
        &mut self,
        session: SessionId,
        kind: u16,
        wish: ListWish,
        seq: Option<u32>,
    ) -> Result<(), WireError> {
        let max = wish.max.unwrap_or(LISTED_MAX);
        if !(1..=LISTED_MAX).contains(&max) {
            let detail = format!("data.max: {max}; 1 to {LISTED_MAX} may be had");
            return Err(WireError::new(ErrorCode::BadRequest, detail));
        }
        let directory = &self.commons.directory;
        let of = (self.tenant(session), kind);
        let rooms = directory.list(of, wish.after.as_deref(), max);
        let lines = rooms.iter().map(|listed| ListedLine {
            room: &listed.name,
            members: listed.members,
            note: &listed.note,
        });
        let lines: Vec<_> = lines.collect();
        let mut envelope = ExtEnvelope::new(ROOM_SVC_NAME, "list");
        envelope.seq = seq;
        let data = serde_json::json!({ "rooms": lines });
        self.say_ext(session, envelope, Some(data));
        Ok(())
    }

    fn say_of_room(
        &mut self,
        session: SessionId,
        svc: &'static str,
        kind: &'static str,
        room: &RoomId,
        seq: Option<u32>,
        data: Option<serde_json::Value>,
    ) {
        let mut envelope = ExtEnvelope::new(svc, kind);
        envelope.room = Some(Cow::Borrowed(&room.name));
        envelope.seq = seq;
        self.say_ext(session, envelope, data);
    }

    /// Says something to a client that speaks lanes; another one is told by whoever had it join.
    fn say_ext(
        &mut self,
        session: SessionId,
        mut envelope: ExtEnvelope<'_>,
        data: Option<serde_json::Value>,
    ) {
        if self.framing_if_open(session) != Some(Framing::Lanes) {
            return;
        }
        let raw = data.map(|data| serde_json::value::to_raw_value(&data));
        envelope.data = raw.map(|raw| Cow::Owned(raw.expect("a value is JSON")));
        let frame = data_frame(MessageKind::Text, envelope.to_text().as_bytes());
        self.push_reliable(session, frame);
    }
}

fn not_a_member(named: Option<&str>) -> WireError {
    let detail = match named {
        Some(_) => "room: the session is no member of it",
        None => "room: missing, and the session is in none",
    };
    WireError::new(ErrorCode::NotAllowed, detail)
}

/// The service of the ext lane that clients join rooms by.
pub(crate) const ROOM_SVC_NAME: &str = "room";

/// Where a client comes that names no room.
const DEFAULT_ROOM: &str = "default";

/// Rooms of one list.
const LISTED_MAX: usize = 100;
