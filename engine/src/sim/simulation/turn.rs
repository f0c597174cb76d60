//! One turn: chooses what happens next among all that may, and lets it happen. Never knows what clients say.

use std::time::Duration;

use worldshard_protocol::Tick;

use super::Simulation;
use crate::sim::berth::Berth;
use crate::sim::check::Finding;
use crate::sim::clock::Clock;
use crate::sim::faults::{
    Faults, JUMP_MS_MAX, LATE_TURNS_MAX, SLOW_TURNS_MAX, STALL_TURNS_MAX, strikes, up_to,
};
use crate::sim::keeping::{Chore, Keeping};
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
    Keep(Chore),
}

impl Simulation {
    /// Turns until every shard has absorbed the next tick.
    pub(super) fn run_tick(&mut self) -> Result<Tick, Finding> {
        let (mut tick, began) = (self.tick.next(), self.turn);
        self.foresee_leaves(tick);
        self.plan_crashes();
        self.stopwatch.go();
        while self.berths.iter().any(|berth| berth.absorbed < tick) {
            let is_due = |at: Option<u64>| at.is_some_and(|at| at <= self.turn);
            let crashes = self.is_broken || is_due(self.crash_at);
            let mends = is_due(self.mend_at);
            if crashes {
                self.crash()?;
                tick = self.tick.next();
            } else if mends {
                self.mend()?;
            } else {
                self.turn(tick);
            }
        }
        self.stopwatch.halt();
        self.tick_turns = self.turn - began;
        self.tick = tick;
        Ok(tick)
    }

    /// One thing happens; or, when nothing may, time passes until something may.
    fn turn(&mut self, tick: Tick) {
        self.turn += 1;
        self.clock.iter_mut().for_each(Clock::turn);
        self.list_actions(tick);
        if self.may.is_empty() {
            return self.wait(tick);
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
            Action::Keep(chore) => self.do_chore(chore),
        }
    }

    /// Everything that may happen now.
    fn list_actions(&mut self, tick: Tick) {
        self.may.clear();
        for (at, berth) in self.berths.iter().enumerate() {
            if berth.stalled_until > self.turn {
                continue;
            }
            let clock = self.clock.as_ref();
            let is_early = clock.is_some_and(|clock| berth.due() > Some(clock.now()));
            if self.may_advance(at, tick) && !is_early {
                self.may.push(Action::Advance(at));
            }
            if berth.lockstep.is_complete() {
                self.may.push(Action::Absorb(at));
            }
            if berth.unheard || berth.hub.is_called() {
                self.may.push(Action::Handle(at));
            }
        }
        let berths = &self.berths;
        let awake = |way: &Way| berths[usize::from(way.to.0)].stalled_until <= self.turn;
        let envelopes = self.mail.envelopes_due(self.turn).filter(awake);
        self.may.extend(envelopes.map(Action::Envelope));
        let letters = self.mail.letters_due(tick).filter(awake);
        self.may.extend(letters.map(Action::Letter));
        if let Some(keeping) = &self.keeping {
            self.may.extend(keeping.chores(self.turn).map(Action::Keep));
        }
        for number in 0..self.clients.len() {
            if self.may_act(number, tick) {
                self.may.push(Action::Client(number));
            }
        }
    }

    /// Whether a shard that is awake may begin a tick, if it is time.
    fn may_advance(&self, at: usize, tick: Tick) -> bool {
        let (berth, keeping) = (&self.berths[at], self.keeping.as_ref());
        let is_ahead =
            keeping.is_some_and(|keeping| !keeping.own[at].may_advance(berth.lockstep.tick()));
        berth.may_advance(tick) && !is_ahead
    }

    /// Nothing may happen: time passes.
    fn wait(&mut self, tick: Tick) {
        let waits = |(at, berth): (usize, &Berth)| {
            let is_awake = berth.stalled_until <= self.turn;
            (is_awake && self.may_advance(at, tick)).then(|| berth.due())?
        };
        let due = self.berths.iter().enumerate().filter_map(waits).min();
        match (&mut self.clock, due) {
            (Some(clock), Some(due)) => clock.sleep_until(due),
            _ => self.turn = self.next_turn(),
        }
    }

