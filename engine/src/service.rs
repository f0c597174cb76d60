//! The rules of a room, which users write, and what they may do with it. Never runs a room: that is `hub::rooms`.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use worldshard_protocol::{EntityId, SessionId, Tick};
use worldshard_shard::Chance;

use crate::audience::Audience;
use crate::hub::{Desk, RoomSender, RoomState, Word};
use crate::identity::UserId;
use crate::message::Payload;

/// The rules of a room. Each room has a value of its own, which lives on one shard and is told one thing at a time.
///
/// ```no_run
/// use worldshard::prelude::*;
///
/// #[derive(Default)]
/// struct Counter(u64);
///
/// impl Service for Counter {
///     fn message(&mut self, room: &mut Room<'_>, _: SessionId, payload: &Payload) {
///         if payload.as_text() == Some("increment") {
///             self.0 += 1;
///             room.send(Audience::All, format!("new value: {}", self.0));
///         }
///     }
/// }
///
/// fn main() -> Result<()> {
///     App::new()
///         .plugin(WebSocketPlugin::bind("127.0.0.1:8080"))
///         .rooms(Rooms::at("/ws/{room}", |_| Counter::default()))
///         .run()
/// }
/// ```
///
/// A panic is caught: the room begins again with a new value, which is told of its members as if they had just come. A
/// room that panics again and again is closed for a minute.
#[expect(unused_variables, reason = "what a service does not care about")]
pub trait Service: 'static {
    /// The room begins. Comes first.
    fn init(&mut self, room: &mut Room<'_>) {}

    /// Whether a session may become a member. `request` is what [`Context::join`](crate::Context::join) or the client
    /// said with the wish; an empty text where a path led here.
    ///
    /// # Errors
    /// Why not, in words for the client. It is told, and of the session nothing more is.
    fn admit(
        &mut self,
        room: &mut Room<'_>,
        session: SessionId,
        request: &Payload,
    ) -> Result<(), Cow<'static, str>> {
        Ok(())
    }

    /// A session has become a member.
    fn connect(&mut self, room: &mut Room<'_>, member: SessionId) {}

    /// A member said something: in order per member, between its connect and its disconnect.
    fn message(&mut self, room: &mut Room<'_>, member: SessionId, payload: &Payload) {}

    /// A session is no member any more, whatever ended it.
    fn disconnect(&mut self, room: &mut Room<'_>, member: SessionId) {}

    /// A timer is due.
    fn timer(&mut self, room: &mut Room<'_>, name: &str) {}

    /// A tick of the world has passed. Only a room with members is told.
    fn tick(&mut self, room: &mut Room<'_>) {}

    /// Another thread brought something, by a [`RoomSender`] that this value got from [`Room::outside`].
    fn outside(&mut self, room: &mut Room<'_>, payload: &Payload) {}
}

/// A room, as its service has it while it is told something.
pub struct Room<'a> {
    pub(crate) state: &'a mut RoomState,
    pub(crate) desk: &'a mut Desk,
}

impl Room<'_> {
    /// Its name, as in the path of who connects.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.state.name
    }

    /// The id of the tenant whose room it is: `default` where none are named.
    #[must_use]
    pub fn tenant(&self) -> String {
        let rules = self.desk.commons.policies.rules();
        rules.tenant(self.state.tenant).id.to_string()
    }

    /// Its members, ascending.
    pub fn members(&self) -> impl ExactSizeIterator<Item = SessionId> + '_ {
        self.state.sessions()
    }

    /// Whose session a member is; `None` when it is nobody's.
    #[must_use]
    pub fn user(&self, member: SessionId) -> Option<&UserId> {
        self.state.member(member)?.user.as_deref()
    }

    /// Sends a message to members: [`Audience::All`] are those of this room, and who is none gets nothing. An area is no
    /// audience of a room.
    pub fn send(&mut self, audience: Audience, payload: impl Into<Payload>) {
        let is_member = |session: &SessionId| self.state.is_member(*session);
        let but = |except: &[SessionId]| -> Vec<SessionId> {
            let others = self.state.sessions().filter(|one| !except.contains(one));
            others.collect()
        };
        let meant = match audience {
            Audience::One(session) if is_member(&session) => Audience::One(session),
            Audience::One(_) => return,
            Audience::All => Audience::Group(self.state.sessions().collect()),
            Audience::AllBut(session) => Audience::Group(but(&[session])),
            Audience::Group(mut sessions) => {
                sessions.retain(is_member);
                Audience::Group(sessions)
            }
            Audience::User(user) => {
                let is_theirs = |one: &SessionId| self.user(*one) == Some(&user);
                Audience::Group(self.state.sessions().filter(is_theirs).collect())
            }
            Audience::AllButGroup(sessions) => Audience::Group(but(&sessions)),
            Audience::Room { .. } | Audience::Area { .. } => {
                tracing::warn!(room = self.name(), "no audience of a room: {audience:?}");
                return;
            }
        };
        let room = self.state.is_joined.then(|| Arc::clone(&self.state.name));
        self.desk.send_in(room, meant, &payload.into());
    }

    /// Says something to whoever runs the server, with the room's name.
    pub fn log(&self, text: &str) {
        tracing::info!(room = self.name(), shard = self.desk.own.0, "{text}");
    }

    /// Adds to a number that `/status` shows for each shard, of all its rooms together, ended ones too: how many rounds were
    /// played, say. Of more than [`ROOM_TOTALS_MAX`] names the others are not counted.
    pub fn count(&mut self, name: &'static str, by: u64) {
        let totals = &mut self.desk.room_totals;
        if totals.len() < ROOM_TOTALS_MAX || totals.contains_key(name) {
            let total = totals.entry(name).or_default();
            *total = total.saturating_add(by);
        }
    }

    /// Closes the connection of a member, behind what it was sent. It is told of as any other that leaves.
    pub fn kick(&mut self, member: SessionId, code: u16, reason: impl Into<Cow<'static, str>>) {
        if self.state.is_member(member) {
            self.desk.close_anywhere(member, code, reason.into());
        }
    }

    /// Ends a membership, and no connection but one that came for this room alone. It is told of as any other that leaves,
    /// once the service returns; of who is no member, nothing is.
    pub fn remove(&mut self, member: SessionId, reason: impl Into<Cow<'static, str>>) {
        self.state.send_away(member, Word::Ended(reason.into()));
    }

    /// As [`remove`](Self::remove), and has the session join another room, as
    /// [`Context::join`](crate::Context::join) would.
    pub fn move_to(
        &mut self,
        member: SessionId,
        kind: &str,
        name: &str,
        request: impl Into<Payload>,
    ) {
        let Some(to) = self.desk.room_named(self.state.tenant, kind, name) else {
            tracing::error!(kind, "a member is to be moved to a room of no kind");
            return;
        };
        let request = request.into();
        self.state.send_away(member, Word::Moved { to, request });
    }

    /// What lists of rooms say beside name and members; `None` leaves it out of them. A room is listed, with an empty
    /// note, unless said.
    pub fn set_listing(&mut self, note: Option<String>) {
        self.state.note = note.map(Arc::from);
        self.state.relist = true;
    }

    /// The tick that the world advanced to last.
    #[must_use]
    pub fn tick(&self) -> Tick {
        self.desk.tick
    }

    /// The world's time: as long as its ticks so far. A world that is late has less of it than a clock.
    #[must_use]
    pub fn time(&self) -> Duration {
        let tick = u32::try_from(self.desk.tick.0).unwrap_or(u32::MAX);
        self.state.tick_interval.saturating_mul(tick)
    }

    /// Random numbers, other ones at each call. They follow from the world's seed, the room's name, the stream's and how
    /// often it was asked: a room that is told the same draws the same.
    pub fn chance(&mut self, stream: &str) -> Chance {
        self.state.chances += 1;
        let asked = Tick(self.state.chances);
        Chance::new(self.state.seed, EntityId(self.state.hash), asked, stream)
    }

    /// What brings things into this room from any thread: what must wait, for a disk, a database or another program, is
    /// done there, and comes back by [`Service::outside`].
    ///
    /// ```
    /// # use worldshard::prelude::*;
    /// struct Scores;
    ///
    /// impl Service for Scores {
    ///     fn message(&mut self, room: &mut Room<'_>, _: SessionId, _: &Payload) {
    ///         let sender = room.outside();
    ///         std::thread::spawn(move || {
    ///             let scores = std::fs::read_to_string("scores").unwrap_or_default();
    ///             // A room that is no more needs none.
    ///             let _ = sender.send(scores);
    ///         });
    ///     }
    ///
    ///     fn outside(&mut self, room: &mut Room<'_>, scores: &Payload) {
    ///         room.send(Audience::All, scores.clone());
    ///     }
    /// }
    /// ```
    pub fn outside(&mut self) -> RoomSender {
        self.state.sender(&self.desk.outside)
    }

    /// Has [`Service::timer`] called once, `after` so much of the world's time, to the tick; one tick at least. A timer of
    /// the same name is replaced. False when the room has [`ROOM_TIMERS_MAX`] others: then it is not set.
    pub fn set_timer(&mut self, name: &str, after: Duration) -> bool {
        let now = self.desk.tick;
        self.state.set_timer(name, now, after, false)
    }

    /// As [`set_timer`](Self::set_timer), again and again until it is cancelled or replaced.
    pub fn set_interval(&mut self, name: &str, every: Duration) -> bool {
        let now = self.desk.tick;
        self.state.set_timer(name, now, every, true)
    }

    /// A timer that is cancelled never fires. Whether there was one.
    pub fn cancel_timer(&mut self, name: &str) -> bool {
        self.state.timers.remove(name).is_some()
    }
}

/// Names that [`Room::count`] adds to, of all rooms of a shard.
pub const ROOM_TOTALS_MAX: usize = 64;

/// Timers of one room; one more is not set.
pub const ROOM_TIMERS_MAX: usize = 256;
