//! One client without its socket: handshake, frames, both lanes, the visible set and its acknowledgements.
//!
//! Never reads, writes, waits or knows what time it is.

use std::time::Duration;

use bytes::Bytes;
use worldshard_protocol::{ClientMessage, EntityId, InterestWish, View, ViewpointMode};
use worldshard_transport::MessageKind;

use crate::chance::Chance;
use crate::close::LOST;
use crate::event::{ClientError, Event};
use crate::frames::{Frames, Said};
use crate::lanes::{AckPolicy, Framing, Heard, LaneError, Lanes};

/// One end of a connection. Feed it with [`receive`](Self::receive), ask it with [`poll`](Self::poll), write what
/// [`output`](Self::output) holds.
#[derive(Debug)]
pub struct Client {
    frames: Frames,
    lanes: Lanes,
}

impl Client {
    /// A client that asks `host` (with port) for a WebSocket at `path`; the request waits in the output.
    /// Masks and key come from `seed`.
    ///
    /// # Panics
    /// When `host` or `path` is not plain ASCII, or `path` has no slash first.
    #[must_use]
    pub fn new(host: &str, path: &str, framing: Framing, seed: u64) -> Self {
        Self {
            frames: Frames::asking(host, path, Chance::new(seed)),
            lanes: Lanes::new(framing, AckPolicy::default(), 0),
        }
    }

    /// A client that goes on with the session of another one, which it takes as lost: its messages are numbered on, and
    /// what it saw stands until the first delta comes. None when the server gave no token.
    ///
    /// # Panics
    /// As [`new`](Self::new).
    #[must_use]
    pub fn resuming(host: &str, path: &str, last: &Self, seed: u64) -> Option<Self> {
        let token = last.lanes.resume_token()?;
        let joint = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{joint}resume={token}");
        let mut lanes = last.lanes.clone();
        lanes.begin_again();
        Some(Self {
            frames: Frames::asking(host, &path, Chance::new(seed)),
            lanes,
        })
    }

    /// What another connection resumes this session by, once; as the last greeting had it.
    #[must_use]
    pub fn resume_token(&self) -> Option<&str> {
        self.lanes.resume_token()
    }

    /// How deltas are acknowledged from now on; announced by the next [`join`](Self::join).
    pub fn set_ack_policy(&mut self, acks: AckPolicy) {
        self.lanes.set_ack_policy(acks);
    }

