//! Clients that hear what one or all of them say, or all in their room: every message once, in its sender's order.

use std::time::Duration;

use super::counts::Counts;
use super::fleet::{Actor, Heard};
use super::plan::Plan;
use super::run::Driven;
use super::schedule::{Due, Schedule};
use super::tagged::{Tag, Tagged};

/// All clients, and the one more that sends a broadcast.
pub(crate) struct Fanout {
    counts: Counts,
    messages: Tagged,
    schedule: Schedule,
    receivers: usize,
    /// Connection of the first sender; the others follow.
    first_sender: usize,
    /// Messages that each sender has sent.
    sent: Vec<u32>,
    /// Senders that a connection hears: all, or those of its room.
    heard_by_each: usize,
    /// The number that each connection expects next, for each sender that it hears.
    next: Vec<u32>,
    /// Connections from this number on do not read.
    stalled_from: usize,
    open: usize,
    /// Whether senders hear themselves.
    returns: bool,
}

impl Fanout {
    /// One more connection sends to all.
    pub(crate) fn broadcast(plan: &Plan, rate_hz: f64) -> Self {
        Self::new(plan, plan.connections, 1, 1, rate_hz)
    }

    /// All send to all.
    pub(crate) fn all_to_all(plan: &Plan, rate_hz: f64) -> Self {
        Self::new(plan, 0, plan.connections, plan.connections, rate_hz)
    }

    /// All send to all in their room.
    pub(crate) fn rooms(plan: &Plan, rate_hz: f64) -> Self {
        let members = plan.target.room_members;
        Self::new(plan, 0, plan.connections, members, rate_hz)
    }

    fn new(
        plan: &Plan,
        first_sender: usize,
        senders: usize,
        heard_by_each: usize,
        rate_hz: f64,
    ) -> Self {
        let connections = plan.connections.max(first_sender + senders);
        Self {
            counts: Counts::new(),
            messages: Tagged::new(
                plan.payload_bytes,
                plan.text,
                plan.target.dialect.before_sent(),
            ),
            schedule: Schedule::new(senders, rate_hz),
            receivers: plan.connections,
            first_sender,
            sent: vec![0; senders],
            heard_by_each,
            next: vec![0; connections * heard_by_each],
            stalled_from: connections,
            open: 0,
            returns: false,
        }
    }

    fn senders(&self) -> usize {
        self.sent.len()
    }

    fn connections(&self) -> usize {
        self.next.len() / self.heard_by_each
    }

    /// The first of the senders that a connection hears.
    fn first_heard_by(&self, who: usize) -> usize {
        match self.heard_by_each == self.senders() {
            true => 0,
            false => who - who % self.heard_by_each,
        }
    }

    /// Whether a connection is to hear a sender.
    fn is_owed(&self, who: usize, sender: usize) -> bool {
        let own = who == self.first_sender + sender;
        let stalled = (self.stalled_from..self.receivers).contains(&who);
        (self.returns || !own) && !stalled
    }
}

impl Actor for Fanout {
    fn counts(&mut self) -> &mut Counts {
        &mut self.counts
    }

    fn opened(&mut self, _who: usize, _out: &mut Vec<u8>) {
        self.open += 1;
    }

    fn heard(&mut self, who: usize, message: Heard<'_>, _out: &mut Vec<u8>, now: Duration) {
        let Some(tag) = self.counts.read(&self.messages, &message) else {
            return;
        };
        let first = self.first_heard_by(who);
        let faults = &mut self.counts.faults;
        let sender = tag.sender as usize;
        if self.sent.get(sender).is_none_or(|sent| tag.number >= *sent) {
            faults.corrupted += 1;
            return faults.tell(|| format!("{who} got {tag}, which nobody sent"));
        }
        let Some(column) = sender
            .checked_sub(first)
            .filter(|at| *at < self.heard_by_each)
        else {
            faults.corrupted += 1;
            return faults.tell(|| format!("{who} got {tag}, which is of another room"));
        };
        self.returns |= who == self.first_sender + sender;
        let next = &mut self.next[who * self.heard_by_each + column];
        if tag.number < *next {
            faults.repeated += 1;
            return faults.tell(|| format!("{who} got {tag} after a later one"));
        }
        let missed = tag.number - *next;
        if missed > 0 {
            faults.lost += u64::from(missed);
            faults.tell(|| format!("{who} misses {missed} messages before {tag}"));
        }
        *next = tag.number + 1;
        let due = self.schedule.time_of(sender, tag.number);
        self.counts.arrived(message.payload.len(), due, now);
    }
}

impl Driven for Fanout {
    fn schedule(&mut self) -> Option<&mut Schedule> {
        Some(&mut self.schedule)
    }

    fn connection_of(&self, sender: usize) -> usize {
        self.first_sender + sender
    }

    fn say(&mut self, due: Due, out: &mut Vec<u8>) {
        let tag = Tag {
            sender: due.sender as u32,
            number: due.number,
        };
        self.sent[due.sender] = due.number + 1;
        self.messages.write(tag, out);
    }

    fn is_ready(&self) -> bool {
        self.open == self.connections()
    }

    fn stall(&mut self, from: usize) {
        self.stalled_from = from;
    }

    fn missing(&self) -> u64 {
        let mut missing = 0;
        for (who, next) in self.next.chunks(self.heard_by_each).enumerate() {
            let first = self.first_heard_by(who);
            let senders = (first..).zip(&self.sent[first..]);
            for (next, (sender, sent)) in next.iter().zip(senders) {
                if self.is_owed(who, sender) {
                    missing += u64::from(sent - next);
                }
            }
        }
        missing
    }
}
