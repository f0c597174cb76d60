//! The key by which a process signs: from the system, and with a folder the same for all processes that had it.
//!
//! Never signs, and never shows the key.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Bytes that nobody can guess, for a key or a name of its own.
///
/// # Errors
/// When the system has no randomness.
pub fn fresh<const BYTES: usize>() -> io::Result<[u8; BYTES]> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(bytes)
}

/// The key of a folder, which its first process makes. One that is not whole is made anew, and what it signed is void.
///
/// # Errors
/// What the system says.
pub(super) fn kept(folder: &Path) -> io::Result<[u8; 32]> {
    let path = folder.join(NAME);
    match fs::read(&path) {
        Ok(bytes) => match bytes.try_into() {
            Ok(key) => return Ok(key),
            Err(_) => tracing::warn!(path = %path.display(), "not a key: another one is made"),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let key: [u8; 32] = fresh()?;
    write(folder, NAME, &key)?;
    Ok(key)
}

/// Writes a file that nobody but its owner may read: whole or not at all, whenever this process or the machine fails.
///
/// # Errors
/// What the system says.
pub(super) fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let unfinished = folder.join(format!("{name}.unfinished"));
    // It may be of a process that was killed, and then its mode is not known.
    if let Err(error) = fs::remove_file(&unfinished)
        && error.kind() != ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, folder.join(name))?;
    File::open(folder)?.sync_all()
}

const NAME: &str = "key";

#[cfg(test)]
mod tests;
