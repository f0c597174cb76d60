//! Who may not come: by the options, and by whoever runs the server. Sans-IO: the time comes in.
//!
//! Never closes anybody: shards look again at all whom they have whenever the list is another.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use worldshard_protocol::UserId;

use super::options::{Ban, Banned};
use crate::error::{Error, Result};

/// The list, for all shards.
#[derive(Default)]
pub(crate) struct Bans {
    /// Counts changes by which somebody may not come who could. Nobody was ever banned: 0.
    edition: AtomicU64,
    lists: RwLock<Lists>,
}

#[derive(Clone, Default)]
struct Lists {
    /// By the options, which may be replaced.
    configured: List,
    /// By whoever runs the server.
    made: List,
}

/// By whom it is for, as [`key`] has it.
type List = BTreeMap<Banned, Ban>;

impl Bans {
    /// Those of the options, and none that were made.
    pub(crate) fn new(bans: &[Ban]) -> Self {
        let list = Self::default();
        list.configure(bans);
        list
    }

    /// The same, for another process.
    pub(crate) fn begun_anew(&self) -> Self {
        Self {
            edition: AtomicU64::new(self.edition()),
            lists: RwLock::new(self.read(Lists::clone)),
        }
    }

    /// Another number whenever somebody was banned since.
    pub(crate) fn edition(&self) -> u64 {
        self.edition.load(Ordering::Acquire)
    }

    /// Puts those of the options in place of those of before.
    pub(crate) fn configure(&self, bans: &[Ban]) {
        let configured = bans.iter();
        let configured = configured.map(|ban| (key(&ban.whom), ban.clone()));
        let configured = configured.collect();
        self.write(|lists| lists.configured = configured);
        if !bans.is_empty() {
            self.edition.fetch_add(1, Ordering::Release);
        }
    }

    /// Adds one, in place of one that was made for the same before.
    ///
    /// # Errors
    /// There are as many as there may be, or the reason is too long.
    pub(crate) fn add(&self, ban: &Ban, now: Duration) -> Result<()> {
        check(ban)?;
        let whom = key(&ban.whom);
        let added = self.write(|lists| {
            if lists.made.len() >= BANS_MAX {
                lists.made.retain(|_, ban| holds(ban, now));
            }
            let has_room = lists.made.len() < BANS_MAX || lists.made.contains_key(&whom);
            if has_room {
                lists.made.insert(whom, ban.clone());
            }
            has_room
        });
        if !added {
            return Err(refused(format!("there are {BANS_MAX} already")));
        }
        self.edition.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// Lets somebody come again; one of the options until those are read again. False when it was not banned.
    pub(crate) fn remove(&self, whom: &Banned) -> bool {
        let whom = key(whom);
        self.write(|lists| {
            let made = lists.made.remove(&whom).is_some();
            lists.configured.remove(&whom).is_some() || made
        })
    }

    /// All that hold at `now`, since 1970; those that were made before those of the options.
    pub(crate) fn all(&self, now: Duration) -> Vec<Ban> {
        self.read(|lists| {
            let all = lists.made.values().chain(lists.configured.values());
            all.filter(|ban| holds(ban, now)).cloned().collect()
        })
    }

    /// Why who comes from this address may not, if so.
    pub(crate) fn of_address(&self, address: IpAddr, now: Duration) -> Option<String> {
        self.of(|| key(&Banned::Ip(address)), now)
    }

    /// Why this user of this tenant may not come, if so.
    pub(crate) fn of_user(&self, tenant: &str, user: &UserId, now: Duration) -> Option<String> {
        let whom = || Banned::User {
            tenant: tenant.to_owned(),
            user: user.clone(),
        };
        self.of(whom, now)
    }

    fn of(&self, whom: impl FnOnce() -> Banned, now: Duration) -> Option<String> {
        if self.edition() == 0 {
            return None;
        }
        let whom = whom();
        self.read(|lists| {
            let found = [&lists.made, &lists.configured].map(|list| list.get(&whom));
            let mut hold = found.into_iter().flatten();
            let hold = hold.find(|ban| holds(ban, now))?;
            Some(hold.reason.clone())
        })
    }

    fn read<R>(&self, run: impl FnOnce(&Lists) -> R) -> R {
        run(&self.lists.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<R>(&self, run: impl FnOnce(&mut Lists) -> R) -> R {
        run(&mut self.lists.write().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether a ban may be made.
///
/// # Errors
/// Names what is wrong with it.
pub(crate) fn check(ban: &Ban) -> Result<()> {
    let bytes = ban.reason.len();
    match bytes > BAN_REASON_BYTES_MAX {
        true => Err(refused(format!(
            "a reason of {bytes} bytes; at most {BAN_REASON_BYTES_MAX}, as a close can say"
        ))),
        false => Ok(()),
    }
}

fn refused(detail: String) -> Error {
    let name = "bans";
    Error::Option { name, detail }
}

fn holds(ban: &Ban, now: Duration) -> bool {
    ban.until.is_none_or(|until| now < until)
}

/// Whom a ban is for: of an IPv6 address the first half, since one client may have any other half.
fn key(whom: &Banned) -> Banned {
    match whom {
        Banned::Ip(address) => Banned::Ip(match address.to_canonical() {
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
            short @ IpAddr::V4(_) => short,
        }),
        user @ Banned::User { .. } => user.clone(),
    }
}

/// Bans that are made while a server runs, and bans of its options; one more is refused.
pub const BANS_MAX: usize = 65_536;

/// Bytes of the reason of a ban, which must fit into a close beside the words before it.
pub const BAN_REASON_BYTES_MAX: usize = 100;

#[cfg(test)]
mod tests;
