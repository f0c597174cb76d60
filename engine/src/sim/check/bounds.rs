//! Everything that clients can fill has a bound, and none is exceeded. Never judges what is inside.

use super::{Checker, Finding, Subject};
use crate::sim::observed::Observed;

/// Compares gauges with limits.
pub(super) struct Bounded;

impl Checker for Bounded {
    fn name(&self) -> &'static str {
        "bounds"
    }

    fn look(&mut self, now: &Observed) -> Result<u64, Finding> {
        let mut checks = 0;
        let mut within = |subject, what: &str, gauge: usize, limit: usize| {
            checks += 1;
            if gauge <= limit {
                return Ok(());
            }
            Err(Finding {
                checker: "bounds",
                tick: now.tick,
                subject,
                detail: format!("{what}: {gauge}, the limit is {limit}"),
            })
        };
        let limits = &now.config.limits;
        for seen in &now.shards {
            let shard = Subject::Shard(seen.shard);
            let undelivered = seen.stats.undelivered_sessions as usize;
            within(
                shard,
                "undelivered sessions",
                undelivered,
                limits.undelivered_sessions_max,
            )?;
            within(shard, "viewpoints", seen.viewers.len(), limits.viewers_max)?;
            let (queue, queue_max) = (seen.hub.queue_bytes_largest, seen.hub.queue_bytes_max);
            within(shard, "bytes of reliable messages", queue, queue_max)?;
            within(shard, "panics of systems", seen.hub.faults as usize, 0)?;
            for viewer in &seen.viewers {
                let session = Subject::Session(viewer.session);
                let (stats, window) = (&viewer.stats, limits.credits_max as usize);
                within(session, "deltas in flight", stats.in_flight, window)?;
                let pending = stats.commands_pending;
                within(
                    session,
                    "commands pending",
                    pending,
                    limits.commands_pending_max,
                )?;
            }
        }
        for mailbox in &now.mailboxes {
            let shard = Subject::Shard(mailbox.to);
            within(
                shard,
                "letters in the mailbox",
                mailbox.letters,
                mailbox.letters_max,
            )?;
            let (envelopes, envelopes_max) = (mailbox.envelopes, mailbox.envelopes_max);
            within(shard, "envelopes in the mailbox", envelopes, envelopes_max)?;
        }
        Ok(checks)
    }
}
