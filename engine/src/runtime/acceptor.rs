//! One thread that accepts connections and gives each to the least loaded shard that lives. Never reads from one.
//!
//! An only shard accepts by itself; this thread then does so while that shard is stale or asks for it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};
use worldshard_spatial::ShardId;
use worldshard_transport::{Refusal, Response};

use super::bell::Bell;
use super::clock;
use super::control::Stop;
use super::door::Door;
use super::metrics::Unaccepted;
use super::process::{Mail, Process};
use super::{site, socket};

/// The thread that accepts.
pub(crate) struct Acceptor {
    thread: JoinHandle<()>,
    bell: Arc<Bell>,
}

impl Acceptor {
    /// Wakes it, to look whether it is to stop.
    pub(crate) fn bell(&self) -> Arc<Bell> {
        Arc::clone(&self.bell)
    }

    /// Waits for it to end; the server must have been asked to stop.
    pub(crate) fn stop(self) {
        self.bell.ring();
        // It has nothing that could panic but the standard library.
        let _ = self.thread.join();
    }
}

/// Starts to accept from `listener`, which must not block.
pub(crate) fn start(listener: TcpListener, process: Arc<Process>) -> io::Result<Acceptor> {
    let poll = Poll::new()?;
    let waker = Waker::new(poll.registry(), WAKE)?;
    // A wake that fails is made good by the next look, at most a second later.
    let bell = Arc::new(Bell::new(move || drop(waker.wake())));
    let connections_max = process.recipe.options().limits.connections_max;
    let descriptors = connections_max.saturating_add(BESIDE_CONNECTIONS);
    socket::make_room_for_descriptors(&listener, descriptors);
    let door = Arc::new(Door::new(listener, Arc::clone(&bell)));
    let mut reserve = Vec::new();
    // Before the shard may accept: it can until none is left while the acceptor's thread has yet to run.
    fill(&mut reserve);
    let only_shard = (process.shards == 1).then_some(ShardId(0));
    let given = |shard| process.post.letter(shard, Mail::Door(Arc::clone(&door)));
    let helps = only_shard.is_some_and(|shard| given(shard).is_ok());
    if !helps {
        let raw = door.descriptor();
        poll.registry()
            .register(&mut SourceFd(&raw), LISTENER, Interest::READABLE)?;
    }
    let accepting = Accepting {
        door,
        helps,
        troubled: false,
        reserve,
        process,
        poll,
        bell: Arc::clone(&bell),
        refused: VecDeque::new(),
        told: None,
        none_lives: false,
    };
    let thread = std::thread::Builder::new().name("acceptor".to_owned());
    let thread = thread.spawn(move || accepting.run())?;
    Ok(Acceptor { thread, bell })
}

struct Accepting {
    door: Arc<Door>,
    /// A shard accepts by itself as long as it can.
    helps: bool,
    /// Some wait whom it could not accept.
    troubled: bool,
    process: Arc<Process>,
    poll: Poll,
    bell: Arc<Bell>,
    /// Given up one by one when descriptors run out, so that whoever comes is told. A shard may take one in the moment in
    /// which it is free, so there are some.
    reserve: Vec<File>,
    /// Connections that were answered 503: closed at once, they might not get to read it.
    refused: VecDeque<(Instant, TcpStream)>,
    told: Option<Instant>,
    /// Since the last connection that was given away no shard lived.
    none_lives: bool,
}

impl Accepting {
    fn run(mut self) {
        let mut events = Events::with_capacity(4);
        while self.process.control.stop() < Stop::Force {
            self.bell.answer();
            let mut accepted = match self.is_needed() {
                true => self.accept_all(),
                false => Ok(()),
            };
            if self.troubled && accepted.is_ok() {
                // Who came until now was left to this thread, and the shard is not told of anybody twice.
                self.door.hold(false);
                accepted = self.accept_all();
            }
            self.troubled = accepted.is_err();
            self.door.hold(self.troubled);
            let wait = match accepted {
                Ok(()) if self.refused.is_empty() && !self.helps => LOOK_AT_LEAST_EVERY,
                Ok(()) => LOOK_AFTER_OTHERS_EVERY,
                Err(error) => {
                    self.tell(&error);
                    self.refuse_one();
                    BACK_OFF
                }
            };
            self.forget_refused();
            // An interrupted wait is only a shorter one.
            let _ = self.poll.poll(&mut events, Some(wait));
        }
    }

    /// Whether to accept now; the shard does, if it can.
    fn is_needed(&self) -> bool {
        let stale = || !self.process.liveness.stale(clock::now()).is_empty();
        let ended = self.process.liveness.has_ended();
        !self.helps || self.door.take_call() || self.troubled || ended || stale()
    }

    /// Accepts until nobody waits.
    ///
    /// # Errors
    /// When the system has nothing left to accept with; it may have later.
    fn accept_all(&mut self) -> io::Result<()> {
        // What others gave back is first of all for who must be refused.
        fill(&mut self.reserve);
        loop {
            match self.door.accept() {
                Ok(stream) => self.give(stream),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if socket::is_exhaustion(&error) => return Err(error),
                // The connection at the head of the queue is gone already; the next may not be.
                Err(_) => {}
            }
        }
    }

