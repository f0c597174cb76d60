//! What is said and heard on lanes, message by message: the visible set, its acknowledgements, the numbers of commands.
//!
//! Never lays out frames and never sees a socket: a browser's WebSocket and our own share it.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use worldshard_protocol::app::APP_SVC_NAME;
use worldshard_protocol::world::{OPCODE_S2C_DELTA, OPCODE_S2C_OVERVIEW};
use worldshard_protocol::{
    APP_SVC, Applied, ClientMessage, EntityId, ErrorCode, ExtEnvelope, Greeting, HotHeader,
    InterestWish, Tick, View, ViewError, ViewpointMode, WORLD_SVC, WireError,
};

use crate::app::{AppData, AppKind};

/// One session's end of both lanes. On a raw path it hears and says nothing of its own.
#[derive(Clone, Debug)]
pub struct Lanes {
    framing: Framing,
    acks: AckPolicy,
    view: View,
    interval: Duration,
    /// The view's tick before the last delta.
    previous: Tick,
    delta_sequence: u32,
    acknowledged: u32,
    sequence: u32,
    session: Option<u64>,
    avatar: Option<EntityId>,
    /// What another connection resumes this session by.
    resume: Option<String>,
    kept: VecDeque<(u32, Bytes)>,
    kept_max: usize,
}

/// How a path's messages are meant; the server decides it per path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Framing {
    /// Payloads as they are: echo, broadcast, rooms.
    Raw,
    /// Both lanes: a world.
    Lanes,
}

/// How a client acknowledges deltas.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AckPolicy {
    /// Announced when joining; sent by itself, with the next message or when there is nothing more to read.
    #[default]
    Auto,
    /// Announced when joining; only `acknowledge` sends one.
    Manual,
    /// Not announced: the socket's pace stands in.
    Never,
}

/// What one message meant.
#[derive(Clone, PartialEq, Debug)]
pub enum Heard<'a> {
    /// Who this client is and what the world is like.
    Greeting(Box<Greeting>),
    /// The view shows another tick.
    Delta(Applied),
    /// One shard's part of the overview: bytes for `protocol::read_overview`.
    Overview(&'a [u8]),
    /// A message of this client was refused.
    Refused(Refused),
    /// A Join was granted.
    Joined {
        /// The avatar; none of a camera.
        entity: Option<EntityId>,
        /// From which tick on it is in the world.
        tick: Tick,
    },
    /// A Leave was done.
    Left,
    /// The world took the avatar away: the session looks on as a camera.
    AvatarLost {
        /// Which it was.
        entity: EntityId,
    },
    /// The application said something.
    App {
        /// What it is.
        kind: AppKind,
        /// The number of what it answers.
        seq: Option<u32>,
        /// As it was said.
        data: AppData<'a>,
    },
    /// A newer session of the same user displaced this one; a close follows.
    Kicked {
        /// As the server said it.
        reason: String,
    },
    /// Messages of this client were lost on their way.
    Gap {
        /// The number that the server waited for.
        expected: u32,
        /// The one that came.
        got: u32,
    },
    /// The answer to a `sys` ping.
    Pong,
    /// Nothing that this client knows, or a message of a raw path.
    Other,
}

/// A refusal of one message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused {
    /// The kind, for programs.
    pub code: ErrorCode,
    /// The field and what is wrong with it.
    pub message: String,
    /// The refused message's number, when it had one.
    pub seq: Option<u32>,
}

/// A message broke the protocol: nothing can be heard after it.
#[derive(Clone, PartialEq, Debug)]
pub enum LaneError {
    /// It is not of the protocol.
    Wire(WireError),
    /// A delta is malformed or contradicts the view.
    View(ViewError),
}

impl Lanes {
    /// Lanes before their first greeting. Keeps up to `kept_max` commands that the view does not contain yet, to be
    /// said again after a resume.
    #[must_use]
    pub fn new(framing: Framing, acks: AckPolicy, kept_max: usize) -> Self {
        Self {
            framing,
            acks,
            view: View::default(),
            interval: Duration::ZERO,
            previous: Tick::default(),
            delta_sequence: 0,
            acknowledged: 0,
            sequence: 0,
            session: None,
            avatar: None,
            resume: None,
            kept: VecDeque::new(),
            kept_max,
        }
    }

    /// The same session before its greeting on another connection: commands are numbered on, and what it saw stands
    /// until the first delta.
    pub fn begin_again(&mut self) {
        self.delta_sequence = 0;
        self.acknowledged = 0;
    }

