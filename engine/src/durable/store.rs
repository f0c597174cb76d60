//! Where the files of a world are kept: the seam to a real directory or a simulated disk. Never knows what is in a file.

use std::io;

/// A flat folder of files, used by several threads.
pub trait Store: Send + Sync {
    /// The names of all files, in any order. Files that a broken [`write`](Store::write) left behind are not among them.
    ///
    /// # Errors
    /// What the system says.
    fn list(&self) -> io::Result<Vec<String>>;

    /// All bytes of a file.
    ///
    /// # Errors
    /// What the system says; `NotFound` when there is no such file.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;

    /// Makes a whole file that survives a crash, in place of one of the same name: after a crash it is there whole, or as
    /// it was before.
    ///
    /// # Errors
    /// What the system says; then the file is as it was before.
    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()>;

    /// Puts bytes behind those of a file, which is made if need be. Until [`sync`](Store::sync) returns, a crash may keep
    /// any part of them.
    ///
    /// # Errors
    /// What the system says; then a part of the bytes may be there.
    fn append(&self, name: &str, bytes: &[u8]) -> io::Result<()>;

    /// Returns when all that was appended to a file, and the file itself, survives a crash.
    ///
    /// # Errors
    /// What the system says; then nothing is known of what was appended.
    fn sync(&self, name: &str) -> io::Result<()>;

    /// Takes a file away. One that is not there counts as taken away.
    ///
    /// # Errors
    /// What the system says.
    fn remove(&self, name: &str) -> io::Result<()>;
}
