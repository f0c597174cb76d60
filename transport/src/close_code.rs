//! The close codes of RFC 6455 that either end says, and which codes may stand on the wire at all.

/// The connection has done its work.
pub const NORMAL: u16 = 1000;
/// This end goes away: the server stops, the page is left.
pub const AWAY: u16 = 1001;
/// The peer broke the framing rules.
pub const PROTOCOL: u16 = 1002;
/// The peer sent a kind of message this end does not take.
pub const UNSUPPORTED: u16 = 1003;
/// Stands for a close frame without a code; never on the wire itself.
pub const NO_STATUS: u16 = 1005;
/// A text was not UTF-8.
pub const INVALID_TEXT: u16 = 1007;
/// The peer broke a rule of this end, such as a rate.
pub const POLICY: u16 = 1008;
/// A message is over the limit.
pub const TOO_BIG: u16 = 1009;
/// This end failed.
pub const INTERNAL: u16 = 1011;
/// The server restarts: come back after a random delay.
pub const RESTART: u16 = 1012;
/// The server is overloaded: come back later.
pub const TRY_AGAIN: u16 = 1013;

/// Whether a close frame may carry `code`: registered codes, and 3000 to 4999 for libraries and applications.
pub fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}
