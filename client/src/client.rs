//! One client without its socket: handshake, frames, both lanes, the visible set and its acknowledgements.
//!
//! Never reads, writes, waits or knows what time it is.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use worldshard_protocol::world::{OPCODE_S2C_DELTA, OPCODE_S2C_OVERVIEW};
use worldshard_protocol::{
    Applied, ClientMessage, EntityId, ErrorCode, ExtEnvelope, Greeting, HotHeader, InterestWish,
    Tick, View, ViewpointMode, WORLD_SVC,
};
use worldshard_transport::{
    Event as FrameEvent, Limits, MessageKind, Reader, Role, client_request, close_code,
    masked_close, masked_frame, masked_ping, masked_pong, parse_client_response,
};

use crate::event::{ClientError, Event, LOST, Refused};
use crate::masks::Masks;

/// One end of a connection. Feed it with [`receive`](Self::receive), ask it with [`poll`](Self::poll), write what
/// [`output`](Self::output) holds.
#[derive(Debug)]
pub struct Client {
    framing: Framing,
    acks: AckPolicy,
    masks: Masks,
    key: [u8; 16],
    phase: Phase,
    reader: Reader,
    input: Vec<u8>,
    /// Bytes of `input` that are done with.
    taken: usize,
    output: Vec<u8>,
    sequence: u32,
    deltas: Deltas,
    /// What another connection resumes this session by.
    resume: Option<String>,
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
    /// Announced when joining; only [`Client::acknowledge`] sends one.
    Manual,
    /// Not announced: the socket's pace stands in.
    Never,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Handshake,
    Open,
    /// A close was sent, the server's is awaited.
    Closing,
    Ended,
}

/// What came of the deltas so far.
#[derive(Clone, Debug, Default)]
struct Deltas {
    view: View,
    interval: Duration,
    /// The view's tick before the last delta.
    previous: Tick,
    sequence: u32,
    acknowledged: u32,
}

impl Client {
    /// A client that asks `host` (with port) for a WebSocket at `path`; the request waits in the output.
    /// Masks and key come from `seed`.
    ///
    /// # Panics
    /// When `host` or `path` is not plain ASCII, or `path` has no slash first.
    #[must_use]
    pub fn new(host: &str, path: &str, framing: Framing, seed: u64) -> Self {
        let mut masks = Masks::new(seed);
        let key = masks.key();
        let limits = Limits {
            message_bytes_max: MESSAGE_BYTES_MAX,
            ..Limits::default()
        };
        Self {
            framing,
            acks: AckPolicy::default(),
            masks,
            key,
            phase: Phase::Handshake,
            reader: Reader::new(Role::Client, limits),
            input: Vec::new(),
            taken: 0,
            output: client_request(host, path, &key).to_vec(),
            sequence: 0,
            deltas: Deltas::default(),
            resume: None,
        }
    }

    /// A client that goes on with the session of another one, which it takes as lost: its messages are numbered on, and
    /// what it saw stands until the first delta comes. None when the server gave no token.
    ///
    /// # Panics
    /// As [`new`](Self::new).
    #[must_use]
    pub fn resuming(host: &str, path: &str, last: &Self, seed: u64) -> Option<Self> {
        let token = last.resume.as_deref()?;
        let joint = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{joint}resume={token}");
        let mut client = Self::new(host, &path, last.framing, seed);
        client.acks = last.acks;
        client.sequence = last.sequence;
        client.deltas = Deltas {
            sequence: 0,
            acknowledged: 0,
            ..last.deltas.clone()
        };
        Some(client)
    }

    /// What another connection resumes this session by, once; as the last greeting had it.
    #[must_use]
    pub fn resume_token(&self) -> Option<&str> {
        self.resume.as_deref()
    }

    /// How deltas are acknowledged from now on; announced by the next [`join`](Self::join).
    pub fn set_ack_policy(&mut self, acks: AckPolicy) {
        self.acks = acks;
    }

