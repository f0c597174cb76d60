//! What the home of a session and the host of a room say to each other.

use std::borrow::Cow;

use worldshard_protocol::{SessionId, UserId};

use super::denial::Denial;
use crate::app::RoomId;
use crate::message::Payload;

/// One thing said of a room to another shard. What it is, hubs know.
#[derive(Debug)]
pub struct RoomMail(pub(crate) RoomLetter);

/// One thing said of a room.
#[derive(Debug)]
pub(crate) enum RoomLetter {
    /// To the host.
    Call { room: RoomId, call: RoomCall },
    /// To the home of a session: what its host says of one of its memberships.
    Word {
        room: RoomId,
        session: SessionId,
        /// Which membership: a session may leave a room and come again.
        number: u64,
        word: Word,
    },
}

/// What sessions do, and what systems have for members.
#[derive(Debug)]
pub(crate) enum RoomCall {
    Join(Joining),
    Leave {
        session: SessionId,
        number: u64,
    },
    Say {
        session: SessionId,
        payload: Payload,
    },
    Publish {
        payload: Payload,
    },
    ListMembers {
        session: SessionId,
        seq: Option<u32>,
    },
}

/// A session that wants to be a member.
#[derive(Debug)]
pub(crate) struct Joining {
    pub(crate) session: SessionId,
    pub(crate) number: u64,
    pub(crate) user: Option<UserId>,
    pub(crate) request: Payload,
}

/// What becomes of a membership.
#[derive(Debug)]
pub(crate) enum Word {
    Joined,
    Refused(Denial),
    /// It is over, because the service says so.
    Ended(Cow<'static, str>),
    /// It is none: the room failed, over the session that asks to come in or again and again.
    Failed,
    /// It is over, and another one is to begin.
    Moved {
        to: RoomId,
        request: Payload,
    },
    /// What was asked for: session and user of each.
    Members {
        members: Vec<(SessionId, Option<UserId>)>,
        seq: Option<u32>,
    },
}
