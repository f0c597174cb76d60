//! A client of the simulation: reads frames as any client does, and keeps what it was told for checkers.
//!
//! Never decides what to say: that is `script` or `live`.

use std::collections::VecDeque;

use bytes::Bytes;
use serde::Deserialize;
use worldshard_protocol::world::OPCODE_S2C_DELTA;
use worldshard_protocol::{
    Applied, EntityId, ExtEnvelope, Greeting, HotHeader, SessionId, Tick, View, ViewError,
    read_delta,
};

use crate::frame;

/// One client and the connection it has, if any.
#[derive(Debug)]
pub struct SimClient {
    number: u32,
    session: Option<SessionId>,
    /// What it builds from deltas alone.
    view: View,
    standing: ClientStanding,
    /// The last delta of this viewpoint that it read.
    delta_sequence: u32,
    /// Frames that the engine gave it and it has not read.
    unread: VecDeque<Bytes>,
    heard: Vec<Heard>,
}

/// How a client believes to stand in the world.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClientStanding {
    /// Without a viewpoint.
    Out,
    /// It asked for one.
    Joining,
    /// It has one.
    In,
    /// It gave it up and waits for the answer.
    Leaving,
}

/// Something that a client read, or that happened to its connection.
#[derive(Clone, Debug)]
pub enum Heard {
    /// It connected.
    Opened(SessionId),
    /// It was greeted as this session.
    Greeting(u64),
    /// It has a viewpoint.
    Joined {
        /// Its avatar, if it is one.
        entity: Option<EntityId>,
        /// Since when.
        tick: Tick,
    },
    /// It has none any more.
    Left,
    /// Its avatar is gone; it looks on.
    AvatarLost(EntityId),
    /// A delta, and what came of it.
    Delta(HeardDelta),
    /// A part of the overview.
    Overview,
    /// Something it said was refused, with this code.
    Refused(String),
    /// Bytes that no client can read.
    Unreadable(String),
    /// Its connection ended; a code when the engine closed it.
    Closed(Option<u16>),
}

/// One delta as a client read it.
#[derive(Clone, Debug)]
pub struct HeardDelta {
    /// Its number since the client joined.
    pub sequence: u32,
    /// The tick it shows.
    pub tick: Tick,
    /// Whether it is everything.
    pub full: bool,
    /// The client's last command that it contains.
    pub command_sequence: u32,
    /// What it did to the view.
    pub outcome: Result<Applied, ViewError>,
}

impl SimClient {
    /// A client without a connection.
    #[must_use]
    pub fn new(number: u32) -> Self {
        Self {
            number,
            session: None,
            view: View::new(),
            standing: ClientStanding::Out,
            delta_sequence: 0,
            unread: VecDeque::new(),
            heard: Vec::new(),
        }
    }

    /// Which of all clients it is.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Its session, while it is connected.
    #[must_use]
    pub fn session(&self) -> Option<SessionId> {
        self.session
    }

    /// What it knows of the world.
    #[must_use]
    pub fn view(&self) -> &View {
        &self.view
    }

    /// How it believes to stand in the world.
    #[must_use]
    pub fn standing(&self) -> ClientStanding {
        self.standing
    }

    /// Frames that wait for it.
    #[must_use]
    pub fn unread(&self) -> usize {
        self.unread.len()
    }

    /// Their bytes.
    #[must_use]
    pub fn unread_bytes(&self) -> usize {
        self.unread.iter().map(Bytes::len).sum()
    }

    /// What it read since the last call, in order.
    pub(crate) fn take_heard(&mut self) -> Vec<Heard> {
        std::mem::take(&mut self.heard)
    }

    /// The last delta that it can acknowledge.
    pub(crate) fn delta_sequence(&self) -> u32 {
        self.delta_sequence
    }

    pub(crate) fn stands(&mut self, standing: ClientStanding) {
        self.standing = standing;
    }

    /// It is connected from now on, as a session that nobody knows.
    pub(crate) fn opened(&mut self, session: SessionId) {
        *self = Self {
            session: Some(session),
            heard: std::mem::take(&mut self.heard),
            ..Self::new(self.number)
        };
        self.heard.push(Heard::Opened(session));
    }

