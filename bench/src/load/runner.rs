//! What all scenarios do alike: open connections, wait, measure what the server spends meanwhile.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use rustix::io::Errno;

use super::fleet::{Actor, Fleet};
use super::plan::{Plan, PlanError};
use super::process::{self, Usage};
use super::schedule::Schedule;
use super::socket::cannot_connect;
use crate::clock;

/// A run under way.
pub(crate) struct Runner<'a, A> {
    pub(crate) plan: &'a Plan,
    pub(crate) fleet: Fleet,
    pub(crate) actor: A,
    pub(crate) progress: &'a mut dyn FnMut(&str),
    told: Duration,
    /// The server before the first connection.
    pub(crate) before: Option<Usage>,
}

impl<'a, A: Actor> Runner<'a, A> {
    pub(crate) fn new(
        plan: &'a Plan,
        connections: usize,
        actor: A,
        progress: &'a mut dyn FnMut(&str),
    ) -> Result<Self, Failed> {
        Ok(Self {
            plan,
            fleet: Fleet::new(plan.target.clone(), plan.seed, connections)?,
            actor,
            progress,
            told: clock::now(),
            before: usage(plan.pid)?,
        })
    }

    /// Opens the connections of a range, a batch at a time, or so many a second.
    pub(crate) fn open(&mut self, who: Range<usize>, rate_hz: Option<f64>) -> Result<(), Failed> {
        let all = who.len();
        let already = self.fleet.open;
        let mut next = who.start;
        let mut schedule = rate_hz.map(|rate_hz| Schedule::new(1, rate_hz));
        let mut best = (0, clock::now());
        if let Some(schedule) = &mut schedule {
            schedule.begin(best.1);
        }
        loop {
            while next < who.end && self.fleet.opening < self.plan.batch {
                let now = clock::now();
                let due = match &mut schedule {
                    None => Some(now),
                    Some(schedule) => schedule.take_due(now).map(|due| due.at),
                };
                let Some(due) = due else { break };
                self.actor.connecting(next, due);
                if schedule.is_some() {
                    self.actor.counts().left(due, now);
                }
                let begun = self.fleet.connect(next, &mut self.actor);
                begun.map_err(|error| {
                    Failed::Server(cannot_connect(&self.plan.target.addr, error))
                })?;
                next += 1;
            }
            let opened = self.fleet.open - already;
            if opened == all {
                return Ok(());
            }
            let now = clock::now();
            if opened > best.0 {
                best = (opened, now);
            }
            self.check_opening(opened, all, now.saturating_sub(best.1))?;
            self.tell(|| format!("{opened} of {all} connections open"));
            let due = schedule.as_ref().and_then(Schedule::next_at);
            let wake = due.map_or(now + GLANCE, |due| due.min(now + GLANCE));
            self.fleet.poll(&mut self.actor, wake)?;
        }
    }

    /// # Errors
    /// When they will not all open: one was refused, or none was opened for too long.
    fn check_opening(&mut self, opened: usize, all: usize, since: Duration) -> Result<(), Failed> {
        let faults = &self.actor.counts().faults;
        if faults.closed > 0 {
            let why = faults.examples.first().map_or("", String::as_str);
            return Err(Failed::Server(format!(
                "{opened} of {all} connections are open, and then {why}"
            )));
        }
        if since > OPENING_PATIENCE {
            return Err(Failed::Server(format!(
                "{opened} of {all} connections are open, and no more for {OPENING_PATIENCE:?}; try a smaller --batch"
            )));
        }
        Ok(())
    }

    /// Says goodbye on all connections, and waits until the server has answered each.
    pub(crate) fn close(&mut self) -> Result<(), Failed> {
        self.fleet.set_ending(true);
        self.fleet.close_all(&mut self.actor);
        if !self.await_that(OPENING_PATIENCE, |fleet, _| fleet.open == 0)? {
            let left = self.fleet.open;
            let faults = &mut self.actor.counts().faults;
            faults.closed += left as u64;
            faults.tell(|| format!("{left} connections were closed and not answered"));
        }
        self.fleet.cut_all();
        self.fleet.set_ending(false);
        Ok(())
    }

