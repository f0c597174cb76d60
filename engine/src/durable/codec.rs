//! The frame around everything that is kept in a file: what it is, how long, and a checksum over all of it.
//!
//! A frame of other bytes than were written is not read at all: what is inside may trust them. Never a signature.

use xxhash_rust::xxh3::xxh3_64;

/// Puts a frame around a payload, behind what is in `out`.
pub(crate) fn write_frame(kind: Kind, out: &mut Vec<u8>, payload: impl FnOnce(&mut Vec<u8>)) {
    let head = out.len();
    out.extend_from_slice(&kind.magic());
    out.extend_from_slice(&[0; HEAD_BYTES - MAGIC_BYTES]);
    payload(out);
    let length = (out.len() - head - HEAD_BYTES) as u64;
    out[head + MAGIC_BYTES..head + CHECKED_FROM].copy_from_slice(&length.to_le_bytes());
    let sum = xxh3_64(&out[head + HEAD_BYTES..]) ^ mixed(length);
    out[head + CHECKED_FROM..head + HEAD_BYTES].copy_from_slice(&sum.to_le_bytes());
}

/// Takes a frame off the front: its payload and what is behind it. `None` when it is not whole.
pub(crate) fn read_frame(kind: Kind, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (magic, payload, behind) = split_frame(bytes)?;
    (*magic == kind.magic()).then_some((payload, behind))
}

/// Whether a whole frame of this kind stands at the front, in a format of another build.
pub(crate) fn is_of_another_format(kind: Kind, bytes: &[u8]) -> bool {
    split_frame(bytes)
        .is_some_and(|(magic, ..)| magic.starts_with(&kind.name()) && *magic != kind.magic())
}

/// The magic, the payload, and what is behind; `None` when the frame is not whole, whatever it is around.
fn split_frame(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (head, rest) = bytes.split_at_checked(HEAD_BYTES)?;
    let (magic, numbers) = head.split_at(MAGIC_BYTES);
    let (length, sum) = numbers.split_at(CHECKED_FROM - MAGIC_BYTES);
    let length = u64::from_le_bytes(length.try_into().ok()?);
    let sum = u64::from_le_bytes(sum.try_into().ok()?);
    let (payload, behind) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    let whole = sum == xxh3_64(payload) ^ mixed(length);
    whole.then_some((magic, payload, behind))
}

/// Whether a whole frame stands anywhere in the bytes. The payload of this kind must be stuffed, so that nothing in it
/// passes for a frame.
pub(crate) fn holds_frame(kind: Kind, bytes: &[u8]) -> bool {
    let magic = kind.magic();
    let starts = bytes.windows(MAGIC_BYTES).enumerate();
    starts
        .filter(|(_, window)| **window == magic)
        .any(|(at, _)| read_frame(kind, &bytes[at..]).is_some())
}

/// A checkpoint as a file.
#[must_use]
pub fn checkpoint_file(archive: &[u8]) -> Vec<u8> {
    let mut file = Vec::with_capacity(archive.len() + HEAD_BYTES);
    write_frame(Kind::Checkpoint, &mut file, |out| {
        out.extend_from_slice(archive)
    });
    file
}

/// The checkpoint in a file; `None` when the file is not whole.
#[must_use]
pub fn checkpoint_of(file: &[u8]) -> Option<&[u8]> {
    let (archive, behind) = read_frame(Kind::Checkpoint, file)?;
    behind.is_empty().then_some(archive)
}

/// What a frame is around.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Checkpoint,
    Chunk,
}

impl Kind {
    /// The last byte counts the formats.
    fn magic(self) -> [u8; MAGIC_BYTES] {
        match self {
            Self::Checkpoint => *b"wsC\x01",
            Self::Chunk => *b"wsJ\x02",
        }
    }

    /// What the magic of every format begins with.
    pub(super) fn name(self) -> [u8; MAGIC_BYTES - 1] {
        let [first, second, third, _] = self.magic();
        [first, second, third]
    }
}

/// A length of zero and no bytes must not check by chance.
fn mixed(length: u64) -> u64 {
    (length ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xff51_afd7_ed55_8ccd)
}

const MAGIC_BYTES: usize = 4;
const CHECKED_FROM: usize = MAGIC_BYTES + 8;
const HEAD_BYTES: usize = CHECKED_FROM + 8;
