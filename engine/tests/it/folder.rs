//! A folder for the world of a test, and what was written beside it. Never judges: tests do.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use worldshard::prelude::Tick;
use worldshard::{DataOptions, Runtime};

/// A folder of a test's own, removed when dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str, runtime: Runtime) -> Self {
        let name = format!("worldshard-{name}-{runtime}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn world(&self) -> PathBuf {
        self.0.join("world")
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file, and makes the folders above it.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn data(&self) -> DataOptions {
        let mut data = DataOptions::new(self.world());
        data.checkpoint_every = Duration::from_secs(1);
        data.digest_file = Some(self.0.join("digests"));
        data
    }

    pub(crate) fn digests(&self) -> BTreeMap<Tick, u128> {
        let text = fs::read_to_string(self.0.join("digests")).unwrap();
        let line = |line: &str| {
            let (tick, digest) = line.split_once(' ')?;
            Some((
                Tick(tick.parse().ok()?),
                u128::from_str_radix(digest, 16).ok()?,
            ))
        };
        text.lines().filter_map(line).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
