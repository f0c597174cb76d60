//! The handle of a connection and its thread. The handle never waits but where it says so; the thread ends by itself.

use std::collections::VecDeque;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use super::opening::{self, Tls};
use super::stream::would_wait;
use super::wire::{STALL_WAIT, Wire};
use crate::agent::{Happened, Target};
use crate::chance::Chance;
use crate::message::Message;
use crate::options::{Options, OptionsError};

/// One connection after another.
pub(crate) struct Socket {
    tls: Tls,
    chance: Chance,
    connection: Option<Connection>,
    /// What happened without a thread.
    happened: VecDeque<Happened>,
    threads: Arc<AtomicUsize>,
}

struct Connection {
    shared: Arc<Shared>,
    heard: Receiver<Happened>,
    /// Messages whose writing was told.
    told: u64,
}

/// What handle and thread both reach.
#[derive(Default)]
struct Shared {
    abandoned: AtomicBool,
    /// To break off what the thread waits for.
    tcp: OnceLock<TcpStream>,
    /// From the upgrade on.
    wire: Mutex<Option<Wire>>,
}

impl Socket {
    pub(crate) fn new(options: &Options) -> Result<Self, OptionsError> {
        Ok(Self {
            tls: tls(options)?,
            chance: Chance::new(super::seed()),
            connection: None,
            happened: VecDeque::new(),
            threads: Arc::default(),
        })
    }

    pub(crate) fn connect(&mut self, target: Target) {
        self.abandon();
        if self.threads.load(Ordering::Relaxed) >= THREADS_MAX {
            let why = "earlier attempts still wait for names or addresses".to_owned();
            self.happened.push_back(Happened::Failed(why));
            return;
        }
        let shared = Arc::<Shared>::default();
        let (tell, heard) = sync_channel(HEARD_MAX);
        let alive = Alive::new(&self.threads);
        let thread = Thread {
            shared: shared.clone(),
            target,
            tls: self.tls.clone(),
            chance: Chance::new(self.chance.next()),
            tell,
        };
        let started = thread::Builder::new()
            .name("worldshard-link".to_owned())
            .spawn(move || {
                thread.run();
                drop(alive);
            });
        match started {
            Ok(_) => {
                self.connection = Some(Connection {
                    shared,
                    heard,
                    told: 0,
                });
            }
            Err(error) => self.happened.push_back(Happened::Failed(error.to_string())),
        }
    }

    pub(crate) fn send(&mut self, message: &Message) {
        self.with_wire(|wire| wire.send(message));
    }

    pub(crate) fn ping(&mut self) {
        self.with_wire(Wire::ping);
    }

    pub(crate) fn close(&mut self, code: u16, reason: &str) {
        self.with_wire(|wire| wire.close(code, reason));
    }

    /// Leaves the connection to its thread, which ends it.
    pub(crate) fn abandon(&mut self) {
        self.with_wire(Wire::end);
        let Some(connection) = self.connection.take() else {
            return;
        };
        let shared = &connection.shared;
        shared.abandoned.store(true, Ordering::SeqCst);
        // What is not open yet has nothing to say goodbye to.
        if lock(&shared.wire).is_none()
            && let Some(tcp) = shared.tcp.get()
        {
            // It is over already where this fails.
            let _ = tcp.shutdown(Shutdown::Both);
        }
    }

    /// What happened next, if anything did.
    pub(crate) fn next(&mut self) -> Option<Happened> {
        if let Some(happened) = self.happened.pop_front() {
            return Some(happened);
        }
        let written = self.with_wire(|wire| {
            wire.flush();
            wire.written_messages()
        });
        let connection = self.connection.as_mut()?;
        if let Some(written) = written.filter(|written| *written > connection.told) {
            connection.told = written;
            return Some(Happened::Written(written));
        }
        match connection.heard.try_recv() {
            Ok(happened) => Some(happened),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
                self.connection = None;
                None
            }
        }
    }

    /// What happens next, within a time.
    pub(crate) fn wait(&mut self, timeout: Duration) -> Option<Happened> {
        let stalled = self.with_wire(|wire| wire.is_stalled()) == Some(true);
        let timeout = if stalled {
            timeout.min(STALL_WAIT)
        } else {
            timeout
        };
        match &self.connection {
            Some(connection) => connection.heard.recv_timeout(timeout).ok(),
            None => {
                thread::park_timeout(timeout);
                None
            }
        }
    }

    fn with_wire<T>(&self, act: impl FnOnce(&mut Wire) -> T) -> Option<T> {
        let connection = self.connection.as_ref()?;
        lock(&connection.shared.wire).as_mut().map(act)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.abandon();
    }
}

