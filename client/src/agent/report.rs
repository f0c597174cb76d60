//! What an agent tells its user, in the order in which it may be told. Never decides what happens.

use std::collections::VecDeque;

use bytes::Bytes;
use worldshard_protocol::{Applied, EntityId, Greeting, Tick};

use crate::lanes::Refused;
use crate::message::{Message, Payload};
use crate::signal::{MessageId, RequestId};

/// Something that happened to a client.
///
/// Each `Connecting` is followed by `Opened` and `Live`, as far as it comes, and then by one of `Disconnected`,
/// `ClosedByServer` and `ClosedBySelf`. What became of the requests and messages of a connection comes right after its end.
#[derive(Clone, PartialEq, Debug)]
pub enum Report {
    /// An attempt begins; they are counted from 1 since the last connection that went live.
    Connecting {
        /// Which one.
        attempt: u32,
    },
    /// The server speaks WebSocket; it has not greeted yet.
    Opened,
    /// The session stands. From here on messages are sent; all that concerned earlier connections was told before.
    Live(Live),
    /// The connection broke off, or never came to be.
    Disconnected(Why),
    /// The server closed the connection.
    ClosedByServer {
        /// As the server said it; 1005 when it gave none.
        code: u16,
        /// As the server said it.
        reason: String,
    },
    /// [`Agent::close`](crate::Agent::close) is done.
    ClosedBySelf,
    /// The last report: nothing more happens.
    Dead {
        /// Why it does not go on.
        cause: Cause,
        /// What had not reached the socket when the last connection ended.
        unsent: Vec<Unsent>,
    },

    /// The application said something.
    Message(Payload),
    /// A request was answered with a payload.
    Response {
        /// Which.
        request: RequestId,
        /// The answer.
        payload: Payload,
    },
    /// A request was answered with yes.
    Ack {
        /// Which.
        request: RequestId,
    },
    /// A request was answered with no.
    Reject {
        /// Which.
        request: RequestId,
        /// Of the catalogue in `docs/wire.md`, or the application's own.
        code: String,
        /// For people.
        message: String,
    },
    /// A request was not sent.
    SendFailed {
        /// Which.
        request: RequestId,
    },
    /// A request was sent, and its connection ended before an answer: it may have been done.
    ResponseLost {
        /// Which.
        request: RequestId,
    },
    /// A request had no answer in time; one that comes later is dropped.
    TimedOut {
        /// Which.
        request: RequestId,
    },
    /// A message was not sent.
    MessageFailed {
        /// Which.
        message: MessageId,
    },

    /// The view shows another tick.
    Delta(Applied),
    /// One shard's part of the overview: bytes for `protocol::read_overview`.
    Overview(Bytes),
    /// A Join was granted.
    Joined {
        /// The avatar; none of a camera.
        entity: Option<EntityId>,
        /// From which tick on it is in the world.
        tick: Tick,
    },
    /// A Leave was done.
    Left,
    /// The world took the avatar away: the session looks on as a camera.
    AvatarLost {
        /// Which it was.
        entity: EntityId,
    },
    /// The server refused something that this client said.
    Refused(Refused),
    /// A newer session of the same user displaced this one; `ClosedByServer` follows.
    Kicked {
        /// As the server said it.
        reason: String,
    },
    /// The server missed messages of this client.
    Gap {
        /// The number that it waited for.
        expected: u32,
        /// The one that came.
        got: u32,
    },
    /// A message of lanes that this client does not know.
    Other(Message),
}

/// A session that stands.
#[derive(Clone, PartialEq, Debug)]
pub struct Live {
    /// What the server said first; nothing on a raw path.
    pub greeting: Option<Box<Greeting>>,
    /// Whether it is the session from before: commands go on, and those that the server had not taken were said again.
    /// Otherwise everything begins anew, Joins too.
    pub resumed: bool,
}

/// Why there is no connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Why {
    /// Nobody could be reached.
    Unreachable(String),
    /// The server refused the upgrade.
    Refused {
        /// The HTTP status.
        status: u16,
        /// As the server said it.
        reason: String,
    },
    /// The server did not answer, or did not greet, in time.
    TimedOut,
    /// It broke off.
    Lost,
    /// The server did not answer a ping in time, or says that we did not.
    Silent,
    /// The server broke the protocol.
    Protocol(String),
    /// More was heard than the user took.
    Overflow,
}

/// Why a client is dead.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cause {
    /// It was closed by its user.
    ClosedBySelf,
    /// The server closed, and [`Reconnect::on_close`](crate::Reconnect::on_close) is off.
    ClosedByServer,
    /// The connection broke, and [`Reconnect::on_drop`](crate::Reconnect::on_drop) is off.
    Dropped,
    /// As many attempts failed as are allowed.
    AttemptsSpent,
    /// The credential was refused, and there was no new one, or it was refused too.
    CredentialRefused,
    /// The server refused the upgrade in a way that another attempt would not change.
    Refused {
        /// The HTTP status.
        status: u16,
    },
    /// The server speaks a version or a layout that this client cannot read.
    Unreadable,
}

/// Something that was never sent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Unsent {
    /// A message.
    Message(MessageId),
    /// A request.
    Request(RequestId),
}

/// Reports that wait for the user, and how far the user has come.
#[derive(Debug, Default)]
pub(super) struct Reports {
    queue: VecDeque<Entry>,
    /// The connection whose `Live` the user took, until the user takes its end.
    live: Option<u64>,
}

#[derive(Debug)]
struct Entry {
    report: Report,
    connection: u64,
}

impl Reports {
    pub(super) fn push(&mut self, report: Report, connection: u64) {
        self.queue.push_back(Entry { report, connection });
    }

    /// Tells of something that failed at once, because the user has taken no `Live`, or there is no such connection any
    /// more: it belongs before the next one.
    pub(super) fn push_failure(&mut self, report: Report, connection: u64) {
        let begins = |entry: &Entry| matches!(entry.report, Report::Live(_) | Report::Dead { .. });
        let at = self.queue.iter().position(begins);
        self.queue
            .insert(at.unwrap_or(self.queue.len()), Entry { report, connection });
    }

    pub(super) fn take(&mut self) -> Option<Report> {
        let Entry { report, connection } = self.queue.pop_front()?;
        if matches!(report, Report::Live(_)) {
            self.live = Some(connection);
        } else if report.is_end() {
            self.live = None;
        }
        Some(report)
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn live(&self) -> Option<u64> {
        self.live
    }
}

impl Report {
    /// Whether a connection, or an attempt at one, ended.
    #[must_use]
    pub fn is_end(&self) -> bool {
        matches!(
            self,
            Self::Disconnected(_) | Self::ClosedByServer { .. } | Self::ClosedBySelf
        )
    }
}
