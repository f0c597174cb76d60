//! A folder of the file system as a store. Never knows what is in a file.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{FlockOperation, flock};

use crate::durable::{FileName, Store};

/// A folder that this process has for itself.
pub(crate) struct Directory {
    path: PathBuf,
    /// Synchronised after a file was made, renamed or removed, so that its name survives too.
    folder: File,
    /// Files that are appended to.
    open: Mutex<BTreeMap<String, Arc<File>>>,
    /// Held for as long as the store is used.
    _lock: File,
}

impl Directory {
    /// Opens a folder, makes it if need be, and locks it. What a process before left unfinished goes.
    ///
    /// # Errors
    /// What the system says; `WouldBlock` when another process has it.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path.join(LOCK))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        remove_unfinished(path)?;
        Self::over(path, lock)
    }

    /// Opens a folder to read it, whoever writes to it.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn look(path: &Path) -> io::Result<Self> {
        Self::over(path, File::open(path)?)
    }

    fn over(path: &Path, lock: File) -> io::Result<Self> {
        Ok(Self {
            folder: File::open(path)?,
            path: path.to_owned(),
            open: Mutex::default(),
            _lock: lock,
        })
    }

    fn appended(&self, name: &str) -> io::Result<Arc<File>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = open.get(name) {
            return Ok(Arc::clone(file));
        }
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.path.join(name))?;
        self.folder.sync_all()?;
        let file = Arc::new(file);
        open.insert(name.to_owned(), Arc::clone(&file));
        Ok(file)
    }
}

impl Store for Directory {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let name = entry?.file_name();
            names.extend(
                name.into_string()
                    .ok()
                    .filter(|name| !name.ends_with(UNFINISHED)),
            );
        }
        Ok(names)
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.path.join(name))
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let unfinished = self.path.join(format!("{name}{UNFINISHED}"));
        let written = File::create(&unfinished).and_then(|mut file| {
            // In pieces: one long write would hold up the journal beside it.
            for piece in bytes.chunks(PIECE_BYTES) {
                file.write_all(piece)?;
                file.sync_data()?;
            }
            file.sync_all()
        });
        let written = written.and_then(|()| fs::rename(&unfinished, self.path.join(name)));
        if written.is_err() {
            // Nothing more can be done about a file that cannot be removed either.
            let _ = fs::remove_file(&unfinished);
        }
        written?;
        self.folder.sync_all()
    }

    fn append(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let file = self.appended(name)?;
        (&*file).write_all(bytes)
    }

    fn sync(&self, name: &str) -> io::Result<()> {
        self.appended(name)?.sync_data()
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.remove(name);
        match fs::remove_file(self.path.join(name)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }
}

/// Only files of a world: the folder may have others in it.
fn remove_unfinished(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name();
        let of = name.to_str().and_then(|name| name.strip_suffix(UNFINISHED));
        if of.and_then(FileName::parse).is_some() && entry.file_type()?.is_file() {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

const LOCK: &str = "lock";

/// Behind the name of a file that is being written.
const UNFINISHED: &str = ".unfinished";

/// Synchronised at once.
const PIECE_BYTES: usize = 4 * 1024 * 1024;

#[cfg(test)]
mod tests;
