//! A disk of memory: what a crash leaves of what was written to it, and what can be wrong with it.
//!
//! Never decides when anything goes wrong: that is the simulation.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::{Mutex, MutexGuard, PoisonError};

use worldshard_shard::Chance;

use crate::durable::Store;

/// The files of a simulated world. What was appended and not synchronised is volatile.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<String, File>,
    /// Taken away since the folder was last synchronised: the last of them may come back.
    removed: Vec<(String, File)>,
    is_full: bool,
    /// How many changes it takes before it stands still; without, any number.
    changes_left: Option<u64>,
}

#[derive(Clone, Debug, Default)]
struct File {
    bytes: Vec<u8>,
    /// So many survive anything.
    synced: usize,
    /// The file does.
    is_named: bool,
}

/// What ended a process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Crash {
    /// It was killed: what it wrote is still on its way to the disk.
    Process,
    /// The machine stopped: what was on its way is lost in part.
    Machine,
}

impl Disk {
    /// A process ends; the number of files that lost bytes by it.
    pub(crate) fn crash(&self, crash: Crash, chance: &mut Chance) -> u64 {
        let mut state = self.lock();
        (state.is_full, state.changes_left) = (false, None);
        if crash == Crash::Process {
            return 0;
        }
        let removed = std::mem::take(&mut state.removed);
        let gone = chance.next_u64() % (removed.len() as u64 + 1);
        for (name, file) in removed.into_iter().skip(gone as usize) {
            state.files.entry(name).or_insert(file);
        }
        let mut torn = 0;
        state.files.retain(|_, file| {
            let vanishes = !file.is_named && chance.next_u64().is_multiple_of(2);
            torn += u64::from(vanishes || file.tear(chance));
            !vanishes
        });
        torn
    }

    /// From now on nothing more fits.
    pub(crate) fn fill(&self) {
        self.lock().is_full = true;
    }

    /// There is room again.
    pub(crate) fn make_room(&self) {
        self.lock().is_full = false;
    }

    /// After so many more changes it takes none.
    pub(crate) fn stop_after(&self, changes: u64) {
        self.lock().changes_left = Some(changes);
    }

    /// Turns one bit over. Done twice, the file is as it was.
    pub(crate) fn flip(&self, name: &str, bit: usize) {
        if let Some(file) = self.lock().files.get_mut(name)
            && let Some(byte) = file.bytes.get_mut(bit / 8)
        {
            *byte ^= 1 << (bit % 8);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether one more change is taken.
    fn change(&mut self) -> io::Result<()> {
        match &mut self.changes_left {
            Some(0) => Err(io::Error::other("the machine stops")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn room(&self) -> io::Result<()> {
        if self.is_full {
            return Err(ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

impl File {
    fn whole(bytes: &[u8]) -> Self {
        Self {
            bytes: bytes.to_vec(),
            synced: bytes.len(),
            is_named: true,
        }
    }

    /// Keeps some of the volatile bytes, the last of them perhaps not as they were. Whether any is lost.
    fn tear(&mut self, chance: &mut Chance) -> bool {
        let volatile = self.bytes.len() - self.synced;
        self.is_named = true;
        if volatile == 0 {
            return false;
        }
        let kept = (chance.next_u64() % (volatile as u64 + 1)) as usize;
        self.bytes.truncate(self.synced + kept);
        if kept > 0 && chance.next_u64().is_multiple_of(4) {
            // Within the last few: behind them nothing was written.
            let near = (chance.next_u64() % kept.min(TORN_BYTES_MAX) as u64) as usize;
            let at = self.bytes.len() - 1 - near;
            self.bytes[at] ^= 1 << (chance.next_u64() % 8);
        }
        self.synced = self.bytes.len();
        kept < volatile
    }
}

impl Store for Disk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.lock().files.keys().cloned().collect())
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let state = self.lock();
        let file = state.files.get(name).ok_or(ErrorKind::NotFound)?;
        Ok(file.bytes.clone())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.lock();
        state.room()?;
        state.change()?;
        state.files.insert(name.to_owned(), File::whole(bytes));
        state.removed.clear();
        Ok(())
    }

    fn append(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.lock();
        state.change()?;
        let fits = match state.room() {
            Ok(()) => bytes.len(),
            Err(_) => bytes.len() / 2,
        };
        let file = state.files.entry(name.to_owned()).or_default();
        file.bytes.extend_from_slice(&bytes[..fits]);
        state.room()
    }

    fn sync(&self, name: &str) -> io::Result<()> {
        let mut state = self.lock();
        state.change()?;
        let file = state.files.entry(name.to_owned()).or_default();
        (file.synced, file.is_named) = (file.bytes.len(), true);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.lock();
        state.change()?;
        if let Some(file) = state.files.remove(name) {
            state.removed.push((name.to_owned(), file));
        }
        Ok(())
    }
}

/// A damaged bit of a torn file is among so many last bytes: fewer than any piece has.
const TORN_BYTES_MAX: usize = 8;

#[cfg(test)]
mod tests;
