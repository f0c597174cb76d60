//! A client of the simulation: reads frames as any client does, and keeps what it asked for and was told.
//!
//! Never decides what to say: that is `script` or `live`.

use std::collections::VecDeque;

use bytes::Bytes;
use serde::Deserialize;
use worldshard_protocol::world::OPCODE_S2C_DELTA;
use worldshard_protocol::{
    EntityId, ExtEnvelope, Greeting, HotHeader, SessionId, Tick, View, read_delta,
};
use worldshard_shard::Interest;

use crate::frame;
use crate::sim::observed::{ClientSeen, DeltaSeen};

/// One client and the connection it has, if any.
#[derive(Debug)]
pub struct SimClient {
    number: u32,
    /// What it builds from deltas alone.
    view: View,
    standing: ClientStanding,
    /// Of its connection; none while it has none.
    seen: Option<ClientSeen>,
    /// Frames that the engine gave it and it has not read.
    unread: VecDeque<Bytes>,
    /// The last tick that it was told of, on whatever connection.
    told: Tick,
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

impl SimClient {
    /// A client without a connection.
    #[must_use]
    pub(crate) fn new(number: u32) -> Self {
        Self {
            number,
            view: View::new(),
            standing: ClientStanding::Out,
            seen: None,
            unread: VecDeque::new(),
            told: Tick(0),
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
        self.seen.as_ref().map(|seen| seen.session)
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

    /// What it cannot make sense of; the server broke the protocol.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        self.seen.as_ref()?.trouble.as_deref()
    }

    /// The last delta that it can acknowledge.
    pub(crate) fn delta_sequence(&self) -> u32 {
        self.seen.as_ref().map_or(0, |seen| seen.delta_sequence)
    }

    /// What it asked for and was told on its connection.
    pub(crate) fn seen(&mut self) -> Option<&mut ClientSeen> {
        self.seen.as_mut()
    }

    pub(crate) fn stands(&mut self, standing: ClientStanding) {
        self.standing = standing;
    }

    /// It is connected from now on, as a session that nobody knows.
    pub(crate) fn opened(&mut self, session: SessionId, honest: bool, interest: Interest) {
        self.closed();
        let mut seen = ClientSeen::new(self.number, session, interest);
        seen.honest = honest;
        self.seen = Some(seen);
    }

    /// It is connected no longer, and what it had not read is lost.
    pub(crate) fn closed(&mut self) {
        *self = Self {
            told: self.told,
            ..Self::new(self.number)
        };
    }

    /// The last tick that it was told of, in whatever frame it was given.
    pub(crate) fn told(&mut self) -> Tick {
        while self.read_one() {}
        self.told
    }

    /// For checkers: what it asked for and believes, and what it read since the last call.
    pub(crate) fn observe(&mut self) -> Option<ClientSeen> {
        let seen = self.seen.as_mut()?;
        seen.is_in = self.standing == ClientStanding::In;
        seen.believe(&self.view);
        let observed = seen.clone();
        self.forget();
        Some(observed)
    }

    /// Drops what it read since the last call: nobody asks for it.
    pub(crate) fn forget(&mut self) {
        if let Some(seen) = &mut self.seen {
            seen.deltas.clear();
            seen.refused.clear();
        }
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
        let Some(seen) = &mut self.seen else {
            return;
        };
        // A text of the ext lane is a JSON object; the hot lane begins with its version.
        let read = if payload.first() == Some(&b'{') {
            let text = String::from_utf8_lossy(payload);
            read_text(
                &text,
                seen,
                &mut self.standing,
                &mut self.view,
                &mut self.told,
            )
        } else {
            read_binary(payload, seen, &mut self.view, &mut self.told)
        };
        if let Err(trouble) = read {
            seen.trouble.get_or_insert(trouble);
        }
    }
}

fn read_text(
    text: &str,
    seen: &mut ClientSeen,
    standing: &mut ClientStanding,
    view: &mut View,
    told: &mut Tick,
) -> Result<(), String> {
    let envelope = ExtEnvelope::parse(text).map_err(|error| error.to_string())?;
    match (&*envelope.svc, &*envelope.kind) {
        ("sys", "authed") => {
            let greeting = Greeting::parse(text).map_err(|error| error.to_string())?;
            *told = Tick(greeting.tick).max(*told);
            if greeting.session != seen.session.value() {
                return Err(format!("it is greeted as session {}", greeting.session));
            }
        }
        ("sys", "error") => {
            let joins = envelope.seq.is_none_or(|seq| seq == seen.join_sent);
            if *standing == ClientStanding::Joining && joins {
                *standing = ClientStanding::Out;
            }
            seen.refused.extend(envelope.seq);
        }
        ("world", "joined") => {
            let JoinedData { entity, tick } = data(&envelope)?;
            *told = Tick(tick).max(*told);
            // Who has asked to leave meanwhile waits for that.
            if *standing != ClientStanding::Leaving {
                *standing = ClientStanding::In;
            }
            seen.avatar = entity.map(EntityId);
            seen.avatar_lost = false;
            seen.delta_sequence = 0;
            // What it saw through another viewpoint is nothing to build on.
            *view = View::new();
        }
        ("world", "left") => *standing = ClientStanding::Out,
        ("world", "avatar_lost") => {
            let LostData { entity } = data(&envelope)?;
            if seen.avatar != Some(EntityId(entity)) {
                return Err(format!(
                    "it lost entity {entity}, its avatar is {:?}",
                    seen.avatar
                ));
            }
            seen.avatar_lost = true;
        }
        // Answers to lies.
        ("app", "reject" | "ack") | ("sys", "pong" | "gap") => {}
        (svc, kind) => return Err(format!("{svc} says {kind}, which nobody knows")),
    }
    Ok(())
}

fn data<T: serde::de::DeserializeOwned>(envelope: &ExtEnvelope<'_>) -> Result<T, String> {
    envelope.data_as().map_err(|error| error.to_string())
}

fn read_binary(
    payload: &[u8],
    seen: &mut ClientSeen,
    view: &mut View,
    told: &mut Tick,
) -> Result<(), String> {
    let (header, payload) = HotHeader::parse(payload).map_err(|error| error.to_string())?;
    if header.opcode != OPCODE_S2C_DELTA {
        // The overview claims no exactness.
        return Ok(());
    }
    let sequence = header.seq.ok_or("a delta has no number")?;
    let delta = read_delta(payload).map_err(|error| error.to_string())?;
    *told = Tick(delta.tick.to_native()).max(*told);
    let command_sequence = delta.command_sequence.to_native();
    let applied = view
        .apply(payload)
        .map_err(|error| format!("delta {sequence}: {error}"))?;
    seen.delta_sequence = sequence;
    seen.deltas.push(DeltaSeen {
        sequence,
        tick: Tick(delta.tick.to_native()),
        command_sequence,
        entered: u32::try_from(applied.entered).unwrap_or(u32::MAX),
        left: u32::try_from(applied.left).unwrap_or(u32::MAX),
    });
    Ok(())
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
