//! What each tenant has of the server, exact over all shards, and what was refused to its clients.
//!
//! Whoever takes a place holds it as a value: dropped, it is free again. Decides nothing but whether one is left.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use worldshard_protocol::{SessionId, UserId};

use crate::app::RoomId;

/// What one tenant has.
#[derive(Default)]
pub(crate) struct Usage {
    sessions: AtomicU32,
    opened: AtomicU64,
    rooms: AtomicU32,
    refused: [AtomicU64; REASONS.len()],
    /// How many names for rooms were made.
    pub(crate) names: AtomicU64,
    users: Mutex<BTreeMap<UserId, RoomsOfUser>>,
}

/// The rooms that a user is in, or was promised to be, and which of its sessions are.
type RoomsOfUser = BTreeMap<RoomId, BTreeSet<SessionId>>;

/// Why somebody was not let in, or was sent away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refused {
    /// Its address began too many handshakes.
    AddressRate,
    /// All addresses together did.
    GlobalRate,
    /// It is banned.
    Banned,
    /// Its credential is not taken.
    Credential,
    /// The tenant has as many sessions as allowed.
    Capacity,
    /// The user has as many sessions as allowed.
    Sessions,
    /// It named no tenant, or none that there is.
    Tenant,
}

/// A place among the sessions of a tenant, or among its rooms.
pub(crate) struct Place {
    usage: Arc<Usage>,
    of: Of,
}

#[derive(Clone, Copy)]
enum Of {
    Sessions,
    Rooms,
}

/// One session's part in a room being one of its user's.
pub(crate) struct RoomClaim {
    usage: Arc<Usage>,
    user: UserId,
    room: RoomId,
    session: SessionId,
}

/// One tenant in numbers. What is said to be now, is a gauge; the others count since the start.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TenantStatus {
    /// Its id.
    pub tenant: String,
    /// Its sessions now, those included that wait for another connection.
    pub sessions: u32,
    /// One more is refused; 0 for no limit.
    pub sessions_max: u32,
    /// Sessions opened.
    pub opened: u64,
    /// Its rooms now.
    pub rooms: u32,
    /// One more is refused; 0 for no limit.
    pub rooms_max: u32,
    /// Who was not let in, by a word for the reason.
    pub refused: BTreeMap<&'static str, u64>,
}

impl Usage {
    /// A place among the sessions, unless there are `max`; 0 for no limit.
    pub(crate) fn take_session(self: &Arc<Self>, max: u32) -> Option<Place> {
        self.take(Of::Sessions, max)
    }

    /// A place among the rooms, unless there are `max`; 0 for no limit.
    pub(crate) fn take_room(self: &Arc<Self>, max: u32) -> Option<Place> {
        self.take(Of::Rooms, max)
    }

    fn take(self: &Arc<Self>, of: Of, max: u32) -> Option<Place> {
        let more = |count| (max == 0 || count < max).then_some(count + 1);
        let taken = self
            .count(of)
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        taken.ok()?;
        let usage = Arc::clone(self);
        Some(Place { usage, of })
    }

    /// Whether there are `max` rooms; 0 for no limit.
    pub(crate) fn has_rooms(&self, max: u32) -> bool {
        max > 0 && self.rooms.load(Ordering::Relaxed) >= max
    }

    /// A session has opened.
    pub(crate) fn opened(&self) {
        self.opened.fetch_add(1, Ordering::Relaxed);
    }

    /// Somebody was refused.
    pub(crate) fn refused(&self, why: Refused) {
        self.refused[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How many were, for any of the reasons for which somebody was, by the reason's word.
    pub(crate) fn refusals(&self) -> BTreeMap<&'static str, u64> {
        let counts = REASONS.into_iter().zip(&self.refused);
        counts
            .map(|(reason, count)| (reason, count.load(Ordering::Relaxed)))
            .collect()
    }

    /// Counts a room among those of a user, once for all its sessions, unless it is in `max` others; 0 for no limit.
    pub(crate) fn take_room_of_user(
        self: &Arc<Self>,
        user: &UserId,
        session: SessionId,
        room: &RoomId,
        max: u32,
    ) -> Option<RoomClaim> {
        let mut users = self.users();
        let rooms = users.entry(user.clone()).or_default();
        if !rooms.contains_key(room) && max > 0 && rooms.len() >= max as usize {
            return None;
        }
        rooms.entry(room.clone()).or_default().insert(session);
        drop(users);
        Some(RoomClaim {
            usage: Arc::clone(self),
            user: user.clone(),
            room: room.clone(),
            session,
        })
    }

    /// In numbers.
    pub(crate) fn status(&self, tenant: &str, sessions_max: u32, rooms_max: u32) -> TenantStatus {
        TenantStatus {
            tenant: tenant.to_owned(),
            sessions: self.sessions.load(Ordering::Relaxed),
            sessions_max,
            opened: self.opened.load(Ordering::Relaxed),
            rooms: self.rooms.load(Ordering::Relaxed),
            rooms_max,
            refused: self.refusals(),
        }
    }

    fn count(&self, of: Of) -> &AtomicU32 {
        match of {
            Of::Sessions => &self.sessions,
            Of::Rooms => &self.rooms,
        }
    }

    fn users(&self) -> MutexGuard<'_, BTreeMap<UserId, RoomsOfUser>> {
        // Each change of it is whole before anything that could panic.
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.usage.count(self.of).fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for RoomClaim {
    fn drop(&mut self) {
        let mut users = self.usage.users();
        let Some(rooms) = users.get_mut(&self.user) else {
            return;
        };
        if let Some(sessions) = rooms.get_mut(&self.room) {
            sessions.remove(&self.session);
            if sessions.is_empty() {
                rooms.remove(&self.room);
            }
        }
        if rooms.is_empty() {
            users.remove(&self.user);
        }
    }
}

/// The words for [`Refused`], in its order.
const REASONS: [&str; 7] = [
    "handshakes_of_address",
    "handshakes",
    "banned",
    "credential",
    "tenant_capacity",
    "user_sessions",
    "unknown_tenant",
];

#[cfg(test)]
mod tests;
