//! What a client hears, and why it stops hearing. Types only.

use std::fmt;
use std::io;

use bytes::Bytes;
use worldshard_protocol::{Applied, Greeting, ViewError, WireError};
use worldshard_transport::{Failure, Refusal};

use crate::frames::Broken;
use crate::lanes::{LaneError, Refused};

/// Something the server said.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// The connection is a WebSocket now; always the first event.
    Opened,
    /// Who this client is and what the world is like; the first message on a path with lanes.
    Greeting(Box<Greeting>),
    /// The view shows another tick.
    Delta(Applied),
    /// One shard's part of the overview: bytes for `protocol::read_overview`.
    Overview(Bytes),
    /// A message of this client was refused.
    Error(Refused),
    /// Any other text.
    Text(String),
    /// Any other binary message, its header included.
    Binary(Bytes),
    /// The answer to a ping.
    Pong(Bytes),
    /// Nothing more comes.
    Closed {
        /// As the server said it; 1005 when it gave none, [`LOST`](crate::LOST) when the connection broke off without a close.
        code: u16,
        /// As the server said it.
        reason: String,
    },
}

/// Why a client gave up. Nothing can be read after it.
#[derive(Debug)]
pub enum ClientError {
    /// The socket failed.
    Io(io::Error),
    /// The server refused the upgrade, with its HTTP status.
    Handshake(Refusal),
    /// The server broke the framing rules.
    Framing(Failure),
    /// A message is not of the protocol.
    Wire(WireError),
    /// A delta is malformed or contradicts the view.
    View(ViewError),
    /// The server gave no token to resume the session by.
    NoToken,
    /// What was waited for did not come in time.
    TimedOut,
    /// The connection closed while more was waited for.
    Closed {
        /// As in [`Event::Closed`].
        code: u16,
        /// As in [`Event::Closed`].
        reason: String,
    },
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "socket: {error}"),
            Self::Handshake(refusal) => {
                write!(f, "upgrade refused: {} {}", refusal.status, refusal.reason)
            }
            Self::Framing(failure) => write!(f, "framing: {failure}"),
            Self::Wire(error) => write!(f, "message: {error}"),
            Self::View(error) => write!(f, "delta: {error}"),
            Self::NoToken => write!(f, "the session cannot be resumed"),
            Self::TimedOut => write!(f, "timed out"),
            Self::Closed { code, reason } => write!(f, "closed: {code} {reason}"),
        }
    }
}

impl std::error::Error for ClientError {}

impl From<io::Error> for ClientError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Broken> for ClientError {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Handshake(refusal) => Self::Handshake(refusal),
            Broken::Framing(failure) => Self::Framing(failure),
        }
    }
}

impl From<LaneError> for ClientError {
    fn from(error: LaneError) -> Self {
        match error {
            LaneError::Wire(error) => Self::Wire(error),
            LaneError::View(error) => Self::View(error),
        }
    }
}
