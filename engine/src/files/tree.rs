//! What is in a folder: its files, read into memory, by their names below it. Knows no request.

use std::collections::BTreeMap;
use std::fs::{self, DirEntry, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_128;

use super::content_type::content_type;

/// The files of a folder, by their names below it: `client/main.js`.
#[derive(Default)]
pub(super) struct Tree {
    files: BTreeMap<String, Arc<Served>>,
}

/// One file.
pub(super) struct Served {
    pub(super) content_type: &'static str,
    pub(super) bytes: Bytes,
    /// With its quotation marks. Follows from the bytes, so it is the same after a restart and on other machines.
    pub(super) tag: String,
    stamp: Stamp,
    /// It was read when its stamp had been the same for a while: what changes it from then on changes the stamp too.
    is_settled: bool,
}

/// What a file shows of itself without being read.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    len: u64,
    modified: Option<SystemTime>,
}

/// What a name stands for.
pub(super) enum Found<'a> {
    File(&'a Served),
    /// A folder with a page, whose name lacks the slash behind it.
    FolderWithoutSlash,
}

/// One reading of a folder.
struct Reading<'a> {
    root: PathBuf,
    before: &'a Tree,
    files: BTreeMap<String, Arc<Served>>,
    bytes_left: usize,
    bytes_max: usize,
}

impl Tree {
    /// Reads a folder, but for what has not changed since `before`.
    ///
    /// Left out are names that begin with a dot (but `.well-known`) or are not UTF-8, links that lead out of the folder,
    /// links to folders, and whatever else is no file.
    ///
    /// # Errors
    /// In words: what cannot be read, or is more than may be served.
    pub(super) fn read(folder: &Path, bytes_max: usize, before: &Tree) -> Result<Self, String> {
        // The folder may be a link itself, which is how one is exchanged for another in one step.
        let root = fs::canonicalize(folder).map_err(|error| error.to_string())?;
        let mut reading = Reading {
            root: root.clone(),
            before,
            files: BTreeMap::new(),
            bytes_left: bytes_max,
            bytes_max,
        };
        reading.folder(&root, "", 0)?;
        Ok(Self {
            files: reading.files,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    /// What a name stands for; of a folder, with a slash behind it or empty, its page.
    pub(super) fn find(&self, name: &str) -> Option<Found<'_>> {
        let file = |name: &str| self.files.get(name).map(|file| &**file);
        if name.is_empty() || name.ends_with('/') {
            return file(&format!("{name}{PAGE}")).map(Found::File);
        }
        let folder = || {
            let page = file(&format!("{name}/{PAGE}"));
            page.map(|_| Found::FolderWithoutSlash)
        };
        file(name).map(Found::File).or_else(folder)
    }
}

impl Reading<'_> {
    fn folder(&mut self, folder: &Path, prefix: &str, depth: usize) -> Result<(), String> {
        if depth > DEPTH_MAX {
            return Err(format!("{prefix}: deeper than {DEPTH_MAX} folders"));
        }
        let wrong = |error: io::Error| match prefix {
            "" => error.to_string(),
            _ => format!("{prefix}: {error}"),
        };
        for entry in fs::read_dir(folder).map_err(wrong)? {
            let entry = entry.map_err(wrong)?;
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| is_shown(name)) else {
                continue;
            };
            let name = format!("{prefix}{name}");
            match self.entry(&entry, &name, depth) {
                Err(Trouble::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
                    // It was removed while the folder was read.
                }
                Err(Trouble::Io(error)) => return Err(format!("{name}: {error}")),
                Err(Trouble::Told(why)) => return Err(why),
                Ok(()) => {}
            }
        }
        Ok(())
    }

    fn entry(&mut self, entry: &DirEntry, name: &str, depth: usize) -> Result<(), Trouble> {
        let kind = entry.file_type()?;
        let mut path = entry.path();
        if kind.is_dir() {
            let inside = format!("{name}/");
            return self
                .folder(&path, &inside, depth + 1)
                .map_err(Trouble::Told);
        }
        if kind.is_symlink() {
            path = fs::canonicalize(&path)?;
            if !path.starts_with(&self.root) {
                tracing::debug!(name, "a link that leads out of the folder is not served");
                return Ok(());
            }
        }
        let metadata = fs::metadata(&path)?;
        if !metadata.is_file() {
            return Ok(());
        }
        if self.files.len() >= FILES_MAX {
            return Err(Trouble::Told(format!("more than {FILES_MAX} files")));
        }
        let file = self.file(&path, name, Stamp::of(&metadata))?;
        let too_much = || {
            let bytes_max = self.bytes_max;
            Trouble::Told(format!(
                "{name}: more than {bytes_max} bytes; files_bytes_max may be raised"
            ))
        };
        self.bytes_left = self
            .bytes_left
            .checked_sub(file.bytes.len())
            .ok_or_else(too_much)?;
        self.files.insert(name.to_owned(), file);
        Ok(())
    }

    fn file(&self, path: &Path, name: &str, stamp: Stamp) -> io::Result<Arc<Served>> {
        let before = self.before.files.get(name);
        let same = before.filter(|before| before.stamp == stamp);
        if let Some(same) = same.filter(|same| same.is_settled) {
            return Ok(Arc::clone(same));
        }
        let mut bytes = Vec::new();
        // One byte more than fits is enough to see that it does not.
        let enough = (self.bytes_left as u64).saturating_add(1);
        File::open(path)?.take(enough).read_to_end(&mut bytes)?;
        Ok(Arc::new(Served {
            content_type: content_type(name),
            tag: format!("\"{:032x}\"", xxh3_128(&bytes)),
            bytes: bytes.into(),
            stamp,
            is_settled: same.is_some(),
        }))
    }
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            len: metadata.len(),
            modified: metadata.modified().ok(),
        }
    }
}

/// Why an entry cannot be served.
enum Trouble {
    Io(io::Error),
    Told(String),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// What begins with a dot was not meant for others: `.git`, `.env`. The one exception is meant for them by RFC 8615.
fn is_shown(name: &str) -> bool {
    !name.starts_with('.') || name == ".well-known"
}

/// The file that is shown for its folder.
const PAGE: &str = "index.html";

/// Files of one folder; with one more it is refused.
const FILES_MAX: usize = 10_000;

/// Folders within each other; with one more the outermost is refused.
const DEPTH_MAX: usize = 16;
