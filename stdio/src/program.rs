//! Which program runs in rooms, and within which bounds. Starts nothing by itself.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::service::ProgramRoom;

/// A program that runs in rooms: one process for each.
#[derive(Clone, Debug)]
pub struct Program {
    command: OsString,
    arguments: Vec<OsString>,
    variables: Vec<(OsString, OsString)>,
    folder: Option<PathBuf>,
    processes_max: u32,
    pub(crate) pending_bytes_max: usize,
    pub(crate) line_bytes_max: usize,
    pub(crate) grace: Duration,
    /// Rooms that run it now, over all shards.
    running: Arc<AtomicU32>,
    keepers: Arc<Keepers>,
}

/// The threads beside processes, so that none is left behind.
#[derive(Debug, Default)]
pub(crate) struct Keepers(Mutex<Vec<JoinHandle<()>>>);

/// The server is no more once this is dropped, and then no process of it is.
struct Last(Arc<Keepers>);

/// The right of one room to run the program. Given back when dropped.
pub(crate) struct Permit(Arc<AtomicU32>);

impl Program {
    /// The program at a path, or that of this name in `PATH`.
    #[must_use]
    pub fn new(command: impl Into<OsString>) -> Self {
        Self {
            command: command.into(),
            arguments: Vec::new(),
            variables: Vec::new(),
            folder: None,
            processes_max: 64,
            pending_bytes_max: 1024 * 1024,
            line_bytes_max: 1024 * 1024,
            grace: Duration::from_secs(1),
            running: Arc::default(),
            keepers: Arc::default(),
        }
    }

    /// One more argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// A variable of its environment, beside those of this process.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// The folder in which it runs; that of this process, unless said.
    #[must_use]
    pub fn current_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Rooms that run it at a time, 64 unless said; of one more whoever comes is refused. Processes that are being ended come
    /// on top, for as long as their [`grace`](Self::grace).
    #[must_use]
    pub fn processes_max(mut self, processes: u32) -> Self {
        self.processes_max = processes;
        self
    }

    /// Bytes that wait to be read by one process, 1 MiB unless said. With more, its room begins again.
    #[must_use]
    pub fn pending_bytes_max(mut self, bytes: usize) -> Self {
        self.pending_bytes_max = bytes;
        self
    }

    /// Bytes of a line that it writes, 1 MiB unless said. Of a longer one nothing is done, and the program is told.
    #[must_use]
    pub fn line_bytes_max(mut self, bytes: usize) -> Self {
        self.line_bytes_max = bytes;
        self
    }

    /// How long a process may go on after its standard input has ended, a second unless said. Then it is killed, and all
    /// that it has started.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// For [`Rooms::at`](worldshard::Rooms::at) and [`Rooms::named`](worldshard::Rooms::named): what runs in each room.
    pub fn service(self) -> impl Fn(&str) -> ProgramRoom + Send + Sync + 'static {
        let program = Arc::new(self);
        let last = Last(Arc::clone(&program.keepers));
        move |_| {
            let _ = &last;
            ProgramRoom::new(Arc::clone(&program))
        }
    }

    /// What a room has to have to run it; none when too many do.
    pub(crate) fn permit(&self) -> Option<Permit> {
        let one_more = |running| (running < self.processes_max).then_some(running + 1);
        let taken = self
            .running
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        taken.ok().map(|_| Permit(Arc::clone(&self.running)))
    }

    /// How a process of it is started, in a group of its own: with what it starts it can be killed, and a ctrl-c at the
    /// terminal is the server's alone.
    pub(crate) fn command(&self) -> Command {
        use std::os::unix::process::CommandExt as _;

        let mut command = Command::new(&self.command);
        command
            .args(&self.arguments)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command
    }

    /// Waits for this thread before the server is gone.
    pub(crate) fn keep(&self, keeper: JoinHandle<()>) {
        let mut keepers = self.keepers.lock();
        keepers.retain(|one| !one.is_finished());
        keepers.push(keeper);
    }

    /// For the log.
    pub(crate) fn name(&self) -> String {
        self.command.to_string_lossy().into_owned()
    }
}

impl Keepers {
    fn lock(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        // Nothing panics while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Last {
    fn drop(&mut self) {
        let keepers = std::mem::take(&mut *self.0.lock());
        for keeper in keepers {
            // Each has its room's word to end by now, and its grace.
            let _ = keeper.join();
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
