//! The rules as they are now: one table for all shards, replaced as a whole.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use worldshard_protocol::UserId;

use super::allow::{ExtAllowed, HotAllowed};
use super::buckets::Buckets;
use super::meter::{Meter, Moment, Rate};
use super::options::{HandshakeLimit, Policy, TenantLimits, TenantOptions};
use super::validate::validate;
use crate::app::ServerOptions;
use crate::error::{Error, Result};

/// The place of a tenant in the list of all, which never changes while a server runs. The first is that of who says none.
pub(crate) type TenantIndex = u16;

/// The rules, for all shards. A shard keeps the [`Rules`] that it read, and reads them again when the edition is another.
pub(crate) struct Policies {
    edition: AtomicU64,
    rules: RwLock<Arc<Rules>>,
    buckets: Buckets,
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
    /// What may be said; none for everything.
    ext: Option<ExtAllowed>,
    hot: Option<HotAllowed>,
    rates: Vec<Rate>,
}

impl Policies {
    /// The rules that a server begins with.
    ///
    /// # Errors
    /// Names what is malformed.
    pub(crate) fn new(options: &ServerOptions) -> Result<Self> {
        Ok(Self {
            edition: AtomicU64::new(0),
            rules: RwLock::new(Arc::new(Rules::of(options)?)),
            buckets: Buckets::default(),
        })
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
    /// Something is malformed, or tenants were taken away or changed places: that needs another start. Nothing has changed
    /// then.
    pub(crate) fn replace(&self, options: &ServerOptions) -> Result<()> {
        validate(options)?;
        let next = Rules::of(options)?;
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

    /// What measures a connection under these rules; none where it may be as fast as it likes. `before` is what measured it
    /// until now: of limits that stay, the buckets stay as full as they are.
    pub(crate) fn meter(
        &self,
        rules: &Rules,
        (tenant, user): (TenantIndex, Option<&UserId>),
        before: Option<Meter>,
        now: Moment,
    ) -> Option<Meter> {
        let rates = &rules.tenant(tenant).rates;
        let shared = |rate: &Rate| self.buckets.shared(tenant, user, rate, now);
        Meter::new(rates, before, shared)
    }
}

impl Rules {
    fn of(options: &ServerOptions) -> Result<Self> {
        let nameless = [TenantOptions::nameless(options)];
        let tenants = match options.tenants.is_empty() {
            true => &nameless[..],
            false => &options.tenants,
        };
        Ok(Self {
            tenants: tenants.iter().map(Tenant::of).collect::<Result<_>>()?,
            named: !options.tenants.is_empty(),
            handshakes: options.handshakes,
        })
    }

    /// The tenant with this place.
    pub(crate) fn tenant(&self, index: TenantIndex) -> &Tenant {
        &self.tenants[usize::from(index)]
    }
}

impl Tenant {
    fn of(options: &TenantOptions) -> Result<Self> {
        let policy = options.policy.clone();
        let malformed = |name, detail| Error::Option { name, detail };
        let ext = policy.ext_allowlist.as_deref().map(ExtAllowed::compile);
        let hot = policy.hot_allowlist.as_deref().map(HotAllowed::compile);
        Ok(Self {
            id: options.id.as_str().into(),
            limits: options.limits.clone(),
            ext: ext
                .transpose()
                .map_err(|detail| malformed("ext_allowlist", detail))?,
            hot: hot
                .transpose()
                .map_err(|detail| malformed("hot_allowlist", detail))?,
            rates: policy.rates.iter().map(Rate::of).collect(),
            policy,
        })
    }

    /// Whether its clients may say this on the ext lane.
    pub(crate) fn allows_ext(&self, svc: &str, kind: &str) -> bool {
        self.ext.as_ref().is_none_or(|list| list.allows(svc, kind))
    }

    /// Whether its clients may say this on the hot lane.
    pub(crate) fn allows_hot(&self, svc: u8, opcode: u8) -> bool {
        self.hot
            .as_ref()
            .is_none_or(|list| list.allows(svc, opcode))
    }

    /// Bytes of one message of its clients: no more than the server takes.
    pub(crate) fn message_bytes_max(&self, of_server: usize) -> usize {
        match self.limits.message_bytes_max {
            0 => of_server,
            max => max.min(of_server),
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
