//! What an operator lets clients do: tenants, limits, rates, bans. Compiled once, read by all shards, replaced while they run.
//!
//! Never closes or answers anybody: who asks does that.

mod allow;
mod buckets;
mod meter;
mod options;
mod rules;
mod validate;

pub use options::{
    Ban, Banned, HandshakeLimit, HotErrors, Policy, RateAction, RateLimit, RateScope, RateUnit,
    TenantLimits, TenantOptions,
};

pub(crate) use meter::{Meter, Moment, Verdict};
pub(crate) use rules::{Policies, Rules, Tenant, TenantIndex};
pub(crate) use validate::validate;
