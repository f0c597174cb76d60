//! Where viewpoints went that were here. Never sends anything after them.

use std::collections::{BTreeMap, VecDeque};

use worldshard_protocol::{SessionId, Tick};
use worldshard_spatial::ShardId;

use crate::checkpoint::codec_of;

/// The marks of viewpoints that left. Bounded by time: a home knows the new owner long before.
#[derive(Debug, Default)]
pub(crate) struct Departed {
    owners: BTreeMap<SessionId, (Option<ShardId>, Tick)>,
    expiry: VecDeque<(Tick, SessionId)>,
}

impl Departed {
    /// The viewpoint went to `owner`, or ceased to be.
    pub(crate) fn leave(&mut self, session: SessionId, owner: Option<ShardId>, tick: Tick) {
        self.owners.insert(session, (owner, tick));
        self.expiry.push_back((tick, session));
    }

    /// The viewpoint is here again.
    pub(crate) fn arrive(&mut self, session: SessionId) {
        self.owners.remove(&session);
    }

    /// Unknown, gone for good, or gone to a shard.
    pub(crate) fn owner(&self, session: SessionId) -> Option<Option<ShardId>> {
        self.owners.get(&session).map(|&(owner, _)| owner)
    }

    /// Forgets who left long ago.
    pub(crate) fn expire(&mut self, now: Tick) {
        while let Some(&(left, session)) = self.expiry.front()
            && now.since(left) > DEPARTED_TICKS
        {
            self.expiry.pop_front();
            // One that came back and left again has a younger mark, which stays.
            if self
                .owners
                .get(&session)
                .is_some_and(|&(_, tick)| tick == left)
            {
                self.owners.remove(&session);
            }
        }
    }
}

codec_of!(Departed { owners, expiry });

/// How long a shard remembers where a viewpoint went. After that its letters wait in vain and are
/// forgotten by the bound on early sessions.
const DEPARTED_TICKS: u64 = 1024;
