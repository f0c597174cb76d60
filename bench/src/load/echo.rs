//! Clients that get their own messages back: each in its order, once, as it was.

use std::collections::VecDeque;
use std::time::Duration;

use super::counts::Counts;
use super::fleet::{Actor, Heard};
use super::plan::{Pace, Plan};
use super::run::Driven;
use super::schedule::{Due, Schedule};
use super::tagged::{Tag, Tagged};

/// All clients.
pub(crate) struct Echo {
    counts: Counts,
    messages: Tagged,
    clients: Vec<Client>,
    schedule: Option<Schedule>,
    in_flight: usize,
    open: usize,
    running: bool,
}

#[derive(Default)]
struct Client {
    /// When each message was due that has not come back, the oldest first.
    away: VecDeque<Duration>,
    /// The number of the oldest.
    next: u32,
}

impl Echo {
    pub(crate) fn new(plan: &Plan, pace: Pace) -> Self {
        let (schedule, in_flight) = match pace {
            Pace::InFlight(count) => (None, count as usize),
            Pace::RateHz(rate_hz) => (Some(Schedule::new(plan.connections, rate_hz)), 0),
        };
        Self {
            counts: Counts::new(),
            messages: Tagged::new(
                plan.payload_bytes,
                plan.text,
                plan.target.dialect.before_sent(),
            ),
            clients: (0..plan.connections).map(|_| Client::default()).collect(),
            schedule,
            in_flight,
            open: 0,
            running: false,
        }
    }

    fn send(&mut self, who: usize, due: Duration, out: &mut Vec<u8>) {
        let client = &mut self.clients[who];
        let tag = Tag {
            sender: who as u32,
            number: client.next.wrapping_add(client.away.len() as u32),
        };
        client.away.push_back(due);
        self.messages.write(tag, out);
    }
}

impl Actor for Echo {
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
        let faults = &mut self.counts.faults;
        if tag.sender != who as u32 {
            faults.corrupted += 1;
            return faults.tell(|| format!("{who} got a message of {}", tag.sender));
        }
        let client = &mut self.clients[who];
        let ahead = tag.number.wrapping_sub(client.next) as usize;
        if ahead >= client.away.len() {
            faults.repeated += 1;
            return faults.tell(|| format!("{who} got its message {} again", tag.number));
        }
        if ahead > 0 {
            faults.lost += ahead as u64;
            faults.tell(|| format!("{who} misses {ahead} messages before {}", tag.number));
            client.away.drain(..ahead);
        }
        let due = client.away.pop_front().unwrap_or(now);
        client.next = tag.number.wrapping_add(1);
        self.counts.arrived(message.payload.len(), due, now);
    }

    fn rested(&mut self, who: usize, out: &mut Vec<u8>, now: Duration) {
        while self.running && !self.clients[who].is_full(self.in_flight) {
            self.send(who, now, out);
            self.counts.sent += u64::from(self.counts.counting);
        }
    }
}

impl Client {
    fn is_full(&self, in_flight: usize) -> bool {
        self.away.len() >= in_flight
    }
}

impl Driven for Echo {
    fn schedule(&mut self) -> Option<&mut Schedule> {
        self.schedule.as_mut()
    }

    fn say(&mut self, due: Due, out: &mut Vec<u8>) {
        self.send(due.sender, due.at, out);
    }

    fn is_ready(&self) -> bool {
        self.open == self.clients.len()
    }

    fn begin(&mut self) {
        self.running = true;
    }

    fn end(&mut self) {
        self.running = false;
    }

    fn missing(&self) -> u64 {
        self.clients.iter().map(|one| one.away.len() as u64).sum()
    }
}