    /// It is connected no longer, and what it had not read is lost.
    pub(crate) fn closed(&mut self, code: Option<u16>) {
        self.session = None;
        self.standing = ClientStanding::Out;
        self.unread.clear();
        self.heard.push(Heard::Closed(code));
    }

    /// The engine has a frame for it.
    pub(crate) fn receive(&mut self, frame: Bytes) {
        self.unread.push_back(frame);
    }

    /// Reads the first of the frames that wait; false when there is none.
    pub(crate) fn read_one(&mut self) -> bool {
        let Some(frame) = self.unread.pop_front() else {
            return false;
        };
        frame::open(&frame, |_, payload| self.read(payload));
        true
    }

    /// Reads one message.
    pub(crate) fn read(&mut self, payload: &[u8]) {
        // A text of the ext lane is a JSON object; the hot lane begins with its version.
        let heard = if payload.first() == Some(&b'{') {
            self.read_text(&String::from_utf8_lossy(payload))
        } else {
            self.read_binary(payload)
        };
        self.heard.push(heard);
    }

    fn read_text(&mut self, text: &str) -> Heard {
        let envelope = match ExtEnvelope::parse(text) {
            Ok(envelope) => envelope,
            Err(error) => return Heard::Unreadable(error.to_string()),
        };
        match (&*envelope.svc, &*envelope.kind) {
            ("sys", "authed") => match Greeting::parse(text) {
                Ok(greeting) => Heard::Greeting(greeting.session),
                Err(error) => Heard::Unreadable(error.to_string()),
            },
            ("sys", "error") => {
                if self.standing == ClientStanding::Joining {
                    // It may have been the join; asking again does no harm.
                    self.standing = ClientStanding::Out;
                }
                let code = envelope.data_as::<ErrorData>().map(|data| data.code);
                code.map_or_else(|error| Heard::Unreadable(error.to_string()), Heard::Refused)
            }
            ("world", "joined") => match envelope.data_as::<JoinedData>() {
                Ok(JoinedData { entity, tick }) => {
                    self.standing = ClientStanding::In;
                    self.delta_sequence = 0;
                    Heard::Joined {
                        entity: entity.map(EntityId),
                        tick: Tick(tick),
                    }
                }
                Err(error) => Heard::Unreadable(error.to_string()),
            },
            ("world", "left") => {
                self.standing = ClientStanding::Out;
                Heard::Left
            }
            ("world", "avatar_lost") => match envelope.data_as::<LostData>() {
                Ok(LostData { entity }) => Heard::AvatarLost(EntityId(entity)),
                Err(error) => Heard::Unreadable(error.to_string()),
            },
            (svc, kind) => Heard::Unreadable(format!("{svc} says {kind}")),
        }
    }

    fn read_binary(&mut self, payload: &[u8]) -> Heard {
        let (header, payload) = match HotHeader::parse(payload) {
            Ok(parsed) => parsed,
            Err(error) => return Heard::Unreadable(error.to_string()),
        };
        if header.opcode != OPCODE_S2C_DELTA {
            return Heard::Overview;
        }
        let (Some(sequence), Ok(delta)) = (header.seq, read_delta(payload)) else {
            return Heard::Unreadable("a delta without a number or content".to_owned());
        };
        self.delta_sequence = sequence;
        let outcome = self.view.apply(payload);
        Heard::Delta(HeardDelta {
            sequence,
            tick: Tick(delta.tick.to_native()),
            full: delta.is_full(),
            command_sequence: delta.command_sequence.to_native(),
            outcome,
        })
    }
}

impl Heard {
    /// What is wrong with it, if no client can make sense of it.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        match self {
            Self::Unreadable(what) => Some(what.clone()),
            Self::Delta(delta) => {
                let error = delta.outcome.err()?;
                Some(format!("delta {}: {error}", delta.sequence))
            }
            Self::Opened(_)
            | Self::Greeting(_)
            | Self::Joined { .. }
            | Self::Left
            | Self::AvatarLost(_)
            | Self::Overview
            | Self::Refused(_)
            | Self::Closed(_) => None,
        }
    }
}

#[derive(Deserialize)]
struct JoinedData {
    entity: Option<u64>,
    tick: u64,
}

#[derive(Deserialize)]
struct LostData {
    entity: u64,
}

#[derive(Deserialize)]
struct ErrorData {
    code: String,
}
