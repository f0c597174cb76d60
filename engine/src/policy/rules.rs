//! The rules as they are now: one table for all shards, replaced as a whole.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Instant;

use worldshard_protocol::UserId;
use worldshard_transport::{Refusal, RequestHead};

use super::allow::{ExtAllowed, HotAllowed};
use super::bans::Bans;
use super::buckets::Buckets;
use super::handshakes::{Handshakes, TooFast};
use super::meter::{Meter, Moment, Rate};
use super::options::{HandshakeLimit, Policy, TenantLimits, TenantOptions};
use super::usage::{Refused, TenantStatus, Usage};
use super::validate::validate;
use crate::app::ServerOptions;
use crate::error::{Error, Result};

/// The place of a tenant in the list of all, which never changes while a server runs. The first is that of who says none.
pub(crate) type TenantIndex = u16;

/// The rules, for all shards. A shard keeps the [`Rules`] that it read, and reads them again when the edition is another.
pub(crate) struct Policies {
    edition: AtomicU64,
    rules: RwLock<Arc<Rules>>,
    /// Who was refused and is of no tenant that there is.
    strangers: Usage,
    handshakes: Mutex<Handshakes>,
    pub(crate) bans: Bans,
    buckets: Buckets,
}

/// All rules of one edition.
#[derive(Clone)]
pub(crate) struct Rules {
    /// At least one.
    pub(crate) tenants: Vec<Tenant>,
    /// Whether clients must name their tenant.
    pub(crate) named: bool,
    /// Whether anybody's hot lane is for sessions in a room only.
    pub(crate) some_need_rooms: bool,
    pub(crate) handshakes: Option<HandshakeLimit>,
}

/// The rules of one tenant.
#[derive(Clone)]
pub(crate) struct Tenant {
    pub(crate) id: Arc<str>,
    pub(crate) limits: TenantLimits,
    pub(crate) policy: Policy,
    /// What it has now; the same in all editions.
    pub(crate) usage: Arc<Usage>,
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
            strangers: Usage::default(),
            handshakes: Mutex::default(),
            bans: Bans::new(&options.bans),
            buckets: Buckets::default(),
        })
    }

    /// By the same rules, for a process that nobody uses yet.
    pub(crate) fn begun_anew(&self) -> Self {
        let mut rules = Rules::clone(&self.rules());
        for tenant in &mut rules.tenants {
            tenant.usage = Arc::default();
        }
        Self {
            edition: AtomicU64::new(self.edition()),
            rules: RwLock::new(Arc::new(rules)),
            strangers: Usage::default(),
            handshakes: Mutex::default(),
            bans: self.bans.begun_anew(),
            buckets: Buckets::default(),
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
    /// A value is none that may be; or tenants were taken away or changed places, which needs another start. Nothing has
    /// changed then.
    pub(crate) fn replace(&self, options: &ServerOptions) -> Result<()> {
        validate(options)?;
        let mut next = Rules::of(options)?;
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
        for (next, before) in next.tenants.iter_mut().zip(&rules.tenants) {
            next.usage = Arc::clone(&before.usage);
        }
        *rules = Arc::new(next);
        drop(rules);
        self.bans.configure(&options.bans);
        self.edition.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// Counts a handshake of an address.
    ///
    /// # Errors
    /// It is one too many, of its address or of all together.
    pub(crate) fn take_handshake(&self, address: IpAddr, now: Instant) -> Result<(), TooFast> {
        match &self.rules().handshakes {
            None => Ok(()),
            Some(limit) => self.handshakes().take(limit, address, now),
        }
    }

    /// Whether an address could not begin a handshake now.
    pub(crate) fn is_too_fast(&self, address: IpAddr, now: Instant) -> bool {
        let rules = self.rules();
        let limit = rules.handshakes.as_ref();
        limit.is_some_and(|limit| self.handshakes().is_over(limit, address, now))
    }

    fn handshakes(&self) -> MutexGuard<'_, Handshakes> {
        // Nothing in it panics half way.
        self.handshakes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Whose of those who share the server the sender of a request is.
    ///
    /// # Errors
    /// 400 for who names none where tenants are named, or one that there is not. Its words are wsPrism's.
    pub(crate) fn tenant_of(&self, head: &RequestHead) -> Result<TenantIndex, Refusal> {
        let found = self.rules().tenant_of(head);
        found.inspect_err(|_| self.strangers.refused(Refused::Tenant))
    }

    /// Counts somebody who was refused: for the tenant that its request names, if there is one.
    pub(crate) fn refused(&self, head: &RequestHead, why: Refused) {
        match self.rules().tenant_of(head) {
            Ok(tenant) => self.refused_to(tenant, why),
            Err(_) => self.strangers.refused(why),
        }
    }

    /// Counts somebody of a tenant who was refused.
    pub(crate) fn refused_to(&self, tenant: TenantIndex, why: Refused) {
        self.rules().tenant(tenant).usage.refused(why);
    }

    /// Who was refused and is of no tenant that there is, by a word for the reason.
    pub(crate) fn strangers(&self) -> std::collections::BTreeMap<&'static str, u64> {
        self.strangers.refusals()
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
        let Tenant { rates, policy, .. } = rules.tenant(tenant);
        let shared = |rate: &Rate| self.buckets.shared(tenant, user, rate, now);
        let meter = Meter::new(rates, before, shared);
        meter.map(|meter| meter.telling_of_hot(policy.hot_errors))
    }
}

impl Rules {
    fn tenant_of(&self, head: &RequestHead) -> Result<TenantIndex, Refusal> {
        if !self.named {
            return Ok(0);
        }
        let missing = || Refusal::new(400, "the query names no tenant: say tenant=ID");
        let id = head.query_value(TENANT_KEY).ok_or_else(missing)?;
        self.index(&id).ok_or(Refusal::new(400, "Unknown Tenant"))
    }

    /// The place of the tenant with this id.
    pub(crate) fn index(&self, id: &str) -> Option<TenantIndex> {
        let mut tenants = self.tenants.iter().zip(0..);
        tenants.find_map(|(one, index)| (*one.id == *id).then_some(index))
    }

    /// All tenants in numbers, in their order.
    pub(crate) fn statuses(&self) -> Vec<TenantStatus> {
        let status = |one: &Tenant| {
            let limits = &one.limits;
            one.usage
                .status(&one.id, limits.sessions_max, limits.rooms_max)
        };
        self.tenants.iter().map(status).collect()
    }

    fn of(options: &ServerOptions) -> Result<Self> {
        let nameless = [TenantOptions::nameless(options)];
        let tenants = match options.tenants.is_empty() {
            true => &nameless[..],
            false => &options.tenants,
        };
        Ok(Self {
            tenants: tenants.iter().map(Tenant::of).collect::<Result<_>>()?,
            named: !options.tenants.is_empty(),
            some_need_rooms: tenants
                .iter()
                .any(|one| one.policy.hot_requires_active_room),
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
            usage: Arc::default(),
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

/// The value of the query that names a tenant.
const TENANT_KEY: &str = "tenant";

/// The id of the tenant of a server without named ones.
const NAMELESS: &str = "default";