    /// Takes bytes that the server sent.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.input.drain(..self.taken);
        self.taken = 0;
        self.input.extend_from_slice(bytes);
    }

    /// The server will send no more bytes: the client hears that it was closed, unless it has heard so already.
    pub fn end_of_input(&mut self) -> Option<Event> {
        let lost = self.phase != Phase::Ended;
        self.phase = Phase::Ended;
        lost.then(|| Event::Closed {
            code: LOST,
            reason: String::new(),
        })
    }

    /// The next thing heard; `None` when more bytes are needed. Answers pings, closes and deltas into the output.
    ///
    /// # Errors
    /// The server broke the protocol; nothing can be read after it.
    pub fn poll(&mut self) -> Result<Option<Event>, ClientError> {
        let polled = self.poll_phase();
        match &polled {
            Ok(None) if self.acks == AckPolicy::Auto && self.phase == Phase::Open => {
                self.acknowledge_new()
            }
            Err(_) => self.phase = Phase::Ended,
            Ok(_) => {}
        }
        polled
    }

    fn poll_phase(&mut self) -> Result<Option<Event>, ClientError> {
        match self.phase {
            Phase::Ended => Ok(None),
            Phase::Handshake => {
                let Some(len) = parse_client_response(&self.input[self.taken..], &self.key)? else {
                    return Ok(None);
                };
                self.taken += len;
                self.phase = Phase::Open;
                Ok(Some(Event::Opened))
            }
            Phase::Open | Phase::Closing => loop {
                match self.next_frame_event()? {
                    Heard::Nothing => return Ok(None),
                    Heard::Ping(payload) => {
                        let mask = self.masks.mask();
                        self.output.extend_from_slice(&masked_pong(&payload, mask));
                    }
                    Heard::Close { code, reason } => {
                        return Ok(Some(self.answer_close(code, reason)));
                    }
                    Heard::Event(event) => return Ok(Some(event)),
                }
            },
        }
    }

    /// Bytes that wait to be written; the caller removes what it wrote.
    pub fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// What the client sees of the world.
    #[must_use]
    pub fn view(&self) -> &View {
        &self.deltas.view
    }

    /// Number of the last delta received, from 1; 0 before the first.
    #[must_use]
    pub fn delta_sequence(&self) -> u32 {
        self.deltas.sequence
    }

    /// Number of the last message sent on the hot lane, from 1: [`View::command_sequence`] reaches it when the view
    /// contains its effect.
    #[must_use]
    pub fn sequence(&self) -> u32 {
        self.sequence
    }

    /// Whether nothing more will be heard.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.phase == Phase::Ended
    }

    /// Where to draw an entity so long after the last delta arrived: it runs from the earlier known position to the
    /// later in the time that lies between them, and waits there.
    #[must_use]
    pub fn position_at(&self, entity: EntityId, since_delta: Duration) -> Option<[f32; 3]> {
        let deltas = &self.deltas;
        let ticks = deltas.view.tick().since(deltas.previous).max(1);
        // Precision does not matter: it is a picture.
        let span_s = deltas.interval.as_secs_f32() * ticks as f32;
        deltas
            .view
            .position_at(entity, since_delta.as_secs_f32() / span_s)
    }

    /// Asks for a viewpoint, as an avatar or a camera, at a point or where the world chooses.
    /// Deltas come instead of full snapshots.
    pub fn join(&mut self, mode: ViewpointMode, at: Option<[f32; 3]>, interest: InterestWish) {
        let acks = self.acks != AckPolicy::Never;
        self.say(&ClientMessage::Join {
            mode,
            at,
            interest,
            full: false,
            acks,
        });
    }

    /// Gives the viewpoint up.
    pub fn leave(&mut self) {
        self.say(&ClientMessage::Leave);
    }

    /// Walks on in a direction, at full speed when its length is 1.
    pub fn steer(&mut self, direction: [f32; 3]) {
        self.say(&ClientMessage::Steer { direction });
    }

    /// Moves the avatar to a point, in metres.
    pub fn move_to(&mut self, to: [f32; 3]) {
        self.say(&ClientMessage::Move { to });
    }

    /// Moves the camera to a point, in metres.
    pub fn look(&mut self, at: [f32; 3]) {
        self.say(&ClientMessage::Look { at });
    }

    /// Says any world message, numbered; an acknowledgement that is due goes with it.
    pub fn say(&mut self, message: &ClientMessage<'_>) {
        self.sequence = self.sequence.wrapping_add(1);
        let due = self.acks == AckPolicy::Auto && self.deltas.acknowledged != self.deltas.sequence;
        let delta_ack = due.then_some(self.deltas.sequence);
        if due {
            self.deltas.acknowledged = self.deltas.sequence;
        }
        let mut bytes = Vec::new();
        message.encode(Some(self.sequence), delta_ack, &mut bytes);
        self.binary(&bytes);
    }

    /// Acknowledges all deltas up to this number, true or not.
    pub fn acknowledge(&mut self, delta_sequence: u32) {
        self.deltas.acknowledged = delta_sequence;
        let mut bytes = Vec::new();
        ClientMessage::Ack.encode(None, Some(delta_sequence), &mut bytes);
        self.binary(&bytes);
    }

    fn acknowledge_new(&mut self) {
        if self.deltas.acknowledged != self.deltas.sequence {
            self.acknowledge(self.deltas.sequence);
        }
    }

    /// Sends a text as it is.
    pub fn text(&mut self, text: &str) {
        let frame = masked_frame(MessageKind::Text, text.as_bytes(), self.masks.mask());
        self.output.extend_from_slice(&frame);
    }

    /// Sends a binary message as it is.
    pub fn binary(&mut self, payload: &[u8]) {
        let frame = masked_frame(MessageKind::Binary, payload, self.masks.mask());
        self.output.extend_from_slice(&frame);
    }

    /// Sends one message in as many frames as there are parts.
    pub fn fragments(&mut self, kind: MessageKind, parts: &[&[u8]]) {
        for (at, part) in parts.iter().enumerate() {
            let mut frame = masked_frame(kind, part, self.masks.mask()).to_vec();
            // The head's first byte: FIN on the last part only, an opcode on the first only.
            if at + 1 < parts.len() {
                frame[0] &= !FIN;
            }
            if at > 0 {
                frame[0] &= FIN;
            }
            self.output.extend_from_slice(&frame);
        }
    }

    /// Sends a ping of at most 125 bytes.
    ///
    /// # Panics
    /// When `payload` is longer.
    pub fn ping(&mut self, payload: &[u8]) {
        let frame = masked_ping(payload, self.masks.mask());
        self.output.extend_from_slice(&frame);
    }

    /// Sends bytes that are no frame of this client's making, for tests of what servers refuse.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.output.extend_from_slice(bytes);
    }

    /// Says that this client is done; what the server sent before its own close is still heard.
    ///
    /// # Panics
    /// When `code` may not stand on the wire.
    pub fn close(&mut self, code: u16, reason: &str) {
        if self.phase == Phase::Open {
            let frame = masked_close(code, reason, self.masks.mask());
            self.output.extend_from_slice(&frame);
            self.phase = Phase::Closing;
        }
    }

    fn answer_close(&mut self, code: Option<u16>, reason: String) -> Event {
        let code = code.unwrap_or(close_code::NO_STATUS);
        if self.phase == Phase::Open {
            let frame = masked_close(code, "", self.masks.mask());
            self.output.extend_from_slice(&frame);
        }
        self.phase = Phase::Ended;
        Event::Closed { code, reason }
    }

    fn next_frame_event(&mut self) -> Result<Heard, ClientError> {
        let step = self.reader.read(&mut self.input[self.taken..])?;
        self.taken += step.consumed;
        Ok(match step.event {
            None => Heard::Nothing,
            Some(FrameEvent::Ping(payload)) => Heard::Ping(Bytes::copy_from_slice(payload)),
            Some(FrameEvent::Pong(payload)) => {
                Heard::Event(Event::Pong(Bytes::copy_from_slice(payload)))
            }
            Some(FrameEvent::Close { code, reason }) => Heard::Close {
                code,
                reason: reason.to_owned(),
            },
            Some(FrameEvent::Message {
                kind: MessageKind::Text,
                payload,
            }) => {
                let text = std::str::from_utf8(payload).expect("the reader passes UTF-8 only");
                let event = hear_text(text, self.framing, &mut self.deltas)?;
                if let Event::Greeting(greeting) = &event {
                    self.resume.clone_from(&greeting.resume);
                }
                Heard::Event(event)
            }
            Some(FrameEvent::Message {
                kind: MessageKind::Binary,
                payload,
            }) => Heard::Event(hear_binary(payload, self.framing, &mut self.deltas)?),
        })
    }
}

