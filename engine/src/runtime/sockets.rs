//! The sockets of one shard: which are ready, serving those, and the loop around both. Shared by both drivers. Never
//! decides what bytes mean.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};
use rustix::event::{PollFd, PollFlags, Timespec};

use super::bell::Bell;
use super::clock;
use super::door::Door;
use super::exchange::Exchange;
use super::reactor::{Arrival, Next, Reactor, Slot};
use super::socket;
use crate::error::{Error, Result};

/// A shard's poll before its thread runs: it can be woken already.
pub(crate) struct Prepared {
    poll: Poll,
    bell: Arc<Bell>,
}

/// The sockets of one shard and the reactor that they feed.
pub(crate) struct Sockets {
    poll: Poll,
    events: Events,
    reactor: Reactor,
    exchange: Exchange,
    /// Connections to serve, first come first served.
    ready: VecDeque<Slot>,
    door: Option<OwnDoor>,
    /// What is read from one connection in a turn; all share it.
    buffer: Vec<u8>,
}

/// Where an only shard accepts connections.
struct OwnDoor {
    door: Arc<Door>,
    /// Somebody may wait at it.
    ready: bool,
}

/// What the system told of a socket and nobody has used up: it tells each once.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Readiness {
    readable: bool,
    writable: bool,
    /// Whether the system tells when the socket is writable: nobody asks before a write was blocked.
    tells_writable: bool,
    /// No readiness will tell of the end again.
    ended: bool,
    /// Nor that nothing reaches the peer any more.
    gone: bool,
    /// Whether it stands in the list of connections to serve.
    queued: bool,
    /// What was read last was more than its turn: less is read at once.
    lags: bool,
}

impl Prepared {
    pub(crate) fn new() -> io::Result<Prepared> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKE)?;
        // A wake that fails is made good by the next turn, at most 200 ms later.
        let bell = Arc::new(Bell::new(move || drop(waker.wake())));
        Ok(Prepared { poll, bell })
    }

    /// Wakes whoever waits for the sockets.
    pub(crate) fn bell(&self) -> Arc<Bell> {
        Arc::clone(&self.bell)
    }
}

impl Sockets {
    pub(crate) fn new(prepared: Prepared, reactor: Reactor) -> Sockets {
        let turn_bytes_max = reactor.turn_bytes_max();
        Sockets {
            poll: prepared.poll,
            events: Events::with_capacity(EVENTS_PER_LOOK),
            reactor,
            exchange: Exchange::default(),
            ready: VecDeque::new(),
            door: None,
            buffer: vec![0; turn_bytes_max.min(READ_BYTES_MAX)],
        }
    }

    /// Serves until the shard ends. All waiting is in the readiness call.
    ///
    /// # Errors
    /// The system no longer says what is ready.
    pub(crate) fn run(mut self) -> Result<()> {
        while let Some(wait) = self.turn() {
            self.watch_door()?;
            self.look(wait)?;
            self.serve_ready();
            self.accept();
        }
        Ok(())
    }

    /// A turn of the reactor; says how long to wait for readiness or the bell after it. `None` when the shard has ended.
    fn turn(&mut self) -> Option<Duration> {
        let next = self.reactor.turn(clock::now());
        self.attach_arrivals();
        self.apply_changes();
        if next != Next::Yield {
            self.exchange = Exchange::default();
        }
        let until = match next {
            Next::End => return None,
            Next::Again => None,
            Next::Yield => {
                // Neighbours are waited for awake.
                self.reactor.heard_only_commands();
                self.exchange.patience(clock::now())
            }
            Next::Wait(until) => Some(until),
        };
        let more = !self.ready.is_empty() || self.door.as_ref().is_some_and(|door| door.ready);
        match until {
            Some(until) if !more => Some(until.saturating_duration_since(clock::now())),
            Some(_) | None => Some(Duration::ZERO),
        }
    }

