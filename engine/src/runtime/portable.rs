//! The driver for every system: one loop per shard over mio's readiness. Never decides what bytes mean.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};

use super::clock;
use super::driver::READ_BYTES_MAX;
use super::exchange::Exchange;
use super::mailbox::Bell;
use super::reactor::{Arrival, Next, Reactor, Slot};
use super::socket;
use crate::error::{Error, Result};

/// A poll that can be woken before its thread runs.
pub(crate) struct Prepared {
    poll: Poll,
    bell: Arc<Bell>,
}

impl Prepared {
    pub(crate) fn new() -> io::Result<Prepared> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKE)?;
        // A wake that fails is made good by the next turn, at most 200 ms later.
        let bell = Arc::new(Bell::new(move || drop(waker.wake())));
        Ok(Prepared { poll, bell })
    }

    pub(crate) fn bell(&self) -> Arc<Bell> {
        Arc::clone(&self.bell)
    }
}

/// Runs a shard until it ends.
pub(crate) fn run(prepared: Prepared, make: impl FnOnce() -> Result<Reactor>) -> Result<()> {
    let mut shore = Shore {
        poll: prepared.poll,
        reactor: make()?,
        watched: Vec::new(),
        ready: VecDeque::new(),
        buffer: vec![0; READ_BYTES_MAX],
    };
    let mut events = Events::with_capacity(EVENTS_PER_POLL);
    let mut exchange = Exchange::default();
    loop {
        let next = shore.reactor.turn(clock::now());
        shore.attach_arrivals();
        shore.apply_changes();
        let until = match next {
            Next::End => return Ok(()),
            Next::Again => None,
            Next::Yield => exchange.patience(clock::now()),
            Next::Wait(until) => Some(until),
        };
        if next != Next::Yield {
            exchange = Exchange::default();
        }
        shore.poll(&mut events, until)?;
        for event in &events {
            shore.note(event);
        }
        shore.serve_ready();
    }
}

struct Shore {
    poll: Poll,
    reactor: Reactor,
    /// By the index of the slot.
    watched: Vec<Option<Watched>>,
    /// Connections to serve, first come first served.
    ready: VecDeque<Slot>,
    buffer: Vec<u8>,
}

struct Watched {
    slot: Slot,
    socket: Rc<OwnedFd>,
    /// Readiness that was told once and not used up.
    readable: bool,
    writable: bool,
    /// No readiness will tell of the end again.
    ended: bool,
    queued: bool,
}

impl Shore {
    fn attach_arrivals(&mut self) {
        for (socket, arrival) in self.reactor.take_arrivals() {
            if let Err(error) = self.attach(socket, arrival) {
                tracing::warn!(%error, "a connection could not be watched");
            }
        }
    }

    fn attach(&mut self, socket: OwnedFd, arrival: Arrival) -> io::Result<()> {
        let raw: RawFd = socket.as_raw_fd();
        let socket = Rc::new(socket);
        let shared: Rc<dyn AsFd> = socket.clone();
        let slot = self.reactor.attach(shared, arrival, clock::now());
        let token = Token(slot.index());
        let registered = self.poll.registry().register(
            &mut SourceFd(&raw),
            token,
            Interest::READABLE | Interest::WRITABLE,
        );
        if let Err(error) = registered {
            self.reactor.broken(slot);
            return Err(error);
        }
        if self.watched.len() <= slot.index() {
            self.watched.resize_with(slot.index() + 1, || None);
        }
        self.watched[slot.index()] = Some(Watched {
            slot,
            socket,
            readable: false,
            writable: false,
            ended: false,
            queued: false,
        });
        Ok(())
    }

    /// Drops what is gone, and queues what may go on with readiness it was told of before.
    fn apply_changes(&mut self) {
        let changed = self.reactor.take_changed();
        for slot in &changed {
            let Some(place) = self.watched.get_mut(slot.index()) else {
                continue;
            };
            let Some(watched) = place.as_mut().filter(|watched| watched.slot == *slot) else {
                continue;
            };
            if self.reactor.interest(*slot).is_none() {
                let raw = watched.socket.as_raw_fd();
                // Closing would do the same, but for a second descriptor on another shard.
                let _ = self.poll.registry().deregister(&mut SourceFd(&raw));
                *place = None;
            } else {
                queue(watched, &mut self.ready);
            }
        }
        self.reactor.recycle_changed(changed);
    }

    /// Sleeps until something happens or `until`; `None` only looks.
    fn poll(&mut self, events: &mut Events, until: Option<Instant>) -> Result<()> {
        let wait = match until {
            Some(until) if self.ready.is_empty() => {
                let left = until.saturating_duration_since(clock::now());
                // The system counts in milliseconds and would round a deadline down.
                left + Duration::from_micros(if left.is_zero() { 0 } else { 50 })
            }
            Some(_) | None => Duration::ZERO,
        };
        match self.poll.poll(events, Some(wait)) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                events.clear();
                Ok(())
            }
            Err(source) => Err(Error::Io {
                what: "waiting for readiness".to_owned(),
                source,
            }),
        }
    }

    fn note(&mut self, event: &Event) {
        let Some(Some(watched)) = self.watched.get_mut(event.token().0) else {
            return;
        };
        watched.ended |= event.is_read_closed() || event.is_error();
        watched.readable |= event.is_readable() || watched.ended;
        watched.writable |= event.is_writable() || event.is_write_closed() || event.is_error();
        queue(watched, &mut self.ready);
    }

    /// Serves each connection that is ready once, up to a bound; the rest comes after the next turn.
    fn serve_ready(&mut self) {
        let now = clock::now();
        for _ in 0..self.ready.len().min(SERVED_PER_TURN) {
            let Some(slot) = self.ready.pop_front() else {
                return;
            };
            self.serve(slot, now);
        }
    }

    fn serve(&mut self, slot: Slot, now: Instant) {
        let Some(Some(watched)) = self.watched.get_mut(slot.index()) else {
            return;
        };
        if watched.slot != slot {
            return;
        }
        watched.queued = false;
        let Some(interest) = self.reactor.interest(slot) else {
            return;
        };
        if interest.write && watched.writable {
            watched.writable = false;
            self.reactor.writable(slot, now);
        }
        if !interest.read || !watched.readable {
            return;
        }
        match socket::receive(&*watched.socket, &mut self.buffer) {
            Ok(0) => {
                watched.readable = false;
                self.reactor.eof(slot, now);
            }
            Ok(len) => {
                // A read that did not fill the buffer emptied the socket: what comes later is told.
                watched.readable = watched.ended || len == self.buffer.len();
                self.reactor.bytes(slot, &mut self.buffer[..len], now);
                if watched.readable {
                    queue(watched, &mut self.ready);
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => watched.readable = false,
            Err(_) => self.reactor.broken(slot),
        }
    }
}

fn queue(watched: &mut Watched, ready: &mut VecDeque<Slot>) {
    if !watched.queued {
        watched.queued = true;
        ready.push_back(watched.slot);
    }
}

const WAKE: Token = Token(usize::MAX);

const EVENTS_PER_POLL: usize = 1024;

/// Connections served between two turns, so that ticks and mail wait for no more than these.
const SERVED_PER_TURN: usize = 64;
