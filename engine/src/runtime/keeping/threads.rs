//! The keeper's and the scribe's thread. Never touches a shard.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use flume::{Receiver, Sender};
use worldshard_protocol::Tick;
use worldshard_shard::Frozen;
use worldshard_spatial::ShardId;

use super::opening::data;
use super::{AHEAD_MAX, Image, Kept, Opened, OwnKeeping, Shared, ToWrite};
use crate::app::{DataOptions, Durability};
use crate::durable::{DurableError, FileName, Keeper, Store, checkpoint_file};
use crate::error::{Error, Result};
use crate::panic::panic_text;
use crate::runtime::process::Process;

/// How a world is kept, before its threads run. What is for each shard comes out of it.
pub(crate) struct Keeping {
    shared: Arc<Shared>,
    to_keeper: Sender<Kept>,
    kept: Receiver<Kept>,
    to_scribe: Sender<ToWrite>,
    to_write: Receiver<ToWrite>,
    store: Arc<dyn Store>,
    keeper: Keeper,
    digests: Option<File>,
    options: DataOptions,
    archives: Vec<Arc<Vec<u8>>>,
    tick: Tick,
}

/// The threads that keep a world. They end when all shards have.
pub(crate) struct Threads {
    threads: Vec<JoinHandle<()>>,
}

impl Keeping {
    /// For a world that was opened.
    pub(crate) fn new(opened: &Opened, options: &DataOptions) -> Result<Self> {
        let shards = u16::try_from(opened.archives.len()).expect("a shard's number is 16 bits");
        // Each shard may have a piece and a digest for every tick that it is ahead, and what checkpoints add.
        let room = usize::from(shards) * (AHEAD_MAX as usize + 2) * 4;
        let (to_keeper, kept) = flume::bounded(room);
        let (to_scribe, to_write) = flume::bounded(usize::from(shards) * IMAGES_WAITING_MAX);
        let kept_max = options.checkpoints_kept;
        let keeper = Keeper::new(Arc::clone(&opened.store), shards, opened.tick, kept_max);
        let open = |path| OpenOptions::new().create(true).append(true).open(path);
        let digests = options.digest_file.as_ref().map(open).transpose();
        let digests = digests.map_err(|source| {
            let what = "opening the file for digests".to_owned();
            Error::Io { what, source }
        })?;
        Ok(Self {
            shared: Arc::new(Shared::new(shards, opened.tick)),
            to_keeper,
            kept,
            to_scribe,
            to_write,
            store: Arc::clone(&opened.store),
            keeper,
            digests,
            options: options.clone(),
            archives: opened.archives.clone(),
            tick: opened.tick,
        })
    }

    /// What one shard keeps beside itself.
    pub(crate) fn own(&self, shard: ShardId, tick_interval: Duration) -> OwnKeeping {
        let every = self.options.checkpoint_every.as_secs_f64() / tick_interval.as_secs_f64();
        let checkpoint_ticks = every.round() as u64;
        let image = Image {
            tick: self.tick,
            archive: Arc::clone(&self.archives[usize::from(shard.0)]),
        };
        OwnKeeping::new(
            shard,
            Arc::clone(&self.shared),
            self.options.durability,
            checkpoint_ticks,
            self.digests.is_some(),
            image,
            (self.to_keeper.clone(), self.to_scribe.clone()),
        )
    }

    /// Starts the threads.
    ///
    /// # Errors
    /// When a thread cannot be made.
    pub(crate) fn start(self, process: &Arc<Process>) -> io::Result<Threads> {
        let Self {
            shared,
            kept,
            to_keeper,
            to_write,
            store,
            keeper,
            digests,
            options,
            tick,
            ..
        } = self;
        let journal = Journal {
            process: Arc::clone(process),
            shared: Arc::clone(&shared),
            keeper,
            digests: Digests {
                file: digests,
                shards: usize::from(process.shards),
                open: BTreeMap::new(),
                written: tick,
            },
            durability: options.durability,
            durable: tick,
            folder: options.folder.clone(),
        };
        let scribe = Scribe {
            waits: options.durability == Durability::Tick,
            shared,
            store,
            to_keeper,
        };
        let keeper = watched("keeper", process, move || journal.run(&kept))?;
        let scribe = watched("scribe", process, move || scribe.run(&to_write))?;
        Ok(Threads {
            threads: vec![keeper, scribe],
        })
    }
}

impl Threads {
    /// Waits for their end.
    pub(crate) fn join(self) {
        for thread in self.threads {
            // They tell of what they cannot do, and of their panics.
            let _ = thread.join();
        }
    }
}

/// Starts a thread without which the world is not kept: its panic ends the server.
fn watched(
    name: &'static str,
    process: &Arc<Process>,
    run: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let process = Arc::clone(process);
    let thread = std::thread::Builder::new().name(name.to_owned());
    thread.spawn(move || {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(run)) {
            let text = panic_text(&*panic);
            tracing::error!(
                thread = name,
                panic = text,
                "the world cannot be kept; the server ends"
            );
            process.fail(format!(
                "the {name} panicked: {text}; the world stands where it was last told"
            ));
        }
    })
}

/// The keeper at work.
struct Journal {
    process: Arc<Process>,
    shared: Arc<Shared>,
    keeper: Keeper,
    digests: Digests,
    durability: Durability,
    durable: Tick,
    folder: std::path::PathBuf,
}

