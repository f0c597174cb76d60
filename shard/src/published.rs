//! What a shard has for the homes of sessions after a tick: deltas, notices, area messages.
//!
//! Owns their types. Never writes to a connection.

use std::borrow::Cow;

use bytes::Bytes;
use worldshard_protocol::{EntityId, ErrorCode, SessionId, Tick};
use worldshard_spatial::ShardId;

/// One tick's output. The caller drains it; what is left is dropped when the next tick advances.
#[derive(Debug, Default)]
pub struct Published {
    /// At most one per session, ascending by session.
    pub deltas: Vec<DeltaOut>,
    /// For the homes, in the order in which things happened.
    pub notices: Vec<(SessionId, Notice)>,
    /// Area messages, ascending by session, then in the order they were said.
    pub area: Vec<(SessionId, Bytes)>,
    /// Buffers of deltas that the caller is done with: the next ones are laid out in them.
    pub spare: Vec<Vec<u8>>,
}

impl Published {
    pub(crate) fn clear(&mut self) {
        self.deltas.clear();
        self.notices.clear();
        self.area.clear();
    }
}

/// A delta ready for the wire but for its WebSocket header, whose room is in front.
#[derive(Debug)]
pub struct DeltaOut {
    /// For whom.
    pub session: SessionId,
    /// Its number; an acknowledgement names it.
    pub sequence: u32,
    /// The tick whose state it is.
    pub tick: Tick,
    /// [`FRAME_HEADROOM`] spare bytes, then hot-lane header and archive.
    pub buffer: Vec<u8>,
    /// A part of the archive that others are told too: it belongs at [`SHARED_AT`] of the buffer.
    pub shared: Option<Bytes>,
}

impl DeltaOut {
    /// Bytes of the message: hot-lane header and archive.
    #[must_use]
    pub fn message_bytes(&self) -> usize {
        let shared = self.shared.as_ref().map_or(0, Bytes::len);
        self.buffer.len() - FRAME_HEADROOM + shared
    }

    /// The message in one piece.
    #[must_use]
    pub fn message(&self) -> Vec<u8> {
        let mut message = self.buffer[FRAME_HEADROOM..SHARED_AT].to_vec();
        message.extend_from_slice(self.shared.as_deref().unwrap_or_default());
        message.extend_from_slice(&self.buffer[SHARED_AT..]);
        message
    }
}

/// What a home must know about a session of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The viewpoint is owned by this shard from now on.
    Owner(ShardId),
    /// The session has a viewpoint; with an avatar, this one.
    Joined {
        /// The avatar; none for a camera.
        entity: Option<EntityId>,
        /// The first tick that has it.
        tick: Tick,
    },
    /// The viewpoint tells everything anew: its deltas are numbered from 1 again.
    Refreshed {
        /// As in the command.
        generation: u32,
        /// The first tick whose delta it is.
        tick: Tick,
    },
    /// The session has no viewpoint any more.
    Left,
    /// The avatar was removed by the world; the session looks on as a camera from where it was.
    AvatarLost(EntityId),
    /// The session sees by the default interest from now on, because its own cannot be asked: why.
    InterestFailed(&'static str),
    /// A command was not granted.
    Refused {
        /// The client's number for it; 0 for none.
        client_sequence: u32,
        /// The kind.
        code: ErrorCode,
        /// What was wrong.
        detail: Cow<'static, str>,
    },
}

/// Room for the largest WebSocket header of a server.
pub const FRAME_HEADROOM: usize = 10;

/// Where the archive begins in the buffer of a delta, or what precedes and follows a shared part of it meets.
pub const SHARED_AT: usize = FRAME_HEADROOM + DELTA_HEADER_BYTES;

/// Of the hot lane, with a number.
const DELTA_HEADER_BYTES: usize = 8;
