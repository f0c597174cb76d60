//! Messages that say who sent them and which of the sender's they are, so that a receiver misses none.
//!
//! The payload is printable: a server may take it for text. Its first bytes are the tag, the rest is the same in all.

use std::fmt;

use worldshard_client::transport::{MessageKind, masked_frame};

/// Lays messages out, and checks them.
pub(crate) struct Tagged {
    kind: MessageKind,
    /// A whole masked frame.
    frame: Vec<u8>,
    tag_at: usize,
    /// The tag's place in what the mask covers.
    masked_at: usize,
    payload: Vec<u8>,
}

/// What a message says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Tag {
    pub(crate) sender: u32,
    /// Of the sender's messages, from 0.
    pub(crate) number: u32,
}

impl fmt::Display for Tag {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "message {} of {}", self.number, self.sender)
    }
}

impl Tagged {
    /// `before` stands before each payload that is sent.
    pub(crate) fn new(payload_bytes: usize, text: bool, before: &[u8]) -> Self {
        let kind = if text {
            MessageKind::Text
        } else {
            MessageKind::Binary
        };
        let payload: Vec<u8> = (0..payload_bytes).map(filler).collect();
        let wrapped = [before, &payload].concat();
        let frame = masked_frame(kind, &wrapped, MASK).to_vec();
        Self {
            kind,
            tag_at: frame.len() - payload_bytes,
            masked_at: before.len(),
            frame,
            payload,
        }
    }

    /// Appends a message, framed as a client does.
    pub(crate) fn write(&self, tag: Tag, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.frame);
        let number = u64::from(tag.sender) << 32 | u64::from(tag.number);
        let place = &mut out[start + self.tag_at..][..TAG_BYTES];
        for (at, byte) in place.iter_mut().enumerate() {
            let digit = number >> (60 - 4 * at) & 15;
            *byte = DIGITS[digit as usize] ^ MASK[(self.masked_at + at) % 4];
        }
    }

    /// Reads a message that a client wrote and the server sent on.
    ///
    /// # Errors
    /// Says how it differs from all that were sent.
    pub(crate) fn read(&self, kind: MessageKind, payload: &[u8]) -> Result<Tag, String> {
        if kind != self.kind {
            return Err(format!("a message came back as {kind:?}"));
        }
        if payload.len() != self.payload.len() {
            let (came, sent) = (payload.len(), self.payload.len());
            return Err(format!("a message of {came} bytes came, {sent} were sent"));
        }
        let (tag, rest) = payload.split_at(TAG_BYTES);
        let mut number = 0;
        for &byte in tag {
            let digit = match byte {
                b'0'..=b'9' => byte - b'0',
                b'a'..=b'f' => byte - b'a' + 10,
                _ => return Err("a message came with other bytes than were sent".to_owned()),
            };
            number = number << 4 | u64::from(digit);
        }
        if rest != &self.payload[TAG_BYTES..] {
            return Err("a message came with other bytes than were sent".to_owned());
        }
        Ok(Tag {
            sender: (number >> 32) as u32,
            number: number as u32,
        })
    }
}

/// Printable, and without a period that a length of a buffer could share.
fn filler(at: usize) -> u8 {
    b'!' + (at * at / 7 % 94) as u8
}

/// Sixteen hexadecimal digits.
pub(crate) const TAG_BYTES: usize = 16;

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Loopback has no proxy that a mask must keep from being confused: one does for all, and need not be computed.
pub(crate) const MASK: [u8; 4] = [0x5a, 0xc3, 0x17, 0x8e];

#[cfg(test)]
mod tests;
