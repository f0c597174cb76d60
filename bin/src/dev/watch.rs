//! Whether files of a project changed: their times and lengths, looked at again and again. Never opens one.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::project::Project;

/// The files of a project as they were last seen.
pub(crate) struct Watch {
    folder: PathBuf,
    /// What a build makes; none where the module is all there is.
    made: Option<PathBuf>,
    /// Where the module is the only thing that counts.
    module: PathBuf,
    seen: Seen,
}

type Seen = BTreeMap<PathBuf, (Option<SystemTime>, u64)>;

impl Watch {
    /// Watches a project from now on.
    pub(crate) fn new(project: &Project) -> Self {
        let module = project.module();
        let mut watch = Self {
            folder: project.folder.clone(),
            made: project.is_built().then(|| module.clone()),
            module,
            seen: Seen::new(),
        };
        watch.seen = watch.look();
        watch
    }

    /// Whether something changed since this was last asked.
    pub(crate) fn changed(&mut self) -> bool {
        let now = self.look();
        let changed = now != self.seen;
        self.seen = now;
        changed
    }

    fn look(&self) -> Seen {
        let mut seen = Seen::new();
        match &self.made {
            Some(made) => collect(&self.folder, made, &mut seen),
            None => note(&self.module, &mut seen),
        }
        seen
    }
}

fn collect(folder: &Path, made: &Path, seen: &mut Seen) {
    // A folder that is gone while it is looked at has no files.
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let is_hidden = name.as_encoded_bytes().starts_with(b".");
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let is_made = path == made || (is_folder && MADE.iter().any(|made| name == *made));
        if is_hidden || is_made || seen.len() >= FILES_MAX {
            continue;
        }
        match is_folder {
            true => collect(&path, made, seen),
            false => note(&path, seen),
        }
    }
}

fn note(file: &Path, seen: &mut Seen) {
    if let Ok(metadata) = fs::metadata(file) {
        seen.insert(file.to_owned(), (metadata.modified().ok(), metadata.len()));
    }
}

/// Folders that builds fill.
const MADE: [&str; 5] = ["target", "dist", "dist.next", "build", "node_modules"];

/// Files of one project that are watched; more are not.
const FILES_MAX: usize = 20_000;
