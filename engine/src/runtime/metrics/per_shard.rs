//! The metrics that have one number for each shard, and where it comes from.

use super::exposition::Kind;
use super::exposition::Kind::{Counter, Gauge};
use crate::runtime::process::ShardReport;

/// One metric.
pub(super) struct PerShard {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) help: &'static str,
    pub(super) value: fn(&ShardReport) -> f64,
}

macro_rules! per_shard {
    ($($name:literal $kind:ident $help:literal $report:ident => $value:expr;)+) => {
        [$(PerShard {
            name: concat!("worldshard_", $name),
            kind: $kind,
            help: $help,
            value: |$report| $value as f64,
        }),+]
    };
}

/// All of them.
pub(super) const PER_SHARD: [PerShard; 49] = per_shard! {
    "tick" Gauge "The tick that was advanced to last." r => r.hub.tick;
    "ticks_given_up_total" Counter "Ticks not made up for: the world's time was dilated by as many intervals." r => r.lag_ticks;
    "dilations_total" Counter "How often that happened." r => r.lag_times;
    "sessions" Gauge "Sessions with a connection now." r => r.hub.sessions;
    "sessions_opened_total" Counter "Sessions opened." r => r.hub.opened;
    "sessions_closed_total" Counter "Sessions that ended." r => r.hub.closed;
    "sessions_closed_slow_total" Counter "Of them, those whose message queue was full." r => r.hub.closed_slow;
    "sessions_resumed_total" Counter "Connections that went on with a session." r => r.hub.resumed;
    "sessions_detached" Gauge "Sessions that wait for another connection now." r => r.hub.detached;
    "sessions_detached_max" Gauge "One more is closed instead." r => r.hub.detached_max;
    "messages_sent_total" Counter "Messages of systems, each counted once however many got it." r => r.hub.messages_out;
    "messages_unsent_total" Counter "Copies of them that were not sent." r => r.hub.messages_unsent;
    "writes_total" Counter "Writes to connections." r => r.writes;
    "requests_total" Counter "Requests given to systems." r => r.hub.requests;
    "requests_open" Gauge "Requests without an answer now." r => r.hub.requests_open;
    "requests_unanswered_total" Counter "Requests that no system took." r => r.hub.requests_unanswered;
    "requests_expired_total" Counter "Requests that waited too long." r => r.hub.requests_expired;
    "queue_largest_bytes" Gauge "Bytes in the fullest message queue now." r => r.hub.queue_bytes_largest;
    "queue_max_bytes" Gauge "Past it, a client is closed." r => r.hub.queue_bytes_max;
    "mailbox_letters" Gauge "Letters in the mailbox now." r => r.letters;
    "mailbox_letters_max" Gauge "One more is kept by its sender." r => r.letters_max;
    "mailbox_envelopes" Gauge "Tick envelopes in the mailbox now." r => r.envelopes;
    "mailbox_envelopes_max" Gauge "More cannot be there." r => r.envelopes_max;
    "letters_kept" Gauge "Letters kept for the full mailboxes of others now." r => r.letters_kept;
    "letters_kept_max" Gauge "With more, clients are not read." r => r.letters_kept_max;
    "rooms" Gauge "Rooms that live here now." r => r.hub.rooms;
    "rooms_failed" Gauge "Rooms that failed again and again, and are closed for now." r => r.hub.rooms_failed;
    "room_panics_total" Counter "Panics of rooms' services." r => r.hub.room_panics;
    "system_panics_total" Counter "Panics of systems." r => r.hub.faults;
    "systems_quarantined" Gauge "Systems that do not run any more." r => r.hub.quarantined.len();
    "rebuilds_total" Counter "How often the shard panicked and was made again." r => r.rebuilds;
    "checkpoints_left_out_total" Counter "Checkpoints that were not written." r => r.checkpoints_left_out;
    "entities" Gauge "Entities owned now." r => r.hub.world.entities;
    "ghosts" Gauge "Ghosts held now." r => r.hub.world.ghosts;
    "viewers" Gauge "Viewpoints now." r => r.hub.world.viewers;
    "viewers_max" Gauge "One more is refused." r => r.hub.world.viewers_max;
    "credits_out" Gauge "Deltas on their way now." r => r.hub.world.credits_out;
    "credits_out_largest" Gauge "Of them, the most that are for one viewpoint." r => r.hub.world.credits_out_largest;
    "credits_max" Gauge "At most so many are." r => r.hub.world.credits_max;
    "handoffs_out_total" Counter "Entities given to other shards." r => r.hub.world.handoffs_out;
    "handoffs_in_total" Counter "Entities taken over from other shards." r => r.hub.world.handoffs_in;
    "births_total" Counter "Entities born here." r => r.hub.world.births;
    "removals_total" Counter "Entities removed here." r => r.hub.world.removals;
    "commands_total" Counter "Commands applied to the world." r => r.hub.world.commands_applied;
    "commands_refused_total" Counter "Commands refused by the world." r => r.hub.world.commands_refused;
    "commands_pending" Gauge "Commands that wait for their turn now." r => r.hub.world.commands_pending;
    "deltas_total" Counter "Deltas built." r => r.hub.world.deltas;
    "deltas_starved_total" Counter "Times that none was built for want of a credit." r => r.hub.world.deltas_starved;
    "audit_failures_total" Counter "Ticks in which an entity was lost or doubled." r => r.hub.world.audit_failures;
};
