//! The least that finds frames in bytes and makes others of them.

use worldshard_client::transport::{MessageKind, data_frame};

/// One frame of a client, unmasked in place.
pub(crate) struct Frame<'a> {
    pub(crate) opcode: u8,
    pub(crate) payload: &'a mut [u8],
    /// Bytes of the frame, header included.
    pub(crate) len: usize,
}

/// The first frame of `bytes`; `None` when it is not whole.
pub(crate) fn first(bytes: &mut [u8]) -> Option<Frame<'_>> {
    let (&opcode, &short) = (bytes.first()?, bytes.get(1)?);
    let (payload_bytes, mask_at): (usize, usize) = match short & 0x7f {
        126 => {
            let long: [u8; 2] = bytes.get(2..4)?.try_into().ok()?;
            (usize::from(u16::from_be_bytes(long)), 4)
        }
        127 => {
            let long: [u8; 8] = bytes.get(2..10)?.try_into().ok()?;
            (usize::try_from(u64::from_be_bytes(long)).ok()?, 10)
        }
        short => (usize::from(short), 2),
    };
    let payload_at = mask_at + 4;
    let len = payload_at.checked_add(payload_bytes)?;
    let mask: [u8; 4] = bytes.get(mask_at..payload_at)?.try_into().ok()?;
    let payload = bytes.get_mut(payload_at..len)?;
    let block_mask: [u8; 16] = std::array::from_fn(|at| mask[at % 4]);
    for block in payload.chunks_mut(16) {
        for (byte, mask) in block.iter_mut().zip(block_mask) {
            *byte ^= mask;
        }
    }
    Some(Frame {
        opcode,
        payload,
        len,
    })
}

/// Appends a frame of a server.
pub(crate) fn write(opcode: u8, payload: &[u8], out: &mut Vec<u8>) {
    let bytes = payload.len();
    match bytes {
        0..126 => out.extend_from_slice(&[opcode, bytes as u8]),
        126..65536 => {
            out.extend_from_slice(&[opcode, 126]);
            out.extend_from_slice(&(bytes as u16).to_be_bytes());
        }
        _ => {
            out.extend_from_slice(&[opcode, 127]);
            out.extend_from_slice(&(bytes as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(payload);
}

/// The frames of a server, one by one.
pub(crate) fn each(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let &short = bytes.get(1)?;
        let len = match short {
            126 => 4 + usize::from(u16::from_be_bytes([bytes[2], bytes[3]])),
            127 => 10 + u64::from_be_bytes(bytes[2..10].try_into().ok()?) as usize,
            short => 2 + usize::from(short),
        };
        let (frame, rest) = bytes.split_at(len);
        bytes = rest;
        Some(frame)
    })
}

/// A binary frame of so many bytes, header included; of the least there is when that is more.
pub(crate) fn of_bytes(frame_bytes: usize) -> Vec<u8> {
    let header_bytes = match frame_bytes {
        0..128 => 2,
        128..65540 => 4,
        _ => 10,
    };
    let payload = vec![0x55; frame_bytes.saturating_sub(header_bytes)];
    data_frame(MessageKind::Binary, &payload).to_vec()
}

pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8a;

#[cfg(test)]
mod tests;
