//! What an operator decides: who shares the server, how much each may do, who may not come. Values only.
//!
//! The words, ranges and defaults are wsPrism's.

use std::net::IpAddr;
use std::time::Duration;

use worldshard_protocol::UserId;

use crate::identity::OnExceed;

/// One of those who share a server. Its users, rooms, counters and limits are its own: the same names in two tenants
/// are two things.
#[derive(Clone, PartialEq, Debug)]
pub struct TenantOptions {
    /// Its name, which clients give as `tenant` in the query: 1 to 64 bytes of `A-Z a-z 0-9 . _ @ -`.
    pub id: String,
    /// Bounds of what its clients can make the server hold.
    pub limits: TenantLimits,
    /// What its clients may say, and how much of it.
    pub policy: Policy,
}

/// Bounds of what the clients of one tenant can make the server hold; 0 is no limit but the server's own.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TenantLimits {
    /// Bytes of one message from a client; a longer one closes the connection with 1009. At most the server's
    /// [`message_bytes_max`](crate::ServerLimits::message_bytes_max).
    pub message_bytes_max: usize,
    /// Sessions; who would be one more is answered 503.
    pub sessions_max: u32,
    /// Rooms; one more is refused with `RESOURCE_EXHAUSTED`.
    pub rooms_max: u32,
    /// Users in one of its rooms, each counted once however many sessions it has there; one more is refused with
    /// `RESOURCE_EXHAUSTED`. Sessions that are nobody's count one each.
    pub users_per_room_max: u32,
    /// Rooms that one user is in, with all its sessions; one more is refused with `RESOURCE_EXHAUSTED`.
    pub rooms_per_user_max: u32,
}

/// What clients may say, and how much of it. Can be changed while the server runs.
#[derive(Clone, PartialEq, Debug)]
pub struct Policy {
    /// What may be said on the ext lane: `svc:type` or `svc:*`. An empty list is nothing; none at all is everything. What is
    /// said to the service `sys`, pings and credentials, always may. Raw paths have no lanes, and no list holds there.
    pub ext_allowlist: Option<Vec<String>>,
    /// What may be said on the hot lane: `svc_id:opcode` or `svc_id:*`, in decimal digits. As above.
    pub hot_allowlist: Option<Vec<String>>,
    /// How fast they may say it, on every path; each holds by itself, and what one refuses takes nothing from the others. At most
    /// 16, no two of which are alike. What no list allows is refused before, and takes nothing.
    pub rates: Vec<RateLimit>,
    /// Sessions of one user; of one more, `on_exceed` decides. 0 for no limit.
    pub sessions_per_user: u32,
    /// What becomes of a user's session that is one too many.
    pub on_exceed: OnExceed,
    /// What is said of a refused message of the hot lane.
    pub hot_errors: HotErrors,
    /// Whether the hot lane's application services are for sessions in a room only: messages and requests of service 3, and
    /// those that [`App::hot_service`](crate::App::hot_service) adds, such as an echo. The world's service needs no room.
    pub hot_requires_active_room: bool,
}

/// How fast messages or bytes may come from some clients, by a bucket that fills evenly.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RateLimit {
    /// Whose bucket it is.
    pub scope: RateScope,
    /// What is counted.
    pub unit: RateUnit,
    /// So much in a second, on average; at least 1.
    pub per_second: u32,
    /// So much at once; at least 1. A message of more bytes than this never passes: it is refused with `PAYLOAD_TOO_LARGE`
    /// unless the action is to disconnect.
    pub burst: u32,
    /// What becomes of what is too much.
    pub action: RateAction,
}

/// Who shares a bucket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RateScope {
    /// Each connection has one.
    Connection,
    /// All sessions of a user share one; a session that is nobody's has its own.
    User,
    /// All sessions of a tenant share one.
    Tenant,
}

/// What a bucket counts. Every frame of a client counts, of whatever lane and kind, pings and pongs too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RateUnit {
    /// Messages, and control frames one each.
    Messages,
    /// Bytes of their payloads.
    Bytes,
}

/// What becomes of what is too much. A client on lanes is told once each time that it begins to be too fast, which it does
/// anew after a second without anything that was too much.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RateAction {
    /// It is not heard.
    Drop,
    /// It waits until the bucket has it, and the connection is not read meanwhile. At least for so long, which is at most a
    /// minute.
    Throttle(Duration),
    /// The connection is closed with 1008.
    Disconnect,
}

/// What is said of a refused message of the hot lane, whatever the reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum HotErrors {
    /// An error of the ext lane.
    #[default]
    SysError,
    /// Nothing; it is counted.
    Silent,
}

/// How many handshakes are taken on, before anything else is done for them. Who is too fast is answered 429 with a
/// `Retry-After`. An address's own bucket is asked first, so that who is over it takes nothing from others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HandshakeLimit {
    /// In a second, of all addresses together.
    pub global_per_second: u32,
    /// At once, of all addresses together.
    pub global_burst: u32,
    /// In a second, of one IPv4 address or one /64 of IPv6.
    pub per_ip_per_second: u32,
    /// At once, of one.
    pub per_ip_burst: u32,
    /// Addresses that are remembered. With more, those are forgotten whose buckets are full first: that have been quiet
    /// longest for what they did.
    pub ip_entries_max: u32,
}

/// Somebody who may not come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ban {
    /// Who.
    pub whom: Banned,
    /// What it is told.
    pub reason: String,
    /// When it ends, since 1970; none for never.
    pub until: Option<Duration>,
}

/// Who may not come.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Banned {
    /// Who comes from this address: of an IPv6 address the first 64 bits count.
    Ip(IpAddr),
    /// This user of this tenant.
    User {
        /// The tenant's id.
        tenant: String,
        /// The user's name.
        user: UserId,
    },
}

impl TenantOptions {
    /// A tenant whose clients may say everything, within the server's own limits.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            limits: TenantLimits::default(),
            policy: Policy::default(),
        }
    }
}

impl Default for Policy {
    /// Everything is allowed.
    fn default() -> Self {
        Self {
            ext_allowlist: None,
            hot_allowlist: None,
            rates: Vec::new(),
            sessions_per_user: 0,
            on_exceed: OnExceed::Deny,
            hot_errors: HotErrors::SysError,
            hot_requires_active_room: false,
        }
    }
}
