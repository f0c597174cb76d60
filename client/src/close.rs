//! The close codes that a client decides by, the same for a browser's WebSocket and ours.

/// The connection broke off without a close frame; never on the wire.
pub const LOST: u16 = 1006;

/// The connection has done its work.
pub(crate) const NORMAL: u16 = 1000;

/// The peer broke the protocol.
pub(crate) const PROTOCOL: u16 = 1002;

/// The peer broke a rule: a refused credential has this code too.
pub(crate) const POLICY: u16 = 1008;

/// The reason of a server that has heard nothing for long begins so.
pub(crate) const SILENCE: &str = "TIMEOUT: nothing was heard";