    /// Looks for readiness, and waits for it or the bell for at most `wait`.
    fn look(&mut self, wait: Duration) -> Result<()> {
        let mut wait = wait;
        if self.reactor.heard_only_commands() && !wait.is_zero() {
            // None of it matters before the next tick: what more comes soon is read with it, by one wake.
            let nap = wait.min(NAP);
            nap_for(nap);
            wait = Duration::ZERO;
        }
        // The readiness call counts in milliseconds and rounds up: what is due within one is waited for by another call.
        let whole = Duration::from_millis(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        if whole.is_zero() && !wait.is_zero() {
            self.wait_exactly(wait);
        }
        match self.poll.poll(&mut self.events, Some(whole)) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            Err(source) => {
                return Err(Error::Io {
                    what: "waiting for readiness".to_owned(),
                    source,
                });
            }
        }
        for event in &self.events {
            if event.token() == DOOR
                && let Some(own) = &mut self.door
            {
                own.ready = true;
            } else if let Some((slot, readiness)) = self.reactor.readiness_at(event.token().0) {
                readiness.note(event);
                queue(slot, readiness, &mut self.ready);
            }
        }
        Ok(())
    }

    /// Waits for as long or until there is something to look for; an interruption only makes it shorter.
    fn wait_exactly(&self, wait: Duration) {
        let mut descriptor = [PollFd::new(self.poll.registry(), PollFlags::IN)];
        let timeout = Timespec::try_from(wait).ok();
        let _ = rustix::event::poll(&mut descriptor, timeout.as_ref());
    }

    /// Serves each connection that is ready once, up to a bound; the rest comes after the next turn.
    fn serve_ready(&mut self) {
        if self.ready.is_empty() {
            return;
        }
        let now = clock::now();
        for _ in 0..self.ready.len().min(SERVED_PER_TURN) {
            let Some(slot) = self.ready.pop_front() else {
                return;
            };
            self.serve(slot, now);
        }
    }

    /// Begins to accept where the server listens, once it does. Whoever comes while it stops is answered so.
    fn watch_door(&mut self) -> Result<()> {
        if let Some(door) = self.reactor.take_door() {
            let raw = door.descriptor();
            let registry = self.poll.registry();
            registry
                .register(&mut SourceFd(&raw), DOOR, Interest::READABLE)
                .map_err(|source| Error::Io {
                    what: "watching the listening socket".to_owned(),
                    source,
                })?;
            // Who came before is not told of again where the acceptor was asked meanwhile.
            self.door = Some(OwnDoor { door, ready: true });
        }
        Ok(())
    }

    /// Accepts who waits, up to a bound; the rest comes after the next turn.
    fn accept(&mut self) {
        for _ in 0..ACCEPTED_PER_TURN {
            let Some(own) = self.door.as_mut().filter(|own| own.ready) else {
                return;
            };
            if own.door.is_held() || !self.reactor.make_room() {
                own.ready = false;
                return own.door.call_acceptor();
            }
            match own.door.accept() {
                Ok(stream) => self.attach(OwnedFd::from(stream), Arrival::Accepted),
                Err(error) => {
                    self.reactor.give_room_back();
                    let exhausted = socket::is_exhaustion(&error);
                    if exhausted {
                        own.door.hold(true);
                        own.door.call_acceptor();
                    }
                    // Another error is of the connection at the head of the queue, which is gone.
                    own.ready = !exhausted && error.kind() != ErrorKind::WouldBlock;
                }
            }
        }
    }

    fn attach_arrivals(&mut self) {
        for (socket, arrival) in self.reactor.take_arrivals() {
            self.attach(socket, arrival);
        }
    }

    fn attach(&mut self, socket: OwnedFd, arrival: Arrival) {
        let raw: RawFd = socket.as_raw_fd();
        let slot = self.reactor.attach(socket, arrival, clock::now());
        let token = Token(slot.index());
        let registry = self.poll.registry();
        if let Err(error) = registry.register(&mut SourceFd(&raw), token, Interest::READABLE) {
            tracing::warn!(%error, "a connection could not be watched");
            self.reactor.broken(slot);
        }
    }

