//! Clients of a world that live in the server's own process: the same messages, no sockets. For measured runs.

use std::sync::Arc;

use bytes::Bytes;
use worldshard_protocol::{SessionId, Tick};
use worldshard_spatial::ShardId;
use worldshard_transport::MessageKind;

use super::reactor::Halves;
use super::unpaced::Observer;
use crate::frame;
use crate::hub::{FrameClass, Hub};

/// A client that speaks lanes from inside the process. Sees complete messages, without WebSocket headers.
pub trait InProcessClient {
    /// A message for it.
    fn frame(&mut self, payload: &[u8]);
    /// After each tick: appends the hot-lane messages it says now.
    fn poll(&mut self, tick: Tick, out: &mut Vec<Vec<u8>>);
    /// Whether it reads in this tick; frames wait for it while it does not.
    fn reads(&self, _tick: Tick) -> bool {
        true
    }
}

/// Makes the clients whose home a shard is. Called once on each shard's thread.
pub trait ClientFactory: Send + Sync {
    /// The clients of `shard`.
    fn clients(&self, shard: ShardId) -> Vec<Box<dyn InProcessClient>>;
}

/// The in-process clients of one shard, and who watches its ticks.
#[derive(Default)]
pub(crate) struct InProcess {
    /// In ascending order of sessions.
    clients: Vec<Hosted>,
    observer: Option<Observer>,
    said: Vec<Vec<u8>>,
    /// Of a frame whose end follows.
    parts: Vec<u8>,
}

/// A client and its session.
struct Hosted {
    session: SessionId,
    client: Box<dyn InProcessClient>,
    reads: bool,
    /// Frames that wait because it does not read. Bounded by credits and by `messages_queue_bytes_max`.
    unread: Vec<Bytes>,
}

/// What a client does after a tick.
pub(crate) enum Deed<'a> {
    /// It read so many frames that had waited.
    Read(u32),
    /// It said a message.
    Say(MessageKind, &'a [u8]),
}

impl InProcess {
    /// Whether this is a measured run at all.
    pub(crate) fn is_in_use(&self) -> bool {
        self.observer.is_some()
    }

    pub(crate) fn watch(&mut self, observer: Observer) {
        self.observer = Some(observer);
    }

    /// Adds a client whose session was just opened.
    pub(crate) fn insert(&mut self, session: SessionId, client: Box<dyn InProcessClient>) {
        let last = self.clients.last().map(|hosted| hosted.session);
        debug_assert!(last.is_none_or(|last| last < session));
        self.clients.push(Hosted {
            session,
            client,
            reads: true,
            unread: Vec::new(),
        });
    }

    /// Hands a server's frame to its client, if there is one with that session; true when it was read.
    pub(crate) fn frame(&mut self, session: SessionId, frame: Bytes, class: FrameClass) -> bool {
        let Ok(at) = self
            .clients
            .binary_search_by_key(&session, |hosted| hosted.session)
        else {
            return false;
        };
        let mut frame = frame;
        if class == FrameClass::Part || !self.parts.is_empty() {
            self.parts.extend_from_slice(&frame);
            if class == FrameClass::Part {
                return false;
            }
            frame = std::mem::take(&mut self.parts).into();
        }
        let hosted = &mut self.clients[at];
        if hosted.reads {
            frame::open(&frame, |_, payload| hosted.client.frame(payload));
        } else {
            hosted.unread.push(frame);
        }
        hosted.reads
    }

    /// Asks every client what it does now.
    pub(crate) fn poll(&mut self, tick: Tick, mut done: impl FnMut(SessionId, Deed<'_>)) {
        for hosted in &mut self.clients {
            hosted.reads = hosted.client.reads(tick);
            if hosted.reads && !hosted.unread.is_empty() {
                for frame in &hosted.unread {
                    frame::open(frame, |_, payload| hosted.client.frame(payload));
                }
                let frames = u32::try_from(hosted.unread.len()).expect("a queue is bounded");
                hosted.unread.clear();
                done(hosted.session, Deed::Read(frames));
            }
            hosted.client.poll(tick, &mut self.said);
            for payload in self.said.drain(..) {
                done(hosted.session, Deed::Say(MessageKind::Binary, &payload));
            }
        }
    }

    /// Shows the hub to who watches it.
    pub(crate) fn observe(&mut self, tick: Tick, hub: &Hub, halves: Halves) {
        if let Some(observer) = &mut self.observer {
            observer.observe(tick, hub, halves);
        }
    }
}

/// Where a run's clients come from.
pub(crate) type Factory = Arc<dyn ClientFactory>;
