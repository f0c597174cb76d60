//! Judges the world after every tick, by brute force over plain data. Never asks the engine what is right.
//!
//! One file, one checker. Each compares the facts with a rule of its own making; the first fact that breaks it is a
//! [`Finding`].

mod finding;
mod ground;

mod audit;
mod bounds;
mod continuity;
mod durable;
mod events;
mod ghosts;
mod mended;
mod owners;
mod pace;
mod visible;

use std::collections::BTreeMap;
use std::str::FromStr;

use worldshard_protocol::Tick;
use worldshard_spatial::{Point, ShardId};

use crate::sim::observed::{CameBack, EntitySeen, Observed, ShardSeen};

pub use finding::{Finding, Subject};

/// How much is checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Check {
    /// Nothing: the run is measured, or only its digest counts.
    None,
    /// Some ticks in a row, then a pause.
    Sample,
    /// Everything after every tick.
    All,
}

/// The brute-force form of a world's custom interest: whether a viewpoint sees an entity within reach.
pub type Oracle = fn(Point, &EntitySeen) -> bool;

/// All checkers of one run.
pub struct Checkers {
    check: Check,
    checkers: Vec<Box<dyn Checker>>,
    /// Of a world that is kept: it goes on when all others begin anew.
    durable: Option<durable::Durable>,
    oracles: Vec<Oracle>,
    checks: BTreeMap<&'static str, u64>,
}

/// Compares facts with one rule. Called with every observed tick in order, whatever lies between.
trait Checker {
    /// As findings and the summary name it.
    fn name(&self) -> &'static str;

    /// Looks at one tick; the number of facts compared.
    fn look(&mut self, now: &Observed) -> Result<u64, Finding>;

    /// Looks at the end of a run, when everything said was heard and everybody has caught up.
    fn finish(&mut self, now: &Observed) -> Result<u64, Finding> {
        let _ = now;
        Ok(0)
    }
}

impl Checkers {
    /// All of them, knowing nothing yet.
    #[must_use]
    pub fn new(check: Check) -> Self {
        Self::with_oracles(check, Vec::new())
    }

    /// As [`Checkers::new`], for a world with custom interests: one oracle for each, in their order.
    #[must_use]
    pub fn with_oracles(check: Check, oracles: Vec<Oracle>) -> Self {
        let checkers = of_one_process(oracles.clone());
        let checks = checkers.iter().map(|one| (one.name(), 0)).collect();
        Self {
            check,
            checkers,
            durable: None,
            oracles,
            checks,
        }
    }

    /// The world is kept: what comes back of it is compared with what was.
    pub(crate) fn keep(&mut self) {
        if self.check != Check::None {
            self.durable = Some(durable::Durable::new());
            self.checks.extend([("durable", 0), ("mended", 0)]);
        }
    }

    /// What a shard has after a tick.
    pub(crate) fn note(&mut self, tick: Tick, shard: ShardId, digest: u128) {
        if let Some(durable) = &mut self.durable {
            durable.note(tick, shard, digest);
        }
    }

    /// Looks at a world that came back. All that is of one process begins anew with what it sees next.
    pub(crate) fn came_back(&mut self, back: &CameBack) -> Result<(), Finding> {
        self.checkers = of_one_process(self.oracles.clone());
        if let Some(durable) = &mut self.durable {
            let checks = durable.compare(back)?;
            *self.checks.entry("durable").or_default() += checks;
        }
        Ok(())
    }

    /// Looks at a shard that was made again.
    pub(crate) fn mended(
        &mut self,
        tick: Tick,
        lost: &ShardSeen,
        made: &ShardSeen,
    ) -> Result<(), Finding> {
        let checks = mended::compare(tick, lost, made)?;
        *self.checks.entry("mended").or_default() += checks;
        Ok(())
    }

    /// Whether this tick is looked at: what is not need not be observed.
    #[must_use]
    pub fn due(&self, tick: Tick) -> bool {
        match self.check {
            Check::None => false,
            Check::Sample => tick.0 % SAMPLE_PERIOD_TICKS < SAMPLE_TICKS,
            Check::All => true,
        }
    }

    /// Looks at one tick. Ticks must ascend; the population of tick 0 may be the first.
    ///
    /// # Errors
    /// The first fact that breaks a rule.
    pub fn look(&mut self, now: &Observed) -> Result<(), Finding> {
        self.each(|checker| checker.look(now))
    }

    /// Looks at the end of a run. To be called when clients have said their last command, every letter and frame was
    /// delivered and a tick or two have passed since; `now` must be looked at as any other tick before.
    ///
    /// # Errors
    /// The first fact that breaks a rule.
    pub fn finish(&mut self, now: &Observed) -> Result<(), Finding> {
        self.each(|checker| checker.finish(now))
    }

    fn each(
        &mut self,
        mut ask: impl FnMut(&mut dyn Checker) -> Result<u64, Finding>,
    ) -> Result<(), Finding> {
        if self.check == Check::None {
            return Ok(());
        }
        let durable = self.durable.as_mut();
        let durable = durable.map(|durable| durable as &mut dyn Checker);
        let checkers = self
            .checkers
            .iter_mut()
            .map(|one| one.as_mut() as &mut dyn Checker);
        for checker in checkers.chain(durable) {
            let checks = ask(checker)?;
            *self.checks.entry(checker.name()).or_default() += checks;
        }
        Ok(())
    }

    /// Facts compared so far, by checker.
    #[must_use]
    pub fn checks(&self) -> &BTreeMap<&'static str, u64> {
        &self.checks
    }
}

fn of_one_process(oracles: Vec<Oracle>) -> Vec<Box<dyn Checker>> {
    vec![
        Box::new(owners::Owners::default()),
        Box::new(audit::AuditAgrees::default()),
        Box::new(ghosts::Ghosts::default()),
        Box::new(visible::Visible::new(oracles)),
        Box::new(continuity::Continuity::default()),
        Box::new(bounds::Bounded),
        Box::new(pace::Pace),
        Box::new(events::Events::default()),
    ]
}

impl FromStr for Check {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::None),
            "sample" => Ok(Self::Sample),
            "all" => Ok(Self::All),
            _ => Err(format!("no check is named {text:?}: none, sample or all")),
        }
    }
}

/// A sample is so many ticks in a row, because most rules speak of two that follow each other.
const SAMPLE_TICKS: u64 = 8;

/// A sample begins every so many ticks.
const SAMPLE_PERIOD_TICKS: u64 = 64;

#[cfg(test)]
mod tests;