    /// Hears a text.
    ///
    /// # Errors
    /// The text is no envelope, or a greeting or refusal of another form.
    pub fn hear_text<'a>(&mut self, text: &'a str) -> Result<Heard<'a>, LaneError> {
        if self.framing == Framing::Raw {
            return Ok(Heard::Other);
        }
        let envelope = ExtEnvelope::parse(text)?;
        Ok(match (&*envelope.svc, &*envelope.kind) {
            ("sys", "authed") => {
                let greeting = Greeting::parse(text)?;
                self.take_greeting(&greeting);
                Heard::Greeting(Box::new(greeting))
            }
            ("sys", "error") => refused(&envelope)?.map_or(Heard::Other, Heard::Refused),
            ("sys", "pong") => Heard::Pong,
            ("sys", "kicked") => Heard::Kicked {
                reason: envelope
                    .data_as()
                    .map_or_else(|_| String::new(), |Kicked { reason }| reason),
            },
            ("sys", "gap") => envelope
                .data_as()
                .map_or(Heard::Other, |Gap { expected, got }| Heard::Gap {
                    expected,
                    got,
                }),
            ("world", "joined") => match envelope.data_as() {
                Ok(Joined { entity, tick }) => {
                    self.avatar = entity.map(EntityId);
                    Heard::Joined {
                        entity: self.avatar,
                        tick: Tick(tick),
                    }
                }
                Err(_) => Heard::Other,
            },
            ("world", "left") => {
                self.avatar = None;
                Heard::Left
            }
            ("world", "avatar_lost") => match envelope.data_as() {
                Ok(Lost { entity }) => {
                    self.avatar = None;
                    Heard::AvatarLost {
                        entity: EntityId(entity),
                    }
                }
                Err(_) => Heard::Other,
            },
            (APP_SVC_NAME, kind) => match AppKind::of_type(kind) {
                Some(kind) => Heard::App {
                    kind,
                    seq: envelope.seq,
                    data: AppData::Json(match envelope.data {
                        Some(Cow::Borrowed(data)) => data.get(),
                        Some(Cow::Owned(_)) | None => "",
                    }),
                },
                None => Heard::Other,
            },
            _ => Heard::Other,
        })
    }

    /// Hears bytes.
    ///
    /// # Errors
    /// They have no header, or a delta does not follow the view.
    pub fn hear_binary<'a>(&mut self, message: &'a [u8]) -> Result<Heard<'a>, LaneError> {
        if self.framing == Framing::Raw {
            return Ok(Heard::Other);
        }
        let (header, payload) = HotHeader::parse(message)?;
        Ok(match (header.svc, header.opcode) {
            (WORLD_SVC, OPCODE_S2C_DELTA) => Heard::Delta(self.apply(header.seq, payload)?),
            (WORLD_SVC, OPCODE_S2C_OVERVIEW) => Heard::Overview(payload),
            (APP_SVC, opcode) => match AppKind::of_opcode(opcode) {
                Some(kind) => Heard::App {
                    kind,
                    seq: header.seq,
                    data: AppData::Binary(payload),
                },
                None => Heard::Other,
            },
            _ => Heard::Other,
        })
    }

    fn take_greeting(&mut self, greeting: &Greeting) {
        if self.session != Some(greeting.session) {
            self.session = Some(greeting.session);
            self.view = View::default();
            self.previous = Tick::default();
            self.kept.clear();
        }
        let interval_s = greeting.tick_rate_hz.recip();
        self.interval = Duration::try_from_secs_f64(interval_s).unwrap_or_default();
        self.avatar = greeting.entity.map(EntityId);
        self.resume.clone_from(&greeting.resume);
        if let Some(taken) = greeting.command_sequence {
            self.forget_commands(taken);
        }
    }

    fn apply(&mut self, sequence: Option<u32>, payload: &[u8]) -> Result<Applied, LaneError> {
        let before = self.view.tick();
        let applied = self.view.apply(payload)?;
        self.previous = before;
        self.delta_sequence = sequence.unwrap_or(self.delta_sequence);
        if !self.kept.is_empty() {
            self.forget_commands(self.view.command_sequence());
        }
        Ok(applied)
    }

    /// Lays out a world message, numbered; an acknowledgement that is due goes with it.
    pub fn say(&mut self, message: &ClientMessage<'_>) -> Vec<u8> {
        self.sequence = self.sequence.wrapping_add(1);
        let due = self.is_ack_due();
        let delta_ack = due.then_some(self.delta_sequence);
        if due {
            self.acknowledged = self.delta_sequence;
        }
        let mut bytes = Vec::new();
        message.encode(Some(self.sequence), delta_ack, &mut bytes);
        if self.kept_max > 0 {
            self.keep(message);
        }
        bytes
    }

    /// Lays out an acknowledgement of all deltas up to this number, true or not.
    pub fn acknowledge(&mut self, delta_sequence: u32) -> Vec<u8> {
        self.acknowledged = delta_sequence;
        let mut bytes = Vec::new();
        ClientMessage::Ack.encode(None, Some(delta_sequence), &mut bytes);
        bytes
    }

    /// The acknowledgement that is due by itself, to be said when nothing more is to be read.
    pub fn acknowledge_new(&mut self) -> Option<Vec<u8>> {
        self.is_ack_due()
            .then(|| self.acknowledge(self.delta_sequence))
    }

    fn is_ack_due(&self) -> bool {
        self.acks == AckPolicy::Auto && self.acknowledged != self.delta_sequence
    }

    /// Beyond the bound the oldest is forgotten: after a resume it would not be said again.
    fn keep(&mut self, message: &ClientMessage<'_>) {
        // An acknowledgement counts deltas of one connection: said again on another it would lie.
        let mut bytes = Vec::new();
        message.encode(Some(self.sequence), None, &mut bytes);
        if self.kept.len() == self.kept_max {
            self.kept.pop_front();
        }
        self.kept.push_back((self.sequence, bytes.into()));
    }

    fn forget_commands(&mut self, taken: u32) {
        while let Some((sequence, _)) = self.kept.front()
            && !is_after(*sequence, taken)
        {
            self.kept.pop_front();
        }
    }

    /// Commands that the server has not taken as far as it said, in order, to be said again after a resume.
    pub fn kept(&self) -> impl Iterator<Item = &Bytes> {
        self.kept.iter().map(|(_, bytes)| bytes)
    }

    /// How deltas are acknowledged from now on; announced by the next Join.
    pub fn set_ack_policy(&mut self, acks: AckPolicy) {
        self.acks = acks;
    }

    /// What asks for a viewpoint, as an avatar or a camera, at a point or where the world chooses: deltas come instead of
    /// full snapshots, acknowledged or not as the policy is.
    #[must_use]
    pub fn joining(
        &self,
        mode: ViewpointMode,
        at: Option<[f32; 3]>,
        interest: InterestWish,
    ) -> ClientMessage<'static> {
        ClientMessage::Join {
            mode,
            at,
            interest,
            full: false,
            acks: self.acks != AckPolicy::Never,
        }
    }

    /// How messages are meant.
    #[must_use]
    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// What the client sees of the world.
    #[must_use]
    pub fn view(&self) -> &View {
        &self.view
    }

    /// Number of the last delta received, from 1; 0 before the first.
    #[must_use]
    pub fn delta_sequence(&self) -> u32 {
        self.delta_sequence
    }

    /// Number of the last command said, from 1: [`View::command_sequence`] reaches it when the view contains its effect.
    #[must_use]
    pub fn sequence(&self) -> u32 {
        self.sequence
    }

    /// The session as the last greeting named it.
    #[must_use]
    pub fn session(&self) -> Option<u64> {
        self.session
    }

    /// The client's avatar, while it has one.
    #[must_use]
    pub fn avatar(&self) -> Option<EntityId> {
        self.avatar
    }

    /// What another connection resumes this session by, once; as the last greeting had it.
    #[must_use]
    pub fn resume_token(&self) -> Option<&str> {
        self.resume.as_deref()
    }

    /// The session cannot be resumed any more.
    pub fn forget_resume_token(&mut self) {
        self.resume = None;
    }

    /// Where to draw an entity so long after the last delta arrived: it runs from the earlier known position to the
    /// later in the time that lies between them, and waits there.
    #[must_use]
    pub fn position_at(&self, entity: EntityId, since_delta: Duration) -> Option<[f32; 3]> {
        let ticks = self.view.tick().since(self.previous).max(1);
        // Precision does not matter: it is a picture.
        let span_s = self.interval.as_secs_f32() * ticks as f32;
        self.view
            .position_at(entity, since_delta.as_secs_f32() / span_s)
    }
}

