//! Runs the halves of ticks when they are due, and the exchange between them.

use std::time::Instant;

use super::{Halves, Reactor, Schedule, TickDue};
use crate::hub::Hub;
use crate::runtime::clock;
use crate::runtime::in_process::Deed;

impl Reactor {
    /// Runs at most one second half and one first half, so that sockets are served between ticks too.
    pub(super) fn run_ticks(&mut self, now: Instant) {
        if self.draining.is_some() {
            return;
        }
        self.absorb_if_complete(now);
        if self.lockstep.is_exchanging() || !self.is_due(now) {
            return;
        }
        self.advance(now);
        self.absorb_if_complete(now);
    }

    /// When the next half can run.
    pub(super) fn tick_due(&self, now: Instant) -> TickDue {
        if self.lockstep.is_exchanging() {
            return if self.lockstep.is_complete() {
                TickDue::Now
            } else {
                TickDue::Neighbours
            };
        }
        match &self.schedule {
            Schedule::Paced(pacer) if pacer.due() > now => TickDue::At(pacer.due()),
            // The keeper rings.
            Schedule::Paced(_) if !self.may_advance() => TickDue::Neighbours,
            Schedule::Paced(_) | Schedule::Unpaced { .. } => TickDue::Now,
        }
    }

    /// Whether all ticks of an unpaced run are done.
    pub(super) fn has_run_all(&self) -> bool {
        match self.schedule {
            Schedule::Paced(_) => false,
            Schedule::Unpaced { ticks } => self.lockstep.tick().0 > ticks,
        }
    }

    fn is_due(&self, now: Instant) -> bool {
        match &self.schedule {
            Schedule::Paced(pacer) => pacer.due() <= now && self.may_advance(),
            Schedule::Unpaced { .. } => !self.has_run_all(),
        }
    }

    fn advance(&mut self, now: Instant) {
        let tick = self.lockstep.tick();
        self.hub.tick = tick;
        let due = match &self.schedule {
            Schedule::Paced(pacer) => Some(pacer.due()),
            Schedule::Unpaced { .. } => None,
        };
        // The turn may have had much to do before it came to this.
        let begins = clock::now();
        self.punctuality.begins(due, begins);
        if let Some(due) = due {
            let late = begins.saturating_duration_since(due);
            self.tally.lateness.record(late);
        }
        if let Schedule::Paced(pacer) = &mut self.schedule {
            pacer.begin(now);
            if let Some(lag) = pacer.lag_to_tell(now) {
                let (shard, ticks, times) = (self.own.0, lag.ticks, lag.times);
                tracing::warn!(
                    shard,
                    tick = tick.0,
                    ticks,
                    times,
                    "the world's time is dilated"
                );
            }
        }
        let envelopes = self.advance_hub(tick);
        self.halves.advance = clock::now().saturating_duration_since(now);
        for envelope in envelopes.into_iter().flatten() {
            self.process.post.envelope(envelope.to, envelope);
        }
        self.lockstep.advanced();
    }

    fn absorb_if_complete(&mut self, now: Instant) {
        let tick = self.lockstep.tick();
        if !self.lockstep.is_complete() {
            return;
        }
        let began = clock::now();
        self.absorb_hub(tick);
        self.halves.absorb = clock::now().saturating_duration_since(began);
        let Halves { advance, absorb } = self.halves;
        self.tally.step.record(advance + absorb);
        self.steps.record(advance + absorb, began);
        if let Some(watch) = &self.phases {
            self.tally.record_phases(&watch.take());
        }
        self.lockstep.absorbed();
        self.process.liveness.ticked(self.own, tick);
        self.unheard = true;
        self.window.ticked = true;
        if self.in_process.is_in_use() {
            // What the clients of this process see and say belongs to this tick.
            self.hub.call("handle", Hub::handle);
            self.deliver(now);
            self.poll_in_process(tick);
        }
    }

    fn poll_in_process(&mut self, tick: worldshard_protocol::Tick) {
        let Reactor {
            in_process,
            hub,
            halves,
            ..
        } = self;
        in_process.poll(tick, |session, deed| {
            hub.call("client", |hub| match deed {
                Deed::Read(frames) => hub.written(session, frames),
                Deed::Say(kind, payload) => hub.message(session, kind, payload),
            });
        });
        let halves = *halves;
        hub.call("observe", |hub| in_process.observe(tick, hub, halves));
    }
}
