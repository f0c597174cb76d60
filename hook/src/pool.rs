//! The threads that post, and what waits for them. They end when nobody has the pool any more, within the grace.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use worldshard::identity::{Applicant, Entry};
use worldshard::prelude::SessionId;

use crate::clock;
use crate::delivery::{Delivery, Undelivered};
use crate::event::{Happened, What, asks};
use crate::options::{HookOptions, OnError};
use crate::queue::Queue;
use crate::reply::{Address, DENIED, Decision, Replies, of_auth, of_event};
use crate::status::{Count, Counts};

/// Posts what is put into it. Dropped, it posts what waits, for as long as the grace, and ends.
pub(crate) struct Pool {
    office: Arc<Office>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What the threads share.
pub(crate) struct Office {
    pub(crate) options: HookOptions,
    pub(crate) counts: Arc<Counts>,
    pub(crate) replies: Replies,
    delivery: Delivery,
    /// One for each thread.
    events: Vec<Queue<Happened>>,
    applicants: Queue<Applicant>,
    /// Of letters.
    last: AtomicU64,
}

impl Pool {
    pub(crate) fn new(options: HookOptions, counts: Arc<Counts>, process: [u8; 8]) -> Self {
        let queue = |_| Queue::new(options.events_max, options.events_bytes_max);
        let office = Office {
            delivery: Delivery::new(&options, Arc::clone(&counts), process),
            replies: Replies::new(options.replies_max),
            events: (0..options.workers).map(queue).collect(),
            applicants: Queue::new(options.decisions_max, usize::MAX),
            last: AtomicU64::new(0),
            counts,
            options,
        };
        Self {
            office: Arc::new(office),
            threads: Mutex::default(),
        }
    }

    /// Begins its threads, once.
    ///
    /// # Errors
    /// The system has none left.
    pub(crate) fn start(&self) -> std::io::Result<()> {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        if !threads.is_empty() {
            return Ok(());
        }
        let named = |name: String| Builder::new().name(name);
        for number in 0..self.office.events.len() {
            let office = Arc::clone(&self.office);
            let run = move || office.post_events(number);
            threads.push(named(format!("hook {number}")).spawn(run)?);
        }
        let deciders = match self.office.options.events.auth {
            true => self.office.options.deciders,
            false => 0,
        };
        for number in 0..deciders {
            let office = Arc::clone(&self.office);
            let run = move || office.ask_for_applicants();
            threads.push(named(format!("hook auth {number}")).spawn(run)?);
        }
        Ok(())
    }

    pub(crate) fn office(&self) -> &Arc<Office> {
        &self.office
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let at = clock::now() + self.office.options.grace;
        for queue in &self.office.events {
            queue.end(at);
        }
        // Whoever asks to be let in is gone with the server.
        self.office.applicants.end(clock::now());
        let threads = std::mem::take(
            self.threads
                .get_mut()
                .unwrap_or_else(PoisonError::into_inner),
        );
        for thread in threads {
            // One that panicked said so.
            let _ = thread.join();
        }
        let left: usize = self.office.events.iter().map(Queue::len).sum();
        if left > 0 {
            tracing::warn!(
                events = left,
                "the hook's service was not told of all before the end"
            );
        }
    }
}

impl Office {
    /// Has an event posted, behind those of its session.
    pub(crate) fn post(&self, happened: Happened) {
        if self.delivery.is_left_alone() {
            return self.drop_event("the service is left alone");
        }
        let bytes = happened.what.bytes();
        if self
            .queue_of(happened.session)
            .put(happened, bytes)
            .is_err()
        {
            self.drop_event("too many wait");
        }
    }

    /// Has somebody asked for who would come in.
    pub(crate) fn ask(&self, applicant: Applicant) {
        if self.delivery.is_left_alone() {
            return self.decide_unasked(applicant);
        }
        if let Err(applicant) = self.applicants.put(applicant, 0) {
            warn_at_times(
                self.counts.decisions_refused.add(),
                "too many ask to be let in",
            );
            applicant.token.deny("too many wait to be let in");
        }
    }

    fn queue_of(&self, session: SessionId) -> &Queue<Happened> {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(session.value());
        &self.events[hash as usize % self.events.len()]
    }

