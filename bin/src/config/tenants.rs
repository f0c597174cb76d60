//! The section `tenants`: who shares the server, and how much each may do. The keys, ranges and defaults are wsPrism's,
//! but for `rates`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use worldshard::OnExceed;
use worldshard::policy::{self, RateAction, RateLimit, RateScope, RateUnit};

use super::number::{Count, Size, Within};

/// One of those who share the server
#[derive(Serialize, Deserialize, JsonSchema, Clone, PartialEq, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tenant {
    /// Its name, which clients give as `tenant`: 1 to 64 of `A-Z a-z 0-9 . _ @ -`, once
    pub(crate) id: String,
    /// Bounds of what its clients can make the server hold
    #[serde(default)]
    pub(crate) limits: TenantLimits,
    /// What its clients may say, and how much of it
    #[serde(default)]
    pub(crate) policy: Policy,
}

/// Bounds of what its clients can make the server hold
#[derive(Serialize, Deserialize, JsonSchema, Clone, PartialEq, Debug)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TenantLimits {
    /// Bytes of one message from a client; a longer one closes the connection with 1009
    pub(crate) max_frame_bytes: Size<1>,
    /// Sessions; 0 for no limit
    pub(crate) max_sessions_total: Count<0>,
    /// Rooms; 0 for no limit
    pub(crate) max_rooms_total: Count<0>,
    /// Users in one room; 0 for no limit
    pub(crate) max_users_per_room: Count<0>,
    /// Rooms that one user is in; 0 for no limit
    pub(crate) max_rooms_per_user: Count<0>,
}

/// What clients may say, and how much of it
#[derive(Serialize, Deserialize, JsonSchema, Clone, PartialEq, Debug)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Policy {
    /// Messages in a second, on average; more is dropped
    pub(crate) rate_limit_rps: Count<1>,
    /// Messages at once
    pub(crate) rate_limit_burst: Count<1>,
    /// Who shares a bucket of the two above
    pub(crate) rate_limit_scope: Scope,
    /// Further rates; each holds by itself
    pub(crate) rates: Vec<Rate>,
    /// What may be said on the ext lane: `svc:type` or `svc:*`; an empty list is nothing
    pub(crate) ext_allowlist: Vec<String>,
    /// What may be said on the hot lane: `svc_id:opcode` or `svc_id:*`; an empty list is nothing
    pub(crate) hot_allowlist: Vec<String>,
    /// How many sessions a user may have
    pub(crate) sessions: Sessions,
    /// What is said of a refused message of the hot lane
    pub(crate) hot_error_mode: HotErrorMode,
    /// Whether the hot lane is for sessions in a room only
    pub(crate) hot_requires_active_room: bool,
}

/// How many sessions a user may have
#[derive(Serialize, Deserialize, JsonSchema, Clone, PartialEq, Debug)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Sessions {
    /// One or several; with `single`, `max_sessions_per_user` must be 1
    pub(crate) mode: SessionMode,
    /// Sessions of one user
    pub(crate) max_sessions_per_user: Count<1>,
    /// What becomes of one more
    pub(crate) on_exceed: Exceed,
}

/// A rate with its consequence
#[derive(Serialize, Deserialize, JsonSchema, Clone, PartialEq, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rate {
    /// Who shares a bucket
    pub(crate) scope: RateOf,
    /// What is counted
    #[serde(default)]
    pub(crate) unit: Unit,
    /// So much in a second, on average
    pub(crate) per_second: Count<1>,
    /// So much at once; a message of more bytes than this never passes
    pub(crate) burst: Count<1>,
    /// What becomes of what is too much
    #[serde(default)]
    pub(crate) action: Action,
    /// With `throttle`: for how long at least the connection is not read
    #[serde(default = "no_time")]
    pub(crate) throttle_ms: Throttle,
}

/// One or several sessions of a user
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, PartialEq, Debug)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SessionMode {
    Single,
    Multi,
}

/// Who gives way
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, PartialEq, Debug, Default)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Exceed {
    #[default]
    Deny,
    KickOldest,
}

/// wsPrism's scopes
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, PartialEq, Debug)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Scope {
    Tenant,
    Connection,
    Both,
}

/// Who shares a bucket; `both` is one for each connection and one for the tenant
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, PartialEq, Debug)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RateOf {
    Connection,
    User,
    Tenant,
    Both,
}

/// What a bucket counts
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, PartialEq, Debug, Default)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unit {
    #[default]
    Messages,
    Bytes,
}

/// What becomes of what is too much
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, PartialEq, Debug, Default)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    #[default]
    Drop,
    Throttle,
    Disconnect,
}

