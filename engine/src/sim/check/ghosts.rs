//! Each shard's ghosts are exactly what others own within its border, as it is at this tick.

use std::collections::BTreeMap;

use super::ground::Ground;
use super::{Checker, Finding, Subject};
use crate::sim::observed::Observed;

/// Compares every ghost with its entity, and every entity with who must see it.
#[derive(Default)]
pub(super) struct Ghosts {
    ground: Option<Ground>,
}

impl Checker for Ghosts {
    fn name(&self) -> &'static str {
        "ghosts"
    }

    fn look(&mut self, now: &Observed) -> Result<u64, Finding> {
        let ground = self
            .ground
            .get_or_insert_with(|| Ground::of(&now.config, &now.cell_map));
        let all = now.entities();
        let mut checks = 0;
        for seen in &now.shards {
            let shard = seen.shard;
            let found = |id, detail| Finding {
                checker: "ghosts",
                tick: now.tick,
                subject: Subject::Entity(id),
                detail,
            };
            let mut held = BTreeMap::new();
            for ghost in &seen.ghosts {
                if held.insert(ghost.id, ghost).is_some() {
                    return Err(found(
                        ghost.id,
                        format!("shard {shard} holds two ghosts of it"),
                    ));
                }
            }
            for (one, owner) in &all {
                if *owner == shard || !ground.in_sight(shard, one.at) {
                    continue;
                }
                checks += 1;
                let Some(ghost) = held.remove(&one.id) else {
                    let distance_m = ground.distance_squared(shard, one.at).sqrt();
                    let detail = format!(
                        "shard {shard} has no ghost of it, {distance_m} m from its ground, owner {owner}"
                    );
                    return Err(found(one.id, detail));
                };
                let same = (ghost.owner, ghost.at, ghost.shared, ghost.shown)
                    == (*owner, one.at, one.shared, one.shown);
                if !same {
                    let detail = format!("shard {shard} has {ghost:?}, owner {owner} has {one:?}");
                    return Err(found(one.id, detail));
                }
            }
            if let Some((id, ghost)) = held.pop_first() {
                let detail = format!("shard {shard} holds a ghost it must not have: {ghost:?}");
                return Err(found(id, detail));
            }
        }
        Ok(checks)
    }
}
