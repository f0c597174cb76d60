//! One turn: chooses what happens next among all that may, and lets it happen. Never knows what clients say.

use worldshard_protocol::Tick;

use super::Simulation;
use crate::sim::faults::{LATE_TURNS_MAX, STALL_TURNS_MAX, strikes, up_to};
use crate::sim::mail::Way;
use crate::sim::observed::ShardSeen;

/// One thing that may happen next.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Action {
    Advance(usize),
    Absorb(usize),
    Handle(usize),
    Envelope(Way),
    Letter(Way),
    Client(usize),
}

impl Simulation {
    /// Turns until every shard has absorbed the next tick.
    pub(super) fn run_tick(&mut self) -> Tick {
        let tick = self.tick.next();
        self.foresee_leaves(tick);
        self.stopwatch.go();
        while self.berths.iter().any(|berth| berth.absorbed < tick) {
            self.turn(tick);
        }
        self.stopwatch.halt();
        self.tick = tick;
        tick
    }

    /// One thing happens; or, when nothing may, time passes until something may.
    fn turn(&mut self, tick: Tick) {
        self.turn += 1;
        self.list_actions(tick);
        if self.may.is_empty() {
            self.turn = self.next_turn();
            return;
        }
        let at = (self.chance.next_u64() % self.may.len() as u64) as usize;
        match self.may[at] {
            Action::Advance(at) => self.advance(at),
            Action::Absorb(at) => self.absorb(at),
            Action::Handle(at) => self.handle(at),
            Action::Envelope(way) => {
                let envelope = self.mail.take_envelope(way);
                let lockstep = &mut self.berths[usize::from(way.to.0)].lockstep;
                lockstep.receive(envelope.expect("a way that was listed has one"));
            }
            Action::Letter(way) => self.deliver(way),
            Action::Client(number) => self.act(number, tick),
        }
    }

    /// Everything that may happen now.
    fn list_actions(&mut self, tick: Tick) {
        self.may.clear();
        for (at, berth) in self.berths.iter().enumerate() {
            if berth.stalled_until > self.turn {
                continue;
            }
            if berth.may_advance(tick) {
                self.may.push(Action::Advance(at));
            }
            if berth.lockstep.is_complete() {
                self.may.push(Action::Absorb(at));
            }
            if berth.unheard {
                self.may.push(Action::Handle(at));
            }
        }
        let berths = &self.berths;
        let awake = |way: &Way| berths[usize::from(way.to.0)].stalled_until <= self.turn;
        let envelopes = self.mail.envelopes_due(self.turn).filter(awake);
        self.may.extend(envelopes.map(Action::Envelope));
        let letters = self.mail.letters_due(tick).filter(awake);
        self.may.extend(letters.map(Action::Letter));
        for number in 0..self.clients.len() {
            if self.may_act(number, tick) {
                self.may.push(Action::Client(number));
            }
        }
    }

    /// When the first shard wakes or the first envelope arrives.
    fn next_turn(&self) -> u64 {
        let stalls = self.berths.iter().map(|berth| berth.stalled_until);
        let turns = stalls.chain(self.mail.next_envelope_turn());
        let next = turns.filter(|&turn| turn > self.turn).min();
        next.expect("a world whose shards are awake and whose mail has arrived goes on")
    }

    fn advance(&mut self, at: usize) {
        let berth = &mut self.berths[at];
        let tick = berth.lockstep.tick();
        let envelopes = berth.hub.advance(tick);
        berth.lockstep.advanced();
        let (faults, counts, chance) = (&self.faults, &mut self.counts, &mut self.chance);
        if strikes(faults.shard_stalls, &mut counts.shard_stalls, chance) {
            berth.stalled_until = self.turn + up_to(STALL_TURNS_MAX, chance);
        }
        for envelope in envelopes {
            let late = strikes(faults.late_envelopes, &mut counts.late_envelopes, chance);
            let turns = if late {
                up_to(LATE_TURNS_MAX, chance)
            } else {
                0
            };
            self.mail.send_envelope(envelope, self.turn + turns);
        }
        self.collect(at);
    }

    fn absorb(&mut self, at: usize) {
        let berth = &mut self.berths[at];
        let tick = berth.lockstep.tick();
        let inbox = berth.lockstep.inbox().expect("it was listed as complete");
        berth.hub.absorb(tick, inbox);
        berth.lockstep.absorbed();
        berth.absorbed = tick;
        berth.unheard = true;
        self.stopwatch.halt();
        berth.digest = berth.hub.shard().digest();
        berth.stats = berth.hub.shard().stats();
        if self.is_ending || self.checkers.due(tick) {
            berth.seen = Some(ShardSeen::of(&berth.hub));
        }
        self.stopwatch.go();
        self.collect(at);
    }

    fn handle(&mut self, at: usize) {
        self.berths[at].unheard = false;
        self.berths[at].hub.handle();
        self.collect(at);
    }

    fn deliver(&mut self, way: Way) {
        let letter = self.mail.take_letter(way);
        let letter = letter.expect("a way that was listed has one");
        let at = usize::from(way.to.0);
        self.berths[at].hub.letter(way.from, letter);
        self.berths[at].unheard = true;
        self.collect(at);
    }

    /// Without a tick: every letter arrives, every system hears of it, every client reads what it is sent.
    pub(super) fn settle(&mut self) {
        loop {
            for at in 0..self.berths.len() {
                self.handle(at);
            }
            let mut quiet = true;
            for number in 0..self.clients.len() {
                quiet &= !self.catch_up(number);
            }
            while let Some(way) = self.mail.any_letter() {
                self.deliver(way);
                quiet = false;
            }
            if quiet {
                return;
            }
        }
    }
}