    /// Says how far it is, from time to time.
    pub(crate) fn tell(&mut self, what: impl FnOnce() -> String) {
        let now = clock::now();
        if now.saturating_sub(self.told) >= PROGRESS_INTERVAL {
            self.told = now;
            (self.progress)(&what());
        }
    }

    /// Hears what comes until `done` says so, for at most `patience`; whether it did.
    pub(crate) fn await_that(
        &mut self,
        patience: Duration,
        mut done: impl FnMut(&Fleet, &mut A) -> bool,
    ) -> Result<bool, Failed> {
        let deadline = clock::now() + patience;
        loop {
            if done(&self.fleet, &mut self.actor) {
                return Ok(true);
            }
            let now = clock::now();
            if now >= deadline {
                return Ok(false);
            }
            self.fleet.poll(&mut self.actor, now + GLANCE)?;
        }
    }
}

/// What was measured from one moment to another.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    pub(crate) length: Duration,
    /// Of the server; `None` without a process to measure.
    pub(crate) server: Option<Spent>,
    pub(crate) own_cpu: Duration,
}

/// What a server spent and holds.
#[derive(Clone, Debug)]
pub(crate) struct Spent {
    pub(crate) cpu: Duration,
    pub(crate) others_cpu: Duration,
    pub(crate) after: Usage,
}

/// Takes what the system says at the beginning of a window, and the differences at its end.
pub(crate) struct Meter {
    pid: Option<u32>,
    at: Duration,
    server: Option<Usage>,
    own_cpu: Duration,
    all_cpu: Duration,
}

impl Meter {
    pub(crate) fn begin(pid: Option<u32>) -> Result<Self, Failed> {
        Ok(Self {
            pid,
            server: usage(pid)?,
            all_cpu: process::all_busy(),
            own_cpu: clock::process_busy(),
            at: clock::now(),
        })
    }

    pub(crate) fn end(&self) -> Result<Window, Failed> {
        let length = clock::now().saturating_sub(self.at);
        let own_cpu = clock::process_busy().saturating_sub(self.own_cpu);
        let all_cpu = process::all_busy().saturating_sub(self.all_cpu);
        let spent = |(after, before): (Usage, &Usage)| {
            let cpu = after.cpu_since(before);
            Spent {
                cpu,
                others_cpu: all_cpu.saturating_sub(cpu + own_cpu),
                after,
            }
        };
        Ok(Window {
            length,
            server: usage(self.pid)?.zip(self.server.as_ref()).map(spent),
            own_cpu,
        })
    }
}

pub(crate) fn usage(pid: Option<u32>) -> Result<Option<Usage>, Failed> {
    let look = |pid| {
        Usage::of(pid).map_err(|error| {
            Failed::Server(format!(
                "--pid {pid}: {error}; it is the number of the server's process"
            ))
        })
    };
    pid.map(look).transpose()
}

/// What ends a run without a report.
#[derive(Debug)]
pub enum Failed {
    /// The plan cannot be.
    Plan(PlanError),
    /// The server cannot be reached or measured, or lets nobody in.
    Server(String),
    /// This process's own system calls failed.
    System(Errno),
}

impl From<PlanError> for Failed {
    fn from(error: PlanError) -> Self {
        Self::Plan(error)
    }
}

impl From<Errno> for Failed {
    fn from(error: Errno) -> Self {
        Self::System(error)
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plan(error) => error.fmt(f),
            Self::Server(what) => f.write_str(what),
            Self::System(error) => write!(f, "a system call failed: {error}"),
        }
    }
}

impl std::error::Error for Failed {}

/// Without one more connection for so long, the others will not open either.
pub(crate) const OPENING_PATIENCE: Duration = Duration::from_secs(10);

/// Between two lines of progress.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);

/// The longest wait: what is awaited may not be a socket's event.
pub(crate) const GLANCE: Duration = Duration::from_millis(20);
