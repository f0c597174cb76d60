//! How many sessions each user has, over all shards: one table of the process, which decides who may open another.
//!
//! Touched when a session opens, breaks, goes on or ends, and at no other time. Never closes a session: it names the one
//! that gives way.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

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

/// The sessions of users. Without a limit nothing is counted.
pub(crate) struct Seats {
    /// For each user; 0 for no limit.
    max: u32,
    on_exceed: OnExceed,
    /// Of each user that has any, the oldest first.
    taken: Mutex<BTreeMap<UserId, Vec<Seat>>>,
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
            taken: Mutex::default(),
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
            if seats.len() >= self.max as usize {
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
        .unwrap_or(Ok(None))
    }

    /// Notes that a session lost its connection, or has one again; false when it has lost its seat meanwhile.
    pub(crate) fn set_detached(&self, user: &UserId, session: SessionId, detached: bool) -> bool {
        self.with(|taken| {
            let seats = taken.get_mut(user).into_iter().flatten();
            let seat = seats.into_iter().find(|seat| seat.session == session);
            seat.map(|seat| seat.detached = detached).is_some()
        })
        .unwrap_or(true)
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

    /// None where nothing is counted.
    fn with<R>(&self, run: impl FnOnce(&mut BTreeMap<UserId, Vec<Seat>>) -> R) -> Option<R> {
        if self.max == 0 {
            return None;
        }
        // Whoever panicked while it was held left each user's list whole.
        Some(run(&mut self
            .taken
            .lock()
            .unwrap_or_else(PoisonError::into_inner)))
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
