//! Lays out frames: headers, and whole frames in one shared buffer. Never reads those of a peer: that is `reader`.

use bytes::Bytes;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use crate::{close_code, mask};

/// The type of a message, kept on every way: a binary message that happens to be UTF-8 stays binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// UTF-8 text. Whoever sends one answers for its being UTF-8.
    Text,
    /// Any bytes.
    Binary,
}

/// A whole server message in one frame: header and payload in one buffer, encoded once and shared by all receivers.
pub fn data_frame(kind: MessageKind, payload: &[u8]) -> Bytes {
    frame(data_opcode(kind), payload, None)
}

/// Whether a frame that was laid out here is one of text.
#[inline]
#[must_use]
pub fn frame_is_text(frame: &[u8]) -> bool {
    frame.first().is_some_and(|first| first & 0x0f == TEXT)
}

/// The header alone of a server message in one frame, for a write that gathers header and shared payload.
pub fn data_header(kind: MessageKind, payload_len: usize) -> FrameHeadBytes {
    head(data_opcode(kind), payload_len, None)
}

/// Appends the header of a server message in one frame; `len` payload bytes are to follow.
pub fn write_header(kind: MessageKind, len: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&data_header(kind, len));
}

/// A ping of the server.
///
/// # Panics
/// When `payload` is longer than [`CONTROL_BYTES_MAX`].
pub fn ping_frame(payload: &[u8]) -> Bytes {
    control_frame(Control::Ping, payload, None)
}

/// A pong of the server; answers a ping with the same payload.
///
/// # Panics
/// When `payload` is longer than [`CONTROL_BYTES_MAX`].
pub fn pong_frame(payload: &[u8]) -> Bytes {
    control_frame(Control::Pong, payload, None)
}

/// A close frame of the server. `reason` is cut at 123 bytes, between characters.
///
/// [`close_code::NO_STATUS`] makes an empty one, which says neither code nor reason.
///
/// # Panics
/// When `code` is another that may not stand on the wire ([`close_code::may_be_sent`]).
pub fn close_frame(code: u16, reason: &str) -> Bytes {
    control_frame(Control::Close, &close_payload(code, reason), None)
}

/// The opcode of a text (RFC 6455): a constant, since each message is asked.
const TEXT: u8 = 1;

/// At most this many bytes of payload fit into a ping, pong or close (RFC 6455).
pub const CONTROL_BYTES_MAX: usize = 125;

/// The longest header of a server frame, in bytes.
pub const HEADER_BYTES_MAX: usize = 10;

/// A frame header laid out: up to [`HEADER_BYTES_MAX`] bytes, four more when masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeadBytes {
    bytes: [u8; HEADER_BYTES_MAX + 4],
    len: u8,
}

impl std::ops::Deref for FrameHeadBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl AsRef<[u8]> for FrameHeadBytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

pub(crate) fn data_opcode(kind: MessageKind) -> OpCode {
    OpCode::Data(match kind {
        MessageKind::Text => Data::Text,
        MessageKind::Binary => Data::Binary,
    })
}

pub(crate) fn control_frame(control: Control, payload: &[u8], key: Option<[u8; 4]>) -> Bytes {
    assert!(
        payload.len() <= CONTROL_BYTES_MAX,
        "a control frame holds at most {CONTROL_BYTES_MAX} bytes, not {}",
        payload.len()
    );
    frame(OpCode::Control(control), payload, key)
}

/// One final frame, masked when there is a `key`.
pub(crate) fn frame(opcode: OpCode, payload: &[u8], key: Option<[u8; 4]>) -> Bytes {
    let head = head(opcode, payload.len(), key);
    let mut bytes = Vec::with_capacity(head.len() + payload.len());
    bytes.extend_from_slice(&head);
    bytes.extend_from_slice(payload);
    if let Some(key) = key {
        mask::apply(&mut bytes[head.len()..], key, 0);
    }
    bytes.into()
}

pub(crate) fn close_payload(code: u16, reason: &str) -> Vec<u8> {
    if code == close_code::NO_STATUS {
        return Vec::new();
    }
    assert!(
        close_code::may_be_sent(code),
        "close code {code} may not be sent"
    );
    let reason = &reason[..reason.floor_char_boundary(CONTROL_BYTES_MAX - 2)];
    [&code.to_be_bytes(), reason.as_bytes()].concat()
}

fn head(opcode: OpCode, payload_len: usize, key: Option<[u8; 4]>) -> FrameHeadBytes {
    let header = FrameHeader {
        opcode,
        mask: key,
        ..FrameHeader::default()
    };
    let len = header.len(payload_len as u64);
    let mut bytes = [0; HEADER_BYTES_MAX + 4];
    header
        .format(payload_len as u64, &mut &mut bytes[..])
        .expect("the longest header fits");
    FrameHeadBytes {
        bytes,
        len: u8::try_from(len).expect("at most 14 bytes"),
    }
}