struct Thread {
    shared: Arc<Shared>,
    target: Target,
    tls: Tls,
    chance: Chance,
    tell: SyncSender<Happened>,
}

impl Thread {
    fn run(mut self) {
        // Nobody hears it where the handle is gone.
        if let Err(last) = self.open_and_read() {
            let _ = self.tell.send(last);
        }
    }

    /// Connects, and then tells what comes until nothing does. What is returned is told last.
    fn open_and_read(&mut self) -> Result<(), Happened> {
        let tcp = opening::connect(&self.target)?;
        let broken = |error: io::Error| Happened::Failed(error.to_string());
        // The first: there is one thread for each.
        let _ = self.shared.tcp.set(tcp.try_clone().map_err(broken)?);
        if self.is_abandoned() {
            return Ok(());
        }
        let stream = Arc::new(opening::secure(tcp, &self.target, &self.tls)?);
        let came_behind = opening::upgrade(&stream, &self.target, &mut self.chance)?;
        let tcp = stream.tcp();
        tcp.set_read_timeout(Some(READ_WAIT)).map_err(broken)?;
        tcp.set_write_timeout(Some(WRITE_WAIT)).map_err(broken)?;
        let wire = Wire::new(stream.clone(), self.chance.clone());
        *lock(&self.shared.wire) = Some(wire);
        if !self.tell(Happened::Opened) || !self.hear(&came_behind) {
            return Ok(());
        }
        let mut buffer = vec![0; READ_BYTES];
        while !self.is_abandoned() {
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => {
                    if !self.hear(&buffer[..read]) {
                        stream.end();
                        return Ok(());
                    }
                }
                Err(error) if would_wait(&error) => {
                    self.with_wire(Wire::flush);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        let end = self.with_wire(Wire::end_of_input).flatten();
        end.map_or(Ok(()), Err)
    }

    /// Tells what bytes mean; whether more may come, and somebody is there to hear it.
    fn hear(&self, bytes: &[u8]) -> bool {
        let mut out = Vec::new();
        let ended = self.with_wire(|wire| wire.hear(bytes, &mut out));
        // The channel has a bound: where nobody polls, the server waits.
        let all_told = out.into_iter().all(|happened| self.tell(happened));
        all_told && ended == Some(false)
    }

    fn tell(&self, happened: Happened) -> bool {
        self.tell.send(happened).is_ok()
    }

    fn with_wire<T>(&self, act: impl FnOnce(&mut Wire) -> T) -> Option<T> {
        lock(&self.shared.wire).as_mut().map(act)
    }

    fn is_abandoned(&self) -> bool {
        self.shared.abandoned.load(Ordering::SeqCst)
    }
}

/// Counts a thread while it lives, also when it could not be started.
struct Alive(Arc<AtomicUsize>);

impl Alive {
    fn new(threads: &Arc<AtomicUsize>) -> Self {
        threads.fetch_add(1, Ordering::Relaxed);
        Self(threads.clone())
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn lock(wire: &Mutex<Option<Wire>>) -> MutexGuard<'_, Option<Wire>> {
    // Bytes of frames are in order after each call, whoever panicked between two of them.
    wire.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(feature = "tls")]
fn tls(options: &Options) -> Result<Tls, OptionsError> {
    let config = options
        .url
        .is_secure()
        .then(|| super::tls::config(&options.trust));
    config.transpose()
}

#[cfg(not(feature = "tls"))]
fn tls(options: &Options) -> Result<Tls, OptionsError> {
    if options.url.is_secure() {
        return Err(OptionsError::NoTls);
    }
    Ok(Tls)
}

/// Messages that wait for a poll. Beyond, the thread does not read on, and the server's messages wait at the server.
const HEARD_MAX: usize = 1024;

/// Bytes read from a socket at once.
const READ_BYTES: usize = 64 * 1024;

/// After so long the thread looks whether it is still wanted.
const READ_WAIT: Duration = Duration::from_secs(1);

/// How long a write may wait for the kernel: polling never waits, so as short as it can be said.
const WRITE_WAIT: Duration = Duration::from_millis(1);

/// Threads of one client that still wait for a name or an address although they were given up. Beyond, attempts fail.
const THREADS_MAX: usize = 8;
