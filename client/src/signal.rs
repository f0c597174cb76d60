//! What became of one thing that was said, for whoever said it. Never changes once it is final.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// The number of a message; an agent never uses one twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MessageId(pub u64);

/// The number of a request, as the server hears it; an agent never uses one twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RequestId(pub u32);

/// What became of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MessageStatus {
    /// On its way to the socket.
    Sending,
    /// The socket has it. Whether the server got it is not known.
    Sent,
    /// It was not sent: there was no connection, or not any more.
    Failed,
}

/// What became of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RequestStatus {
    /// On its way to the socket.
    Sending,
    /// The socket has it.
    Waiting,
    /// Answered with a payload.
    Responded,
    /// Answered with yes.
    Acknowledged,
    /// Answered with no.
    Rejected,
    /// It was not sent.
    SendFailed,
    /// It was sent, and then the connection ended without an answer: it may have been done.
    ResponseLost,
    /// No answer came in time: it may yet be done.
    TimedOut,
}

/// Follows one message.
#[derive(Clone)]
pub struct MessageSignal {
    id: MessageId,
    status: Arc<AtomicU8>,
}

impl MessageSignal {
    pub(crate) fn new(id: MessageId) -> Self {
        Self {
            id,
            status: Arc::default(),
        }
    }

    /// The message's number, as reports have it.
    #[must_use]
    pub fn id(&self) -> MessageId {
        self.id
    }

    /// What became of it so far.
    #[must_use]
    pub fn status(&self) -> MessageStatus {
        MESSAGE_STATUSES[usize::from(self.status.load(Ordering::Relaxed))]
    }

    pub(crate) fn set(&self, status: MessageStatus) {
        assert!(
            self.status() == MessageStatus::Sending,
            "the end of a message is final"
        );
        self.status.store(status as u8, Ordering::Relaxed);
    }
}

/// Follows one request.
#[derive(Clone)]
pub struct RequestSignal {
    id: RequestId,
    status: Arc<AtomicU8>,
}

impl RequestSignal {
    pub(crate) fn new(id: RequestId) -> Self {
        Self {
            id,
            status: Arc::default(),
        }
    }

    /// The request's number, as reports have it.
    #[must_use]
    pub fn id(&self) -> RequestId {
        self.id
    }

    /// What became of it so far.
    #[must_use]
    pub fn status(&self) -> RequestStatus {
        REQUEST_STATUSES[usize::from(self.status.load(Ordering::Relaxed))]
    }

    pub(crate) fn set(&self, status: RequestStatus) {
        assert!(
            matches!(
                self.status(),
                RequestStatus::Sending | RequestStatus::Waiting
            ),
            "the end of a request is final"
        );
        self.status.store(status as u8, Ordering::Relaxed);
    }
}

impl fmt::Debug for MessageSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "message {} {:?}", self.id.0, self.status())
    }
}

impl fmt::Debug for RequestSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "request {} {:?}", self.id.0, self.status())
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// By their numbers in a signal.
const MESSAGE_STATUSES: [MessageStatus; 3] = [
    MessageStatus::Sending,
    MessageStatus::Sent,
    MessageStatus::Failed,
];

/// By their numbers in a signal.
const REQUEST_STATUSES: [RequestStatus; 8] = [
    RequestStatus::Sending,
    RequestStatus::Waiting,
    RequestStatus::Responded,
    RequestStatus::Acknowledged,
    RequestStatus::Rejected,
    RequestStatus::SendFailed,
    RequestStatus::ResponseLost,
    RequestStatus::TimedOut,
];
