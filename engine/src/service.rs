//! The rules of a room, which users write, and what they may do with it. Never runs a room: that is `hub::rooms`.

use std::borrow::Cow;
use std::time::Duration;

use worldshard_protocol::{EntityId, SessionId, Tick};
use worldshard_shard::Chance;

use crate::audience::Audience;
use crate::hub::{Desk, RoomState};
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

    /// Its members, ascending.
    pub fn members(&self) -> impl ExactSizeIterator<Item = SessionId> + '_ {
        self.state.members.iter().copied()
    }

    /// Whose session a member is; `None` when it is nobody's.
    #[must_use]
    pub fn user(&self, member: SessionId) -> Option<&UserId> {
        self.desk.identity(member)?.user.as_ref()
    }

    /// Sends a message to members: [`Audience::All`] are those of this room, and who is none gets nothing. An area is no
    /// audience of a room.
    pub fn send(&mut self, audience: Audience, payload: impl Into<Payload>) {
        let members = &self.state.members;
        let is_member = |session: &SessionId| members.binary_search(session).is_ok();
        let but = |except: &[SessionId]| -> Vec<SessionId> {
            let others = members.iter().filter(|member| !except.contains(member));
            others.copied().collect()
        };
        let meant = match audience {
            Audience::One(session) if is_member(&session) => Audience::One(session),
            Audience::One(_) => return,
            Audience::All => Audience::Group(members.clone()),
            Audience::AllBut(session) => Audience::Group(but(&[session])),
            Audience::Group(mut sessions) => {
                sessions.retain(is_member);
                Audience::Group(sessions)
            }
            Audience::User(user) => {
                let theirs = members
                    .iter()
                    .filter(|member| self.user(**member) == Some(&user));
                Audience::Group(theirs.copied().collect())
            }
            Audience::AllButGroup(sessions) => Audience::Group(but(&sessions)),
            Audience::Area { .. } => {
                tracing::warn!(room = self.name(), "an area is no audience of a room");
                return;
            }
        };
        self.desk.send(meant, &payload.into());
    }

    /// Closes the connection of a member, behind what it was sent. It is told of as any other that leaves.
    pub fn kick(&mut self, member: SessionId, code: u16, reason: impl Into<Cow<'static, str>>) {
        if self.state.members.binary_search(&member).is_ok() {
            self.desk.close_anywhere(member, code, reason.into());
        }
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

/// Timers of one room; one more is not set.
pub const ROOM_TIMERS_MAX: usize = 256;