impl Journal {
    fn run(mut self, kept: &Receiver<Kept>) {
        while let Ok(first) = kept.recv() {
            if let Err((what, source)) = self.keep(first, kept) {
                let error = data(&self.folder, DurableError::Io { what, source });
                tracing::error!(%error, "the world cannot be kept; the server ends");
                return self
                    .process
                    .fail(format!("{error}; the world stands where it was last told"));
            }
        }
    }

    /// Takes all that waits, makes it durable together, and tells.
    fn keep(&mut self, first: Kept, kept: &Receiver<Kept>) -> Result<(), (String, io::Error)> {
        let mut appended = false;
        for one in std::iter::once(first).chain(kept.try_iter()) {
            match one {
                Kept::Piece {
                    shard,
                    tick,
                    piece,
                    closes,
                } => {
                    let done = self.keeper.append(shard, tick, &piece, closes);
                    done.map_err(|error| ("writing the journal".to_owned(), error))?;
                    appended = true;
                }
                Kept::Digest { shard, tick, part } => self.digests.add(shard, tick, part),
                Kept::Written { shard, tick } => {
                    // A file that stays too long does no harm.
                    if let Err(error) = self.keeper.checkpointed(tick, shard) {
                        tracing::warn!(%error, "a file that is not needed any more cannot be removed");
                    }
                }
            }
        }
        if appended {
            let durable = self.keeper.commit();
            self.durable =
                durable.map_err(|error| ("synchronising the journal".to_owned(), error))?;
            self.shared.complete(self.keeper.complete());
        }
        if self.durability != Durability::Tick {
            self.durable = Tick(u64::MAX);
        }
        let written = self.digests.write(self.durable);
        let told = written.map_err(|error| ("writing digests".to_owned(), error))?;
        if self.shared.tell(told) {
            self.process.post.ring_all();
        }
        Ok(())
    }
}

/// Digests on their way to their file.
struct Digests {
    file: Option<File>,
    shards: usize,
    open: BTreeMap<Tick, (usize, u128)>,
    written: Tick,
}

impl Digests {
    fn add(&mut self, _shard: ShardId, tick: Tick, part: u128) {
        let (parts, sum) = self.open.entry(tick).or_default();
        *parts += 1;
        *sum = sum.wrapping_add(part);
    }

    /// Writes the lines of durable ticks; up to which tick clients may be told.
    fn write(&mut self, durable: Tick) -> io::Result<Tick> {
        let Some(file) = &mut self.file else {
            return Ok(durable);
        };
        let mut lines = String::new();
        while let Some(first) = self.open.first_entry()
            && *first.key() <= durable
            && first.get().0 == self.shards
        {
            let (tick, (_, sum)) = first.remove_entry();
            lines.push_str(&format!("{tick} {sum:032x}\n"));
            self.written = tick;
        }
        file.write_all(lines.as_bytes())?;
        Ok(self.written)
    }
}

/// The scribe at work.
struct Scribe {
    shared: Arc<Shared>,
    /// For the journal that leads to a checkpoint.
    waits: bool,
    store: Arc<dyn Store>,
    to_keeper: Sender<Kept>,
}

impl Scribe {
    fn run(self, to_write: &Receiver<ToWrite>) {
        step_back();
        for ToWrite { shard, frozen } in to_write {
            let tick = frozen.tick();
            let archive = match lay_out(&frozen) {
                Ok(archive) => Arc::new(archive),
                Err(panic) => {
                    self.shared.leave_out(shard);
                    tracing::error!(
                        shard = shard.0,
                        tick = tick.0,
                        panic,
                        "a checkpoint cannot be laid out; the one before and its journal stay"
                    );
                    continue;
                }
            };
            drop(frozen);
            let file = checkpoint_file(&archive);
            self.shared.show(shard, Image { tick, archive });
            // The journal that leads to it comes first. Without an end of that, it is left out.
            let is_over = || to_write.is_disconnected();
            if self.waits && !self.shared.await_complete(tick, is_over) {
                continue;
            }
            let name = FileName::Checkpoint(tick, shard).to_string();
            match self.store.write(&name, &file) {
                Ok(()) => {
                    let _ = self.to_keeper.send(Kept::Written { shard, tick });
                }
                Err(error) => {
                    self.shared.leave_out(shard);
                    tracing::error!(
                        file = name,
                        %error,
                        "a checkpoint cannot be written; the one before and its journal stay"
                    );
                }
            }
        }
    }
}

/// The code of an application's components runs here. When it panics, nothing is lost but this checkpoint: the journal says
/// all that it would.
fn lay_out(frozen: &Frozen) -> std::result::Result<Vec<u8>, String> {
    let laid_out = catch_unwind(AssertUnwindSafe(|| frozen.encode()));
    laid_out.map_err(|panic| panic_text(&*panic).to_owned())
}

/// This thread has time: the shards have not.
fn step_back() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(SCRIBE_NICE) {
        tracing::debug!(%error, "the scribe runs with the priority of the shards");
    }
}

/// Only half as urgent as a shard, twice over.
const SCRIBE_NICE: i32 = 10;

/// Frozen shards that wait for the scribe, of each shard. Beyond, a checkpoint is left out.
const IMAGES_WAITING_MAX: usize = 2;

#[cfg(test)]
mod tests;
