//! What clients said that is neither for the world nor for systems: for rooms, text commands, services of the ext lane. Run
//! in the order in which each client said it, before the rooms and the systems of the turn.
//!
//! Never reads bytes: that is `ingress` and `application`.

use std::borrow::Cow;

use bytes::Bytes;
use worldshard_protocol::{ErrorCode, ExtEnvelope, HotHeader, SessionId, WireError};
use worldshard_shard::Refusal;

use crate::app::{ExtSaid, Framing, HotSaid, RoomId};
use crate::hub::Hub;
use crate::hub::application::Lane;
use crate::hub::blocks::Blocks;
use crate::hub::rooms::{Place, ROOM_SVC_NAME, RoomCall};
use crate::message::{Event, Message, Payload, Text};

/// One thing that a client said.
pub(crate) enum Said {
    /// A text of a raw path that is a command, or for who takes all others.
    Line(Text),
    /// A binary message of a raw path that has an owner.
    Binary(Bytes),
    /// A message of the ext lane to the service `room`, or to one of the application.
    Ext { svc: String, said: ExtSaid },
    /// A message of the hot lane to a service of the application.
    Hot { svc: u8, said: HotSaid },
    /// A message for the room with this name, or for the one that the session is in.
    Message {
        room: Option<String>,
        payload: Payload,
        seq: Option<u32>,
    },
    /// Its last word: the session has ended.
    Ended,
}

impl ExtSaid {
    fn new(envelope: &ExtEnvelope<'_>, data: Text) -> Self {
        Self {
            kind: envelope.kind.clone().into_owned(),
            room: envelope.room.as_deref().map(str::to_owned),
            seq: envelope.seq,
            data,
        }
    }
}

impl Hub {
    /// Whether clients on lanes can say something to this service, beside what every server has.
    pub(crate) fn has_service(&self, svc: &str) -> bool {
        svc == ROOM_SVC_NAME || self.recipe.ext_services.contains_key(svc)
    }

    /// Keeps what is said to a service.
    pub(crate) fn keep_ext(&mut self, session: SessionId, envelope: &ExtEnvelope<'_>) {
        let data = envelope.data.as_ref().map_or("null", |data| data.get());
        let data = Text::of_json(self.desk.blocks.copy(data.as_bytes()));
        let svc = envelope.svc.clone().into_owned();
        let said = ExtSaid::new(envelope, data);
        self.keep_said(session, Said::Ext { svc, said });
    }

    /// The same for one of the hot lane.
    pub(crate) fn keep_hot(
        &mut self,
        session: SessionId,
        header: &HotHeader,
        payload: &[u8],
    ) -> Result<(), WireError> {
        if header.ack {
            let detail = "flags: ACK is for messages of the application";
            return Err(WireError::new(ErrorCode::BadRequest, detail));
        }
        let copied = |blocks: &mut Blocks| Payload::Binary(blocks.copy(payload));
        if self.is_screened_out(session, copied) {
            return Ok(());
        }
        let said = HotSaid {
            opcode: header.opcode,
            seq: header.seq,
            payload: self.desk.blocks.copy(payload),
        };
        let svc = header.svc;
        self.keep_said(session, Said::Hot { svc, said });
        Ok(())
    }

    /// A message for a room, or for systems.
    pub(crate) fn hear(
        &mut self,
        session: SessionId,
        room: Option<String>,
        payload: Payload,
        seq: Option<u32>,
    ) {
        if room.is_none() {
            match self.desk.memberships.place(session) {
                // It may be refused, and that is said in its turn.
                Place::Nowhere if self.is_for_members(session, &payload) => {}
                Place::Nowhere => {
                    let message = Message { session, payload };
                    return self.events.push(Event::Message(message));
                }
                // Nothing else that it says is for a room, so nothing has to be told before.
                Place::PathRoom(room) => {
                    let room = room.clone();
                    let call = RoomCall::Say { session, payload };
                    return self.desk.call_room(room, call);
                }
                Place::Rooms => {}
            }
        }
        let message = Said::Message { room, payload, seq };
        self.keep_said(session, message);
    }

    /// A session has ended: its rooms are told behind what it said.
    pub(crate) fn hear_end(&mut self, session: SessionId) {
        self.desk.leave_path_room(session);
        if !self.said.is_empty() || self.desk.memberships.has_any(session) {
            self.keep_said(session, Said::Ended);
        }
    }

