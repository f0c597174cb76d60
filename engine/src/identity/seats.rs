//! Which sessions each user has, over all shards: one table of the process, which decides who may open another.
//!
//! Changed when a session opens, breaks, goes on or ends, read when a message is for a user, and touched at no other time.
//! Never closes a session: it names the one that gives way.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{PoisonError, RwLock};

use worldshard_protocol::{SessionId, UserId};

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
pub(crate) struct Seats {
    /// For each user; 0 for no limit.
    max: u32,
    on_exceed: OnExceed,
    /// Of each user that has any, the oldest first.
    taken: RwLock<BTreeMap<UserId, Vec<Seat>>>,
}

struct Seat {
    session: SessionId,
    /// It waits for another connection, and gives way first.
    detached: bool,
}

impl Seats {
    pub(crate) fn new(max: u32, on_exceed: OnExceed) -> Self {
        Self {
            max,
            on_exceed,
            taken: RwLock::default(),
        }
    }

    /// By the same rules, with nobody in it.
    pub(crate) fn begun_anew(&self) -> Self {
        Self::new(self.max, self.on_exceed)
    }

    /// Counts a session that is to open. The session named has lost its seat by that, and is to end.
    pub(crate) fn take(
        &self,
        user: &UserId,
        session: SessionId,
    ) -> Result<Option<SessionId>, TooManySessions> {
        self.with(|taken| {
            let seats = taken.entry(user.clone()).or_default();
            debug_assert!(seats.iter().all(|seat| seat.session != session));
            let mut displaced = None;
            if self.max > 0 && seats.len() >= self.max as usize {
                let waits = seats.iter().position(|seat| seat.detached);
                let gives_way = match self.on_exceed {
                    OnExceed::Deny => waits,
                    OnExceed::KickOldest => waits.or(Some(0)),
                };
                let gives_way = gives_way.ok_or(TooManySessions { max: self.max })?;
                displaced = Some(seats.remove(gives_way).session);
            }
            seats.push(Seat {
                session,
                detached: false,
            });
            Ok(displaced)
        })
    }

    /// Notes that a session lost its connection, or has one again; false when it has lost its seat meanwhile.
    pub(crate) fn set_detached(&self, user: &UserId, session: SessionId, detached: bool) -> bool {
        self.with(|taken| {
            let seats = taken.get_mut(user).into_iter().flatten();
            let seat = seats.into_iter().find(|seat| seat.session == session);
            seat.map(|seat| seat.detached = detached).is_some()
        })
    }

    /// A session has ended.
    pub(crate) fn leave(&self, user: &UserId, session: SessionId) {
        self.with(|taken| {
            let Some(seats) = taken.get_mut(user) else {
                return;
            };
            seats.retain(|seat| seat.session != session);
            if seats.is_empty() {
                taken.remove(user);
            }
        });
    }

    /// The sessions of a user that have not ended, the oldest first.
    pub(crate) fn sessions_of(&self, user: &UserId) -> Vec<SessionId> {
        let taken = self.taken.read().unwrap_or_else(PoisonError::into_inner);
        let seats = taken.get(user).into_iter().flatten();
        seats.map(|seat| seat.session).collect()
    }

    fn with<R>(&self, run: impl FnOnce(&mut BTreeMap<UserId, Vec<Seat>>) -> R) -> R {
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
