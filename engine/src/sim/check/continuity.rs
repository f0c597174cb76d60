//! A client notices nothing of shards: one viewpoint and avatar, deltas without a gap, commands in order, none lost.

use std::collections::{BTreeMap, BTreeSet};

use worldshard_protocol::{EntityId, SessionId, Tick};
use worldshard_shard::ViewerStats;

use super::{Checker, Finding, Subject};
use crate::sim::observed::{ClientSeen, Observed, ShardSeen, ViewerSeen};

/// Follows every session's numbers.
#[derive(Default)]
pub(super) struct Continuity {
    before: Option<Tick>,
    /// Viewpoints at the tick that was looked at last.
    viewers: BTreeMap<SessionId, ViewerStats>,
    clients: BTreeMap<SessionId, Heard>,
}

/// What a client had heard when it was looked at last.
#[derive(Default)]
struct Heard {
    is_in: bool,
    /// It was out since its last delta, or may have been: the next one may be the first of a new viewpoint.
    may_begin: bool,
    delta_sequence: u32,
    tick: Tick,
    command_sequence: u32,
    refused: BTreeSet<u32>,
}

impl Checker for Continuity {
    fn name(&self) -> &'static str {
        "continuity"
    }

    fn look(&mut self, now: &Observed) -> Result<u64, Finding> {
        let next = self.before.is_some_and(|before| before.next() == now.tick);
        let mut viewers = BTreeMap::new();
        for viewer in now.shards.iter().flat_map(|shard| &shard.viewers) {
            let ViewerSeen { session, stats } = *viewer;
            if viewers.insert(session, stats).is_some() {
                return Err(found(now, session, "it has two viewpoints".into()));
            }
            if next && let Some(before) = self.viewers.get(&session) {
                follows(before, &stats, now).map_err(|detail| found(now, session, detail))?;
            }
        }
        let present: BTreeSet<SessionId> = now.clients.iter().map(|one| one.session).collect();
        self.clients.retain(|session, _| present.contains(session));
        for client in &now.clients {
            let session = client.session;
            let heard = self.clients.entry(session).or_default();
            heard
                .listen(client, next)
                .map_err(|detail| found(now, session, detail))?;
            if client.is_in {
                let stats = viewers.get(&session);
                agrees(client, stats, heard, now).map_err(|detail| found(now, session, detail))?;
            }
        }
        let checks = viewers.len() + now.clients.len() + 1;
        (self.before, self.viewers) = (Some(now.tick), viewers);
        let (admitted, done) = commands(now);
        if done > admitted {
            let detail = format!("{done} commands were done, only {admitted} were admitted");
            return Err(of_world(now, detail));
        }
        Ok(checks as u64)
    }

    fn finish(&mut self, now: &Observed) -> Result<u64, Finding> {
        let (admitted, done) = commands(now);
        if done != admitted {
            let detail = format!("{admitted} commands were admitted, {done} were done at the end");
            return Err(of_world(now, detail));
        }
        let is_in = now.clients.iter().filter(|client| client.is_in);
        let is_in: BTreeSet<SessionId> = is_in.map(|client| client.session).collect();
        for viewer in now.shards.iter().flat_map(|shard| &shard.viewers) {
            if !is_in.contains(&viewer.session) {
                let detail = "its viewpoint is left over: it knows of none at the end".into();
                return Err(found(now, viewer.session, detail));
            }
        }
        for seen in &now.shards {
            let (known, open) = (seen.hub.sessions_known as u64, seen.hub.sessions);
            if known != open {
                let detail = format!(
                    "shard {}: {known} sessions are known, {open} are there",
                    seen.shard
                );
                return Err(of_world(now, detail));
            }
        }
        for client in now
            .clients
            .iter()
            .filter(|one| one.is_in && one.honest && one.reads)
        {
            let refused = self
                .clients
                .get(&client.session)
                .map(|heard| &heard.refused);
            let is_refused = |number: &u32| refused.is_some_and(|refused| refused.contains(number));
            let answered = client.command_told.max(client.join_sent);
            let mut unanswered = answered + 1..=client.command_sent;
            if let Some(number) = unanswered.find(|number| !is_refused(number)) {
                let detail = format!("its command {number} was neither granted nor refused");
                return Err(found(now, client.session, detail));
            }
        }
        Ok(1 + now.clients.len() as u64)
    }
}

fn found(now: &Observed, session: SessionId, detail: String) -> Finding {
    Finding {
        checker: "continuity",
        tick: now.tick,
        subject: Subject::Session(session),
        detail,
    }
}

fn of_world(now: &Observed, detail: String) -> Finding {
    Finding {
        checker: "continuity",
        tick: now.tick,
        subject: Subject::World,
        detail,
    }
}

/// Commands that homes admitted, and what became of them: every one is a join, or is applied or refused. A script's
/// commands come from no home.
fn commands(now: &Observed) -> (u64, u64) {
    let shards = &now.shards;
    let admitted: u64 = shards.iter().map(|one| one.hub.commands).sum();
    let done = |one: &ShardSeen| {
        let stats = &one.stats;
        stats.joins + stats.commands_applied + stats.commands_refused - stats.commands_scripted
    };
    (
        admitted + now.inherited.commands,
        shards.iter().map(done).sum(),
    )
}

