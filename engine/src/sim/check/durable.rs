//! A world that comes back is the one that was: no tick that a client was told of is missing, every tick that is done again
//! comes out as it did, and no number is given to a second entity.
//!
//! Knows what the run did from the run alone. Never reads a disk.

use std::collections::{BTreeMap, BTreeSet};

use worldshard_protocol::{EntityId, Tick};
use worldshard_spatial::ShardId;

use super::{Checker, Finding, Subject};
use crate::sim::observed::{CameBack, Observed};

/// Follows the digests of a run, whatever ends its processes.
pub(super) struct Durable {
    /// What each shard had after each tick, while it may come back.
    digests: BTreeMap<Tick, BTreeMap<ShardId, u128>>,
    /// Who came back, and the highest number given by then.
    floor: Option<(BTreeSet<EntityId>, u64)>,
}

impl Durable {
    pub(super) fn new() -> Self {
        Self {
            digests: BTreeMap::new(),
            floor: None,
        }
    }

    /// What a shard has after a tick.
    pub(super) fn note(&mut self, tick: Tick, shard: ShardId, digest: u128) {
        self.digests.entry(tick).or_default().insert(shard, digest);
        while self.digests.len() > TICKS_KNOWN_MAX {
            self.digests.pop_first();
        }
    }

    /// Compares a world that came back with the one that was; how many facts.
    pub(super) fn compare(&mut self, back: &CameBack) -> Result<u64, Finding> {
        let found = |tick, subject, detail| Finding {
            checker: "durable",
            tick,
            subject,
            detail,
        };
        if back.told > back.tick {
            let detail = format!("clients were told of tick {}, which is lost", back.told);
            return Err(found(back.tick, Subject::World, detail));
        }
        let mut checks = 1;
        let again = back.replayed.iter().map(|(tick, parts)| (*tick, parts));
        for (tick, parts) in again.chain([(back.tick, &back.digests)]) {
            let known = self.digests.get(&tick);
            for (shard, &digest) in (0..).map(ShardId).zip(parts) {
                let Some(&known) = known.and_then(|known| known.get(&shard)) else {
                    continue;
                };
                checks += 1;
                if known != digest {
                    let detail =
                        format!("came back with digest {digest:032x}, it had {known:032x}");
                    return Err(found(tick, Subject::Shard(shard), detail));
                }
            }
        }
        // What came later never was.
        drop(self.digests.split_off(&back.tick.next()));
        let entities = back.entities.iter().copied().collect();
        self.floor = Some((entities, back.last_entity));
        Ok(checks)
    }
}

impl Checker for Durable {
    fn name(&self) -> &'static str {
        "durable"
    }

    fn look(&mut self, now: &Observed) -> Result<u64, Finding> {
        let Some((came_back, last)) = &self.floor else {
            return Ok(0);
        };
        let all = now.shards.iter().flat_map(|shard| &shard.entities);
        let old = all.map(|one| one.id).filter(|id| id.0 <= *last);
        let mut checks = 0;
        for id in old {
            checks += 1;
            if !came_back.contains(&id) {
                return Err(Finding {
                    checker: "durable",
                    tick: now.tick,
                    subject: Subject::Entity(id),
                    detail: format!("its number was given before the crash: {last} was the last"),
                });
            }
        }
        Ok(checks)
    }
}

/// Journals reach no further back.
const TICKS_KNOWN_MAX: usize = 1024;
