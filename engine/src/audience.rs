//! Whom a message is for. Never resolves it: that is `hub::routing`.

use worldshard_protocol::{SessionId, UserId};
use worldshard_spatial::Point;

/// Whom a message is for.
///
/// Ids that are dead, doubled or never existed are harmless: every addressed session gets one copy, and
/// [`Context::unsent`](crate::Context::unsent) tells of those who are not there.
#[derive(Clone, PartialEq, Debug)]
pub enum Audience {
    /// One session, wherever its home is.
    One(SessionId),
    /// Every session that is open on any shard when the message is sent, whatever its tenant: they share the world.
    All,
    /// All but one.
    AllBut(SessionId),
    /// The listed sessions.
    Group(Vec<SessionId>),
    /// All but the listed sessions.
    AllButGroup(Vec<SessionId>),
    /// Every session of a user, of the first tenant unless a system [speaks of](crate::Context::speak_of) another, wherever its home is, that has not ended when the message is sent. Of a user without any
    /// nobody is told: [`Context::sessions_of`](crate::Context::sessions_of) says whether there is one.
    User(UserId),
    /// The members of a room that [`Rooms::named`](crate::Rooms::named) has, who are told without its service. Of a room
    /// that is none nobody is told. Of the same tenant as a user.
    Room {
        /// Of which kind it is.
        kind: String,
        /// Its name.
        name: String,
    },
    /// Every session whose viewpoint stands in the area at the end of the coming tick.
    Area {
        /// Centre of the area.
        centre: Point,
        /// Metres; finite, 0 or more.
        radius_m: f32,
    },
}
