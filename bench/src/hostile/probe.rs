//! The well-behaved client: asks for an echo again and again, each at its time, whatever becomes of those before.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::Serialize;
use worldshard_client::transport::{
    Event, Limits, Reader, Role, client_request, parse_client_response,
};

use super::attack::message;
use crate::clock;

/// How long echoes took, from the time at which they were due.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize)]
pub struct Times {
    /// Echoes that came.
    pub count: usize,
    /// Of half of them.
    pub p50_us: u64,
    /// Of 99 in a hundred.
    pub p99_us: u64,
    /// Of the latest.
    pub max_us: u64,
}

/// The client.
pub(crate) struct Probe {
    stream: TcpStream,
    reader: Reader,
    buffer: Vec<u8>,
    asked: u64,
    answered: u64,
}

impl Probe {
    pub(crate) fn connect(server: SocketAddr) -> io::Result<Self> {
        let mut stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        let key = b"sixteen bytes of";
        stream.write_all(&client_request("localhost", "/ws", key))?;
        let mut head = Vec::new();
        let mut buffer = vec![0; 4096];
        loop {
            match stream.read(&mut buffer)? {
                0 => return Err(ErrorKind::ConnectionReset.into()),
                bytes => head.extend_from_slice(&buffer[..bytes]),
            }
            let answer = parse_client_response(&head, key);
            if answer
                .map_err(|refusal| io::Error::other(refusal.to_string()))?
                .is_some()
            {
                break;
            }
        }
        stream.set_nonblocking(true)?;
        let reader = Reader::new(Role::Client, Limits::default());
        Ok(Self {
            stream,
            reader,
            buffer,
            asked: 0,
            answered: 0,
        })
    }

    /// Asks for so long, and waits for the last answers.
    ///
    /// # Errors
    /// The connection ended, or an answer did not come.
    pub(crate) fn ask(&mut self, length: Duration) -> io::Result<Times> {
        let mut took = Vec::new();
        let begun = clock::now();
        let mut due = begun;
        loop {
            let now = clock::now();
            if now >= begun + length {
                break;
            }
            if now >= due {
                let due_ns = u64::try_from(due.as_nanos()).unwrap_or(u64::MAX);
                self.stream.write_all(&message(&due_ns.to_le_bytes()))?;
                self.asked += 1;
                due += EVERY;
                continue;
            }
            self.hear(due - now, &mut took)?;
        }
        let patience = clock::now() + PATIENCE;
        while self.answered < self.asked {
            if clock::now() > patience {
                return Err(ErrorKind::TimedOut.into());
            }
            self.hear(EVERY, &mut took)?;
        }
        Ok(Times::of(took))
    }

    /// Waits for answers, for so long at most.
    fn hear(&mut self, wait: Duration, took: &mut Vec<Duration>) -> io::Result<()> {
        let timeout = Timespec::try_from(wait).ok();
        let mut waits = [PollFd::new(&self.stream, PollFlags::IN)];
        poll(&mut waits, timeout.as_ref())?;
        let bytes = match self.stream.read(&mut self.buffer) {
            Ok(0) => return Err(ErrorKind::ConnectionReset.into()),
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        let now = clock::now();
        let mut at = 0;
        while at < bytes {
            let step = self.reader.read(&mut self.buffer[at..bytes]);
            let step = step.map_err(|failure| io::Error::other(failure.reason))?;
            at += step.consumed;
            match step.event {
                Some(Event::Message { payload, .. }) => {
                    let due = payload.try_into().map_err(|_| ErrorKind::InvalidData)?;
                    let due = Duration::from_nanos(u64::from_le_bytes(due));
                    took.push(now.saturating_sub(due));
                    self.answered += 1;
                }
                Some(Event::Close { .. }) => return Err(ErrorKind::ConnectionAborted.into()),
                Some(Event::Ping(_) | Event::Pong(_)) => {}
                None => break,
            }
        }
        Ok(())
    }
}

impl Times {
    fn of(mut took: Vec<Duration>) -> Self {
        took.sort_unstable();
        let at = |share: usize| {
            let place = (took.len() * share / 1000).min(took.len().saturating_sub(1));
            let time = took.get(place).copied().unwrap_or_default();
            u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
        };
        Self {
            count: took.len(),
            p50_us: at(500),
            p99_us: at(990),
            max_us: at(1000),
        }
    }
}

/// Between two questions.
const EVERY: Duration = Duration::from_millis(5);

/// For the last answers.
const PATIENCE: Duration = Duration::from_secs(10);
