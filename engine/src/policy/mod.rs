//! What an operator lets clients do: tenants, limits, rates, bans. Compiled once, read by all shards, replaced while they run.
//!
//! Never closes or answers anybody: who asks does that.

mod bans;
mod handshakes;
mod options;
mod rules;
mod usage;

pub use options::{
    Ban, Banned, HandshakeLimit, HotErrors, Policy, RateAction, RateLimit, RateScope, RateUnit,
    TenantLimits, TenantOptions,
};

pub use bans::{BAN_REASON_BYTES_MAX, BANS_MAX};
pub use rules::TENANTS_MAX;
pub use usage::TenantStatus;

pub(crate) use rules::{Policies, TenantIndex, check};
pub(crate) use usage::{Place, Refused, RoomClaim};