/// One viewpoint from one tick to the next, on whichever shards.
fn follows(before: &ViewerStats, stats: &ViewerStats, now: &Observed) -> Result<(), String> {
    let went_back =
        |what: &str, from: u64, to: u64| Err(format!("{what} went from {from} to {to}"));
    if stats.commands_done < before.commands_done {
        let (from, to) = (before.commands_done, stats.commands_done);
        return went_back("its last command", from.into(), to.into());
    }
    if stats.delta_sequence > before.delta_sequence + 1 {
        let (from, to) = (before.delta_sequence, stats.delta_sequence);
        return went_back("its last delta, in one tick,", from.into(), to.into());
    }
    if let (Some(was), Some(is)) = (before.avatar, stats.avatar)
        && was != is
    {
        return Err(format!("its avatar was entity {was} and is entity {is}"));
    }
    if before.in_flight < WINDOW_MIN && stats.built != Some(now.tick) {
        let (in_flight, built) = (before.in_flight, stats.built);
        return Err(format!(
            "{in_flight} deltas were in flight, yet it was looked at in {built:?}"
        ));
    }
    Ok(())
}

impl Heard {
    /// Takes in what a client heard since.
    fn listen(&mut self, client: &ClientSeen, next: bool) -> Result<(), String> {
        if let Some(trouble) = &client.trouble {
            return Err(trouble.clone());
        }
        self.may_begin |= !self.is_in || !client.is_in || !next;
        for delta in &client.deltas {
            // Who lies may leave and join again without knowing it, and in a pause anybody may, any number of times.
            let may_begin = self.may_begin || !client.honest || !next;
            if may_begin && delta.sequence == 1 {
                (self.delta_sequence, self.command_sequence) = (0, 0);
                self.may_begin = false;
            }
            let known = next || self.delta_sequence == 0;
            if known && delta.sequence != self.delta_sequence + 1 {
                let before = self.delta_sequence;
                return Err(format!("delta {} follows delta {before}", delta.sequence));
            }
            if delta.tick <= self.tick {
                let before = self.tick;
                return Err(format!(
                    "a delta of tick {} follows one of {before}",
                    delta.tick
                ));
            }
            if client.honest && delta.command_sequence < self.command_sequence {
                let (from, to) = (self.command_sequence, delta.command_sequence);
                return Err(format!("its command {from} was contained, now only {to}"));
            }
            self.delta_sequence = delta.sequence;
            self.tick = delta.tick;
            self.command_sequence = delta.command_sequence;
        }
        // A viewpoint has begun, and nothing was told of it yet.
        self.may_begin |= client.delta_sequence == 0;
        for &number in &client.refused {
            if number != 0 && !self.refused.insert(number) && client.honest {
                return Err(format!("its command {number} was refused twice"));
            }
        }
        if client.honest && client.command_told > client.command_sent {
            let (told, sent) = (client.command_told, client.command_sent);
            return Err(format!("its command {told} is contained, it sent {sent}"));
        }
        self.is_in = client.is_in;
        Ok(())
    }

    fn was_refused(&self, number: u32) -> bool {
        number != 0 && self.refused.contains(&number)
    }
}

/// A client and its viewpoint agree on what it is and what it asked for.
fn agrees(
    client: &ClientSeen,
    stats: Option<&ViewerStats>,
    heard: &Heard,
    now: &Observed,
) -> Result<(), String> {
    let Some(stats) = stats else {
        // Who lies may have left by a lie.
        return match client.honest {
            true => Err("it is in, without a viewpoint".into()),
            false => Ok(()),
        };
    };
    if !client.honest {
        return Ok(());
    }
    let avatar: Option<EntityId> = client.avatar.filter(|_| !client.avatar_lost);
    if avatar.is_some() && stats.avatar.is_some() && avatar != stats.avatar {
        return Err(format!(
            "its avatar is {avatar:?}, its viewpoint's is {:?}",
            stats.avatar
        ));
    }
    if stats.commands_skipped > 0 {
        return Err(format!(
            "{} of its commands were given up",
            stats.commands_skipped
        ));
    }
    let contained = |number: u32| number <= stats.client_sequence && !heard.was_refused(number);
    let (number, interest) = client.interest;
    if contained(number) && interest != stats.interest {
        let has = stats.interest;
        return Err(format!(
            "it asked in command {number} to see {interest:?}, and has {has:?}"
        ));
    }
    if let Some((number, at)) = client.camera
        && contained(number)
        && now.config.bounds.clamp(at) != stats.at
    {
        let has = stats.at;
        return Err(format!(
            "its camera was to be at {at:?} by command {number}, and is at {has:?}"
        ));
    }
    Ok(())
}

/// A session with fewer deltas on their way may always be sent one more.
const WINDOW_MIN: usize = 2;