    /// Runs what was said, and adds what turns out to be for systems.
    pub(crate) fn run_said(&mut self, events: &mut Vec<Event>) {
        let mut said = std::mem::take(&mut self.said);
        for (session, tenant, said) in said.drain(..) {
            self.runs_for = tenant;
            match said {
                Said::Ended => self.desk.leave_rooms(session),
                Said::Line(text) => self.run_line(session, &text, events),
                Said::Binary(bytes) => self.run_binary_command(session, &bytes, events),
                Said::Ext { svc, said } => {
                    if let Err(error) = self.run_ext(session, &svc, &said, events) {
                        self.desk
                            .refuse(session, error.code, &error.detail, said.seq);
                    }
                }
                Said::Hot { svc, said } => {
                    if let Err(error) = self.run_hot(session, svc, &said, events) {
                        let (code, lane) = (error.code, Lane::Hot);
                        self.desk
                            .refuse_on(session, lane, code, &error.detail, said.seq);
                    }
                }
                Said::Message { room, payload, seq } => {
                    match self.room_or_systems(session, room.as_deref(), &payload) {
                        Ok(Some(room)) => {
                            let call = RoomCall::Say { session, payload };
                            self.desk.call_room(room, call);
                        }
                        Ok(None) => events.push(Event::Message(Message { session, payload })),
                        Err(error) => {
                            let (code, lane) = (error.code, lane_of(&payload));
                            self.desk.refuse_on(session, lane, code, &error.detail, seq);
                        }
                    }
                }
            }
        }
        self.runs_for = 0;
        self.said = said;
    }

    /// Keeps what a session said until it is run.
    pub(super) fn keep_said(&mut self, session: SessionId, said: Said) {
        let tenant = self.desk.tenant(session);
        self.said.push((session, tenant, said));
    }

    /// Whether a message on the hot lane needs a room.
    fn is_for_members(&self, session: SessionId, payload: &Payload) -> bool {
        let is_raw = || self.desk.framing_if_open(session) == Some(Framing::Raw);
        lane_of(payload) == Lane::Hot && self.desk.needs_room(session) && !is_raw()
    }

    /// The room that a message is for, if it is for one.
    fn room_or_systems(
        &self,
        session: SessionId,
        named: Option<&str>,
        payload: &Payload,
    ) -> Result<Option<RoomId>, WireError> {
        if self.is_for_members(session, payload) {
            self.desk.may_say_outside_rooms(session)?;
        }
        self.room_of_message(session, named)
    }

    fn run_hot(
        &mut self,
        session: SessionId,
        svc: u8,
        said: &HotSaid,
        events: &[Event],
    ) -> Result<(), WireError> {
        self.desk.may_say_outside_rooms(session)?;
        let recipe = self.recipe.clone();
        let Some((name, run)) = recipe.hot_services.get(&svc) else {
            return Ok(());
        };
        let mut result = Ok(());
        let panic = self.caught(name, events, |cx| result = run(cx, session, said));
        self.told_by_service(name, panic, result)
    }

    /// What a service of the application said of a message, or that it failed.
    fn told_by_service(
        &mut self,
        name: &'static str,
        panic: Option<String>,
        result: Result<(), Refusal>,
    ) -> Result<(), WireError> {
        if let Some(panic) = panic {
            self.blame.count(name, &panic);
            let detail = Cow::Owned(format!("the service {name} failed"));
            return Err(WireError::new(ErrorCode::Internal, detail));
        }
        result.map_err(|refusal| WireError::new(refusal.code, refusal.detail))
    }

    fn run_ext(
        &mut self,
        session: SessionId,
        svc: &str,
        said: &ExtSaid,
        events: &[Event],
    ) -> Result<(), WireError> {
        if svc == ROOM_SVC_NAME {
            return self.take_room(session, said);
        }
        let recipe = self.recipe.clone();
        let Some((&name, run)) = recipe.ext_services.get_key_value(svc) else {
            return Ok(());
        };
        let mut result = Ok(());
        let panic = self.caught(name, events, |cx| result = run(cx, session, said));
        self.told_by_service(name, panic, result)
    }
}

/// On which lane a client says such a payload.
fn lane_of(payload: &Payload) -> Lane {
    match payload {
        Payload::Text(_) => Lane::Ext,
        Payload::Binary(_) => Lane::Hot,
    }
}
