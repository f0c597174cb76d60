//! What a system may do about the rooms that this shard's sessions are in.

use worldshard_protocol::SessionId;

use super::Context;
use crate::hub::{ListedRoom, Membership, Wish};
use crate::message::Payload;

impl Context<'_> {
    /// Has a session that is homed on this shard join a room of the kind that [`Rooms::named`](crate::Rooms::named) calls
    /// so. The room's service is asked with `request`; what becomes of it [`memberships`](Self::memberships) tells. A
    /// member that joins again is told so and stays what it is; the room that it joined last is its active one.
    ///
    /// # Panics
    /// When there are no rooms of this kind.
    pub fn join(
        &mut self,
        session: SessionId,
        kind: &str,
        name: &str,
        request: impl Into<Payload>,
    ) {
        let Some(room) = self.desk.room_named(self.desk.tenant(session), kind, name) else {
            panic!("there are no rooms of the kind {kind:?}");
        };
        self.desk
            .join_room(session, room, request.into(), Wish::System);
    }

    /// Has a session leave a room; false when it is not in it.
    pub fn leave(&mut self, session: SessionId, kind: &str, name: &str) -> bool {
        let room = self.desk.room_named(self.desk.tenant(session), kind, name);
        room.is_some_and(|room| self.desk.leave_room(session, &room, None))
    }

    /// Says something to the service of a room, as the member that a session is; false when it is none.
    pub fn tell_room(
        &mut self,
        session: SessionId,
        kind: &str,
        name: &str,
        payload: impl Into<Payload>,
    ) -> bool {
        let room = self.desk.room_named(self.desk.tenant(session), kind, name);
        room.is_some_and(|room| self.desk.say_in_room(session, &room, payload.into()))
    }

    /// Whether [`tell_room`](Self::tell_room) would say anything: whether a session is in a room, or has asked to be and has
    /// no answer yet.
    #[must_use]
    pub fn may_tell_room(&self, session: SessionId, kind: &str, name: &str) -> bool {
        let room = self.desk.room_named(self.desk.tenant(session), kind, name);
        room.is_some_and(|room| self.desk.memberships.has(session, &room))
    }

    /// Kind and name of the rooms that a session of this home is in, in the order in which it joined: the last is its
    /// active one.
    pub fn rooms_of(&self, session: SessionId) -> impl Iterator<Item = (&str, &str)> {
        let rooms = self.desk.memberships.rooms(session);
        rooms.map(|room| {
            let kind = &*self.desk.recipe.rooms_of(room).label;
            (kind, &*room.name)
        })
    }

    /// What became of memberships of this shard's sessions since the last turn, in order.
    pub fn memberships(&self) -> impl Iterator<Item = Membership> + use<> {
        self.desk.memberships.shown().to_vec().into_iter()
    }

    /// The first `max` rooms of a kind, by name, on all shards: those whose names come after `after`, if one is given. As
    /// of their last change; those that are not listed are left out.
    #[must_use]
    pub fn list_rooms(&self, kind: &str, after: Option<&str>, max: usize) -> Vec<ListedRoom> {
        self.desk.list_rooms(kind, after, max)
    }
}