    fn drop_event(&self, why: &'static str) {
        warn_at_times(self.counts.events_dropped.add(), why);
    }

    fn post_events(&self, number: usize) {
        let queue = &self.events[number];
        while let Some(happened) = queue.take() {
            let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
            let trace = self.delivery.trace(happened.session.value());
            let letter = self.delivery.letter(number, &trace, |id| happened.body(id));
            let rest = |pause| queue.rest(pause);
            let brought = self.delivery.bring(&letter, number, || true, rest);
            match brought {
                Ok(body) => {
                    count(&self.counts.events_sent);
                    self.reply(&happened, &body);
                }
                Err(Undelivered::Refused(status)) => {
                    count(&self.counts.events_refused);
                    tracing::debug!(status, "the hook's service refused an event");
                }
                Err(Undelivered::Failed) => {
                    let failed = self.counts.events_failed.add();
                    warn_at_times(failed, "all tries failed");
                }
                Err(Undelivered::LeftAlone) => self.drop_event("the service is left alone"),
                Err(Undelivered::TooLate | Undelivered::Unwanted) => {
                    self.drop_event("the server stops");
                }
            }
        }
    }

    /// Brings what the service says of an event to its session.
    fn reply(&self, happened: &Happened, body: &[u8]) {
        let address = match &happened.what {
            What::Service {
                service,
                kind,
                room,
                seq,
                ..
            } => Some(Address {
                service: service.clone(),
                kind: kind.clone(),
                room: room.clone(),
                seq: *seq,
            }),
            What::Message(_) | What::Connect { .. } => None,
            // There is nobody to be told.
            What::Disconnect { .. } => return,
        };
        match of_event(happened.session, body, address) {
            Ok(None) => {}
            Ok(Some(reply)) => {
                if !self.replies.put(reply) {
                    let dropped = self.counts.replies_dropped.add();
                    warn_at_times(dropped, "too many replies wait");
                }
            }
            Err(()) => warn_at_times(self.counts.answers_bad.add(), "an answer cannot be read"),
        }
    }

    fn ask_for_applicants(&self) {
        while let Some(applicant) = self.applicants.take() {
            let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
            let trace = match applicant.trace {
                Some(trace) => trace.to_string(),
                None => self.delivery.trace(number),
            };
            let letter = self
                .delivery
                .letter(number, &trace, |id| asks(&applicant, id));
            let is_wanted = || applicant.token.is_wanted();
            let rest = |pause| self.applicants.rest(pause);
            match self.delivery.bring(&letter, number, is_wanted, rest) {
                Ok(body) => match of_auth(&body) {
                    Ok(Decision::Allow(entry)) => {
                        count(&self.counts.decisions_allowed);
                        applicant.token.allow(entry);
                    }
                    Ok(Decision::Deny(reason)) => {
                        count(&self.counts.decisions_denied);
                        applicant.token.deny(reason);
                    }
                    Err(()) => {
                        warn_at_times(self.counts.answers_bad.add(), "an answer cannot be read");
                        self.decide_unasked(applicant);
                    }
                },
                Err(Undelivered::Refused(401 | 403)) => {
                    count(&self.counts.decisions_denied);
                    applicant.token.deny(DENIED);
                }
                Err(Undelivered::Unwanted | Undelivered::TooLate) => {
                    count(&self.counts.decisions_unwanted);
                }
                Err(Undelivered::Refused(_) | Undelivered::Failed | Undelivered::LeftAlone) => {
                    self.decide_unasked(applicant);
                }
            }
        }
    }

    /// The service does not say who comes in.
    fn decide_unasked(&self, applicant: Applicant) {
        warn_at_times(
            self.counts.decisions_failed.add(),
            "the service does not decide",
        );
        match self.options.on_error {
            OnError::Deny => applicant.token.deny("who is let in cannot be told now"),
            OnError::Allow => applicant.token.allow(Entry::default()),
        }
    }
}

fn count(count: &Count) {
    count.add();
}

/// What happens again and again is in the log the first time, the second, the fourth and so on.
fn warn_at_times(times: u64, why: &'static str) {
    if times.is_power_of_two() {
        tracing::warn!(why, times, "the hook does not do all that it should");
    }
}
