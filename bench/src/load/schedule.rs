//! When each of many senders is to send: evenly, one after the other, whatever became of the sends before.

use std::time::Duration;

/// Senders take turns; each comes once per interval.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    senders: u64,
    step_s: f64,
    start: Option<Duration>,
    ended: bool,
    next: u64,
}

/// A send and its time.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Due {
    pub(crate) sender: usize,
    /// Of the sender's sends, from 0.
    pub(crate) number: u32,
    pub(crate) at: Duration,
}

impl Schedule {
    pub(crate) fn new(senders: usize, rate_hz: f64) -> Self {
        Self {
            senders: senders as u64,
            step_s: (rate_hz * senders as f64).recip(),
            start: None,
            ended: false,
            next: 0,
        }
    }

    /// Begins; nothing is due before.
    pub(crate) fn begin(&mut self, now: Duration) {
        self.start = Some(now);
    }

    /// Nothing more is due.
    pub(crate) fn end(&mut self) {
        self.ended = true;
    }

    /// When the next send is due.
    pub(crate) fn next_at(&self) -> Option<Duration> {
        let start = self.start.filter(|_| !self.ended)?;
        Some(self.time(start, self.next))
    }

    /// The next send, if its time has come.
    pub(crate) fn take_due(&mut self, now: Duration) -> Option<Due> {
        let at = self.next_at()?;
        if at > now {
            return None;
        }
        let due = Due {
            sender: (self.next % self.senders) as usize,
            number: (self.next / self.senders) as u32,
            at,
        };
        self.next += 1;
        Some(due)
    }

    /// When a sender's send of this number is or was due.
    pub(crate) fn time_of(&self, sender: usize, number: u32) -> Duration {
        let count = u64::from(number) * self.senders + sender as u64;
        self.time(self.start.unwrap_or_default(), count)
    }

    fn time(&self, start: Duration, count: u64) -> Duration {
        start + Duration::from_secs_f64(count as f64 * self.step_s)
    }
}

#[cfg(test)]
mod tests;
