//! Memory for what is small and soon gone: payloads and frames, in blocks that are used again when nobody holds a part.
//!
//! Never for what waits: a part that is kept keeps its block.

use bytes::{Bytes, BytesMut};
use worldshard_transport::{MessageKind, data_frame, data_header};

/// Blocks of one shard, in the order in which they were last used.
pub(crate) struct Blocks {
    blocks: Vec<BytesMut>,
    at: usize,
    /// What a part that is kept can cost.
    block_bytes: usize,
    /// Longer has memory of its own.
    small_bytes_max: usize,
}

impl Blocks {
    /// For payloads and frames of messages: a service may keep a payload, so blocks are short.
    pub(crate) fn for_messages() -> Blocks {
        Blocks::new(8 * 1024, MESSAGE_BYTES_MAX)
    }

    /// For deltas, of which a tick makes one per client.
    pub(crate) fn for_states() -> Blocks {
        Blocks::new(64 * 1024, STATE_BYTES_MAX)
    }

    fn new(block_bytes: usize, small_bytes_max: usize) -> Blocks {
        Blocks {
            blocks: Vec::new(),
            at: 0,
            block_bytes,
            small_bytes_max,
        }
    }

    /// A copy of `bytes`.
    pub(crate) fn copy(&mut self, bytes: &[u8]) -> Bytes {
        if bytes.len() > self.small_bytes_max {
            return Bytes::copy_from_slice(bytes);
        }
        let block = self.room_for(bytes.len());
        block.extend_from_slice(bytes);
        block.split().freeze()
    }

    /// A server message in one frame.
    pub(crate) fn frame(&mut self, kind: MessageKind, payload: &[u8]) -> Bytes {
        if payload.len() > self.small_bytes_max {
            return data_frame(kind, payload);
        }
        let header = data_header(kind, payload.len());
        let block = self.room_for(header.len() + payload.len());
        block.extend_from_slice(&header);
        block.extend_from_slice(payload);
        block.split().freeze()
    }

    /// A block with room for more than so many bytes, since one that is split to its end loses its memory: the one in use, else the one unused for longest, else a new one.
    fn room_for(&mut self, bytes: usize) -> &mut BytesMut {
        let current = self.blocks.get(self.at);
        if current.is_none_or(|block| block.capacity() <= bytes) {
            let next = self.at + 1;
            let next = if next < self.blocks.len() { next } else { 0 };
            let oldest = self.blocks.get_mut(next);
            self.at = next;
            if !oldest.is_some_and(|block| block.try_reclaim(self.block_bytes)) {
                let block = BytesMut::with_capacity(self.block_bytes);
                if self.blocks.len() < BLOCKS_MAX {
                    self.blocks.insert(next, block);
                } else {
                    // Whoever holds parts of the old one frees it with the last.
                    self.blocks[next] = block;
                }
            }
        }
        &mut self.blocks[self.at]
    }
}

/// Blocks of a shard that wait to be used again: as much as a turn of many small messages, or a tick of many clients, takes.
const BLOCKS_MAX: usize = 64;

/// A longer payload or frame has memory of its own.
const MESSAGE_BYTES_MAX: usize = 1024;

/// A longer delta has memory of its own. Nobody but a block holds a shorter frame's memory, so a connection that is
/// blocked copies those.
pub(crate) const STATE_BYTES_MAX: usize = 16 * 1024;

#[cfg(test)]
mod tests;
