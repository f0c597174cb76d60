//! Keeps the beginning of a frame out of what the frame is around: what a client says must not pass for a piece of a journal.
//!
//! Behind every name of a frame in the bytes a zero is put, which is no format. Never knows what the bytes are.

use std::borrow::Cow;

use super::codec::Kind;

/// Stuffs all that stands in `out` from `start` on.
pub(super) fn stuff(kind: Kind, out: &mut Vec<u8>, start: usize) {
    if behind_name(kind, &out[start..]).is_none() {
        return;
    }
    let plain = out.split_off(start);
    let mut rest = plain.as_slice();
    while let Some(end) = behind_name(kind, rest) {
        let (before, behind) = rest.split_at(end);
        out.extend_from_slice(before);
        out.push(STUFFING);
        rest = behind;
    }
    out.extend_from_slice(rest);
}

/// The bytes as they were; `None` when they were never stuffed.
pub(super) fn unstuff(kind: Kind, stuffed: &[u8]) -> Option<Cow<'_, [u8]>> {
    if behind_name(kind, stuffed).is_none() {
        return Some(Cow::Borrowed(stuffed));
    }
    let mut plain = Vec::with_capacity(stuffed.len());
    let mut rest = stuffed;
    while let Some(end) = behind_name(kind, rest) {
        let (before, behind) = rest.split_at(end);
        plain.extend_from_slice(before);
        rest = behind.strip_prefix(&[STUFFING])?;
    }
    plain.extend_from_slice(rest);
    Some(Cow::Owned(plain))
}

/// Where the first name of a frame ends.
fn behind_name(kind: Kind, bytes: &[u8]) -> Option<usize> {
    let name = kind.name();
    let at = bytes.windows(name.len()).position(|window| *window == name);
    at.map(|at| at + name.len())
}

/// The format that no frame has.
const STUFFING: u8 = 0;
