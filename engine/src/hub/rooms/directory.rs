//! The rooms that can be listed, by the shard that they live on. Each shard writes its own part; whoever lists reads all.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};

use worldshard_spatial::ShardId;

use crate::app::RoomId;
use crate::policy::TenantIndex;

/// What lists say of a room.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListedRoom {
    /// Its name.
    pub name: Arc<str>,
    /// How many members it has.
    pub members: u32,
    /// What its service has to say of it.
    pub note: Arc<str>,
}

/// All rooms that are listed. A clone shares them.
#[derive(Clone)]
pub(crate) struct Directory {
    parts: Arc<[Mutex<Part>]>,
}

/// Members and note of each room.
type Part = BTreeMap<RoomId, (u32, Arc<str>)>;

impl Directory {
    pub(crate) fn new(shards: u16) -> Self {
        let parts = (0..shards).map(|_| Mutex::default());
        Self {
            parts: parts.collect(),
        }
    }

    /// Says how a room of `host` is listed; none takes it from the list.
    pub(crate) fn set(&self, host: ShardId, room: &RoomId, listed: Option<(u32, Arc<str>)>) {
        let part = &self.parts[usize::from(host.0)];
        let mut rooms = part.lock().unwrap_or_else(PoisonError::into_inner);
        match listed {
            Some(listed) => {
                rooms.insert(room.clone(), listed);
            }
            None => {
                rooms.remove(room);
            }
        }
    }

    /// The first `max` rooms of a tenant and kind whose names come after `after`, by name.
    pub(crate) fn list(
        &self,
        (tenant, kind): (TenantIndex, u16),
        after: Option<&str>,
        max: usize,
    ) -> Vec<ListedRoom> {
        let of = |name: &str| RoomId {
            tenant,
            kind,
            name: Arc::from(name),
        };
        // No name is empty: all come after it.
        let after = Bound::Excluded(of(after.unwrap_or_default()));
        let mut listed = Vec::new();
        for part in &*self.parts {
            let rooms = part.lock().unwrap_or_else(PoisonError::into_inner);
            let behind = rooms.range((after.clone(), Bound::Unbounded));
            let is_meant = |room: &RoomId| (room.tenant, room.kind) == (tenant, kind);
            let of_kind = behind.take_while(|(room, _)| is_meant(room));
            listed.extend(of_kind.take(max).map(|(room, (members, note))| ListedRoom {
                name: Arc::clone(&room.name),
                members: *members,
                note: Arc::clone(note),
            }));
        }
        listed.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        listed.truncate(max);
        listed
    }
}
