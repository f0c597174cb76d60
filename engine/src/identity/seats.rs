//! Which sessions each user of each tenant has, over all shards: one table of the process, which decides who may open
//! another.
//!
//! Changed when a session opens, breaks, goes on or ends, read when a message is for a user, and touched at no other time.
//! Never closes a session: it names the one that gives way.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{PoisonError, RwLock};

use worldshard_protocol::{SessionId, UserId};

use crate::policy::{Policy, TenantIndex};

/// What becomes of a user's session that is one too many.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OnExceed {
    /// The new one is turned away.
    #[default]
    Deny,
    /// The oldest one gives way.
    KickOldest,
}

/// The user has as many sessions as allowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooManySessions {
    /// So many are.
    pub max: u32,
}

/// The sessions of users.
#[derive(Default)]
pub(crate) struct Seats {
    /// Of each user that has any, the oldest first.
    taken: RwLock<SeatsByUser>,
}

/// The same name in two tenants is two users.
type SeatsByUser = BTreeMap<(TenantIndex, UserId), Vec<Seat>>;

struct Seat {
    session: SessionId,
    /// It waits for another connection, and gives way first.
    detached: bool,
}

impl Seats {
    /// Counts a session that is to open, by the policy of its tenant. The sessions named have lost their seats by that, and
    /// are to end: one, or more where fewer are allowed than before.
    pub(crate) fn take(
        &self,
        tenant: TenantIndex,
        user: &UserId,
        session: SessionId,
        policy: &Policy,
    ) -> Result<Vec<SessionId>, TooManySessions> {
        let max = policy.sessions_per_user as usize;
        self.with(|taken| {
            let seats = taken.entry((tenant, user.clone())).or_default();
            debug_assert!(seats.iter().all(|seat| seat.session != session));
            let over = match max {
                0 => 0,
                max => (seats.len() + 1).saturating_sub(max),
            };
            let waiting = seats.iter().filter(|seat| seat.detached).count();
            if over > waiting && policy.on_exceed == OnExceed::Deny {
                let max = policy.sessions_per_user;
                return Err(TooManySessions { max });
            }
            let mut displaced = Vec::new();
            for _ in 0..over {
                let waits = seats.iter().position(|seat| seat.detached);
                displaced.push(seats.remove(waits.unwrap_or(0)).session);
            }
            seats.push(Seat {
                session,
                detached: false,
            });
            Ok(displaced)
        })
    }

    /// Notes that a session lost its connection, or has one again; false when it has lost its seat meanwhile.
    pub(crate) fn set_detached(
        &self,
        tenant: TenantIndex,
        user: &UserId,
        session: SessionId,
        detached: bool,
    ) -> bool {
        self.with(|taken| {
            let seats = taken.get_mut(&(tenant, user.clone())).into_iter().flatten();
            let seat = seats.into_iter().find(|seat| seat.session == session);
            seat.map(|seat| seat.detached = detached).is_some()
        })
    }

    /// A session has ended.
    pub(crate) fn leave(&self, tenant: TenantIndex, user: &UserId, session: SessionId) {
        let user = (tenant, user.clone());
        self.with(|taken| {
            let Some(seats) = taken.get_mut(&user) else {
                return;
            };
            seats.retain(|seat| seat.session != session);
            if seats.is_empty() {
                taken.remove(&user);
            }
        });
    }

    /// The sessions of a user that have not ended, the oldest first.
    pub(crate) fn sessions_of(&self, tenant: TenantIndex, user: &UserId) -> Vec<SessionId> {
        let taken = self.taken.read().unwrap_or_else(PoisonError::into_inner);
        let seats = taken.get(&(tenant, user.clone())).into_iter().flatten();
        seats.map(|seat| seat.session).collect()
    }

    fn with<R>(&self, run: impl FnOnce(&mut SeatsByUser) -> R) -> R {
        // Whoever panicked while it was held left each user's list whole.
        run(&mut self.taken.write().unwrap_or_else(PoisonError::into_inner))
    }
}

impl std::str::FromStr for OnExceed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "deny" => Ok(Self::Deny),
            "kick-oldest" => Ok(Self::KickOldest),
            _ => Err("deny or kick-oldest".to_owned()),
        }
    }
}

impl fmt::Display for TooManySessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.max {
            1 => f.write_str("the user has a session already"),
            max => write!(f, "the user has {max} sessions already"),
        }
    }
}

impl std::error::Error for TooManySessions {}

#[cfg(test)]
mod tests;