/// What one frame meant.
enum Heard {
    Nothing,
    Ping(Bytes),
    Close { code: Option<u16>, reason: String },
    Event(Event),
}

fn hear_text(text: &str, framing: Framing, deltas: &mut Deltas) -> Result<Event, ClientError> {
    let other = || Ok(Event::Text(text.to_owned()));
    if framing == Framing::Raw {
        return other();
    }
    let envelope = ExtEnvelope::parse(text)?;
    match (&*envelope.svc, &*envelope.kind) {
        ("sys", "authed") => {
            let greeting = Greeting::parse(text)?;
            let interval_s = greeting.tick_rate_hz.recip();
            deltas.interval = Duration::try_from_secs_f64(interval_s).unwrap_or_default();
            Ok(Event::Greeting(Box::new(greeting)))
        }
        ("sys", "error") => {
            let mut fields: BTreeMap<String, String> = envelope.data_as()?;
            let code = fields
                .get("code")
                .and_then(|code| ErrorCode::from_name(code));
            // A code of a newer server is left to the caller, as text.
            let Some(code) = code else { return other() };
            let message = fields.remove("msg").unwrap_or_default();
            Ok(Event::Error(Refused {
                code,
                message,
                seq: envelope.seq,
            }))
        }
        _ => other(),
    }
}

fn hear_binary(
    message: &[u8],
    framing: Framing,
    deltas: &mut Deltas,
) -> Result<Event, ClientError> {
    let other = || Ok(Event::Binary(Bytes::copy_from_slice(message)));
    if framing == Framing::Raw {
        return other();
    }
    let (header, payload) = HotHeader::parse(message)?;
    match (header.svc, header.opcode) {
        (WORLD_SVC, OPCODE_S2C_DELTA) => Ok(Event::Delta(deltas.apply(header.seq, payload)?)),
        (WORLD_SVC, OPCODE_S2C_OVERVIEW) => Ok(Event::Overview(Bytes::copy_from_slice(payload))),
        _ => other(),
    }
}

impl Deltas {
    fn apply(&mut self, sequence: Option<u32>, payload: &[u8]) -> Result<Applied, ClientError> {
        let before = self.view.tick();
        let applied = self.view.apply(payload)?;
        self.previous = before;
        self.sequence = sequence.unwrap_or(self.sequence);
        Ok(applied)
    }
}

/// A longer message of a server is refused: more than a full snapshot of 600 000 entities.
const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The bit of a frame's first byte that ends a message.
const FIN: u8 = 0x80;

#[cfg(test)]
mod tests;