    /// Takes bytes that the server sent.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.frames.receive(bytes);
    }

    /// The server will send no more bytes: the client hears that it was closed, unless it has heard so already.
    pub fn end_of_input(&mut self) -> Option<Event> {
        self.frames.end_of_input().then(|| Event::Closed {
            code: LOST,
            reason: String::new(),
        })
    }

    /// The next thing heard; `None` when more bytes are needed. Answers pings, closes and deltas into the output.
    ///
    /// # Errors
    /// The server broke the protocol; nothing can be read after it.
    pub fn poll(&mut self) -> Result<Option<Event>, ClientError> {
        let heard = loop {
            break match self.frames.next()? {
                Said::Answered => continue,
                Said::Nothing => Ok(None),
                Said::Opened => Ok(Some(Event::Opened)),
                Said::Text(text) => hear_text(&mut self.lanes, text).map(Some),
                Said::Binary(bytes) => hear_binary(&mut self.lanes, bytes).map(Some),
                Said::Pong(payload) => Ok(Some(Event::Pong(Bytes::copy_from_slice(payload)))),
                Said::Close { code, reason } => Ok(Some(Event::Closed { code, reason })),
            };
        };
        match &heard {
            Ok(None) if self.frames.is_open() => {
                if let Some(ack) = self.lanes.acknowledge_new() {
                    self.binary(&ack);
                }
            }
            Err(_) => self.frames.end(),
            Ok(_) => {}
        }
        Ok(heard?)
    }

    /// Bytes that wait to be written; the caller removes what it wrote.
    pub fn output(&mut self) -> &mut Vec<u8> {
        self.frames.output()
    }

    /// What the client sees of the world.
    #[must_use]
    pub fn view(&self) -> &View {
        self.lanes.view()
    }

    /// Number of the last delta received, from 1; 0 before the first.
    #[must_use]
    pub fn delta_sequence(&self) -> u32 {
        self.lanes.delta_sequence()
    }

    /// Number of the last message sent on the hot lane, from 1: [`View::command_sequence`] reaches it when the view
    /// contains its effect.
    #[must_use]
    pub fn sequence(&self) -> u32 {
        self.lanes.sequence()
    }

    /// Whether nothing more will be heard.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.frames.is_ended()
    }

    /// Where to draw an entity so long after the last delta arrived: it runs from the earlier known position to the
    /// later in the time that lies between them, and waits there.
    #[must_use]
    pub fn position_at(&self, entity: EntityId, since_delta: Duration) -> Option<[f32; 3]> {
        self.lanes.position_at(entity, since_delta)
    }

    /// Asks for a viewpoint, as an avatar or a camera, at a point or where the world chooses.
    /// Deltas come instead of full snapshots.
    pub fn join(&mut self, mode: ViewpointMode, at: Option<[f32; 3]>, interest: InterestWish) {
        let message = self.lanes.joining(mode, at, interest);
        self.say(&message);
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
        let bytes = self.lanes.say(message);
        self.binary(&bytes);
    }

    /// Acknowledges all deltas up to this number, true or not.
    pub fn acknowledge(&mut self, delta_sequence: u32) {
        let bytes = self.lanes.acknowledge(delta_sequence);
        self.binary(&bytes);
    }

    /// Sends a text as it is.
    pub fn text(&mut self, text: &str) {
        self.frames.message(MessageKind::Text, text.as_bytes());
    }

    /// Sends a binary message as it is.
    pub fn binary(&mut self, payload: &[u8]) {
        self.frames.message(MessageKind::Binary, payload);
    }

    /// Sends one message in as many frames as there are parts.
    pub fn fragments(&mut self, kind: MessageKind, parts: &[&[u8]]) {
        self.frames.fragments(kind, parts);
    }

    /// Sends a ping of at most 125 bytes.
    ///
    /// # Panics
    /// When `payload` is longer.
    pub fn ping(&mut self, payload: &[u8]) {
        self.frames.ping(payload);
    }

    /// Sends bytes that are no frame of this client's making, for tests of what servers refuse.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.frames.output().extend_from_slice(bytes);
    }

    /// Says that this client is done; what the server sent before its own close is still heard.
    ///
    /// # Panics
    /// When `code` may not stand on the wire.
    pub fn close(&mut self, code: u16, reason: &str) {
        self.frames.close(code, reason);
    }
}

fn hear_text(lanes: &mut Lanes, text: &str) -> Result<Event, LaneError> {
    Ok(event(lanes.hear_text(text)?).unwrap_or_else(|| Event::Text(text.to_owned())))
}

fn hear_binary(lanes: &mut Lanes, message: &[u8]) -> Result<Event, LaneError> {
    let event = event(lanes.hear_binary(message)?);
    Ok(event.unwrap_or_else(|| Event::Binary(Bytes::copy_from_slice(message))))
}

/// What has an event of its own; all else stays the message that it is.
fn event(heard: Heard<'_>) -> Option<Event> {
    match heard {
        Heard::Greeting(greeting) => Some(Event::Greeting(greeting)),
        Heard::Delta(applied) => Some(Event::Delta(applied)),
        Heard::Overview(bytes) => Some(Event::Overview(Bytes::copy_from_slice(bytes))),
        Heard::Refused(refused) => Some(Event::Error(refused)),
        Heard::Joined { .. }
        | Heard::Left
        | Heard::AvatarLost { .. }
        | Heard::App { .. }
        | Heard::Kicked { .. }
        | Heard::Gap { .. }
        | Heard::Pong
        | Heard::Other => None,
    }
}

#[cfg(test)]
mod tests;
