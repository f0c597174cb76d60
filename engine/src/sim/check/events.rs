//! A session is opened once, then says things, then is closed once: what services are told keeps that order.

use std::collections::BTreeMap;

use worldshard_protocol::SessionId;

use super::{Checker, Finding, Subject};
use crate::sim::observed::{EventKind, Observed};

/// Follows every session from its first event to its last.
#[derive(Default)]
pub(super) struct Events {
    sessions: BTreeMap<SessionId, Stage>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Open,
    Closed,
}

impl Checker for Events {
    fn name(&self) -> &'static str {
        "events"
    }

    fn look(&mut self, now: &Observed) -> Result<u64, Finding> {
        for event in &now.events {
            let stage = self.sessions.get(&event.session).copied();
            let next = match (stage, event.kind) {
                (None, EventKind::Opened) => Stage::Open,
                (Some(Stage::Open), EventKind::Message) => Stage::Open,
                (Some(Stage::Open), EventKind::Closed) => Stage::Closed,
                (None | Some(Stage::Open | Stage::Closed), kind) => {
                    return Err(Finding {
                        checker: "events",
                        tick: now.tick,
                        subject: Subject::Session(event.session),
                        detail: format!("{kind:?} while it was {stage:?}"),
                    });
                }
            };
            self.sessions.insert(event.session, next);
        }
        Ok(now.events.len() as u64)
    }

    /// Services know the sessions that hubs have, no more and no fewer.
    fn finish(&mut self, now: &Observed) -> Result<u64, Finding> {
        for seen in &now.shards {
            let home = |session: &SessionId| session.home() == seen.shard.0;
            let mine = || self.sessions.iter().filter(|(session, _)| home(session));
            let opened = mine().count() as u64;
            let open = mine().filter(|(_, stage)| **stage == Stage::Open).count() as u64;
            let (told, has) = ((opened, open), (seen.hub.opened, seen.hub.sessions));
            if told != has {
                return Err(Finding {
                    checker: "events",
                    tick: now.tick,
                    subject: Subject::Shard(seen.shard),
                    detail: format!("services know (opened, open) {told:?}, the hub {has:?}"),
                });
            }
        }
        Ok(now.shards.len() as u64)
    }
}
