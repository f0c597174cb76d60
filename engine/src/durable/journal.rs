//! What was said to all shards, in pieces of one shard and tick each. Owns their bytes; never says anything again.

use worldshard_protocol::Tick;
use worldshard_shard::{Call, Codec};
use worldshard_spatial::ShardId;

use super::codec::{Kind, holds_frame, is_of_another_format, read_frame, write_frame};
use super::stuffing::{stuff, unstuff};

/// What was said to one shard from one point to another. A piece ends with the first half of its tick, or, right before a
/// checkpoint, behind its second half.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// To whom.
    pub shard: ShardId,
    /// The tick of the last half in it.
    pub tick: Tick,
    /// In order.
    pub calls: Vec<Call>,
}

/// Appends a piece as it stands in a journal.
pub fn write_chunk(chunk: &Chunk, out: &mut Vec<u8>) {
    write_frame(Kind::Chunk, out, |out| {
        let start = out.len();
        chunk.shard.encode(out);
        chunk.tick.encode(out);
        chunk.calls.encode(out);
        stuff(Kind::Chunk, out, start);
    });
}

/// How a journal ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With a whole piece.
    Whole,
    /// With a part of a piece, from this byte on: it was being written when the machine or the process stopped.
    Torn(usize),
    /// With a piece that is not what was written, from this byte on, and whole ones behind it.
    Damaged(usize),
    /// With a piece that is as it was written and that this build cannot read, from this byte on: another build wrote it.
    Unknown(usize),
}

/// The pieces of a journal, up to the first that is not whole or cannot be read.
#[must_use]
pub fn read_journal(bytes: &[u8]) -> (Vec<Chunk>, Ending) {
    let mut chunks = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let at = bytes.len() - rest.len();
        let Some((payload, behind)) = read_frame(Kind::Chunk, rest) else {
            return (chunks, broken(rest, at));
        };
        let Some(chunk) = decode(payload) else {
            return (chunks, Ending::Unknown(at));
        };
        chunks.push(chunk);
        rest = behind;
    }
    (chunks, Ending::Whole)
}

/// What is at the front of the rest of a journal, if it is no piece.
fn broken(rest: &[u8], at: usize) -> Ending {
    if is_of_another_format(Kind::Chunk, rest) {
        Ending::Unknown(at)
    } else if holds_frame(Kind::Chunk, &rest[1..]) {
        Ending::Damaged(at)
    } else {
        Ending::Torn(at)
    }
}

fn decode(stuffed: &[u8]) -> Option<Chunk> {
    let plain = unstuff(Kind::Chunk, stuffed)?;
    let mut payload = &*plain;
    let chunk = Chunk {
        shard: ShardId::decode(&mut payload)?,
        tick: Tick::decode(&mut payload)?,
        calls: Vec::decode(&mut payload)?,
    };
    payload.is_empty().then_some(chunk)
}

#[cfg(test)]
mod tests;