    /// Drops what has moved on, queues what may go on with readiness it was told of before, and has the system tell
    /// when a blocked socket is writable again.
    fn apply_changes(&mut self) {
        for socket in self.reactor.take_moved() {
            // Another shard has a descriptor of the same connection: closing ours would not end the registration.
            let _ = self
                .poll
                .registry()
                .deregister(&mut SourceFd(&socket.as_raw_fd()));
        }
        let changed = self.reactor.take_changed();
        for slot in &changed {
            let blocked = self.reactor.interest(*slot).is_some_and(|one| one.write);
            let Some((socket, readiness)) = self.reactor.socket(*slot) else {
                continue;
            };
            queue(*slot, readiness, &mut self.ready);
            if !blocked || std::mem::replace(&mut readiness.tells_writable, true) {
                continue;
            }
            // It is told at once when it is writable by now.
            let (raw, token) = (socket.as_raw_fd(), Token(slot.index()));
            let both = Interest::READABLE | Interest::WRITABLE;
            let registry = self.poll.registry();
            if let Err(error) = registry.reregister(&mut SourceFd(&raw), token, both) {
                tracing::warn!(%error, "a connection could not be watched");
                self.reactor.broken(*slot);
            }
        }
        self.reactor.recycle_changed(changed);
    }

    fn serve(&mut self, slot: Slot, now: Instant) {
        let Some(interest) = self.reactor.interest(slot) else {
            return;
        };
        let Some(readiness) = self.reactor.readiness(slot) else {
            return;
        };
        readiness.queued = false;
        let (ended, gone) = (readiness.ended, readiness.gone);
        if interest.write && std::mem::take(&mut readiness.writable) {
            self.reactor.writable(slot, now);
        }
        if interest.read {
            self.read(slot, now);
        } else if ended {
            self.reactor.ended_unread(slot, gone);
        }
    }

    fn read(&mut self, slot: Slot, now: Instant) {
        let Some((socket, readiness)) = self.reactor.socket(slot) else {
            return;
        };
        if !readiness.readable {
            return;
        }
        let most = match readiness.lags {
            true => self.buffer.len().min(LAGGING_READ_BYTES_MAX),
            false => self.buffer.len(),
        };
        let buffer = &mut self.buffer[..most];
        match socket::receive(socket, buffer) {
            Ok(0) => {
                readiness.readable = false;
                self.reactor.eof(slot, now);
            }
            Ok(len) => {
                // A read that did not fill the buffer emptied the socket: what comes later is told.
                readiness.readable = readiness.ended || len == buffer.len();
                if readiness.readable {
                    queue(slot, readiness, &mut self.ready);
                }
                self.reactor.bytes(slot, &mut buffer[..len], now);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => readiness.readable = false,
            Err(_) => self.reactor.broken(slot),
        }
    }
}

impl Readiness {
    fn note(&mut self, event: &Event) {
        self.ended |= event.is_read_closed() || event.is_error();
        self.gone |= event.is_write_closed() || event.is_error();
        self.readable |= event.is_readable() || self.ended;
        self.writable |= event.is_writable() || event.is_write_closed() || event.is_error();
    }

    /// Notes whether what was read last was more than the connection's turn.
    pub(crate) fn note_lag(&mut self, lags: bool) {
        self.lags = lags;
    }
}

/// Sleeps whatever happens; an interruption only makes it shorter.
fn nap_for(nap: Duration) {
    let timeout = Timespec::try_from(nap).ok();
    let _ = rustix::event::poll(&mut [], timeout.as_ref());
}

fn queue(slot: Slot, readiness: &mut Readiness, ready: &mut VecDeque<Slot>) {
    if !readiness.queued {
        readiness.queued = true;
        ready.push_back(slot);
    }
}

const WAKE: Token = Token(usize::MAX);
const DOOR: Token = Token(usize::MAX - 1);

/// How long clients of a world may be kept waiting to be read, and with them a connection that arrives or a letter. A
/// tick is never late for it.
const NAP: Duration = Duration::from_millis(1);

const EVENTS_PER_LOOK: usize = 1024;

/// Connections served between two turns, so that ticks and mail wait for no more than these.
const SERVED_PER_TURN: usize = 64;

/// Connections accepted between two turns, with the same reason; one takes as long as some of those that are served.
const ACCEPTED_PER_TURN: usize = 16;

/// Bytes read at once from a connection, however many a turn may have: the buffer of a shard is no larger.
const READ_BYTES_MAX: usize = 1024 * 1024;

/// Bytes read at once from a connection that says more than it is heard: the rest stays in the kernel, which makes the peer
/// wait, and many who do so cost no turn much.
const LAGGING_READ_BYTES_MAX: usize = 16 * 1024;
