//! What systems are told of messages that did not get on their way. Types only.

use worldshard_protocol::SessionId;

/// Messages of this shard's systems to one session that were not sent, and why: told once, in the turn after.
///
/// A message that was sent may still not arrive: when its connection breaks, which the end of the session tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unsent {
    /// For whom they were.
    pub session: SessionId,
    /// Why it did not get them.
    pub cause: UnsentCause,
    /// How many.
    pub count: u64,
}

/// Why a session was not sent a message.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum UnsentCause {
    /// There is no such session, or it has ended.
    NoSession,
    /// Its connection broke; it waits for another one, which will know nothing of the message.
    Detached,
    /// It is being closed.
    Closing,
    /// Too much waited for it already: it is closed for that, with 1013.
    QueueFull,
}
