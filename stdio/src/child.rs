//! One process and the thread beside it, which starts it, reads and writes for it, and sees it end. Never waits for its room's
//! shard but for a place among what the room has yet to do.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::ioctl_fionbio;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use worldshard::prelude::{Bytes, Payload, RoomSender};

use crate::line::Told;
use crate::pending::{End, Pending};
use crate::program::Program;
use crate::splitter::{Line, Splitter};

/// The room's end of a process. Dropped, the process may read what waits for it, and has its grace.
pub(crate) struct Running {
    pending: Arc<Pending>,
    end: End,
}

/// What the thread has of its process.
struct Keeper {
    program: Arc<Program>,
    room: Arc<str>,
    pending: Arc<Pending>,
    sender: RoomSender,
    pipes: Pipes,
    /// Readable once it has ended, where the system has such a thing.
    exit: Option<OwnedFd>,
    /// On its way into the process, and how far it has come.
    writing: Vec<u8>,
    written: usize,
    lines: Splitter,
    words: Splitter,
    buffer: Vec<u8>,
    /// When it is killed, since its input has ended.
    until: Option<Instant>,
}

/// Its standard streams; those that have ended are none.
struct Pipes {
    input: Option<ChildStdin>,
    output: Option<ChildStdout>,
    errors: Option<ChildStderr>,
}

impl Running {
    /// Starts the program for a room, on a thread of its own: what it writes, and in the end how it ended, is brought by
    /// `sender`. A line is bytes, its end a text.
    ///
    /// # Errors
    /// There is no thread, or no descriptor.
    pub(crate) fn start(
        program: &Arc<Program>,
        room: &str,
        sender: RoomSender,
    ) -> io::Result<Self> {
        let pending = Arc::new(Pending::new(program.pending_bytes_max)?);
        let (of_thread, own) = (Arc::clone(program), Arc::clone(&pending));
        let room = Arc::from(room);
        let thread = std::thread::Builder::new()
            .name("stdio".to_owned())
            .stack_size(STACK_BYTES);
        let keeper = thread.spawn(move || {
            let words = match Keeper::begin(of_thread, room, own, sender.clone()) {
                Ok((keeper, child)) => keeper.run(child),
                Err(error) => format!("the program cannot be started: {error}"),
            };
            // A room that is no more need not know.
            let _ = sender.send_waiting(words);
        })?;
        program.keep(keeper);
        let end = End::InPeace;
        Ok(Self { pending, end })
    }

    /// Gives it a line to read; false when it has not read too many, and then it is ended at once.
    pub(crate) fn tell(&mut self, told: &Told<'_>) -> bool {
        let is_taken = self.pending.push(&told.line());
        if !is_taken {
            self.end = End::Now;
        }
        is_taken
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.pending.end(self.end);
    }
}

impl Keeper {
    fn begin(
        program: Arc<Program>,
        room: Arc<str>,
        pending: Arc<Pending>,
        sender: RoomSender,
    ) -> io::Result<(Self, Child)> {
        let mut child = program.command().spawn()?;
        let pipes = Pipes {
            input: child.stdin.take(),
            output: child.stdout.take(),
            errors: child.stderr.take(),
        };
        if let Err(error) = pipes.set_nonblocking() {
            let _ = end(&mut child);
            return Err(error);
        }
        let keeper = Self {
            lines: Splitter::new(program.line_bytes_max),
            words: Splitter::new(WORDS_BYTES_MAX),
            program,
            room,
            pending,
            sender,
            pipes,
            exit: exit_of(&child),
            writing: Vec::new(),
            written: 0,
            buffer: vec![0; READ_BYTES],
            until: None,
        };
        Ok((keeper, child))
    }

    /// Until the process is no more; says how it ended.
    fn run(mut self, mut child: Child) -> String {
        let lived = self.live(&child);
        // Who has closed its output is given the time to end by itself, so that its own status is told.
        drop(self.pipes.input.take());
        let until = self.until.unwrap_or_else(|| now() + self.program.grace);
        while lived.is_ok() && !has_ended(&child) && now() < until {
            let _ = wait_for(&mut [], Some(GLANCE));
        }
        self.read_errors();
        let status = end(&mut child);
        match (lived, status) {
            (Err(error), _) | (Ok(()), Err(error)) => format!("the program was lost: {error}"),
            (Ok(()), Ok(status)) => format!("the program ended: {status}"),
        }
    }

    /// Reads and writes, until it is no more, writes no more or is to be killed.
    fn live(&mut self, child: &Child) -> io::Result<()> {
        loop {
            if self.written == self.writing.len() || self.pipes.input.is_none() {
                self.writing.clear();
                self.written = 0;
            }
            let end = self.pending.take(&mut self.writing);
            self.write();
            match end {
                None => {}
                Some(End::Now) => self.until = Some(now()),
                Some(End::InPeace) => {
                    self.until.get_or_insert_with(|| now() + self.program.grace);
                    if self.writing.is_empty() {
                        self.pipes.input = None;
                    }
                }
            }
            if self.until.is_some_and(|until| until <= now()) {
                return Ok(());
            }
            self.wait(end.is_some())?;
            self.read_errors();
            // Looked at before its output is read: then all is there that it has written. What it has started may have that
            // too, and write for ever.
            let is_over = has_ended(child);
            let reads = if is_over { LAST_READS } else { 1 };
            for _ in 0..reads {
                match self.read_output() {
                    None => break,
                    Some(0) => return Ok(()),
                    Some(_) => {}
                }
            }
            if is_over {
                return Ok(());
            }
        }
    }

