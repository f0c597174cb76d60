//! A shard that was made again is the one that was lost, in whatever part of a tick: it has the same entities, ghosts,
//! viewpoints and counters. Never asks how it was made.

use worldshard_protocol::Tick;

use super::{Finding, Subject};
use crate::sim::observed::ShardSeen;

/// Compares a shard with the one that was lost; how many facts.
pub(super) fn compare(tick: Tick, lost: &ShardSeen, made: &ShardSeen) -> Result<u64, Finding> {
    let subject = Subject::Shard(made.shard);
    let found = |what: &str, lost: &dyn std::fmt::Debug, made: &dyn std::fmt::Debug| Finding {
        checker: "mended",
        tick,
        subject,
        detail: format!("it was made again with {what} {made:?}, it had {lost:?}"),
    };
    if let Some((lost, made)) = differ(&lost.entities, &made.entities) {
        return Err(found("the entity", &lost, &made));
    }
    if let Some((lost, made)) = differ(&lost.ghosts, &made.ghosts) {
        return Err(found("the ghost", &lost, &made));
    }
    if let Some((lost, made)) = differ(&lost.viewers, &made.viewers) {
        return Err(found("the viewpoint", &lost, &made));
    }
    let audit = |one: &ShardSeen| (one.audit_checks, one.audit_failures);
    if audit(lost) != audit(made) {
        return Err(found("the audit", &audit(lost), &audit(made)));
    }
    if lost.stats != made.stats {
        return Err(found("the counters", &lost.stats, &made.stats));
    }
    Ok(2 + (made.entities.len() + made.ghosts.len() + made.viewers.len()) as u64)
}

/// The first place in which two lists differ.
fn differ<T: PartialEq + Copy>(lost: &[T], made: &[T]) -> Option<(Option<T>, Option<T>)> {
    let most = lost.len().max(made.len());
    let mut pairs = (0..most).map(|at| (lost.get(at).copied(), made.get(at).copied()));
    pairs.find(|(lost, made)| lost != made)
}
