//! The attacks. Each is one thread, as fast as its processor goes, unless it says otherwise.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};
use worldshard_client::transport::{MessageKind, client_request, masked_frame, masked_ping};

use crate::clock;
use crate::open_files;

/// What attackers do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Attack {
    /// Connections are opened, upgraded and reset, one after another.
    Handshakes,
    /// A thousand connections each say a byte of their request now and then, and come again when they are turned away.
    Slowloris,
    /// Eight connections claim a gigabyte and send it, and come again when they are closed.
    Giants,
    /// Eight connections send messages in fragments of one byte that never end, and come again when they are closed.
    Fragments,
    /// Eight connections send pings, and read what comes.
    Pings,
    /// Ten thousand connections say nothing but pongs.
    Idle,
}

/// What an attack came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Attacked {
    /// Connections that were accepted, or upgraded where that is asked for.
    pub accepted: u64,
    /// Connections that were turned away, closed or reset by the server.
    pub ended: u64,
    /// Bytes that the kernel took.
    pub sent_bytes: u64,
    /// Connections at the same time, at most.
    pub at_once: u64,
}

impl Attack {
    /// All of them, with their names.
    pub const ALL: [(&str, Self); 6] = [
        ("handshakes", Self::Handshakes),
        ("slowloris", Self::Slowloris),
        ("giants", Self::Giants),
        ("fragments", Self::Fragments),
        ("pings", Self::Pings),
        ("idle", Self::Idle),
    ];

    /// Connections at the same time.
    #[must_use]
    pub fn connections(self) -> usize {
        match self {
            Self::Handshakes => 1,
            Self::Slowloris => 1000,
            Self::Giants | Self::Fragments | Self::Pings => 8,
            Self::Idle => 10_000,
        }
    }

    /// What the server's limits let it hold for one of them, in bytes.
    #[must_use]
    pub fn bytes_each(self) -> u64 {
        match self {
            // A request head, as far as it came.
            Self::Handshakes | Self::Slowloris => 16 * 1024,
            // A message that is not whole, and what waits to be written.
            Self::Giants | Self::Fragments | Self::Pings => (256 + 1024) * 1024,
            // A connection, its session, its alarm.
            Self::Idle => 4 * 1024,
        }
    }
}

impl FromStr for Attack {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|(name, _)| *name == text);
        found.map(|(_, attack)| *attack).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|(name, _)| *name).collect();
            format!("one of {}", names.join(", "))
        })
    }
}

/// Attacks a server for so long, from a thread that runs when no other wants its processor, from now on.
///
/// # Errors
/// The system lets this process not connect at all, or not give way.
pub fn attack(attack: Attack, server: SocketAddr, length: Duration) -> io::Result<Attacked> {
    open_files::raise_to_the_most();
    give_way()?;
    let mut horde = Horde {
        server,
        until: clock::now() + length,
        attacked: Attacked::default(),
        buffer: vec![0; 64 * 1024],
    };
    match attack {
        Attack::Handshakes => horde.handshakes()?,
        Attack::Slowloris => horde.slowloris(attack.connections())?,
        Attack::Giants => {
            let mut head = vec![0x82, 0x80 | 127];
            head.extend((1_u64 << 30).to_be_bytes());
            head.extend(MASK);
            horde.flood(attack.connections(), &head, &vec![7; 64 * 1024])?;
        }
        Attack::Fragments => {
            // A text that begins, and parts of it that are none its last.
            let first = [
                0x01,
                0x81,
                MASK[0],
                MASK[1],
                MASK[2],
                MASK[3],
                b'a' ^ MASK[0],
            ];
            let next = [
                0x00,
                0x81,
                MASK[0],
                MASK[1],
                MASK[2],
                MASK[3],
                b'a' ^ MASK[0],
            ];
            horde.flood(attack.connections(), &first, &next.repeat(8192))?;
        }
        Attack::Pings => {
            let pings = masked_ping(&[1; 125], MASK).repeat(500);
            horde.flood(attack.connections(), &pings, &pings)?;
        }
        Attack::Idle => horde.idle(attack.connections())?,
    }
    Ok(horde.attacked)
}

struct Horde {
    server: SocketAddr,
    until: Duration,
    attacked: Attacked,
    buffer: Vec<u8>,
}

/// One that sends without end.
struct Flooder {
    stream: TcpStream,
    /// What it has begun to send, and how much of it is sent.
    sending: Vec<u8>,
    sent: usize,
}

impl Horde {
    fn goes_on(&self) -> bool {
        clock::now() < self.until
    }

    fn handshakes(&mut self) -> io::Result<()> {
        self.attacked.at_once = 1;
        while self.goes_on() {
            match self.upgraded() {
                Ok(stream) => {
                    self.attacked.accepted += 1;
                    reset(&stream);
                }
                Err(error) => self.turned_away(&error)?,
            }
        }
        Ok(())
    }

    fn slowloris(&mut self, count: usize) -> io::Result<()> {
        let request = request();
        let mut slow: Vec<Option<(TcpStream, usize)>> = (0..count).map(|_| None).collect();
        while self.goes_on() {
            for one in &mut slow {
                let Some((stream, said)) = one else {
                    match TcpStream::connect(self.server) {
                        Ok(stream) => {
                            stream.set_nonblocking(true)?;
                            self.attacked.accepted += 1;
                            *one = Some((stream, 0));
                        }
                        Err(error) => self.turned_away(&error)?,
                    }
                    continue;
                };
                // Never the last byte.
                let byte = request[(*said).min(request.len() - 2)];
                *said += 1;
                let answered = is_ended(stream, &mut self.buffer);
                if answered || stream.write(&[byte]).is_err() {
                    reset(stream);
                    *one = None;
                    self.attacked.ended += 1;
                } else {
                    self.attacked.sent_bytes += 1;
                }
            }
            let at_once = slow.iter().flatten().count() as u64;
            self.attacked.at_once = self.attacked.at_once.max(at_once);
            std::thread::park_timeout(Duration::from_millis(50));
        }
        slow.iter().flatten().for_each(|(stream, _)| reset(stream));
        Ok(())
    }

