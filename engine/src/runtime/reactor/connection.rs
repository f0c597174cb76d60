//! One connection: which phase of its life it is in, what waits to be written, and when something is due.
//!
//! Does no I/O by itself and knows no other connection.

use std::collections::VecDeque;
use std::fmt;
use std::io::IoSlice;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use worldshard_protocol::SessionId;
use worldshard_transport::{HEADER_BYTES_MAX, Reader, WriteQueue};

use super::pacing::Parked;
use super::proving::Proving;
use super::tls::Tls;
use crate::app::ServerLimits;
use crate::hub::{FrameClass, STATE_BYTES_MAX};
use crate::identity::TraceId;
use crate::policy::Meter;
use crate::runtime::sockets::Readiness;

/// A socket and what its shard knows of it. Owns no buffer while it is idle.
pub(crate) struct Connection {
    pub(crate) socket: OwnedFd,
    /// The driver's.
    pub(crate) readiness: Readiness,
    pub(crate) phase: Phase,
    /// Read from the socket, but beyond the turn's budget.
    pub(crate) held: BytesMut,
    /// How fast it may be, if there is a bound.
    pub(super) meter: Option<Box<Meter>>,
    /// What it said too early; nothing more is read before that is heard.
    pub(super) parked: Option<Box<Parked>>,
    /// When the peer last sent a byte.
    pub(crate) heard: Instant,
    pub(crate) pinged: Option<Instant>,
    /// Since when the kernel takes nothing while bytes wait.
    pub(crate) blocked: Option<Instant>,
    /// Silent while it owes acknowledgements of the world's state: it does not read, so no pong can be expected.
    pub(crate) reads_not: bool,
    /// What the shard's alarms say of it.
    pub(crate) alarm: Option<Instant>,
    /// The peer says no more.
    pub(crate) peer_ended: bool,
    /// It came when the server stopped already, or had not asked for anything by then: the end does not wait for it.
    pub(crate) late: bool,
    /// It asked to be a WebSocket.
    pub(crate) upgrades: bool,
    /// Its name, once it has one.
    pub(crate) trace: Option<TraceId>,
    /// Whether it stands in the shard's list of connections to write.
    pub(crate) to_write: bool,
    /// Whether it stands in the shard's list of connections that go on in the next turn.
    pub(crate) waits_for_turn: bool,
    /// Whether it stands in the shard's list of connections whose messages may wait.
    pub(crate) waits: bool,
    /// Whether its path asks that nothing is said before the commit of the tick that it may tell of.
    pub(crate) waits_for_commits: bool,
    /// What waits for a commit beside the queue.
    pub(crate) uncommitted: u32,
    /// If it is encrypted.
    pub(crate) tls: Option<Box<Tls>>,
    queue: WriteQueue,
    authors: VecDeque<Author>,
}

/// Where in its life a connection is.
pub(crate) enum Phase {
    /// The HTTP head is not complete.
    Head { bytes: Vec<u8>, until: Instant },
    /// A WebSocket of who has yet to show a credential.
    Proving(Box<Proving>),
    /// A session's WebSocket.
    Open {
        session: SessionId,
        reader: Box<Reader>,
        /// Whether it speaks lanes.
        lanes: bool,
        /// When the token that it was opened with expires, if it is to end then.
        expires: Option<Instant>,
    },
    /// The last bytes are queued. What the peer says is discarded, until it ends or patience does.
    Closing { ended_output: bool, until: Instant },
}

/// Who is told when bytes of the queue are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Author {
    /// Nobody: HTTP answers, pings, pongs, close frames.
    Runtime,
    Hub,
}

/// What readiness a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interest {
    /// Bytes of the peer are welcome.
    pub(crate) read: bool,
    /// Our own bytes are stuck.
    pub(crate) write: bool,
}

impl Connection {
    /// A connection just accepted.
    pub(crate) fn new(socket: OwnedFd, now: Instant, until: Instant) -> Connection {
        Connection {
            socket,
            readiness: Readiness::default(),
            phase: Phase::Head {
                bytes: Vec::new(),
                until,
            },
            held: BytesMut::new(),
            meter: None,
            parked: None,
            heard: now,
            pinged: None,
            blocked: None,
            reads_not: false,
            alarm: None,
            peer_ended: false,
            late: false,
            upgrades: false,
            trace: None,
            to_write: false,
            waits_for_turn: false,
            waits: false,
            waits_for_commits: false,
            uncommitted: 0,
            tls: None,
            queue: WriteQueue::new(),
            authors: VecDeque::new(),
        }
    }

    /// The session, while the connection is open.
    pub(crate) fn session(&self) -> Option<SessionId> {
        match &self.phase {
            Phase::Open { session, .. } => Some(*session),
            Phase::Head { .. } | Phase::Proving(_) | Phase::Closing { .. } => None,
        }
    }

    /// What readiness it waits for. Reading pauses while writing is stuck, so that nobody makes us queue answers.
    pub(crate) fn interest(&self) -> Interest {
        let stuck = self.blocked.is_some();
        let discards = matches!(self.phase, Phase::Closing { .. });
        let waits = self.tls.as_ref().is_some_and(|tls| tls.waits());
        let held_max = match &self.phase {
            Phase::Proving(proving) => proving.held_bytes_max(),
            Phase::Head { .. } | Phase::Open { .. } | Phase::Closing { .. } => 0,
        };
        let is_paused = self.parked.is_some() || self.held.len() > held_max;
        Interest {
            read: !self.peer_ended && !is_paused && (discards || !(stuck || waits)),
            write: stuck,
        }
    }

    /// Whether something that was read waits to be heard.
    pub(crate) fn is_paused(&self) -> bool {
        !self.held.is_empty() || self.parked.is_some()
    }

