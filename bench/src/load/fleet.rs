//! All connections of a run, in one thread around one epoll. Knows what is a frame, not what it means: that is an
//! [`Actor`]'s.

use std::ops::Range;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use rustls::ClientConfig;
use worldshard_client::transport::{Event, MessageKind, masked_close, masked_pong};

use super::counts::Counts;
use super::dialect::{Dialect, path_of};
use super::plan::Target;
use super::socket::{Phase, Socket, cannot_connect, request};
use super::tagged::MASK;
use super::tls::{self, Tls};
use crate::clock;
use crate::waiting::wait;

/// What clients do with their connections. `out` is what a client is to send.
pub(crate) trait Actor {
    /// What is counted.
    fn counts(&mut self) -> &mut Counts;

    /// A connection is begun that was due at `due`.
    fn connecting(&mut self, _who: usize, _due: Duration) {}

    /// A connection is a WebSocket now.
    fn opened(&mut self, _who: usize, _out: &mut Vec<u8>) {}

    /// A message came.
    fn heard(&mut self, who: usize, message: Heard<'_>, out: &mut Vec<u8>, now: Duration);

    /// All that came at once was heard.
    fn rested(&mut self, _who: usize, _out: &mut Vec<u8>, _now: Duration) {}
}

/// A message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard<'a> {
    pub(crate) kind: MessageKind,
    pub(crate) payload: &'a [u8],
}

/// The connections.
pub(crate) struct Fleet {
    target: Target,
    tls: Option<Arc<ClientConfig>>,
    seed: u64,
    epoll: OwnedFd,
    sockets: Vec<Option<Socket>>,
    /// Those have little room in the kernel for what they do not read.
    narrow: Range<usize>,
    events: Vec<epoll::Event>,
    buffer: Vec<u8>,
    /// Connections begun and not yet open.
    pub(crate) opening: usize,
    pub(crate) open: usize,
    /// Connections that may end without that being a fault: all, at the end of a run.
    ending: bool,
    /// Connections that did not read when the server ended them.
    pub(crate) closed_unread: usize,
}

