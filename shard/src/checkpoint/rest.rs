//! What a shard keeps beside entities and ghosts, as bytes. Every field of `Shard` is here, there, or made anew.

use std::collections::BTreeMap;

use worldshard_protocol::{EntityId, SessionId, Tick};

use crate::audit::Audit;
use crate::command::Command;
use crate::component::Codec;
use crate::letter::AreaMessage;
use crate::phases::index;
use crate::quarantine::SystemName;
use crate::shard::Shard;
use crate::stats::ShardStats;
use crate::viewer::{Undelivered, Viewer};
use crate::zone::Crossing;

impl Shard {
    /// Between two ticks there are no births, strays or accounts; the view and the roster follow from the rest.
    pub(crate) fn encode_rest(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let viewers = u32::try_from(self.viewers.len()).expect("viewers are bounded");
        viewers.encode(&mut out);
        for viewer in self.viewers.values() {
            viewer.encode(&self.roster, &mut out);
        }
        self.watchers.encode(&mut out);
        self.joins.encode(&mut out);
        self.undelivered.encode(&mut out);
        self.said.encode(&mut out);
        self.crossings.encode(&mut out);
        self.audit.encode(&mut out);
        self.stats.encode(&mut out);
        self.quarantine.names(&self.recipe).encode(&mut out);
        out
    }

    /// As it was after `tick`; `None` when the bytes are not what was kept.
    pub(crate) fn decode_rest(&mut self, bytes: &mut &[u8], tick: Tick) -> Option<()> {
        for _ in 0..u32::decode(bytes)? {
            let viewer = Viewer::decode(bytes)?;
            self.viewers.insert(viewer.session, Box::new(viewer));
        }
        self.watchers = BTreeMap::<EntityId, Vec<SessionId>>::decode(bytes)?;
        let watching = self.watchers.iter().flat_map(|(entity, sessions)| {
            let pairs = sessions.iter().map(move |session| (*session, *entity));
            pairs.collect::<Vec<_>>()
        });
        let watching: BTreeMap<SessionId, EntityId> = watching.collect();
        let avatars = self.viewers.values().filter_map(|viewer| viewer.avatar());
        if !avatars.eq(watching) || self.watchers.keys().any(|entity| !self.world.owns(*entity)) {
            return None;
        }
        self.joins = Vec::<Command>::decode(bytes)?;
        self.undelivered = Undelivered::decode(bytes)?;
        self.said = Vec::<AreaMessage>::decode(bytes)?;
        self.crossings = Vec::<Crossing>::decode(bytes)?;
        self.audit = Audit::decode(bytes)?;
        self.stats = ShardStats::decode(bytes)?;
        for system in Vec::<SystemName>::decode(bytes)? {
            self.quarantine.add(system, &self.recipe);
        }
        self.tick = tick;
        Some(())
    }

    /// Lets go of all sessions; what they saw through stays. For worlds that are only looked at.
    pub fn forget_sessions(&mut self) {
        self.viewers.clear();
        self.watchers.clear();
        self.joins.clear();
        self.undelivered = Undelivered::default();
        self.said.clear();
    }

    /// Makes the view of the tick anew.
    pub(crate) fn look_again(&mut self) {
        index::index(self);
    }
}
