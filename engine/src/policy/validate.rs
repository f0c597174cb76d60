//! Refuses policies that say nothing, contradict each other or are malformed, before anything is built from them.

use worldshard_protocol::UserId;

use super::allow::{ExtAllowed, HotAllowed};
use super::bans::{self, BANS_MAX};
use super::options::{Policy, RateAction, RateLimit, TenantOptions};
use crate::app::ServerOptions;
use crate::error::{Error, Result};

/// Looks at what options say of tenants, their limits and policies, of handshakes and bans.
///
/// # Errors
/// Names the option, the tenant, and what is wrong.
pub(crate) fn validate(options: &ServerOptions) -> Result<()> {
    for (at, tenant) in options.tenants.iter().enumerate() {
        // A tenant's name is of the same letters as a user's.
        if UserId::new(&tenant.id).is_err() {
            let detail = format!("{:?}; 1 to 64 bytes of A-Z a-z 0-9 . _ @ -", tenant.id);
            return refuse("tenants", detail);
        }
        if options.tenants[..at].iter().any(|one| one.id == tenant.id) {
            return refuse("tenants", format!("{:?} is there twice", tenant.id));
        }
        let server_max = options.limits.message_bytes_max;
        let bytes_max = tenant.limits.message_bytes_max;
        if bytes_max > server_max {
            let detail = format!("{bytes_max}; at most the server's, {server_max}");
            return refuse_of(tenant, "message_bytes_max", &detail);
        }
        validate_policy(tenant, &tenant.policy)?;
    }
    if options.tenants.len() > TENANTS_MAX {
        let detail = format!("{}; at most {TENANTS_MAX}", options.tenants.len());
        return refuse("tenants", detail);
    }
    if options.bans.len() > BANS_MAX {
        let detail = format!("{}; at most {BANS_MAX}", options.bans.len());
        return refuse("bans", detail);
    }
    options.bans.iter().try_for_each(bans::check)?;
    if let Some(limit) = &options.handshakes {
        for (name, count) in [
            ("global_per_second", limit.global_per_second),
            ("global_burst", limit.global_burst),
            ("per_ip_per_second", limit.per_ip_per_second),
            ("per_ip_burst", limit.per_ip_burst),
            ("ip_entries_max", limit.ip_entries_max),
        ] {
            if count == 0 {
                return refuse(name, "0; at least 1".to_owned());
            }
        }
    }
    Ok(())
}

fn validate_policy(tenant: &TenantOptions, policy: &Policy) -> Result<()> {
    let list = |name, compiled: Option<Result<(), String>>| match compiled {
        Some(Err(detail)) => refuse_of(tenant, name, &detail),
        Some(Ok(())) | None => Ok(()),
    };
    let ext = policy.ext_allowlist.as_ref();
    list(
        "ext_allowlist",
        ext.map(|list| ExtAllowed::compile(list).map(drop)),
    )?;
    let hot = policy.hot_allowlist.as_ref();
    list(
        "hot_allowlist",
        hot.map(|list| HotAllowed::compile(list).map(drop)),
    )?;
    if policy.rates.len() > RATES_MAX {
        let detail = format!("{}; at most {RATES_MAX}", policy.rates.len());
        return refuse_of(tenant, "rates", &detail);
    }
    for (at, rate) in policy.rates.iter().enumerate() {
        for (name, count) in [("per_second", rate.per_second), ("burst", rate.burst)] {
            if count == 0 {
                return refuse_of(tenant, name, "0; at least 1");
            }
        }
        if let RateAction::Throttle(length) = rate.action
            && length > THROTTLE_MAX
        {
            let detail = format!("{length:?}; at most {THROTTLE_MAX:?}");
            return refuse_of(tenant, "throttle", &detail);
        }
        let is_same = |other: &RateLimit| {
            let same = (other.scope, other.unit) == (rate.scope, rate.unit);
            same && (other.per_second, other.burst) == (rate.per_second, rate.burst)
        };
        // They would be one bucket, and everything would count twice.
        if policy.rates[..at].iter().any(is_same) {
            return refuse_of(tenant, "rates", &format!("{rate:?} is there twice"));
        }
    }
    Ok(())
}

fn refuse_of(tenant: &TenantOptions, name: &'static str, detail: &str) -> Result<()> {
    refuse(name, format!("of the tenant {}: {detail}", tenant.id))
}

fn refuse(name: &'static str, detail: String) -> Result<()> {
    Err(Error::Option { name, detail })
}

/// Tenants of one server; with more it does not start.
pub const TENANTS_MAX: usize = 10_000;

/// Rates of one tenant; each costs every message a little.
pub(crate) const RATES_MAX: usize = 16;

/// Longer, and a client would take its server for dead.
pub(crate) const THROTTLE_MAX: std::time::Duration = std::time::Duration::from_secs(60);

#[cfg(test)]
mod tests;
