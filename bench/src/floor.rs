//! The raw floor: a WebSocket server that does only what the kernel must be asked for. No simulation, no sessions, no
//! checks beyond what finding the next frame takes; one thread, one epoll, `send` and `recv`.
//!
//! What it spends on a load is what any server spends at least. Not for the open internet: it trusts its clients.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::event::epoll::{self, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with, sockopt};
use signal_hook::consts::{SIGINT, SIGTERM};
use socket2::{Domain, Protocol, Socket, Type};

use crate::clock;
use crate::open_files;
use crate::waiting::wait;
use client::{Client, Heard};
use worldshard::runtime::submission::{Copying, Ring, Sent};

mod client;
mod frames;

/// What to do with what clients say.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Deed {
    /// Nothing: the upgrade is all there is.
    Nothing,
    /// Each message goes back to its sender; one write for all that came at once.
    Echo,
    /// Each message goes to all, its sender included.
    Broadcast {
        /// Everything of an interval in one write per client; one write per message and client when absent.
        write_interval: Option<Duration>,
    },
    /// What comes is read and dropped; so many bytes go to each client in every interval, in one write.
    Ticks {
        /// From one to the next.
        interval: Duration,
        /// Of one frame, header included.
        frame_bytes: usize,
    },
}

/// How what goes to all is given to the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Means {
    /// A system call for each client.
    Plain,
    /// One submission to an io_uring for all of them.
    Ring,
    /// The same, without copying.
    RingZeroCopy,
}

/// What can be read from when the process is asked to end, by ctrl-c or the system.
///
/// # Errors
/// The system has no more descriptors.
pub fn stop_on_signals() -> io::Result<UnixStream> {
    let (stop, asked) = UnixStream::pair()?;
    for signal in [SIGINT, SIGTERM] {
        signal_hook::low_level::pipe::register(signal, asked.try_clone()?)?;
    }
    Ok(stop)
}

/// A floor that listens.
pub struct Floor {
    deed: Deed,
    epoll: OwnedFd,
    listener: Socket,
    /// Kept so that its end stays open.
    _stop: UnixStream,
    clients: Vec<Option<Client>>,
    /// Places of clients that have gone.
    free: Vec<usize>,
    buffer: Vec<u8>,
    heard: Heard,
    /// Frames for all that wait for the next write, or the frame of a tick.
    shared: Vec<u8>,
    ring: Option<(Ring, Copying)>,
    /// What became of the sends of one submission.
    sent: Vec<Sent>,
    next_write: Option<Duration>,
}

