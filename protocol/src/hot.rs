//! The hot lane's header: version, service, opcode, flags, and what the flags announce.
//!
//! Knows no service's payload. Never allocates while reading.

#![cfg_attr(
    not(test),
    warn(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing
    )
)]

use crate::error::{ErrorCode, WireError};

/// The header of one binary message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct HotHeader {
    /// The service spoken to or speaking.
    pub svc: u8,
    /// What is said, as the service defines it.
    pub opcode: u8,
    /// The sender's number for this message.
    pub seq: Option<u32>,
    /// Cumulative: the sender has got all deltas up to this `seq`.
    pub delta_ack: Option<u32>,
    /// The sender asks for an acknowledgement of this message; only with a `seq`, which that names.
    pub ack: bool,
}

impl HotHeader {
    /// Splits a message into header and payload.
    ///
    /// # Errors
    /// `BAD_REQUEST` when it is too short, carries a reserved or unknown flag, or asks for an acknowledgement without
    /// a `seq`; `UNSUPPORTED_VERSION` when its first byte is not [`HOT_VERSION`].
    pub fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), WireError> {
        let Some((&[version, svc, opcode, flags], rest)) = bytes.split_first_chunk() else {
            return Err(WireError::bad("header: shorter than 4 bytes"));
        };
        if version != HOT_VERSION {
            return Err(WireError::new(ErrorCode::UnsupportedVersion, "v: not 1"));
        }
        if flags & FLAG_ROOM != 0 {
            return Err(WireError::bad("flags: ROOM is reserved"));
        }
        if flags & !(FLAG_SEQ | FLAG_ACK | FLAG_DELTA_ACK) != 0 {
            return Err(WireError::bad("flags: unknown bit"));
        }
        let ack = flags & FLAG_ACK != 0;
        if ack && flags & FLAG_SEQ == 0 {
            return Err(WireError::bad("flags: ACK without SEQ"));
        }
        let (seq, rest) = optional(flags & FLAG_SEQ, rest, "seq: missing")?;
        let (delta_ack, rest) = optional(flags & FLAG_DELTA_ACK, rest, "delta_ack: missing")?;
        let header = Self {
            svc,
            opcode,
            seq,
            delta_ack,
            ack,
        };
        Ok((header, rest))
    }

    /// Appends the header to `out`. Without a `seq`, no acknowledgement is asked for.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut flags = 0;
        if self.seq.is_some() {
            flags |= FLAG_SEQ | if self.ack { FLAG_ACK } else { 0 };
        }
        if self.delta_ack.is_some() {
            flags |= FLAG_DELTA_ACK;
        }
        out.extend_from_slice(&[HOT_VERSION, self.svc, self.opcode, flags]);
        for number in [self.seq, self.delta_ack].into_iter().flatten() {
            out.extend_from_slice(&number.to_le_bytes());
        }
    }

    /// Bytes that [`HotHeader::write`] appends.
    #[must_use]
    #[expect(clippy::arithmetic_side_effects, reason = "twelve at most")]
    pub fn size(&self) -> usize {
        4 + 4 * usize::from(self.seq.is_some()) + 4 * usize::from(self.delta_ack.is_some())
    }
}

fn optional<'a>(
    flag: u8,
    bytes: &'a [u8],
    missing: &'static str,
) -> Result<(Option<u32>, &'a [u8]), WireError> {
    if flag == 0 {
        return Ok((None, bytes));
    }
    match bytes.split_first_chunk() {
        Some((number, rest)) => Ok((Some(u32::from_le_bytes(*number)), rest)),
        None => Err(WireError::bad(missing)),
    }
}

/// The hot lane's version, its first byte.
pub const HOT_VERSION: u8 = 1;

/// The longest header: past it there is only payload.
pub const HOT_HEADER_BYTES_MAX: usize = 12;

/// Flag: `seq` follows, u32 little-endian.
pub const FLAG_SEQ: u8 = 0x01;

/// Flag of wsPrism: a room is named. Reserved: refused.
pub const FLAG_ROOM: u8 = 0x02;

/// Flag: the sender asks for an acknowledgement, which names `seq`. Refused without [`FLAG_SEQ`].
pub const FLAG_ACK: u8 = 0x04;

/// Flag: a cumulative delta acknowledgement follows `seq`, u32 little-endian.
pub const FLAG_DELTA_ACK: u8 = 0x08;

/// wsPrism's echo service.
pub const ECHO_SVC: u8 = 1;

/// The world service: `world` has its messages.
pub const WORLD_SVC: u8 = 2;

/// The application's own service: `app` has its messages.
pub const APP_SVC: u8 = 3;

#[cfg(test)]
mod tests;