    fn give(&mut self, stream: TcpStream) {
        let limits = &self.process.recipe.options().limits;
        let liveness = &self.process.liveness;
        if !liveness.connection_admitted(limits.connections_max) {
            self.process.refused.count(Unaccepted::Full);
            return self.refuse(stream, busy("no connection is left; come back later"));
        }
        let Some(shard) = self.live_shard() else {
            self.process.liveness.connection_ended();
            if self.process.control.stop() != Stop::No {
                return self.refuse(stream, busy("the server stops"));
            }
            // Nobody else can answer, whatever was asked.
            self.process.refused.count(Unaccepted::NoShard);
            let all: Vec<ShardId> = (0..self.process.shards).map(ShardId).collect();
            return self.refuse(stream, site::unhealthy(&all));
        };
        self.process.liveness.connection_given(shard);
        let mail = Mail::Accepted(OwnedFd::from(stream));
        if let Err(Mail::Accepted(socket)) = self.process.post.letter(shard, mail) {
            self.process.liveness.connection_gone(shard);
            self.process.refused.count(Unaccepted::Overload);
            self.process.liveness.connection_ended();
            self.refuse(
                TcpStream::from(socket),
                busy("the server is overloaded; come back later"),
            );
        }
    }

    /// Who takes the next connection. When all shards seem to stand still, the whole process may have; then they get a
    /// moment to show that they live, but only once.
    fn live_shard(&mut self) -> Option<ShardId> {
        let liveness = &self.process.liveness;
        let now = clock::now();
        let mut shard = liveness.least_loaded(now);
        if shard.is_none() && !self.none_lives && self.process.control.stop() == Stop::No {
            clock::stand_still(now + MOMENT);
            shard = liveness.least_loaded(clock::now());
        }
        self.none_lives = shard.is_none();
        shard
    }

    /// Answers one waiting connection with the descriptor kept for it.
    fn refuse_one(&mut self) {
        if self.reserve.pop().is_some()
            && let Ok(stream) = self.door.accept()
        {
            self.process.refused.count(Unaccepted::NoDescriptor);
            self.answer(&stream, busy("no descriptor is left; come back later"));
        }
        self.refused.clear();
        fill(&mut self.reserve);
    }

    fn refuse(&mut self, stream: TcpStream, response: Response) {
        self.answer(&stream, response);
        self.refused.push_back((clock::now(), stream));
        if self.refused.len() > REFUSED_MAX {
            self.refused.pop_front();
        }
    }

    /// Answers whoever could not be taken in; a later attempt may be.
    fn answer(&self, mut stream: &TcpStream, mut response: Response) {
        response.headers.push(("Retry-After", "1".to_owned()));
        let bytes = match self.process.certificates {
            None => response.encode(),
            // Before a handshake nothing else can be said.
            Some(_) => Bytes::from_static(&TLS_REFUSAL),
        };
        // A fresh connection has room for it; a peer that is gone needs none.
        let _ = stream.set_nonblocking(true);
        let _ = stream.write(&bytes);
        socket::end_output(&stream);
    }

    fn forget_refused(&mut self) {
        let now = clock::now();
        while let Some((since, _)) = self.refused.front()
            && now.saturating_duration_since(*since) > REFUSED_KEPT_FOR
        {
            self.refused.pop_front();
        }
    }

    fn tell(&mut self, error: &io::Error) {
        let now = clock::now();
        let recently = |at: Instant| now.saturating_duration_since(at) < Duration::from_secs(1);
        if !self.told.is_some_and(recently) {
            self.told = Some(now);
            tracing::warn!(%error, "connections are refused until descriptors or memory are free");
        }
    }
}

fn fill(reserve: &mut Vec<File>) {
    while reserve.len() < RESERVED
        && let Ok(file) = File::open("/dev/null")
    {
        reserve.push(file);
    }
}

fn busy(reason: &'static str) -> Response {
    Refusal::new(503, reason).response()
}

const LISTENER: Token = Token(0);
const WAKE: Token = Token(1);

/// A record of TLS: the fatal alert `internal_error`.
pub(super) const TLS_REFUSAL: [u8; 7] = [21, 3, 3, 0, 2, 2, 80];

/// Descriptors that a process has for other things, or more.
const BESIDE_CONNECTIONS: u32 = 256;

/// Descriptors kept to refuse newcomers with. All taken by others: newcomers wait until one is free.
const RESERVED: usize = 4;

/// Far more than a shard needs for a turn, once the process runs again.
const MOMENT: Duration = Duration::from_millis(100);

/// Pause before accepting again when the system had nothing left.
const BACK_OFF: Duration = Duration::from_millis(50);

/// How long a shard that became stale, or a refused client that read why, may go unnoticed.
const LOOK_AFTER_OTHERS_EVERY: Duration = Duration::from_millis(250);

/// A wake that got lost costs no more than this.
const LOOK_AT_LEAST_EVERY: Duration = Duration::from_secs(1);

/// How long a refused client may take to read why.
const REFUSED_KEPT_FOR: Duration = Duration::from_secs(1);

/// Refused connections kept at once. Beyond: the oldest is closed, read or not.
const REFUSED_MAX: usize = 64;
