//! Runs the halves of a tick so that a panic in one costs a shard no more than time: the shard is made again from its
//! checkpoint and what was said to it, and does the half once more.
//!
//! If the same half panics again, the commands that it was to apply are dropped, named and answered; then the system that ran is
//! quarantined; then the server ends, and its next start goes on from disk. Without a place on disk it ends at once.

use std::time::Instant;

use worldshard_protocol::Tick;
use worldshard_shard::{Call, Envelope, Keep};

use super::Reactor;
use crate::hub::Hub;
use crate::runtime::clock;
use crate::runtime::phase_times::PhaseWatch;

impl Reactor {
    /// Whether the world may go on before more of it is durable.
    pub(super) fn may_advance(&self) -> bool {
        let tick = self.lockstep.tick();
        self.keeping
            .as_ref()
            .is_none_or(|keeping| keeping.may_advance(tick))
    }

    /// Tells the hub up to which tick its sessions may be told.
    pub(super) fn tell_durable(&mut self, now: Instant) {
        if let Some(tick) = self.keeping.as_mut().and_then(|keeping| keeping.news()) {
            self.hub.call("durable", |hub| hub.durable(tick));
            self.committed(tick, now);
        }
    }

    pub(super) fn advance_hub(&mut self, tick: Tick) -> Option<Vec<Envelope>> {
        if self.keeping.is_none() {
            return self.hub.call("advance", |hub| hub.advance(tick));
        }
        for attempt in 1.. {
            let killed = std::mem::take(&mut self.killed);
            let advanced = self.hub.attempt(|hub| {
                let envelopes = hub.advance(tick);
                assert!(!killed, "killed on request");
                envelopes
            });
            match advanced {
                Ok(envelopes) => {
                    let keeping = self.keeping.as_mut()?;
                    self.hub.call("keep", |hub| keeping.advanced(hub, tick));
                    return Some(envelopes);
                }
                Err(text) => {
                    self.mend("advance", tick, attempt, &text)?;
                }
            }
        }
        None
    }

    pub(super) fn absorb_hub(&mut self, tick: Tick) {
        let Some(inbox) = self.lockstep.inbox() else {
            return;
        };
        if self.keeping.is_none() {
            self.hub.call("absorb", |hub| hub.absorb(tick, inbox));
            return;
        }
        let mut inbox = std::mem::take(inbox);
        for attempt in 1.. {
            match self.hub.attempt(|hub| hub.absorb(tick, &mut inbox)) {
                Ok(()) => {
                    if let Some(keeping) = &mut self.keeping {
                        self.hub.call("keep", |hub| keeping.absorbed(hub, tick));
                    }
                    return;
                }
                Err(text) => match self.mend("absorb", tick, attempt, &text) {
                    Some(Call::Absorb(_, again)) => inbox = again,
                    _ => return,
                },
            }
        }
    }

    /// Makes the shard again as it was before the half that panicked; that half's call. None when it cannot be: then the
    /// server ends.
    fn mend(&mut self, doing: &'static str, tick: Tick, attempt: u32, text: &str) -> Option<Call> {
        let began = clock::now();
        let shard = self.own.0;
        let keeping = self.keeping.as_mut()?;
        let blamed = self.hub.call("blame", |hub| hub.blamed()).flatten();
        self.hub.call("listen", |hub| keeping.listen(hub));
        let again = keeping.archive().filter(|_| attempt <= ATTEMPTS_MAX);
        let Some(archive) = again else {
            self.hub.give_up(doing, text);
            return None;
        };
        let drops = attempt > 1 && doing == "advance";
        let half = keeping.take_back(|call| {
            if drops {
                drop_wish(call, shard, tick);
            }
        })?;
        let calls = keeping.calls().to_vec();
        let is_tick = |call: &&Call| matches!(call, Call::Absorb(..));
        let ticks = calls.iter().filter(is_tick).count() as u64;
        let mended = self
            .hub
            .attempt(|hub| hub.rebuild(&archive, calls, Keep::All));
        if let Err(why) = mended.and_then(|done| done.map_err(|error| error.to_string())) {
            self.hub
                .give_up("rebuild", &format!("{text}; made again: {why}"));
            return None;
        }
        if let Some((number, system)) = blamed.filter(|_| attempt == ATTEMPTS_MAX) {
            tracing::error!(
                shard,
                tick = tick.0,
                system,
                panic = text,
                "a system is quarantined"
            );
            self.hub
                .call("quarantine", |hub: &mut Hub| hub.quarantine(number));
        }
        if self.phases.is_some() {
            self.phases = self.hub.call("watch", PhaseWatch::over);
        }
        self.rebuilds += 1;
        self.ticks_rebuilt += ticks;
        let told = format!("{doing} of tick {tick}: {text}");
        self.hub.call("note", |hub| hub.note_panic(told));
        let took = clock::now().saturating_duration_since(began);
        let system = blamed.map(|(_, name)| name);
        tracing::error!(
            shard,
            tick = tick.0,
            doing,
            system,
            panic = text,
            ?took,
            "a shard panicked and was made again"
        );
        Some(half)
    }
}

/// Drops what a command asks for, because its tick panics: then it is named.
fn drop_wish(call: &mut Call, shard: u16, tick: Tick) {
    let Call::Command(command) = call else {
        return;
    };
    let (session, sequence) = (command.session, command.sequence);
    if command.body.drop_wish() {
        tracing::error!(shard, tick = tick.0, %session, sequence, "a command is dropped: its tick panics");
    }
}

/// Once as it was, once without its commands, once without the system that panicked.
const ATTEMPTS_MAX: u32 = 3;
