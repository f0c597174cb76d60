//! Values by name, and in which order they changed. Shared by all shards; never knows who is told of them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

/// What is to be shown: JSON values by name. A clone is the same board.
///
/// Systems of any shard and any stage write on it, and so may other threads. It takes a lock, for as long as one value is
/// put down. Of two that write one name in the same tick the later counts, whichever that is: let each name have one writer.
#[derive(Clone, Default)]
pub struct SnapshotBoard(Arc<Mutex<Values>>);

/// Everything on a board.
#[derive(Default)]
struct Values {
    /// Counts changes.
    version: u64,
    by_name: BTreeMap<Arc<str>, Value>,
    /// The last change of each name, also of those that were removed.
    changes: BTreeMap<u64, Arc<str>>,
    /// The changes of removed names, in order, so that not all are kept for ever.
    removed: BTreeMap<Arc<str>, u64>,
    /// What changed up to here may be forgotten.
    forgotten: u64,
}

struct Value {
    json: Arc<RawValue>,
    changed: u64,
}

/// What changed on a board since some version, or all of it.
pub(super) struct Changes {
    pub(super) is_full: bool,
    pub(super) upserted: BTreeMap<Arc<str>, Arc<RawValue>>,
    pub(super) removed: Vec<Arc<str>>,
    /// Of which version it is.
    pub(super) version: u64,
}

impl SnapshotBoard {
    /// An empty board.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a value down under a name, in place of the one it had. The same one again is no change.
    ///
    /// False when it is not put down: it cannot be JSON, or the board has 10 000 others.
    pub fn set(&self, name: &str, value: &impl Serialize) -> bool {
        let Ok(json) = to_raw_value(value) else {
            return false;
        };
        let mut values = self.values();
        if let Some(before) = values.by_name.get(name) {
            if before.json.get() == json.get() {
                return true;
            }
        } else if values.by_name.len() >= VALUES_MAX {
            return false;
        }
        let name = Arc::from(name);
        let changed = values.change(&name);
        let json = json.into();
        values.by_name.insert(name, Value { json, changed });
        true
    }

    /// Takes a value off; false when there is none.
    pub fn remove(&self, name: &str) -> bool {
        let mut values = self.values();
        let Some((name, _)) = values.by_name.get_key_value(name) else {
            return false;
        };
        let name = Arc::clone(name);
        let changed = values.change(&name);
        values.by_name.remove(&name);
        values.removed.insert(name, changed);
        values.forget();
        true
    }

    /// What changed after a version; all of it, when that is too long ago. None when nothing did.
    pub(super) fn since(&self, version: u64) -> Option<Changes> {
        let values = self.values();
        if version == values.version {
            return None;
        }
        if version < values.forgotten {
            return Some(values.all());
        }
        let mut changes = Changes {
            is_full: false,
            upserted: BTreeMap::new(),
            removed: Vec::new(),
            version: values.version,
        };
        for name in values.changes.range(version + 1..).map(|(_, name)| name) {
            match values.by_name.get(name) {
                Some(value) => {
                    let json = Arc::clone(&value.json);
                    changes.upserted.insert(Arc::clone(name), json);
                }
                None => changes.removed.push(Arc::clone(name)),
            }
        }
        changes.removed.sort_unstable();
        Some(changes)
    }

    /// All of it.
    pub(super) fn all(&self) -> Changes {
        self.values().all()
    }

    fn values(&self) -> MutexGuard<'_, Values> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Values {
    /// The next version, which is the last change of this name.
    fn change(&mut self, name: &Arc<str>) -> u64 {
        let before = self.by_name.get(name).map(|value| value.changed);
        if let Some(before) = before.or_else(|| self.removed.remove(name)) {
            self.changes.remove(&before);
        }
        self.version += 1;
        self.changes.insert(self.version, Arc::clone(name));
        self.version
    }

    /// Forgets the removals of long ago: who has not heard of them is told all.
    fn forget(&mut self) {
        if self.removed.len() <= REMOVED_MAX {
            return;
        }
        let mut removals: Vec<u64> = self.removed.values().copied().collect();
        removals.sort_unstable();
        // Half of them at once, so that it is seldom.
        self.forgotten = removals[removals.len() / 2];
        let forgotten = self.forgotten;
        self.removed.retain(|_, change| *change > forgotten);
        let by_name = &self.by_name;
        let is_there =
            |change: &u64, name: &Arc<str>| *change > forgotten || by_name.contains_key(name);
        self.changes.retain(|change, name| is_there(change, name));
    }

    fn all(&self) -> Changes {
        let values = self.by_name.iter();
        let upserted = values.map(|(name, value)| (Arc::clone(name), Arc::clone(&value.json)));
        Changes {
            is_full: true,
            upserted: upserted.collect(),
            removed: Vec::new(),
            version: self.version,
        }
    }
}

impl fmt::Debug for SnapshotBoard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.values().by_name.len();
        f.debug_struct("SnapshotBoard")
            .field("names", &names)
            .finish()
    }
}

/// Names of one board; another one is refused.
const VALUES_MAX: usize = 10_000;

/// Removals that are kept; when there are more, whoever is behind them is told all.
const REMOVED_MAX: usize = 1000;

#[cfg(test)]
mod tests;
