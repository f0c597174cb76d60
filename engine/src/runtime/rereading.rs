//! The thread that looks at served folders again, so that what changes on disk is served soon. Shards never read a disk.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use flume::{Receiver, RecvTimeoutError, Sender};

use crate::app::AppRecipe;

/// It ends when this is dropped.
pub(crate) struct Rereading {
    /// Nothing is said by it but that it is gone.
    ends: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Rereading {
    /// Starts it where there is a folder to look at.
    ///
    /// # Errors
    /// The system has no thread.
    pub(crate) fn start(recipe: &Arc<AppRecipe>) -> io::Result<Option<Self>> {
        if recipe.site.folders().is_empty() {
            return Ok(None);
        }
        let recipe = Arc::clone(recipe);
        let (ends, end) = flume::bounded(0);
        let thread = std::thread::Builder::new().name("files".to_owned());
        let thread = thread.spawn(move || run(&recipe, &end))?;
        Ok(Some(Self {
            ends: Some(ends),
            thread: Some(thread),
        }))
    }
}

impl Drop for Rereading {
    fn drop(&mut self) {
        self.ends = None;
        // It does not panic, and whatever it was reading is no loss.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn run(recipe: &AppRecipe, end: &Receiver<()>) {
    while end.recv_timeout(REREAD_EVERY) == Err(RecvTimeoutError::Timeout) {
        for folder in recipe.site.folders() {
            folder.reread();
        }
    }
}

/// Between two looks. Nobody waits so long to reload a page, and a look costs some microseconds for each file.
const REREAD_EVERY: Duration = Duration::from_secs(1);
