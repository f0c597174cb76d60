//! Messages of a world's client in frames, without a buffer of their own.

use worldshard_client::protocol::ClientMessage;

use super::tagged::MASK;

/// Appends a message in one masked frame.
///
/// # Panics
/// When it is longer than a short frame holds, which no message of a fixed size is.
pub(crate) fn speak(
    message: &ClientMessage<'_>,
    sequence: Option<u32>,
    delta_ack: Option<u32>,
    out: &mut Vec<u8>,
) {
    let start = out.len();
    out.extend_from_slice(&[FINAL_BINARY, MASKED]);
    out.extend_from_slice(&MASK);
    let payload_at = out.len();
    message.encode(sequence, delta_ack, out);
    let payload_bytes = out.len() - payload_at;
    assert!(payload_bytes <= SHORT_BYTES_MAX, "{message:?} is long");
    out[start + 1] |= payload_bytes as u8;
    for (at, byte) in out[payload_at..].iter_mut().enumerate() {
        *byte ^= MASK[at % 4];
    }
}

const FINAL_BINARY: u8 = 0x82;
const MASKED: u8 = 0x80;

/// Beyond, the length takes more bytes.
const SHORT_BYTES_MAX: usize = 125;
