//! Clients of a world that live in the server's own process: the same messages, no sockets. For measured runs.

use std::sync::Arc;

use bytes::Bytes;
use worldshard_protocol::{SessionId, Tick};
use worldshard_spatial::ShardId;
use worldshard_transport::{Event, Limits, MessageKind, Reader, Role};

use super::reactor::Halves;
use super::unpaced::Observer;
use crate::hub::Hub;

/// A client that speaks lanes from inside the process. Sees complete messages, without WebSocket headers.
pub trait InProcessClient {
    /// A message for it.
    fn frame(&mut self, payload: &[u8]);
    /// After each tick: appends the hot-lane messages it says now.
    fn poll(&mut self, tick: Tick, out: &mut Vec<Vec<u8>>);
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
    clients: Vec<(SessionId, Box<dyn InProcessClient>)>,
    observer: Option<Observer>,
    said: Vec<Vec<u8>>,
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
        debug_assert!(self.clients.last().is_none_or(|(last, _)| *last < session));
        self.clients.push((session, client));
    }

    /// Hands a server's frame to its client; false when there is none with that session.
    pub(crate) fn frame(&mut self, session: SessionId, frame: &Bytes) -> bool {
        let Ok(at) = self
            .clients
            .binary_search_by_key(&session, |(session, _)| *session)
        else {
            return false;
        };
        let client = &mut self.clients[at].1;
        let mut bytes = frame.to_vec();
        let mut reader = Reader::new(
            Role::Client,
            Limits {
                message_bytes_max: bytes.len(),
                ..Limits::default()
            },
        );
        let step = reader
            .read(&mut bytes)
            .expect("our own frames obey the rules");
        if let Some(Event::Message { payload, .. }) = step.event {
            client.frame(payload);
        }
        true
    }

    /// Asks every client what it says now.
    pub(crate) fn poll(&mut self, tick: Tick, mut say: impl FnMut(SessionId, MessageKind, &[u8])) {
        for (session, client) in &mut self.clients {
            client.poll(tick, &mut self.said);
            for payload in self.said.drain(..) {
                say(*session, MessageKind::Binary, &payload);
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