    fn wait(&self, is_told_to_end: bool) -> io::Result<()> {
        let pipes = &self.pipes;
        let mut sources = Vec::with_capacity(4);
        if !is_told_to_end {
            sources.push(PollFd::new(self.pending.news(), PollFlags::IN));
        }
        sources.extend(
            pipes
                .output
                .iter()
                .map(|one| PollFd::new(one, PollFlags::IN)),
        );
        sources.extend(
            pipes
                .errors
                .iter()
                .map(|one| PollFd::new(one, PollFlags::IN)),
        );
        if self.written < self.writing.len() {
            sources.extend(
                pipes
                    .input
                    .iter()
                    .map(|one| PollFd::new(one, PollFlags::OUT)),
            );
        }
        let left = self
            .until
            .map(|until| until.saturating_duration_since(now()));
        let at_most = match &self.exit {
            Some(exit) => {
                sources.push(PollFd::new(exit, PollFlags::IN));
                left
            }
            None => Some(left.unwrap_or(LONG_GLANCE).min(LONG_GLANCE)),
        };
        wait_for(&mut sources, at_most)
    }

    fn write(&mut self) {
        while let Some(input) = &mut self.pipes.input
            && self.written < self.writing.len()
        {
            match input.write(&self.writing[self.written..]) {
                Ok(bytes) => self.written += bytes,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    // It reads no more, so it ends, or is ended; what it has written before counts.
                    self.pipes.input = None;
                    self.until.get_or_insert_with(|| now() + self.program.grace);
                }
            }
        }
        if self.written == self.writing.len() {
            self.writing.clear();
            self.written = 0;
        }
    }

    /// Brings lines to the room; says as [`read_some`] how much there was.
    fn read_output(&mut self) -> Option<usize> {
        let output = self.pipes.output.as_mut()?;
        let bytes = read_some(output, &mut self.buffer)?;
        let (sender, pending, room) = (&self.sender, &self.pending, &*self.room);
        self.lines.take(&self.buffer[..bytes], |line| match line {
            Line::Whole(line) => {
                // A room that is no more has nothing to do.
                let _ = sender.send_waiting(Payload::Binary(Bytes::copy_from_slice(line)));
            }
            Line::TooLong(line) => {
                let bytes_max = line.len();
                tracing::warn!(room, bytes_max, "a line of a program is too long");
                let text = format!("longer than {bytes_max} bytes");
                // One that does not read what it is told is ended by its room.
                pending.push(&Told::error(&text, line).line());
            }
        });
        Some(bytes)
    }

    /// Puts what it says of itself into the log.
    fn read_errors(&mut self) {
        let Some(errors) = &mut self.pipes.errors else {
            return;
        };
        match read_some(errors, &mut self.buffer) {
            None => {}
            Some(0) => self.pipes.errors = None,
            Some(bytes) => {
                let (room, program) = (&*self.room, self.program.name());
                self.words.take(&self.buffer[..bytes], |line| {
                    let (Line::Whole(line) | Line::TooLong(line)) = line;
                    let said = String::from_utf8_lossy(line);
                    tracing::info!(room, program, said = &*said, "a program says");
                });
            }
        }
    }
}

impl Pipes {
    fn set_nonblocking(&self) -> io::Result<()> {
        let input = self.input.as_ref().map(AsFd::as_fd);
        let output = self.output.as_ref().map(AsFd::as_fd);
        let errors = self.errors.as_ref().map(AsFd::as_fd);
        for pipe in [input, output, errors].into_iter().flatten() {
            ioctl_fionbio(pipe, true)?;
        }
        Ok(())
    }
}

/// What a pipe has; none when nothing now, 0 at its end.
fn read_some(pipe: &mut impl Read, buffer: &mut [u8]) -> Option<usize> {
    match pipe.read(buffer) {
        Ok(bytes) => Some(bytes),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
            None
        }
        Err(_) => Some(0),
    }
}

fn wait_for(sources: &mut [PollFd<'_>], at_most: Option<Duration>) -> io::Result<()> {
    let at_most = at_most.and_then(|time| Timespec::try_from(time).ok());
    match poll(sources, at_most.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// What is readable once a process has ended.
#[cfg(target_os = "linux")]
fn exit_of(child: &Child) -> Option<OwnedFd> {
    use rustix::process::{PidfdFlags, pidfd_open};

    pidfd_open(Pid::from_child(child), PidfdFlags::empty()).ok()
}

#[cfg(not(target_os = "linux"))]
fn exit_of(_: &Child) -> Option<OwnedFd> {
    None
}

/// Whether it has ended. Its number stays its own until it is waited for.
fn has_ended(child: &Child) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    !matches!(
        waitid(WaitId::Pid(Pid::from_child(child)), options),
        Ok(None)
    )
}

/// Kills it, if need be, and all that it has started and left in its group.
fn end(child: &mut Child) -> io::Result<std::process::ExitStatus> {
    // There is none when all have ended.
    let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
    child.wait()
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long a process may go on is real time: nothing of a world follows from it"
)]
fn now() -> Instant {
    Instant::now()
}

/// Between two looks at a process that has closed its output.
const GLANCE: Duration = Duration::from_millis(5);

/// Between two looks at any process, where the system tells of no end.
const LONG_GLANCE: Duration = Duration::from_millis(100);

/// As much as a pipe can hold of what a process wrote before its end.
const LAST_READS: usize = 1024 * 1024 / READ_BYTES;

/// Read at a time.
const READ_BYTES: usize = 16 * 1024;

/// Of a line for the log; the rest is left out.
const WORDS_BYTES_MAX: usize = 4096;

/// The thread calls nothing deep.
const STACK_BYTES: usize = 256 * 1024;
