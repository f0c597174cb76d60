//! A program that the comparison runs: on its own processor, its output kept, ended by its number whatever happens.

use std::ffi::OsStr;
use std::io::{self, BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child as Process, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread;
use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::clock;

/// Why nothing came of a program.
#[derive(Debug)]
pub enum Ended {
    /// The user wants to stop.
    Interrupted,
    /// In words.
    Failed(String),
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Becomes true when the user, or the system, asks this process to end.
///
/// # Errors
/// Signals cannot be taken.
pub fn stopped_by_signals() -> io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

/// Where a program runs; by default as this process does.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place<'a> {
    /// Only there.
    pub(crate) processor: Option<usize>,
    /// Where its complaints go.
    pub(crate) log: Option<&'a Path>,
    /// Its working folder.
    pub(crate) folder: Option<&'a Path>,
}

/// A running program; dropped, it is killed and waited for.
pub(crate) struct Child {
    process: Process,
    lines: Receiver<String>,
    name: String,
}

impl Child {
    /// Starts it.
    pub(crate) fn start(
        program: &Path,
        words: &[impl AsRef<OsStr>],
        place: Place<'_>,
    ) -> Result<Self, Ended> {
        let name = program.file_name().unwrap_or(program.as_os_str());
        let name = name.to_string_lossy().into_owned();
        let mut command = Command::new(program);
        command.args(words).stdin(Stdio::null());
        command.stdout(Stdio::piped());
        if let Some(log) = place.log {
            command.stderr(std::fs::File::create(log)?);
        }
        if let Some(folder) = place.folder {
            command.current_dir(folder);
        }
        let spawned = on_processor(place.processor, || command.spawn())?;
        let mut process =
            spawned.map_err(|error| Ended::Failed(format!("{}: {error}", program.display())))?;
        let stdout = process.stdout.take().expect("its output is piped");
        match read_lines(stdout) {
            Ok(lines) => Ok(Self {
                process,
                lines,
                name,
            }),
            Err(error) => {
                kill(&mut process);
                Err(error.into())
            }
        }
    }

    /// Its process's number.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Where it serves, as it says in its first line, and below which path.
    pub(crate) fn ready(&mut self, stop: &AtomicBool) -> Result<(SocketAddr, String), Ended> {
        let line = self.line(READY_WITHIN, stop)?;
        let Some(line) = line else {
            let said = self.wait(Duration::ZERO, stop)?;
            return Err(Ended::Failed(format!("{} ended with {said}", self.name)));
        };
        address_in(&line).ok_or_else(|| {
            Ended::Failed(format!(
                "{} said where it serves nowhere in {line:?}",
                self.name
            ))
        })
    }

    /// All that it prints until it ends by itself.
    pub(crate) fn output(
        &mut self,
        within: Duration,
        stop: &AtomicBool,
    ) -> Result<(ExitStatus, String), Ended> {
        let deadline = clock::now() + within;
        let mut output = String::new();
        while let Some(line) = self.line(deadline.saturating_sub(clock::now()), stop)? {
            output.push_str(&line);
            output.push('\n');
        }
        let left = deadline.saturating_sub(clock::now());
        Ok((self.wait(left, stop)?, output))
    }

    /// The next line; none when it has closed its output.
    fn line(&mut self, within: Duration, stop: &AtomicBool) -> Result<Option<String>, Ended> {
        let lines = &self.lines;
        let next = || match lines.try_recv() {
            Ok(line) => Some(Some(line)),
            Err(TryRecvError::Disconnected) => Some(None),
            Err(TryRecvError::Empty) => None,
        };
        until(next, within, stop, || format!("{} said nothing", self.name))
    }

    fn wait(&mut self, within: Duration, stop: &AtomicBool) -> Result<ExitStatus, Ended> {
        let process = &mut self.process;
        let ended = || process.try_wait().transpose();
        let name = &self.name;
        let within = within.max(Duration::from_secs(5));
        Ok(until(ended, within, stop, || {
            format!("{name} did not end")
        })??)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        kill(&mut self.process);
    }
}

/// Ends it the hard way: what it has to say to its clients is not measured.
fn kill(process: &mut Process) {
    // It may have ended already; waiting for it then frees its number.
    let _ = process.kill();
    let _ = process.wait();
}

/// Asks again and again, because neither a pipe nor a process can be waited for together with the user.
fn until<T>(
    mut next: impl FnMut() -> Option<T>,
    within: Duration,
    stop: &AtomicBool,
    what: impl FnOnce() -> String,
) -> Result<T, Ended> {
    let deadline = clock::now() + within;
    loop {
        if stop.load(Ordering::Relaxed) {
            return Err(Ended::Interrupted);
        }
        if let Some(found) = next() {
            return Ok(found);
        }
        if clock::now() >= deadline {
            return Err(Ended::Failed(format!("{} within {within:?}", what())));
        }
        thread::park_timeout(ASK_AGAIN);
    }
}

/// Reads in a thread of its own, so that a program that says much does not wait for us.
fn read_lines(stdout: impl Read + Send + 'static) -> io::Result<Receiver<String>> {
    let (sender, lines) = sync_channel(LINES_MAX);
    thread::Builder::new()
        .name("child-output".to_owned())
        .spawn(move || {
            for line in BufReader::new(stdout).lines() {
                let Ok(line) = line else { return };
                if sender.send(line).is_err() {
                    return;
                }
            }
        })?;
    Ok(lines)
}

/// The first word that is an address, and the path behind it.
fn address_in(line: &str) -> Option<(SocketAddr, String)> {
    line.split_whitespace().find_map(|word| {
        let word = word.split_once("://").map_or(word, |(_, rest)| rest);
        let (addr, path) = word.split_at(word.find('/').unwrap_or(word.len()));
        Some((addr.parse().ok()?, path.to_owned()))
    })
}

/// Keeps this thread on one processor meanwhile, and there what it starts.
pub(crate) fn on_processor<T>(
    processor: Option<usize>,
    work: impl FnOnce() -> T,
) -> Result<T, Ended> {
    let Some(processor) = processor else {
        return Ok(work());
    };
    let failed = |error| Ended::Failed(format!("pinning to processor {processor}: {error}"));
    let all = sched_getaffinity(None).map_err(failed)?;
    let mut one = CpuSet::new();
    one.set(processor);
    sched_setaffinity(None, &one).map_err(failed)?;
    let done = work();
    sched_setaffinity(None, &all).map_err(failed)?;
    Ok(done)
}

/// The processors that this process may use.
pub(crate) fn usable_processors() -> Vec<usize> {
    let Ok(set) = sched_getaffinity(None) else {
        return Vec::new();
    };
    (0..CpuSet::MAX_CPU).filter(|&at| set.is_set(at)).collect()
}

/// Beyond, a server is not ready but stuck.
const READY_WITHIN: Duration = Duration::from_secs(20);

/// Short beside a run, long beside what asking costs.
const ASK_AGAIN: Duration = Duration::from_millis(10);

/// Beyond, a program waits until its lines are read.
const LINES_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn address(line: &str) -> Option<(String, String)> {
        address_in(line).map(|(addr, path)| (addr.to_string(), path))
    }

    #[test]
    fn the_address_in_a_ready_line_is_found_with_its_path() {
        let engine = "worldshard: http://127.0.0.1:8080/  echo at /ws, 1 shards, runtime portable";
        let own = |addr: &str, path: &str| Some((addr.to_owned(), path.to_owned()));
        assert_eq!(address(engine), own("127.0.0.1:8080", "/"));
        assert_eq!(address("ready 127.0.0.1:9000"), own("127.0.0.1:9000", ""));
        let room = "ready 127.0.0.1:9000/p/abc";
        assert_eq!(address(room), own("127.0.0.1:9000", "/p/abc"));
        assert_eq!(address("starting 3 workers"), None);
    }

    #[test]
    fn a_program_that_never_speaks_is_killed_when_the_user_stops() {
        let mut child = Child::start(Path::new("sleep"), &["60"], Place::default()).unwrap();
        let id = child.id();
        let stopped = child.ready(&AtomicBool::new(true));
        assert!(matches!(stopped, Err(Ended::Interrupted)), "{stopped:?}");
        drop(child);
        assert!(!Path::new(&format!("/proc/{id}")).exists());
    }

    #[test]
    fn what_a_program_prints_until_it_ends_is_kept() {
        let script = ["-c", "echo one; echo two; exit 3"];
        let mut child = Child::start(Path::new("sh"), &script, Place::default()).unwrap();
        let stop = AtomicBool::new(false);
        let (status, output) = child.output(Duration::from_secs(20), &stop).unwrap();
        assert_eq!((status.code(), output.as_str()), (Some(3), "one\ntwo\n"));
    }
}
