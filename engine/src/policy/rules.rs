//! The rules as they are now: one table for all shards, replaced as a whole.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::options::{HandshakeLimit, Policy, TenantLimits, TenantOptions};
use crate::app::ServerOptions;
use crate::error::{Error, Result};

/// The place of a tenant in the list of all, which never changes while a server runs. The first is that of who says none.
pub(crate) type TenantIndex = u16;

/// The rules, for all shards. A shard keeps the [`Rules`] that it read, and reads them again when the edition is another.
pub(crate) struct Policies {
    edition: AtomicU64,
    rules: RwLock<Arc<Rules>>,
}

/// All rules of one edition.
pub(crate) struct Rules {
    /// At least one.
    pub(crate) tenants: Vec<Tenant>,
    /// Whether clients must name their tenant.
    pub(crate) named: bool,
    pub(crate) handshakes: Option<HandshakeLimit>,
}

/// The rules of one tenant.
pub(crate) struct Tenant {
    pub(crate) id: Arc<str>,
    pub(crate) limits: TenantLimits,
    pub(crate) policy: Policy,
}

impl Policies {
    /// The rules that a server begins with.
    pub(crate) fn new(options: &ServerOptions) -> Self {
        Self {
            edition: AtomicU64::new(0),
            rules: RwLock::new(Arc::new(Rules::of(options))),
        }
    }

    /// Counts replacements.
    pub(crate) fn edition(&self) -> u64 {
        self.edition.load(Ordering::Acquire)
    }

    /// The rules of now.
    pub(crate) fn rules(&self) -> Arc<Rules> {
        let rules = self.rules.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&rules)
    }

    /// From now on these hold, for sessions that are open too.
    ///
    /// # Errors
    /// Tenants were taken away or changed places: that needs another start. Nothing has changed then.
    pub(crate) fn replace(&self, options: &ServerOptions) -> Result<()> {
        let next = Rules::of(options);
        let mut rules = self.rules.write().unwrap_or_else(PoisonError::into_inner);
        let names = |rules: &Rules| -> Vec<Arc<str>> {
            rules
                .tenants
                .iter()
                .map(|one| Arc::clone(&one.id))
                .collect()
        };
        if !names(&next).starts_with(&names(&rules)) || next.named != rules.named {
            return Err(Error::Option {
                name: "tenants",
                detail: "some were taken away or changed places; start again for that, and add new ones behind the others"
                    .to_owned(),
            });
        }
        *rules = Arc::new(next);
        drop(rules);
        self.edition.fetch_add(1, Ordering::Release);
        Ok(())
    }
}

impl Rules {
    fn of(options: &ServerOptions) -> Self {
        let nameless = [TenantOptions::nameless(options)];
        let tenants = match options.tenants.is_empty() {
            true => &nameless[..],
            false => &options.tenants,
        };
        Self {
            tenants: tenants.iter().map(Tenant::of).collect(),
            named: !options.tenants.is_empty(),
            handshakes: options.handshakes,
        }
    }

    /// The tenant with this place.
    pub(crate) fn tenant(&self, index: TenantIndex) -> &Tenant {
        &self.tenants[usize::from(index)]
    }
}

impl Tenant {
    fn of(options: &TenantOptions) -> Self {
        Self {
            id: options.id.as_str().into(),
            limits: options.limits.clone(),
            policy: options.policy.clone(),
        }
    }
}

impl TenantOptions {
    /// Whom everybody belongs to where no tenants are named.
    fn nameless(options: &ServerOptions) -> Self {
        let mut tenant = Self::new(NAMELESS);
        tenant.policy.sessions_per_user = options.limits.sessions_per_user;
        tenant.policy.on_exceed = options.on_exceed;
        tenant
    }
}

/// The id of the tenant of a server without named ones.
const NAMELESS: &str = "default";
