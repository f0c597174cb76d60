//! Which system panicked how often, and which is not run any more. Never catches a panic.

use std::collections::{BTreeMap, BTreeSet};

use crate::hub::Hub;

/// The panics of a hub's systems and text commands.
#[derive(Default)]
pub(crate) struct Blame {
    counts: BTreeMap<&'static str, u64>,
    /// Of those that panicked when they ran last: how often in a row.
    rows: BTreeMap<&'static str, u32>,
    quarantined: BTreeSet<&'static str>,
    last: Option<String>,
}

impl Blame {
    /// Panics, by the system's name.
    pub(crate) fn faults(&self) -> &BTreeMap<&'static str, u64> {
        &self.counts
    }

    /// The last one, for people.
    pub(crate) fn last(&self) -> Option<&str> {
        self.last.as_deref()
    }

    /// Whether a system is not to run.
    pub(crate) fn holds(&self, system: &'static str) -> bool {
        self.quarantined.contains(system)
    }

    /// A system ran to its end.
    pub(crate) fn clear(&mut self, system: &'static str) {
        if !self.rows.is_empty() {
            self.rows.remove(system);
        }
    }

    /// A system panicked; true when it is not to run any more.
    pub(crate) fn panicked(&mut self, system: &'static str, text: &str) -> bool {
        self.count(system, text);
        let row = self.rows.entry(system).or_default();
        *row += 1;
        *row >= PANICS_IN_A_ROW_MAX && self.quarantined.insert(system)
    }

    /// Something panicked that runs on whatever it does.
    pub(crate) fn count(&mut self, name: &'static str, text: &str) {
        *self.counts.entry(name).or_default() += 1;
        self.last = Some(format!("{name}: {text}"));
    }

    /// Something else of the shard panicked.
    pub(crate) fn tell(&mut self, text: String) {
        self.last = Some(text);
    }
}

impl Hub {
    /// Keeps the words of a panic of the shard for `/status`.
    pub(crate) fn note_panic(&mut self, text: String) {
        self.blame.tell(text);
    }

    /// Systems that do not run here any more.
    pub(crate) fn quarantined(&self) -> Vec<&'static str> {
        let services = self.blame.quarantined.iter().copied();
        services.chain(self.shard.quarantined()).collect()
    }
}

/// A system that panics so often without a turn in which it does not is not run any more: it would only cost time. High,
/// because a client may know how to make it panic, and must not end it for all by saying so a few times.
const PANICS_IN_A_ROW_MAX: u32 = 64;