impl Fleet {
    pub(crate) fn new(target: Target, seed: u64, size: usize) -> Result<Self, Errno> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        Ok(Self {
            tls: target.tls.then(tls::config),
            target,
            seed,
            epoll,
            sockets: (0..size).map(|_| None).collect(),
            narrow: 0..0,
            events: Vec::with_capacity(EVENTS_MAX),
            buffer: vec![0; READ_BYTES],
            opening: 0,
            open: 0,
            ending: false,
            closed_unread: 0,
        })
    }

    pub(crate) fn set_narrow(&mut self, who: Range<usize>) {
        self.narrow = who;
    }

    /// Begins to connect one client.
    pub(crate) fn connect(&mut self, who: usize, actor: &mut impl Actor) -> Result<(), Errno> {
        let path = path_of(&self.target.path, who, self.target.room_members);
        let (request, key) = request(&self.target.host, &path, self.seed, who);
        let window = self.narrow.contains(&who).then_some(NARROW_BYTES);
        let tls = self.tls.as_ref().map(Tls::new);
        let socket = Socket::begin(&self.target.addr, &request, key, window, tls)?;
        let flags = match socket.phase {
            Phase::Connecting => EventFlags::IN | EventFlags::OUT,
            Phase::Upgrading | Phase::Open => EventFlags::IN,
        };
        let data = EventData::new_u64(who as u64);
        epoll::add(&self.epoll, &socket.descriptor, data, flags)?;
        let connected = socket.phase == Phase::Upgrading;
        self.sockets[who] = Some(socket);
        self.opening += 1;
        if connected {
            self.flush(who, actor);
        }
        Ok(())
    }

    /// What a client is to send; nothing for one whose connection has ended.
    pub(crate) fn out(&mut self, who: usize) -> Option<&mut Vec<u8>> {
        let socket = self.sockets[who].as_mut()?;
        (socket.phase == Phase::Open).then_some(&mut socket.out)
    }

    /// Lets clients read no more.
    pub(crate) fn stall(&mut self, who: Range<usize>) -> Result<(), Errno> {
        for one in who {
            if let Some(socket) = &mut self.sockets[one] {
                socket.reads = false;
                Self::ask(&self.epoll, one, socket)?;
            }
        }
        Ok(())
    }

    /// Whether connections may end without that being a fault.
    pub(crate) fn set_ending(&mut self, ending: bool) {
        self.ending = ending;
    }

    /// Says goodbye on all connections.
    pub(crate) fn close_all(&mut self, actor: &mut impl Actor) {
        for who in 0..self.sockets.len() {
            if let Some(out) = self.out(who) {
                out.extend_from_slice(&masked_close(1000, "", MASK));
                self.flush(who, actor);
            }
        }
    }

    /// Cuts all connections.
    pub(crate) fn cut_all(&mut self) {
        for socket in self.sockets.iter_mut().filter_map(Option::take) {
            // A reset leaves no port waiting for late packets, of which the next run would have fewer.
            let _ =
                rustix::net::sockopt::set_socket_linger(&socket.descriptor, Some(Duration::ZERO));
        }
        (self.open, self.opening) = (0, 0);
    }

    /// Waits for something to happen, at most until `until`, and lets the actor hear it.
    pub(crate) fn poll(&mut self, actor: &mut impl Actor, until: Duration) -> Result<(), Errno> {
        let mut events = std::mem::take(&mut self.events);
        wait(&self.epoll, &mut events, Some(until))?;
        for event in events.drain(..) {
            self.happened(event.data.u64() as usize, event.flags, actor);
        }
        self.events = events;
        Ok(())
    }

    fn happened(&mut self, who: usize, flags: EventFlags, actor: &mut impl Actor) {
        let Some(socket) = &mut self.sockets[who] else {
            return;
        };
        if socket.phase == Phase::Connecting {
            match socket.is_connected() {
                Ok(false) => return,
                Ok(true) => socket.phase = Phase::Upgrading,
                Err(error) => {
                    let why = cannot_connect(&self.target.addr, error);
                    return self.lose(who, actor, || why);
                }
            }
            socket.awaits_room = true;
            return self.flush(who, actor);
        }
        if flags.contains(EventFlags::OUT) {
            self.flush(who, actor);
        }
        let Some(socket) = &self.sockets[who] else {
            return;
        };
        if socket.reads && flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
            self.read(who, actor);
        } else if flags.intersects(EventFlags::HUP | EventFlags::ERR) {
            self.closed_unread += 1;
            self.drop_socket(who);
        }
    }

    fn read(&mut self, who: usize, actor: &mut impl Actor) {
        let Some(socket) = &mut self.sockets[who] else {
            return;
        };
        let bytes = match socket.receive(&mut self.buffer) {
            Ok(None) => return,
            Ok(Some(0)) => return self.lose(who, actor, || "ended without a close".to_owned()),
            Ok(Some(bytes)) => bytes,
            Err(error) => return self.lose(who, actor, || error.to_string()),
        };
        let now = clock::now();
        let mut at = 0;
        if socket.phase == Phase::Upgrading {
            match socket.upgrade(&self.buffer[..bytes]) {
                Ok(None) => return,
                Ok(Some(length)) => at = length,
                Err(refusal) => {
                    return self.lose(who, actor, || format!("upgrade refused: {refusal}"));
                }
            }
            self.opening -= 1;
            self.open += 1;
            self.target.dialect.greet(who, &mut socket.out);
            actor.opened(who, &mut socket.out);
        }
        if let Err(why) = {
            let bytes = &mut self.buffer[at..bytes];
            hear(who, socket, &self.target.dialect, bytes, actor, now)
        } {
            return self.lose(who, actor, || why);
        }
        actor.rested(who, &mut socket.out, now);
        self.flush(who, actor);
    }

    /// Writes what a client has to send, as far as the kernel takes it now.
    pub(crate) fn flush(&mut self, who: usize, actor: &mut impl Actor) {
        let Some(socket) = &mut self.sockets[who] else {
            return;
        };
        if socket.out.is_empty() && !socket.awaits_room {
            return;
        }
        match socket.flush() {
            Ok(all) => {
                if socket.awaits_room == all {
                    socket.awaits_room = !all;
                    if let Err(error) = Self::ask(&self.epoll, who, socket) {
                        self.lose(who, actor, || error.to_string());
                    }
                }
            }
            Err(error) => self.lose(who, actor, || error.to_string()),
        }
    }

    fn ask(epoll: &OwnedFd, who: usize, socket: &Socket) -> Result<(), Errno> {
        let mut flags = EventFlags::empty();
        flags.set(EventFlags::IN, socket.reads);
        flags.set(EventFlags::OUT, socket.awaits_room);
        let data = EventData::new_u64(who as u64);
        epoll::modify(epoll, &socket.descriptor, data, flags)
    }

    /// A connection has ended, which it should not before the end of the run.
    fn lose(&mut self, who: usize, actor: &mut impl Actor, why: impl FnOnce() -> String) {
        self.drop_socket(who);
        if !self.ending {
            let faults = &mut actor.counts().faults;
            faults.closed += 1;
            faults.tell(|| format!("connection {who}: {}", why()));
        }
    }

    fn drop_socket(&mut self, who: usize) {
        if let Some(socket) = self.sockets[who].take() {
            match socket.phase {
                Phase::Open => self.open -= 1,
                Phase::Connecting | Phase::Upgrading => self.opening -= 1,
            }
        }
    }
}

/// Takes all frames of some bytes.
///
/// # Errors
/// Why the connection is of no use any more.
fn hear(
    who: usize,
    socket: &mut Socket,
    dialect: &Dialect,
    mut bytes: &mut [u8],
    actor: &mut impl Actor,
    now: Duration,
) -> Result<(), String> {
    let Socket { reader, out, .. } = socket;
    loop {
        let step = reader.read(bytes).map_err(|failure| {
            actor.counts().faults.corrupted += 1;
            failure.to_string()
        })?;
        let consumed = step.consumed;
        match step.event {
            None => return Ok(()),
            Some(Event::Message { kind, payload }) => {
                if let Some(payload) = dialect.heard(payload) {
                    actor.heard(who, Heard { kind, payload }, out, now);
                }
            }
            Some(Event::Ping(payload)) => out.extend_from_slice(&masked_pong(payload, MASK)),
            Some(Event::Pong(_)) => {}
            Some(Event::Close { code, reason }) => {
                let code = code.unwrap_or(1005);
                return Err(format!("closed by the server: {code} {reason}"));
            }
        }
        bytes = &mut bytes[consumed..];
    }
}

/// Events taken at once: what is due to be sent waits for so many reads at most.
const EVENTS_MAX: usize = 64;

/// Bytes read from one connection at once.
const READ_BYTES: usize = 256 * 1024;

/// What the kernel may hold for a client that does not read, before the server's writes block.
const NARROW_BYTES: usize = 4096;
