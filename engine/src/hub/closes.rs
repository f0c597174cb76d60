//! Why connections end, in so few words that they can be counted. Never closes one.

use worldshard_transport::close_code;

use crate::message::CloseReason;

/// Why a session ended, for counters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CloseKind {
    ClientNormal,
    ClientAway,
    ClientOther,
    Lost,
    Timeout,
    ServerNormal,
    ServerAway,
    ServerProtocol,
    ServerInvalidText,
    ServerPolicy,
    ServerTooBig,
    ServerInternal,
    ServerOther,
}

impl CloseKind {
    pub(crate) const ALL: [Self; 13] = [
        Self::ClientNormal,
        Self::ClientAway,
        Self::ClientOther,
        Self::Lost,
        Self::Timeout,
        Self::ServerNormal,
        Self::ServerAway,
        Self::ServerProtocol,
        Self::ServerInvalidText,
        Self::ServerPolicy,
        Self::ServerTooBig,
        Self::ServerInternal,
        Self::ServerOther,
    ];

    pub(crate) fn of(reason: &CloseReason) -> Self {
        match reason {
            CloseReason::Lost => Self::Lost,
            CloseReason::Timeout => Self::Timeout,
            CloseReason::Client { code } => match *code {
                close_code::NORMAL | close_code::NO_STATUS => Self::ClientNormal,
                close_code::AWAY => Self::ClientAway,
                _ => Self::ClientOther,
            },
            CloseReason::Server { code, .. } => match *code {
                close_code::NORMAL => Self::ServerNormal,
                close_code::AWAY => Self::ServerAway,
                close_code::PROTOCOL => Self::ServerProtocol,
                close_code::INVALID_TEXT => Self::ServerInvalidText,
                close_code::POLICY => Self::ServerPolicy,
                close_code::TOO_BIG => Self::ServerTooBig,
                close_code::INTERNAL => Self::ServerInternal,
                _ => Self::ServerOther,
            },
        }
    }

    /// As in metrics: who ended it, and how.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ClientNormal => "client_normal",
            Self::ClientAway => "client_away",
            Self::ClientOther => "client_other",
            Self::Lost => "lost",
            Self::Timeout => "timeout",
            Self::ServerNormal => "server_normal",
            Self::ServerAway => "server_away",
            Self::ServerProtocol => "server_protocol",
            Self::ServerInvalidText => "server_invalid_text",
            Self::ServerPolicy => "server_policy",
            Self::ServerTooBig => "server_too_big",
            Self::ServerInternal => "server_internal",
            Self::ServerOther => "server_other",
        }
    }
}
