//! Why a room does not begin or takes somebody not in, for who asks by a request and for who asks on lanes.

use std::borrow::Cow;

use worldshard_protocol::ErrorCode;
use worldshard_transport::Refusal;

use crate::app::RoomId;

/// Why not.
#[derive(Clone, Debug)]
pub(crate) struct Denial {
    pub(crate) status: u16,
    pub(crate) code: ErrorCode,
    pub(crate) reason: Cow<'static, str>,
}

impl Denial {
    pub(crate) fn new(status: u16, reason: impl Into<Cow<'static, str>>) -> Self {
        let (code, reason) = (ErrorCode::NotAllowed, reason.into());
        Self {
            status,
            code,
            reason,
        }
    }

    /// A bound of the tenant is reached.
    pub(crate) fn exhausted(reason: &'static str) -> Self {
        let code = ErrorCode::ResourceExhausted;
        Self {
            code,
            ..Self::new(503, reason)
        }
    }

    /// What a client on lanes is told.
    pub(super) fn detail(&self, room: &RoomId) -> Cow<'_, str> {
        match self.code == ErrorCode::ResourceExhausted {
            // Its own words are wsPrism's, to the letter.
            true => Cow::Borrowed(&self.reason),
            false => format!("room {}: {}", room.name, self.reason).into(),
        }
    }
}

impl From<Denial> for Refusal {
    fn from(denial: Denial) -> Self {
        Self {
            status: denial.status,
            reason: denial.reason,
        }
    }
}

/// The tenant has as many rooms as allowed.
pub(super) const TENANT_ROOMS: &str = "tenant room limit reached";

/// As many users are in the room as allowed.
pub(super) const ROOM_USERS: &str = "room user limit reached";

/// The user is in as many rooms as allowed.
pub(super) const USER_ROOMS: &str = "user room limit reached";
