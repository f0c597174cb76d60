//! The application's own service: what is said to it and by it, and the payload of a rejection on the hot lane.
//!
//! Knows nothing of what an application means: its payloads are any bytes, its `data` is any JSON.

#![cfg_attr(
    not(test),
    warn(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing
    )
)]

use crate::error::{ErrorCode, WireError};

/// Appends the payload of [`OPCODE_APP_REJECT`]: the code's name, a zero byte, and why.
pub fn write_reject(code: ErrorCode, msg: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(code.as_str().as_bytes());
    out.push(0);
    out.extend_from_slice(msg.as_bytes());
}

/// Reads the payload of [`OPCODE_APP_REJECT`]: the code's name, which may be of a newer server, and why.
///
/// # Errors
/// `BAD_REQUEST` when no zero byte ends a code, or a part is not UTF-8.
pub fn read_reject(payload: &[u8]) -> Result<(&str, &str), WireError> {
    let mut parts = payload.splitn(2, |byte| *byte == 0);
    let (Some(code), Some(msg)) = (parts.next(), parts.next()) else {
        return Err(WireError::bad("payload: no zero byte behind a code"));
    };
    match (std::str::from_utf8(code), std::str::from_utf8(msg)) {
        (Ok(code), Ok(msg)) => Ok((code, msg)),
        _ => Err(WireError::bad("payload: not UTF-8")),
    }
}

/// The service's name on the ext lane.
pub const APP_SVC_NAME: &str = "app";

/// Ext lane, both ways: a message.
pub const KIND_MESSAGE: &str = "message";

/// Ext lane, from a client: a request.
pub const KIND_REQUEST: &str = "request";

/// Ext lane, from a server: a request has this answer.
pub const KIND_RESPONSE: &str = "response";

/// Ext lane, from a server: a request was granted, or a message was given to the application.
pub const KIND_ACK: &str = "ack";

/// Ext lane, from a server: a request was not granted.
pub const KIND_REJECT: &str = "reject";

/// Hot lane, both ways: a message.
pub const OPCODE_APP_MESSAGE: u8 = 0;

/// Hot lane, from a client: a request.
pub const OPCODE_APP_REQUEST: u8 = 1;

/// Hot lane, from a server: a request has this answer.
pub const OPCODE_APP_RESPONSE: u8 = 2;

/// Hot lane, from a server: a request was granted, or a message was given to the application.
pub const OPCODE_APP_ACK: u8 = 3;

/// Hot lane, from a server: a request was not granted.
pub const OPCODE_APP_REJECT: u8 = 4;

/// The service of what is not the application's nor a world's, on the ext lane.
pub const SYS_SVC_NAME: &str = "sys";

/// Ext lane, from a client: is anybody there?
pub const KIND_PING: &str = "ping";

/// Ext lane, from a server: yes; with the same data.
pub const KIND_PONG: &str = "pong";

/// Ext lane, from a server: numbers of messages were left out.
pub const KIND_GAP: &str = "gap";

/// Bytes of JSON in the data of a ping; more is refused.
pub const PING_BYTES_MAX: usize = 125;

#[cfg(test)]
mod tests;
