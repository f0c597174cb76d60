//! The buckets that connections share: of a tenant, and of a user of one. Found when a session opens and after a reload.
//!
//! Its lock is never taken for a message: who found a bucket keeps it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use worldshard_protocol::UserId;

use super::meter::{BucketKey, Moment, Rate};
use super::options::RateScope;
use super::rules::TenantIndex;

/// The shared buckets of a server.
#[derive(Default)]
pub(crate) struct Buckets {
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    /// Those of a tenant are nobody's.
    of: BTreeMap<(TenantIndex, Option<UserId>, BucketKey), Arc<AtomicU64>>,
    /// With so many, those are looked for that nobody needs.
    prune_at: usize,
}

impl Buckets {
    /// The bucket that a session shares by this rate; none when it has one of its own.
    pub(crate) fn shared(
        &self,
        tenant: TenantIndex,
        user: Option<&UserId>,
        rate: &Rate,
        now: Moment,
    ) -> Option<Arc<AtomicU64>> {
        let user = match (rate.limit.scope, user) {
            (RateScope::Connection, _) | (RateScope::User, None) => return None,
            (RateScope::User, Some(user)) => Some(user.clone()),
            (RateScope::Tenant, _) => None,
        };
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let full = table.of.entry((tenant, user, rate.key())).or_default();
        let full = Arc::clone(full);
        table.prune(now);
        Some(full)
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.table.lock().map_or(0, |table| table.of.len())
    }
}

impl Table {
    /// Forgets buckets that nobody has and that are full again: a new one is the same. So to come again helps nobody.
    fn prune(&mut self, now: Moment) {
        if self.of.len() < self.prune_at.max(PRUNE_AT_LEAST) {
            return;
        }
        self.of.retain(|_, full| {
            Arc::strong_count(full) > 1 || Moment::of(full.load(Ordering::Relaxed)) > now
        });
        self.prune_at = self.of.len() * 2;
    }
}

/// Fewer are not worth a look.
const PRUNE_AT_LEAST: usize = 64;

#[cfg(test)]
mod tests;
