//! One message on its way to many sessions: laid out once, shared by all of them.
//!
//! Never decides who is meant: that is `routing`.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::value::RawValue;
use worldshard_protocol::app::{APP_SVC_NAME, KIND_MESSAGE, OPCODE_APP_MESSAGE};
use worldshard_protocol::{APP_SVC, ExtEnvelope, HotHeader, SessionId};
use worldshard_transport::{MessageKind, data_frame};

use crate::app::Framing;
use crate::hub::blocks::Blocks;
use crate::hub::desk::Desk;
use crate::message::{Manner, Payload, Text};

/// A message for sessions of one home.
#[derive(Clone, Debug)]
pub struct Post {
    pub(crate) to: PostTo,
    pub(crate) payload: Payload,
    /// The room that it is said in, where sessions are in several.
    pub(crate) room: Option<Arc<str>>,
    /// The frame for raw paths: the same memory for all hubs and sessions.
    pub(crate) raw: Bytes,
    pub(crate) manner: Manner,
}

/// Which sessions of a home.
#[derive(Clone, Debug)]
pub(crate) enum PostTo {
    /// Those named. Ascending, without doubles.
    Only(Vec<SessionId>),
    /// Those that were open at `moment`, but not those named. Ascending.
    AllBut { moment: u64, except: Vec<SessionId> },
}

impl Post {
    pub(crate) fn new(to: PostTo, payload: &Payload, manner: Manner, blocks: &mut Blocks) -> Self {
        Self {
            manner,
            to,
            payload: payload.clone(),
            room: None,
            raw: blocks.frame(payload.kind(), payload.bytes()),
        }
    }
}

impl Desk {
    /// Gives a post to the sessions of this home that it is for, behind what waits for them.
    pub(crate) fn deliver_now(&mut self, post: &Post) {
        let mut lanes = None;
        match &post.to {
            PostTo::Only(sessions) => {
                for &session in sessions {
                    self.deliver_copy(session, post, &mut lanes);
                }
            }
            PostTo::AllBut { moment, except } => {
                for session in self.sessions_since_before(*moment, except) {
                    self.deliver_copy(session, post, &mut lanes);
                }
            }
        }
    }

    /// Gives a message to one session of this home: nothing is shared, so nothing else is laid out.
    pub(crate) fn deliver_to_one(
        &mut self,
        session: SessionId,
        payload: &Payload,
        room: Option<&str>,
        manner: Manner,
    ) {
        let frame = match self.framing_if_open(session) {
            None => return self.note_not_open(session),
            Some(Framing::Raw) => self.blocks.frame(payload.kind(), payload.bytes()),
            Some(Framing::Lanes) => lanes_frame(payload, room, manner),
        };
        self.push_message(session, frame, manner);
    }

    /// The frame for lanes is laid out for the first session that needs it.
    fn deliver_copy(&mut self, session: SessionId, post: &Post, lanes: &mut Option<Bytes>) {
        let frame = match self.framing_if_open(session) {
            None => return self.note_not_open(session),
            Some(Framing::Raw) => post.raw.clone(),
            Some(Framing::Lanes) => lanes
                .get_or_insert_with(|| {
                    lanes_frame(&post.payload, post.room.as_deref(), post.manner)
                })
                .clone(),
        };
        self.push_message(session, frame, post.manner);
    }

    /// Queues a message of a system.
    fn push_message(&mut self, session: SessionId, frame: Bytes, manner: Manner) {
        if manner.lossy && self.has_too_much_waiting(session) {
            self.stats.lossy_dropped += 1;
            return;
        }
        if let Some(cause) = self.push_reliable(session, frame) {
            self.unsent.note(session, cause, 1);
        }
    }

    fn sessions_since_before(&self, moment: u64, except: &[SessionId]) -> Vec<SessionId> {
        let meant = self.sessions.iter().filter(|(session, entry)| {
            entry.is_open() && entry.moment < moment && except.binary_search(session).is_err()
        });
        meant.map(|(session, _)| *session).collect()
    }
}

/// The payload as a message of the service `app`, said in a room or not: ext lane for text, hot lane for binary, which
/// names no room and may begin as a message of another service. An envelope stands as it is.
pub(crate) fn lanes_frame(payload: &Payload, room: Option<&str>, manner: Manner) -> Bytes {
    match payload {
        Payload::Text(text) if text.is_envelope() => data_frame(MessageKind::Text, text.bytes()),
        Payload::Text(text) => {
            let mut envelope = ExtEnvelope::new(APP_SVC_NAME, KIND_MESSAGE);
            envelope.room = room.map(Cow::Borrowed);
            envelope.data = Some(data_of(text));
            data_frame(MessageKind::Text, envelope.to_text().as_bytes())
        }
        Payload::Binary(bytes) => match manner.header {
            None => hot_frame(APP_SVC, OPCODE_APP_MESSAGE, None, bytes),
            Some(header) => hot_frame(header.svc, header.opcode, header.seq, bytes),
        },
    }
}

/// A text as the `data` of the ext lane: JSON as it stands, another one as a JSON string.
pub(crate) fn data_of(text: &Text) -> Cow<'_, RawValue> {
    if text.is_json()
        && let Ok(data) = serde_json::from_str(text.as_str())
    {
        return Cow::Borrowed(data);
    }
    Cow::Owned(serde_json::value::to_raw_value(text.as_str()).expect("a text is JSON"))
}

/// A complete frame of the hot lane.
pub(crate) fn hot_frame(svc: u8, opcode: u8, seq: Option<u32>, payload: &[u8]) -> Bytes {
    let header = HotHeader {
        svc,
        opcode,
        seq,
        delta_ack: None,
        ack: false,
    };
    let mut message = Vec::with_capacity(header.size() + payload.len());
    header.write(&mut message);
    message.extend_from_slice(payload);
    data_frame(MessageKind::Binary, &message)
}
