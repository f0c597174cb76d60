//! What the checkers of a simulation may know of it, put together from shards that interleave.

use super::Simulation;
use crate::lockstep::ENVELOPES_PER_SENDER_MAX;
use crate::sim::berth::Berth;
use crate::sim::observed::{EventTap, MailboxSeen, Observed};

impl Simulation {
    /// Everything as the last tick left it: each shard right after it absorbed that, clients and mail as they are now.
    pub(super) fn observe(&mut self) -> Observed {
        let first = &self.berths[0].hub;
        let cell_map = first.commons().cell_map().clone();
        let senders = self.berths.len() - 1;
        let mailbox = |to| MailboxSeen {
            to,
            letters: self.mail.letters_to(to),
            letters_max: self.letters_max,
            envelopes: self.mail.envelopes_to(to),
            envelopes_max: senders * ENVELOPES_PER_SENDER_MAX,
        };
        let mailboxes = self.berths.iter().map(|berth| mailbox(berth.own)).collect();
        let pace = |berth: &Berth| Some(berth.schedule.as_ref()?.seen(berth.own));
        let paces = self.berths.iter().filter_map(pace).collect();
        let shards = self.berths.iter_mut().map(|berth| {
            let seen = berth.seen.take();
            seen.expect("a tick that is looked at was seen by every shard")
        });
        Observed {
            paces,
            tick: self.tick,
            config: self.config.clone(),
            cell_map,
            shards: shards.collect(),
            clients: self
                .clients
                .iter_mut()
                .filter_map(|client| client.observe())
                .collect(),
            events: self
                .events
                .as_ref()
                .map(EventTap::drain)
                .unwrap_or_default(),
            mailboxes,
            inherited: self.inherited,
        }
    }
}
