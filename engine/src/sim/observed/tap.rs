//! What the services of all hubs are told of sessions, for a checker. Never answers anything.

use worldshard_protocol::SessionId;

use crate::app::{App, Plugin};
use crate::context::Context;
use crate::message::Event;
use crate::prelude::Update;

/// A service of every hub that passes on what it is told. Add it to the application, then [`drain`](Self::drain) it.
#[derive(Clone, Debug)]
pub struct EventTap {
    sender: flume::Sender<EventSeen>,
    receiver: flume::Receiver<EventSeen>,
}

/// One thing that a service was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventSeen {
    /// Whose.
    pub session: SessionId,
    /// What.
    pub kind: EventKind,
}

/// What a service is told of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// It is there.
    Opened,
    /// It said something.
    Message,
    /// It has gone.
    Closed,
}

impl EventTap {
    /// A tap with nothing in it.
    #[must_use]
    pub fn new() -> Self {
        let (sender, receiver) = flume::bounded(EVENTS_MAX);
        Self { sender, receiver }
    }

    /// Takes out everything since the last call.
    #[must_use]
    pub fn drain(&self) -> Vec<EventSeen> {
        self.receiver.try_iter().collect()
    }
}

impl Default for EventTap {
    fn default() -> Self {
        Self::new()
    }
}

impl Plugin for EventTap {
    fn build(&self, app: &mut App) {
        let sender = self.sender.clone();
        app.system(Update, move |cx: &mut Context<'_>| {
            for event in cx.events() {
                let (session, kind) = match event {
                    Event::Opened(session) => (*session, EventKind::Opened),
                    Event::Message(message) => (message.session, EventKind::Message),
                    Event::Closed(session, _) => (*session, EventKind::Closed),
                };
                let sent = sender.try_send(EventSeen { session, kind });
                assert!(sent.is_ok(), "{EVENTS_MAX} events wait to be drained");
            }
        });
    }
}

/// Far more than one tick brings; one more is a panic of this service, which the hub counts as a fault.
const EVENTS_MAX: usize = 1 << 20;