    /// Sends `first` and then `next` again and again on each of so many connections, and reads what comes.
    fn flood(&mut self, count: usize, first: &[u8], next: &[u8]) -> io::Result<()> {
        let mut flooders: Vec<Option<Flooder>> = (0..count).map(|_| None).collect();
        while self.goes_on() {
            let mut moved = false;
            for one in &mut flooders {
                let Some(flooder) = one else {
                    match self.upgraded() {
                        Ok(stream) => {
                            stream.set_nonblocking(true)?;
                            self.attacked.accepted += 1;
                            let (sending, sent) = (first.to_vec(), 0);
                            *one = Some(Flooder {
                                stream,
                                sending,
                                sent,
                            });
                        }
                        Err(error) => self.turned_away(&error)?,
                    }
                    moved = true;
                    continue;
                };
                match flooder.send(next) {
                    Ok(bytes) => {
                        moved |= bytes > 0;
                        self.attacked.sent_bytes += bytes as u64;
                    }
                    Err(_) => {
                        *one = None;
                        self.attacked.ended += 1;
                        continue;
                    }
                }
                if is_ended(&mut flooder.stream, &mut self.buffer) {
                    reset(&flooder.stream);
                    *one = None;
                    self.attacked.ended += 1;
                }
            }
            let at_once = flooders.iter().flatten().count() as u64;
            self.attacked.at_once = self.attacked.at_once.max(at_once);
            if !moved {
                std::thread::park_timeout(Duration::from_micros(200));
            }
        }
        flooders.iter().flatten().for_each(|one| reset(&one.stream));
        Ok(())
    }

    fn idle(&mut self, count: usize) -> io::Result<()> {
        let mut idle = Vec::new();
        while idle.len() < count && self.goes_on() {
            match self.upgraded() {
                Ok(stream) => {
                    stream.set_nonblocking(true)?;
                    self.attacked.accepted += 1;
                    idle.push(stream);
                }
                Err(error) => self.turned_away(&error)?,
            }
        }
        self.attacked.at_once = idle.len() as u64;
        let pong = [0x8a, 0x80, MASK[0], MASK[1], MASK[2], MASK[3]];
        while self.goes_on() {
            let mut ended = 0;
            idle.retain_mut(|stream| {
                let mut asked = [0; 64];
                match stream.read(&mut asked) {
                    // All that is heard are pings.
                    Ok(bytes @ 1..) => (0..bytes / 2).all(|_| stream.write(&pong).is_ok()),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => true,
                    Ok(0) | Err(_) => {
                        ended += 1;
                        false
                    }
                }
            });
            self.attacked.ended += ended;
            std::thread::park_timeout(Duration::from_secs(1));
        }
        idle.iter().for_each(reset);
        Ok(())
    }

    /// A connection whose upgrade was answered.
    fn upgraded(&mut self) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(self.server)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let request = request();
        stream.write_all(&request)?;
        self.attacked.sent_bytes += request.len() as u64;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read(&mut self.buffer)? {
                0 => return Err(ErrorKind::ConnectionReset.into()),
                bytes => head.extend_from_slice(&self.buffer[..bytes]),
            }
        }
        match head.starts_with(b"HTTP/1.1 101 ") {
            true => Ok(stream),
            false => Err(ErrorKind::ConnectionRefused.into()),
        }
    }

    /// The server does not want it; what else there is ends the attack.
    fn turned_away(&mut self, error: &io::Error) -> io::Result<()> {
        let is_turned_away = matches!(
            error.kind(),
            ErrorKind::ConnectionReset
                | ErrorKind::ConnectionRefused
                | ErrorKind::ConnectionAborted
                | ErrorKind::BrokenPipe
                | ErrorKind::TimedOut
                | ErrorKind::WouldBlock
        );
        if !is_turned_away {
            return Err(error.kind().into());
        }
        self.attacked.ended += 1;
        Ok(())
    }
}

impl Flooder {
    /// Sends as much as the kernel takes now, up to one `next`.
    fn send(&mut self, next: &[u8]) -> io::Result<usize> {
        match self.stream.write(&self.sending[self.sent..]) {
            Ok(bytes) => {
                self.sent += bytes;
                if self.sent == self.sending.len() {
                    self.sending = next.to_vec();
                    self.sent = 0;
                }
                Ok(bytes)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
            Err(error) => Err(error),
        }
    }
}

/// Has the probe on the same processor go first at once. However nice, an attacker may end its slice before.
fn give_way() -> io::Result<()> {
    let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    let given = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle);
    given.map_err(io::Error::other)
}

/// Reads what there is; whether that was the end. A close is followed by it.
fn is_ended(stream: &mut TcpStream, buffer: &mut [u8]) -> bool {
    match stream.read(buffer) {
        Ok(bytes) => bytes == 0,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    }
}

/// Ends without a port that waits for late packets, of which the next would have fewer.
fn reset(stream: &TcpStream) {
    let _ = rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO));
}

fn request() -> Vec<u8> {
    client_request("localhost", "/ws", b"sixteen bytes ok").to_vec()
}

/// A message of the probe, masked.
pub(crate) fn message(payload: &[u8]) -> Vec<u8> {
    masked_frame(MessageKind::Binary, payload, MASK).to_vec()
}

const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];