/// What is said of a refused message of the hot lane
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, PartialEq, Debug)]
#[serde(rename_all = "snake_case")]
pub(crate) enum HotErrorMode {
    SysError,
    Silent,
}

impl Default for TenantLimits {
    fn default() -> Self {
        Self {
            max_frame_bytes: Size::of(4096),
            max_sessions_total: Count::of(0),
            max_rooms_total: Count::of(0),
            max_users_per_room: Count::of(0),
            max_rooms_per_user: Count::of(0),
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            rate_limit_rps: Count::of(200),
            rate_limit_burst: Count::of(400),
            rate_limit_scope: Scope::Connection,
            rates: Vec::new(),
            ext_allowlist: vec!["room:join".to_owned(), "room:leave".to_owned()],
            hot_allowlist: Vec::new(),
            sessions: Sessions::default(),
            hot_error_mode: HotErrorMode::SysError,
            hot_requires_active_room: true,
        }
    }
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            mode: SessionMode::Multi,
            max_sessions_per_user: Count::of(4),
            on_exceed: Exceed::Deny,
        }
    }
}

fn no_time() -> Throttle {
    Throttle::of(0)
}

/// Longer, and a client would take its server for dead.
type Throttle = Within<0, 60_000>;

impl Tenant {
    pub(crate) fn options(&self) -> policy::TenantOptions {
        let limits = &self.limits;
        policy::TenantOptions {
            id: self.id.clone(),
            limits: policy::TenantLimits {
                message_bytes_max: limits.max_frame_bytes.size(),
                sessions_max: limits.max_sessions_total.count(),
                rooms_max: limits.max_rooms_total.count(),
                users_per_room_max: limits.max_users_per_room.count(),
                rooms_per_user_max: limits.max_rooms_per_user.count(),
            },
            policy: self.policy.options(),
        }
    }
}

impl Policy {
    fn options(&self) -> policy::Policy {
        policy::Policy {
            ext_allowlist: Some(self.ext_allowlist.clone()),
            hot_allowlist: Some(self.hot_allowlist.clone()),
            rates: self.all_rates().iter().flat_map(Rate::options).collect(),
            sessions_per_user: self.sessions.max_sessions_per_user.count(),
            on_exceed: self.sessions.on_exceed.into(),
            hot_errors: match self.hot_error_mode {
                HotErrorMode::SysError => policy::HotErrors::SysError,
                HotErrorMode::Silent => policy::HotErrors::Silent,
            },
            hot_requires_active_room: self.hot_requires_active_room,
        }
    }

    /// That of `rate_limit_rps`, and the further ones behind it.
    pub(crate) fn all_rates(&self) -> Vec<Rate> {
        let first = Rate {
            scope: match self.rate_limit_scope {
                Scope::Tenant => RateOf::Tenant,
                Scope::Connection => RateOf::Connection,
                Scope::Both => RateOf::Both,
            },
            unit: Unit::Messages,
            per_second: self.rate_limit_rps,
            burst: self.rate_limit_burst,
            action: Action::Drop,
            throttle_ms: no_time(),
        };
        let further = self.rates.iter().cloned();
        std::iter::once(first).chain(further).collect()
    }
}

impl Rate {
    /// One for each bucket.
    pub(crate) fn options(&self) -> impl Iterator<Item = RateLimit> {
        let scopes: &[RateScope] = match self.scope {
            RateOf::Connection => &[RateScope::Connection],
            RateOf::User => &[RateScope::User],
            RateOf::Tenant => &[RateScope::Tenant],
            RateOf::Both => &[RateScope::Connection, RateScope::Tenant],
        };
        scopes.iter().map(|&scope| RateLimit {
            scope,
            unit: match self.unit {
                Unit::Messages => RateUnit::Messages,
                Unit::Bytes => RateUnit::Bytes,
            },
            per_second: self.per_second.count(),
            burst: self.burst.count(),
            action: match self.action {
                Action::Drop => RateAction::Drop,
                Action::Throttle => {
                    RateAction::Throttle(Duration::from_millis(self.throttle_ms.get()))
                }
                Action::Disconnect => RateAction::Disconnect,
            },
        })
    }
}

impl From<Exceed> for OnExceed {
    fn from(exceed: Exceed) -> Self {
        match exceed {
            Exceed::Deny => Self::Deny,
            Exceed::KickOldest => Self::KickOldest,
        }
    }
}

impl From<OnExceed> for Exceed {
    fn from(exceed: OnExceed) -> Self {
        match exceed {
            OnExceed::Deny => Self::Deny,
            OnExceed::KickOldest => Self::KickOldest,
        }
    }
}