    /// When the first shard wakes or the first envelope arrives.
    fn next_turn(&self) -> u64 {
        let stalls = self.berths.iter().map(|berth| berth.stalled_until);
        let busy = self.keeping.iter().flat_map(Keeping::next_turn);
        let turns = stalls.chain(self.mail.next_envelope_turn()).chain(busy);
        let next = turns.filter(|&turn| turn > self.turn).min();
        next.expect("a world whose shards are awake and whose mail has arrived goes on")
    }

    fn advance(&mut self, at: usize) {
        let berth = &mut self.berths[at];
        let tick = berth.lockstep.tick();
        let envelopes = berth.hub.advance(tick);
        berth.lockstep.advanced();
        if let Some(keeping) = &mut self.keeping {
            keeping.own[at].advanced(&mut berth.hub, tick);
        }
        let (faults, counts, chance) = (&self.faults, &mut self.counts, &mut self.chance);
        if let (Some(clock), Some(schedule)) = (&mut self.clock, &mut berth.schedule) {
            schedule.begin(clock.now());
            if strikes(faults.clock_jumps, &mut counts.clock_jumps, chance) {
                // As often a moment as a night.
                let ms = up_to(JUMP_MS_MAX, chance) >> (chance.next_u64() % 24);
                clock.jump(Duration::from_millis(ms));
            }
        }
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
        if let Some(keeping) = &mut self.keeping {
            keeping.own[at].absorbed(&mut berth.hub, tick);
        }
        berth.absorbed = tick;
        berth.unheard = true;
        self.stopwatch.halt();
        berth.digest = berth.hub.shard().digest();
        self.checkers.note(tick, berth.own, berth.digest);
        berth.stats = berth.hub.shard().stats();
        if self.is_ending || self.checkers.due(tick) {
            berth.seen = Some(ShardSeen::of(&berth.hub));
        }
        self.stopwatch.go();
        self.collect(at);
    }

    /// What the keeper or the scribe does next. What the journal does not take ends the process.
    fn do_chore(&mut self, chore: Chore) {
        let Some(keeping) = &mut self.keeping else {
            return;
        };
        let faults = if self.is_ending {
            &Faults::NONE
        } else {
            &self.faults
        };
        let (turn, crashes, chance) = (self.turn, self.counts.crashes(), &mut self.chance);
        let slow = || {
            let is_slow = strikes(faults.slow_disks, &mut crashes.slow_disks, chance);
            is_slow.then(|| turn + up_to(SLOW_TURNS_MAX, chance))
        };
        if keeping.waits_for(chore, slow) {
            return;
        }
        let done = match chore {
            Chore::Append => {
                if strikes(faults.full_disks, &mut crashes.full_disks, chance) {
                    keeping.disk.fill();
                }
                keeping.append()
            }
            Chore::Commit => keeping.commit(),
            Chore::LayOut => {
                keeping.lay_out();
                Ok(())
            }
            Chore::Write => {
                keeping.write();
                Ok(())
            }
            Chore::Tell(at) => {
                if let Some(tick) = keeping.own[at].news() {
                    self.berths[at].hub.durable(tick);
                    self.collect(at);
                }
                Ok(())
            }
        };
        if done.is_err() {
            self.is_broken = true;
        }
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
            while let Some(chore) = self
                .keeping
                .as_ref()
                .and_then(|keeping| keeping.chores(u64::MAX).next())
            {
                self.do_chore(chore);
                quiet = false;
            }
            while let Some(way) = self.mail.any_letter() {
                self.deliver(way);
                quiet = false;
            }
            // One hub's systems may answer what is asked at another.
            quiet &= !self.berths.iter().any(|berth| berth.hub.is_called());
            if quiet {
                return;
            }
        }
    }
}