    /// Whether it says more than it is heard.
    pub(crate) fn lags(&self) -> bool {
        !self.held.is_empty() || self.tls.as_ref().is_some_and(|tls| tls.waits())
    }

    /// Queues bytes of the runtime's own.
    pub(crate) fn push_own(&mut self, bytes: Bytes) {
        self.push(bytes, Author::Runtime);
    }

    /// Queues a frame of the hub's, which counts what waits.
    pub(crate) fn push_frame(&mut self, frame: Bytes, class: FrameClass) {
        let frame = match (self.blocked, class) {
            (Some(_), FrameClass::Part | FrameClass::State | FrameClass::Reliable) => kept(frame),
            // Others who are blocked share it.
            (Some(_), FrameClass::Fanout) | (None, _) => frame,
        };
        let author = match class {
            // What follows completes it.
            FrameClass::Part => Author::Runtime,
            FrameClass::State | FrameClass::Reliable | FrameClass::Fanout => Author::Hub,
        };
        self.push(frame, author);
    }

    /// What is queued will wait: it lets go of memory that it shares with what will not.
    pub(crate) fn keep_queue(&mut self) {
        self.queue.replace(kept);
    }

    /// It has been silent for long: gives back the memory of its empty queue.
    pub(crate) fn rest(&mut self) {
        self.queue.rest();
        self.authors.shrink_to(0);
    }

    fn push(&mut self, bytes: Bytes, author: Author) {
        if !bytes.is_empty() {
            self.queue.push(bytes);
            self.authors.push_back(author);
        }
    }

    /// Bytes that wait to be written.
    pub(crate) fn queued_bytes(&self) -> usize {
        self.queue.len_bytes()
    }

    /// The next bytes to write, as [`WriteQueue::slices`].
    pub(crate) fn slices<'a>(&'a self, out: &mut [IoSlice<'a>]) -> usize {
        self.queue.slices(out)
    }

    /// All that waits to be written, where it lies in one piece and as it is to be written.
    pub(crate) fn only_slice(&self) -> Option<&[u8]> {
        match self.tls {
            None => self.queue.only(),
            Some(_) => None,
        }
    }

    /// Takes note that the kernel took `bytes`; returns how many frames of the hub's that completed.
    pub(crate) fn took(&mut self, bytes: usize) -> u32 {
        let completed = self.queue.advance(bytes);
        let authors = self.authors.drain(..completed);
        let frames = authors.filter(|author| *author == Author::Hub).count();
        self.authors.shrink_to(AUTHORS_KEPT);
        u32::try_from(frames).expect("a queue is bounded far below 2^32 frames")
    }

    /// The kernel took bytes: neither stall nor patience has begun yet.
    pub(crate) fn made_progress(&mut self, now: Instant, close_deadline: Duration) {
        if self.blocked.is_some() {
            self.blocked = Some(now);
        }
        if let Phase::Closing { until, .. } = &mut self.phase {
            *until = now + close_deadline;
        }
    }

    /// When something is due, given what the peer has done so far.
    pub(crate) fn due(&self, limits: &ServerLimits) -> Instant {
        match &self.phase {
            Phase::Head { until, .. } | Phase::Closing { until, .. } => *until,
            Phase::Proving(proving) => proving.until,
            Phase::Open { expires, .. } => {
                let life = self.life_due(limits);
                expires.map_or(life, |expires| expires.min(life))
            }
        }
    }

    /// When an open one must have shown life, or is to be asked for some.
    fn life_due(&self, limits: &ServerLimits) -> Instant {
        if let Some(parked) = &self.parked {
            // It is not read, so it can show no life; but it may read.
            let stalled = self.blocked.map(|since| since + limits.stall_max);
            return stalled.map_or(parked.until, |stalled| stalled.min(parked.until));
        }
        match (self.blocked, self.unanswered_ping()) {
            (Some(since), _) => since + limits.stall_max,
            (None, Some(_)) if self.reads_not => {
                self.heard + limits.silence_max.max(limits.stall_max)
            }
            (None, Some(_)) => self.heard + limits.silence_max,
            (None, None) => self.heard + limits.ping_interval,
        }
    }

    /// When a ping was sent after which the peer has shown no life.
    pub(crate) fn unanswered_ping(&self) -> Option<Instant> {
        self.pinged.filter(|pinged| self.heard <= *pinged)
    }
}

/// A small frame in memory of its own; a long one has that already, or shares it with others like it.
fn kept(frame: Bytes) -> Bytes {
    match frame.len() {
        0..=KEPT_BYTES_MAX => Bytes::copy_from_slice(&frame),
        _ => frame,
    }
}

/// Says which one it is, and nothing that the peer said: a credential may be in it.
impl fmt::Debug for Phase {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head { .. } => out.write_str("Head"),
            Self::Proving(_) => out.write_str("Proving"),
            Self::Open { session, .. } => write!(out, "Open({session})"),
            Self::Closing { ended_output, .. } => write!(out, "Closing({ended_output})"),
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Connection")
            .field("phase", &self.phase)
            .field("blocked", &self.blocked)
            .field("queued_bytes", &self.queue.len_bytes())
            .finish_non_exhaustive()
    }
}

/// Places that a queue keeps until its connection rests: as many as the frames of a turn's budget.
const AUTHORS_KEPT: usize = 64;

/// Longer frames lie in no block with others.
const KEPT_BYTES_MAX: usize = STATE_BYTES_MAX + HEADER_BYTES_MAX;

/// An idle connection's share of memory, in bytes; its reader lies beside it.
const CONNECTION_BYTES_MAX: usize = 512;
const _: () = assert!(size_of::<Connection>() + size_of::<Reader>() <= CONNECTION_BYTES_MAX);