fn refused(envelope: &ExtEnvelope<'_>) -> Result<Option<Refused>, LaneError> {
    let mut fields: BTreeMap<String, String> = envelope.data_as()?;
    let code = fields
        .get("code")
        .and_then(|code| ErrorCode::from_name(code));
    // A code of a newer server is left to the caller, as text.
    Ok(code.map(|code| Refused {
        code,
        message: fields.remove("msg").unwrap_or_default(),
        seq: envelope.seq,
    }))
}

/// Whether a number comes after another, counting round.
pub(crate) fn is_after(sequence: u32, other: u32) -> bool {
    (1..=u32::MAX / 2).contains(&sequence.wrapping_sub(other))
}

#[derive(Deserialize)]
struct Joined {
    entity: Option<u64>,
    tick: u64,
}

#[derive(Deserialize)]
struct Lost {
    entity: u64,
}

#[derive(Deserialize)]
struct Kicked {
    reason: String,
}

#[derive(Deserialize)]
struct Gap {
    expected: u32,
    got: u32,
}

impl From<WireError> for LaneError {
    fn from(error: WireError) -> Self {
        Self::Wire(error)
    }
}

impl From<ViewError> for LaneError {
    fn from(error: ViewError) -> Self {
        Self::View(error)
    }
}

impl std::fmt::Display for LaneError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Wire(error) => write!(f, "message: {error}"),
            Self::View(error) => write!(f, "delta: {error}"),
        }
    }
}

impl std::error::Error for LaneError {}

#[cfg(test)]
mod tests;