impl Floor {
    /// Listens at `host:port`. The floor ends when there is something to be read from `stop`.
    ///
    /// # Errors
    /// The address is none, or is taken; the kernel gives no io_uring.
    pub fn listen(address: &str, deed: Deed, means: Means, stop: UnixStream) -> io::Result<Self> {
        open_files::raise_to_the_most();
        let mut found = address.to_socket_addrs()?;
        let address = found.next().ok_or(io::ErrorKind::AddrNotAvailable)?;
        let domain = Domain::for_address(address);
        let listener = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        listener.set_reuse_address(true)?;
        listener.bind(&address.into())?;
        listener.listen(BACKLOG)?;
        listener.set_nonblocking(true)?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let watch = |source: &dyn AsFd, number| {
            let data = EventData::new_u64(number);
            epoll::add(&epoll, source.as_fd(), data, EventFlags::IN)
        };
        watch(&listener, LISTENER)?;
        watch(&stop, STOP)?;
        let mut shared = Vec::new();
        let next_write = match deed {
            Deed::Ticks {
                interval,
                frame_bytes,
            } => {
                shared = frames::of_bytes(frame_bytes);
                Some(interval)
            }
            Deed::Broadcast { write_interval } => write_interval,
            Deed::Nothing | Deed::Echo => None,
        };
        let copying = match means {
            Means::Plain => None,
            Means::Ring => Some(Copying::Now),
            Means::RingZeroCopy => Some(Copying::Never),
        };
        let with_ring = |copying| Ok::<_, io::Error>((Ring::new()?, copying));
        Ok(Self {
            deed,
            ring: copying.map(with_ring).transpose()?,
            sent: Vec::new(),
            epoll,
            listener,
            _stop: stop,
            clients: Vec::new(),
            free: Vec::new(),
            buffer: vec![0; READ_BYTES],
            heard: Heard::default(),
            shared,
            next_write: next_write.map(|interval| clock::now() + interval),
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The system does not say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let address = self.listener.local_addr()?.as_socket();
        address.ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
    }

    /// Serves until it is stopped.
    ///
    /// # Errors
    /// A system call failed that never should.
    pub fn run(mut self) -> io::Result<()> {
        let mut events: Vec<Event> = Vec::with_capacity(EVENTS_MAX);
        loop {
            wait(&self.epoll, &mut events, self.next_write)?;
            for event in events.drain(..) {
                match event.data.u64() {
                    STOP => return Ok(()),
                    LISTENER => self.accept()?,
                    who => self.happened(who as usize, event.flags)?,
                }
            }
            if self.next_write.is_some_and(|at| clock::now() >= at) {
                self.write_to_all()?;
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            let socket = match accept_with(&self.listener, flags) {
                Ok(socket) => socket,
                Err(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED) => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            sockopt::set_tcp_nodelay(&socket, true)?;
            let who = self.free.pop().unwrap_or_else(|| {
                self.clients.push(None);
                self.clients.len() - 1
            });
            let data = EventData::new_u64(who as u64);
            epoll::add(&self.epoll, &socket, data, EventFlags::IN)?;
            self.clients[who] = Some(Client::new(socket));
        }
    }

    fn happened(&mut self, who: usize, flags: EventFlags) -> io::Result<()> {
        let Some(client) = &mut self.clients[who] else {
            return Ok(());
        };
        let mut lives = true;
        if flags.contains(EventFlags::OUT) {
            lives &= client.go_on(&self.epoll, who);
        }
        if lives && flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
            lives &= self.read(who)?;
        }
        if !lives {
            self.forget(who);
        }
        Ok(())
    }

    fn forget(&mut self, who: usize) {
        if self.clients[who].take().is_some() {
            self.free.push(who);
        }
    }

    /// Whether the client lives on.
    fn read(&mut self, who: usize) -> io::Result<bool> {
        let Some(client) = &mut self.clients[who] else {
            return Ok(true);
        };
        let heard = &mut self.heard;
        heard.answer.clear();
        heard.frames.clear();
        heard.ends = false;
        let drops = matches!(self.deed, Deed::Ticks { .. });
        if drops && client.is_open() {
            client.drop_input(&mut self.buffer, heard);
        } else {
            client.hear(&mut self.buffer, heard);
        }
        let mut lives = !heard.ends;
        if !heard.answer.is_empty() {
            lives &= client.send(&heard.answer, &self.epoll, who);
        }
        if heard.frames.is_empty() {
            return Ok(lives);
        }
        match self.deed {
            Deed::Nothing | Deed::Ticks { .. } => {}
            Deed::Echo => lives &= client.send(&heard.frames, &self.epoll, who),
            Deed::Broadcast {
                write_interval: Some(_),
            } => self.shared.extend_from_slice(&heard.frames),
            Deed::Broadcast {
                write_interval: None,
            } => {
                // One write for each message: that is what this is the floor of.
                let frames = std::mem::take(&mut self.heard.frames);
                for frame in frames::each(&frames) {
                    self.send_to_all(frame)?;
                }
                self.heard.frames = frames;
            }
        }
        Ok(lives && self.clients[who].is_some())
    }

    fn write_to_all(&mut self) -> io::Result<()> {
        let shared = std::mem::take(&mut self.shared);
        if !shared.is_empty() {
            self.send_to_all(&shared)?;
        }
        self.shared = shared;
        let interval = match self.deed {
            Deed::Ticks { interval, .. } => interval,
            Deed::Broadcast { write_interval } => {
                self.shared.clear();
                write_interval.unwrap_or_default()
            }
            Deed::Nothing | Deed::Echo => return Ok(()),
        };
        // A floor that is late does not make up for it: there is nothing that it would compute.
        let now = clock::now();
        self.next_write = self.next_write.map(|at| (at + interval).max(now));
        Ok(())
    }

    fn send_to_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.ring.is_some() {
            return self.submit_to_all(bytes);
        }
        for who in 0..self.clients.len() {
            let Some(client) = &mut self.clients[who] else {
                continue;
            };
            if client.is_open() && !client.send(bytes, &self.epoll, who) {
                self.forget(who);
            }
        }
        Ok(())
    }

    fn submit_to_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some((ring, copying)) = &mut self.ring else {
            return Ok(());
        };
        let clients = self.clients.iter().enumerate();
        let takers =
            clients.filter_map(|(who, client)| Some((who, client.as_ref()?.taker()?, bytes)));
        ring.send(*copying, takers, &mut self.sent)?;
        // Who is behind only gets more to catch up with: none of them is among those.
        for who in 0..self.clients.len() {
            if let Some(client) = &mut self.clients[who]
                && client.is_behind()
                && !client.send(bytes, &self.epoll, who)
            {
                self.forget(who);
            }
        }
        let mut sent = std::mem::take(&mut self.sent);
        for (who, taken) in sent.drain(..) {
            if let Some(client) = &mut self.clients[who]
                && !client.took(bytes, taken, &self.epoll, who)
            {
                self.forget(who);
            }
        }
        self.sent = sent;
        Ok(())
    }
}

const LISTENER: u64 = u64::MAX;
const STOP: u64 = u64::MAX - 1;

/// Events taken at once.
const EVENTS_MAX: usize = 1024;

/// Bytes read from one client at once.
const READ_BYTES: usize = 256 * 1024;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 4096;
