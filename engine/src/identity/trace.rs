//! The name of a connection in traces. Never makes one up: chance comes in.

use std::fmt;

use data_encoding::HEXLOWER;
use worldshard_transport::RequestHead;

/// Names a connection in the traces of all who had to do with it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TraceId([u8; 16]);

impl TraceId {
    /// The name of 16 bytes by chance.
    #[must_use]
    pub fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The name that a request has already: that of a `traceparent` (W3C Trace Context), if it has one and that is well
    /// formed.
    pub(crate) fn of(head: &RequestHead) -> Option<Self> {
        let mut lines = head.headers("traceparent");
        let line = lines.next()?;
        if lines.next().is_some() {
            return None;
        }
        let mut parts = line.split('-');
        let version = hex::<1>(parts.next()?)?;
        let trace = hex::<16>(parts.next()?)?;
        let parent = hex::<8>(parts.next()?)?;
        hex::<1>(parts.next()?)?;
        // Later versions may say more; the last number stands for none.
        let has_end = parts.next().is_none() || version != [0];
        let is_valid = version != [0xff] && trace != [0; 16] && parent != [0; 8];
        (has_end && is_valid).then_some(Self(trace))
    }
}

fn hex<const BYTES: usize>(digits: &str) -> Option<[u8; BYTES]> {
    HEXLOWER.decode(digits.as_bytes()).ok()?.try_into().ok()
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests;
