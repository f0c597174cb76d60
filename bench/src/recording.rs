//! What one client of a world was sent, from its first delta on, to be read again and again.

use std::rc::Rc;

use worldshard::prelude::{Bytes, Result};
use worldshard_client::protocol::world::OPCODE_S2C_DELTA;
use worldshard_client::protocol::{HotHeader, WORLD_SVC};
use worldshard_client::transport::{
    Event, Limits, MessageKind, OriginPolicy, Reader, Role, parse_head, upgrade,
};
use worldshard_client::{Client, Framing};

use crate::scenes::{self, Sight};

/// The deltas of one camera over a flock, the first one full, in every later one all that it sees moved.
pub struct Recording {
    frames: Vec<Bytes>,
    deltas: Vec<Vec<u8>>,
}

impl Recording {
    /// With about so many in sight.
    ///
    /// # Errors
    /// When the world cannot be built.
    pub fn new(visible: u16) -> Result<Self> {
        let scene = scenes::watched(1, visible, Sight::Radius)?;
        let mut crowd = scene.crowd(Rc::new(|_| {}))?;
        let mut recording = Self {
            frames: Vec::new(),
            deltas: Vec::new(),
        };
        while recording.deltas.len() < DELTAS {
            crowd.tick(&mut |_, frame| {
                if let Some(delta) = delta_of(frame) {
                    recording.frames.push(frame.clone());
                    recording.deltas.push(delta);
                }
            });
        }
        Ok(recording)
    }

    /// The WebSocket frames, in order.
    #[must_use]
    pub fn frames(&self) -> &[Bytes] {
        &self.frames
    }

    /// The deltas in them, without any header.
    #[must_use]
    pub fn deltas(&self) -> &[Vec<u8>] {
        &self.deltas
    }
}

/// The delta in a frame, without any header; none in a greeting and other texts.
///
/// # Panics
/// When it is not a frame that a server makes.
#[must_use]
pub fn delta_of(frame: &[u8]) -> Option<Vec<u8>> {
    let limits = Limits {
        message_bytes_max: frame.len(),
        ..Limits::default()
    };
    let mut bytes = frame.to_vec();
    let mut reader = Reader::new(Role::Client, limits);
    let step = reader
        .read(&mut bytes)
        .expect("our own frames keep the rules");
    let Some(Event::Message {
        kind: MessageKind::Binary,
        payload,
    }) = step.event
    else {
        return None;
    };
    let (header, delta) = HotHeader::parse(payload).expect("our own headers keep the rules");
    let is_delta = (header.svc, header.opcode) == (WORLD_SVC, OPCODE_S2C_DELTA);
    is_delta.then(|| delta.to_vec())
}

/// A client on lanes whose handshake is over.
///
/// # Panics
/// When client and server no longer understand each other.
#[must_use]
pub fn opened_client() -> Client {
    let mut client = Client::new("127.0.0.1:8080", "/", Framing::Lanes, 1);
    let request = std::mem::take(client.output());
    let head = parse_head(&request).expect("a client's request is well-formed");
    let (head, _) = head.expect("a client's request is whole");
    let answer = upgrade(&head, &OriginPolicy::Any).expect("a client's request is granted");
    client.receive(&answer);
    client.poll().expect("a server's answer is understood");
    client
}

/// Length of a recording: two seconds of a world at 20 ticks a second.
pub const DELTAS: usize = 40;
