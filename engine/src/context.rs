//! What a system at event pace sees and may do: this shard's events, sending, closing, its resources.
//!
//! Never gives access to the world: systems at event pace do not write it.

mod rooms;

use std::borrow::Cow;
use std::cell::{Ref, RefMut};
use std::time::Duration;

use bytes::Bytes;
use worldshard_protocol::{HotHeader, SessionId, Tick};
use worldshard_shard::Resources;
use worldshard_spatial::ShardId;

use crate::app::Framing;
use crate::audience::Audience;
use crate::emit::Emit;
use crate::hub::Desk;
use crate::identity::{Environment, UserId};
use crate::message::{CloseReason, Event, Manner, Message, Payload};
use crate::request::Requests;
use crate::unsent::Unsent;

/// The view of one shard that a system of `Startup`, `Update`, `Last` or `Shutdown` gets.
pub struct Context<'a> {
    events: &'a [Event],
    desk: &'a mut Desk,
    resources: &'a mut Resources,
}

impl<'a> Context<'a> {
    pub(crate) fn new(
        events: &'a [Event],
        desk: &'a mut Desk,
        resources: &'a mut Resources,
    ) -> Self {
        Self {
            events,
            desk,
            resources,
        }
    }

    /// Everything that happened to this shard's sessions since the last turn, in order.
    pub fn events(&self) -> std::slice::Iter<'a, Event> {
        self.events.iter()
    }

    /// The messages among the events: in order per sender, each in one turn only.
    pub fn messages(&self) -> impl Iterator<Item = &'a Message> + use<'a> {
        self.events().filter_map(|event| match event {
            Event::Message(message) => Some(message),
            Event::Opened(_) | Event::Closed(..) => None,
        })
    }

    /// The sessions that connected.
    pub fn opened(&self) -> impl Iterator<Item = SessionId> + use<'a> {
        self.events().filter_map(|event| match event {
            Event::Opened(session) => Some(*session),
            Event::Message(_) | Event::Closed(..) => None,
        })
    }

    /// The sessions whose connection is gone, and why.
    pub fn closed(&self) -> impl Iterator<Item = (SessionId, &'a CloseReason)> + use<'a> {
        self.events().filter_map(|event| match event {
            Event::Closed(session, reason) => Some((*session, reason)),
            Event::Opened(_) | Event::Message(_) => None,
        })
    }

    /// The requests of clients on lanes that no system has taken yet, in the order in which they were heard. Whoever takes
    /// one answers it: now, or later from wherever it is moved to. One that no system takes in its turn is rejected.
    ///
    /// What a session requests is seen after it opened and before it closed, as its messages are.
    pub fn requests(&mut self) -> Requests {
        self.desk.requests.hand_out()
    }

    /// Messages of this shard's systems to sessions, wherever their home, that were not sent, as far as it became known
    /// since the last turn: each session and cause once, at most 256, with a count.
    ///
    /// Who is not open when a message to all is sent is not missed by it. One that waited to share a write with others
    /// and found its session's queue full is told of at the session's home.
    pub fn unsent(&self) -> impl Iterator<Item = Unsent> + use<> {
        self.desk.unsent.shown().into_iter()
    }

    /// Sends a message: one copy to every session of the audience, in order per sender and receiver.
    ///
    /// A session on a path with lanes gets a text as an ext-lane message of the service `app`, a binary one in the
    /// hot lane. A client whose queue is full is closed with 1013. [`unsent`](Self::unsent) tells who was not sent it.
    pub fn send(&mut self, audience: Audience, payload: impl Into<Payload>) {
        // What was answered before goes before.
        self.desk.take_answers();
        self.desk.send(audience, &payload.into(), Manner::RELIABLE);
    }

    /// Sends a message that a newer one will make up for: a session for which more than
    /// [`lossy_queue_bytes_max`](crate::ServerLimits::lossy_queue_bytes_max) waits is not sent it, which `/status` counts and
    /// nobody else is told. Nobody is closed for it, and who sends it waits for nobody. To an area all is sent as
    /// [`send`](Self::send) does.
    pub fn send_lossy(&mut self, audience: Audience, payload: impl Into<Payload>) {
        self.desk.take_answers();
        self.desk.send(audience, &payload.into(), Manner::LOSSY);
    }

    /// The same as a message of a service of the hot lane, with this opcode and number, to sessions on lanes; on raw paths it
    /// is the bytes alone.
    pub fn send_hot_lossy(
        &mut self,
        audience: Audience,
        svc_id: u8,
        opcode: u8,
        seq: Option<u32>,
        payload: Bytes,
    ) {
        let header = HotHeader {
            svc: svc_id,
            opcode,
            seq,
            ..HotHeader::default()
        };
        let manner = Manner {
            lossy: true,
            header: Some(header),
        };
        self.desk.take_answers();
        self.desk.send(audience, &Payload::Binary(payload), manner);
    }

    /// Sends a message to those whom it says it is for, as [`send`](Self::send) does. To send it to others, give that a
    /// reference to it.
    pub fn emit(&mut self, message: &impl Emit) {
        self.send(message.audience(), message);
    }

    /// Closes a connection, wherever its home is. What was sent before still arrives; nothing sent after does.
    ///
    /// A `code` that may not stand on the wire becomes 1000.
    pub fn close(&mut self, session: SessionId, code: u16, reason: impl Into<Cow<'static, str>>) {
        self.desk.take_answers();
        self.desk.close_anywhere(session, code, reason.into());
    }

    /// Open sessions of the whole process. Other shards' counts are as of their last change.
    #[must_use]
    pub fn session_count(&self) -> u64 {
        self.desk.commons.census.total()
    }

    /// The sessions homed on this shard, ascending.
    pub fn sessions(&self) -> impl Iterator<Item = SessionId> {
        self.desk.sessions_open()
    }

    /// The path that a session homed on this shard connected to.
    #[must_use]
    pub fn path(&self, session: SessionId) -> Option<&str> {
        self.desk.path(session)
    }

    /// What the messages of a session homed on this shard consist of.
    #[must_use]
    pub fn framing(&self, session: SessionId) -> Option<Framing> {
        self.desk.framing(session)
    }

    /// Whose a session homed on this shard is; `None` when it is nobody's.
    #[must_use]
    pub fn user(&self, session: SessionId) -> Option<&UserId> {
        self.desk.identity(session)?.user.as_ref()
    }

    /// The sessions of a user that have not ended, on all shards, the oldest first; also those that wait for another
    /// connection, but for those of a process before whose client has not come back.
    ///
    /// Takes the lock around the users' seats, which others share who ask or send to a user.
    #[must_use]
    pub fn sessions_of(&self, user: &UserId) -> Vec<SessionId> {
        let tenant = self.desk.spoken_of;
        self.desk.commons.seats.sessions_of(tenant, user)
    }

    /// The id of the tenant that a session homed on this shard is of: `default` where none are named. Of a session that
    /// is not here, that of the first tenant.
    #[must_use]
    pub fn tenant(&self, session: SessionId) -> String {
        self.desk.tenant_id(session)
    }

    /// Has the names of users and rooms be those of a tenant, from here to the end of this system: in
    /// [`sessions_of`](Self::sessions_of), [`list_rooms`](Self::list_rooms), [`Audience::User`] and [`Audience::Room`].
    /// False when there is no such tenant. A system begins with the first one; what is run for one session, such as a
    /// command, a service or a screen, with that of the session. What names a session besides is about the tenant of that.
    pub fn speak_of(&mut self, tenant: &str) -> bool {
        let index = self.desk.commons.policies.rules().index(tenant);
        self.desk.spoken_of = index.unwrap_or(self.desk.spoken_of);
        index.is_some()
    }

    /// What a session homed on this shard runs in, as it says.
    #[must_use]
    pub fn environment(&self, session: SessionId) -> Option<Environment> {
        self.desk.identity(session)?.environment
    }

    /// What a session homed on this shard said of itself when it connected: JSON, as it was said.
    #[must_use]
    pub fn connect_message(&self, session: SessionId) -> Option<&str> {
        let connect = self.desk.identity(session)?.connect.as_ref()?;
        Some(connect.as_str())
    }

    /// This shard.
    #[must_use]
    pub fn shard(&self) -> ShardId {
        self.desk.own
    }

    /// How many shards there are.
    #[must_use]
    pub fn shards(&self) -> u16 {
        self.desk.commons.shard_count()
    }

    /// The tick that this shard advanced to last.
    #[must_use]
    pub fn tick(&self) -> Tick {
        self.desk.tick
    }

    /// The world's time: as long as its ticks so far. A world that is late has less of it than a clock.
    #[must_use]
    pub fn time(&self) -> Duration {
        let tick = u32::try_from(self.desk.tick.0).unwrap_or(u32::MAX);
        let interval = self.desk.recipe.world.config.tick_interval;
        interval.saturating_mul(tick)
    }

    /// This shard's value of a type, the one that systems of `FixedUpdate` have too.
    ///
    /// # Panics
    /// When there is none: `App::resource` adds it, or `insert_resource` in a Startup system.
    #[must_use]
    pub fn resource<T: 'static>(&self) -> Ref<'_, T> {
        self.resources.expect()
    }

    /// This shard's value of a type, to be changed.
    ///
    /// # Panics
    /// When there is none: `App::resource` adds it, or `insert_resource` in a Startup system.
    #[must_use]
    pub fn resource_mut<T: 'static>(&mut self) -> RefMut<'_, T> {
        self.resources.expect_mut()
    }

    /// Adds or replaces this shard's value of a type. When a kept world does its ticks again, no system at event pace has
    /// run: what `FixedUpdate` reads is to be added by `App::resource`.
    pub fn insert_resource<T: 'static>(&mut self, value: T) {
        self.resources.insert(value);
    }
}
