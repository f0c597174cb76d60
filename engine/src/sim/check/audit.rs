//! The engine's own audit must have run, must be green, and must count what is there. Never replaces `owners`.

use std::collections::BTreeMap;

use worldshard_spatial::ShardId;

use super::{Checker, Finding, Subject};
use crate::sim::observed::Observed;

/// Compares the audit of each shard with its world.
#[derive(Default)]
pub(super) struct AuditAgrees {
    /// By shard, how often its audit had compared when it was seen last.
    checks: BTreeMap<ShardId, u64>,
}

impl Checker for AuditAgrees {
    fn name(&self) -> &'static str {
        "audit"
    }

    fn look(&mut self, now: &Observed) -> Result<u64, Finding> {
        for seen in &now.shards {
            let found = |detail| Finding {
                checker: "audit",
                tick: now.tick,
                subject: Subject::Shard(seen.shard),
                detail,
            };
            if seen.audit_failures > 0 {
                let first = seen.audit_first_failure;
                return Err(found(format!("its audit failed, first {first:?}")));
            }
            let owned = seen.entities.len() as u64;
            if seen.stats.entities != owned {
                let counted = seen.stats.entities;
                return Err(found(format!("counts {counted} entities, owns {owned}")));
            }
            let ghosts = seen.ghosts.len() as u64;
            if seen.stats.ghosts != ghosts {
                let counted = seen.stats.ghosts;
                return Err(found(format!("counts {counted} ghosts, holds {ghosts}")));
            }
            let before = self.checks.insert(seen.shard, seen.audit_checks);
            if before.is_some_and(|before| seen.audit_checks <= before) {
                let checks = seen.audit_checks;
                return Err(found(format!("its audit stands still at {checks} checks")));
            }
        }
        Ok(3 * now.shards.len() as u64)
    }
}
