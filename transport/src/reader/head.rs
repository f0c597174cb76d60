//! Parses and checks the head of a frame, failing at the first byte that shows a broken rule.
//!
//! Owns the bytes of a head cut by the end of the input; never touches payload.

#![cfg_attr(
    not(test),
    warn(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing
    )
)]

use super::{Failure, Role};
use crate::frame::{CONTROL_BYTES_MAX, MessageKind};
use crate::{HEADER_BYTES_MAX, close_code};

/// What a head says, all rules on it checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) is_final: bool,
    pub(super) opcode: Opcode,
    pub(super) payload_len: usize,
    /// All zero when unmasked, which unmasks to the same bytes.
    pub(super) mask: [u8; 4],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opcode {
    Continuation,
    Data(MessageKind),
    Control(Control),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Control {
    Close,
    Ping,
    Pong,
}

/// Parses a head from the front of `bytes` and says how long it is; `None` when more bytes are needed.
///
/// `held` is the size of the message in progress, if there is one. A length in more bytes than it needs is taken:
/// it claims nothing that the short form could not.
pub(super) fn parse(
    bytes: &[u8],
    role: Role,
    held: Option<usize>,
    message_bytes_max: usize,
) -> Result<Option<(Head, usize)>, Failure> {
    let Some(&first) = bytes.first() else {
        return Ok(None);
    };
    let is_final = first & 0x80 != 0;
    let opcode = parse_opcode(first, is_final, held.is_some())?;

    let Some(&second) = bytes.get(1) else {
        return Ok(None);
    };
    let masked = second & 0x80 != 0;
    match (role, masked) {
        (Role::Server, false) => return Err(broken("frame is not masked")),
        (Role::Client, true) => return Err(broken("frame is masked")),
        (Role::Server, true) | (Role::Client, false) => {}
    }
    let short = second & 0x7f;
    if let Opcode::Control(control) = opcode {
        if usize::from(short) > CONTROL_BYTES_MAX {
            return Err(broken("control frame is too long"));
        }
        if control == Control::Close && short == 1 {
            return Err(broken("close frame of one byte"));
        }
    }

    let (claimed, mask_at) = match short {
        126 => match bytes.get(2..).and_then(<[u8]>::first_chunk) {
            Some(length) => (u64::from(u16::from_be_bytes(*length)), 4),
            None => return Ok(None),
        },
        127 => match bytes.get(2..).and_then(<[u8]>::first_chunk) {
            Some(length) => (u64::from_be_bytes(*length), 10),
            None => return Ok(None),
        },
        _ => (u64::from(short), 2),
    };
    let payload_len = match opcode {
        Opcode::Control(_) => usize::from(short),
        Opcode::Data(_) | Opcode::Continuation => {
            let room = message_bytes_max.saturating_sub(held.unwrap_or(0));
            usize::try_from(claimed)
                .ok()
                .filter(|claimed| *claimed <= room)
                .ok_or(Failure {
                    code: close_code::TOO_BIG,
                    reason: "message is too big",
                })?
        }
    };

    let (mask, len) = if masked {
        match bytes.get(mask_at..).and_then(<[u8]>::first_chunk) {
            Some(mask) => (*mask, mask_at.saturating_add(mask.len())),
            None => return Ok(None),
        }
    } else {
        ([0; 4], mask_at)
    };
    let head = Head {
        is_final,
        opcode,
        payload_len,
        mask,
    };
    Ok(Some((head, len)))
}

fn parse_opcode(first: u8, is_final: bool, in_message: bool) -> Result<Opcode, Failure> {
    if first & 0x70 != 0 {
        return Err(broken("reserved bit is set"));
    }
    let opcode = match first & 0x0f {
        0 => Opcode::Continuation,
        1 => Opcode::Data(MessageKind::Text),
        2 => Opcode::Data(MessageKind::Binary),
        8 => Opcode::Control(Control::Close),
        9 => Opcode::Control(Control::Ping),
        10 => Opcode::Control(Control::Pong),
        _ => return Err(broken("reserved opcode")),
    };
    match opcode {
        Opcode::Continuation if !in_message => Err(broken("continuation of nothing")),
        Opcode::Data(_) if in_message => Err(broken("new message inside another")),
        Opcode::Control(_) if !is_final => Err(broken("control frame in fragments")),
        Opcode::Continuation | Opcode::Data(_) | Opcode::Control(_) => Ok(opcode),
    }
}

/// The peer broke the framing rules.
pub(super) fn broken(reason: &'static str) -> Failure {
    Failure {
        code: close_code::PROTOCOL,
        reason,
    }
}

/// The bytes of a head whose rest has not arrived.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HeadPart {
    bytes: [u8; HEADER_BYTES_MAX + 4],
    len: u8,
}

impl HeadPart {
    /// Finds a head in the kept bytes and `input`; says how many bytes of `input` it took. Keeps an incomplete one.
    #[expect(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        reason = "a head is found or refused in as many bytes as there is room for"
    )]
    pub(super) fn take(
        &mut self,
        input: &[u8],
        parse: impl Fn(&[u8]) -> Result<Option<(Head, usize)>, Failure>,
    ) -> Result<Option<(Head, usize)>, Failure> {
        if self.len == 0
            && let Some(found) = parse(input)?
        {
            return Ok(Some(found));
        }
        for (taken, byte) in input.iter().enumerate() {
            self.bytes[usize::from(self.len)] = *byte;
            self.len += 1;
            if let Some((head, _)) = parse(&self.bytes[..usize::from(self.len)])? {
                self.len = 0;
                return Ok(Some((head, taken + 1)));
            }
        }
        Ok(None)
    }
}
