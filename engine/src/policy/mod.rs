//! What an operator lets clients do: tenants, limits, rates, bans. Compiled once, read by all shards, replaced while they run.
//!
//! Never closes or answers anybody: who asks does that.

mod allow;
mod bans;
mod buckets;
mod handshakes;
mod meter;
mod options;
mod rules;
mod usage;
mod validate;

pub use options::{
    Ban, Banned, HandshakeLimit, HotErrors, Policy, RateAction, RateLimit, RateScope, RateUnit,
    TenantLimits, TenantOptions,
};

pub use bans::{BAN_REASON_BYTES_MAX, BANS_MAX};
pub use usage::TenantStatus;
pub use validate::TENANTS_MAX;

pub(crate) use meter::{Meter, Moment, Verdict};
pub(crate) use rules::{Policies, Rules, Tenant, TenantIndex};
pub(crate) use usage::{Place, Refused, RoomClaim};
pub(crate) use validate::validate;
