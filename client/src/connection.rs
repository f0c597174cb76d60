//! A client and its blocking socket. Never spawns a thread and never reads a clock: waiting is the socket's timeout.

use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use worldshard_protocol::Greeting;

use crate::client::Client;
use crate::event::{ClientError, Event};
use crate::lanes::Framing;

/// One connection. Derefs to its [`Client`]: say something there, then [`flush`](Self::flush) or receive.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    client: Client,
    buffer: Box<[u8]>,
    /// What the socket was last told; telling it again costs a call.
    mode: Mode,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mode {
    Waiting(Duration),
    Polling,
}

impl Connection {
    /// Connects and asks for a WebSocket; the answer is the first event, [`Event::Opened`] unless it is an error.
    ///
    /// # Errors
    /// The socket cannot connect.
    pub fn connect(
        addr: impl ToSocketAddrs,
        path: &str,
        framing: Framing,
    ) -> Result<Self, ClientError> {
        let stream = TcpStream::connect(addr)?;
        stream.set_nodelay(true)?;
        Self::over(stream, path, framing)
    }

    /// The same over a socket that the caller made, for tests that need its options.
    ///
    /// # Errors
    /// The socket is not connected or takes no options.
    pub fn over(stream: TcpStream, path: &str, framing: Framing) -> Result<Self, ClientError> {
        let make = |host: &str, seed| Some(Client::new(host, path, framing, seed));
        Self::with(stream, make)
    }

    fn with(
        stream: TcpStream,
        make: impl FnOnce(&str, u64) -> Option<Client>,
    ) -> Result<Self, ClientError> {
        let host = stream.peer_addr()?.to_string();
        // Seeded by the system once per hasher: no two connections share their masks.
        let seed = RandomState::new().hash_one(&host);
        stream.set_write_timeout(Some(WRITE_WAIT))?;
        stream.set_read_timeout(Some(FIRST_WAIT))?;
        let mut connection = Self {
            stream,
            client: make(&host, seed).ok_or(ClientError::NoToken)?,
            buffer: vec![0; READ_BYTES].into_boxed_slice(),
            mode: Mode::Waiting(FIRST_WAIT),
        };
        connection.flush()?;
        Ok(connection)
    }

    /// Connects to a world and waits for its greeting.
    ///
    /// # Errors
    /// No connection, no upgrade, or another first message; [`ClientError::TimedOut`] as in [`until`](Self::until).
    pub fn enter(
        addr: impl ToSocketAddrs,
        path: &str,
        timeout: Duration,
    ) -> Result<Self, ClientError> {
        let mut connection = Self::connect(addr, path, Framing::Lanes)?;
        connection.until(timeout, |event| {
            matches!(event, Event::Greeting(_)).then_some(())
        })?;
        Ok(connection)
    }

    /// Goes on with the session of a client whose connection broke, and waits for the greeting. The next delta is whole;
    /// commands beyond the greeting's `command_sequence` were lost and may be said again.
    ///
    /// # Errors
    /// As [`enter`](Self::enter); [`ClientError::NoToken`] when the session cannot be resumed, and
    /// [`ClientError::Handshake`] with 410 when it is no more.
    pub fn resume(
        addr: impl ToSocketAddrs,
        path: &str,
        last: &Client,
        timeout: Duration,
    ) -> Result<(Self, Greeting), ClientError> {
        let stream = TcpStream::connect(addr)?;
        stream.set_nodelay(true)?;
        let mut connection = Self::with(stream, |host, seed| {
            Client::resuming(host, path, last, seed)
        })?;
        let greeting = connection.until(timeout, |event| {
            let Event::Greeting(greeting) = event else {
                return None;
            };
            Some((**greeting).clone())
        })?;
        Ok((connection, greeting))
    }

    /// The next event, after waiting up to `timeout` for bytes; `None` when none came in that time. Bytes that
    /// complete no event start the wait anew. Sends what is queued first.
    ///
    /// # Errors
    /// The socket failed or the server broke the protocol.
    pub fn receive(&mut self, timeout: Duration) -> Result<Option<Event>, ClientError> {
        // A timeout of zero would mean for ever.
        self.step(Mode::Waiting(timeout.max(Duration::from_micros(1))))
    }

    /// The next event that is already there; never waits.
    ///
    /// # Errors
    /// As [`receive`](Self::receive).
    pub fn try_receive(&mut self) -> Result<Option<Event>, ClientError> {
        self.step(Mode::Polling)
    }

    /// Receives until `pick` finds what it waits for; other events are dropped.
    ///
    /// # Errors
    /// [`ClientError::TimedOut`] when no bytes came for `timeout`; [`ClientError::Closed`] when the connection
    /// closed before, unless `pick` takes the close; else as [`receive`](Self::receive).
    pub fn until<T>(
        &mut self,
        timeout: Duration,
        mut pick: impl FnMut(&Event) -> Option<T>,
    ) -> Result<T, ClientError> {
        loop {
            let event = self.receive(timeout)?.ok_or(ClientError::TimedOut)?;
            if let Some(found) = pick(&event) {
                return Ok(found);
            }
            if let Event::Closed { code, reason } = event {
                return Err(ClientError::Closed { code, reason });
            }
        }
    }

    /// Writes what is queued. Bytes that the kernel does not take within [`WRITE_WAIT`] stay queued.
    ///
    /// # Errors
    /// The socket failed.
    pub fn flush(&mut self) -> Result<(), ClientError> {
        self.write_output().map_err(ClientError::Io)
    }

    fn write_output(&mut self) -> io::Result<()> {
        let output = self.client.output();
        let mut written = 0;
        let outcome = loop {
            if written == output.len() {
                break Ok(());
            }
            match self.stream.write(&output[written..]) {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(bytes) => written += bytes,
                Err(error) if would_wait(&error) => break Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        output.drain(..written);
        outcome
    }

    /// The socket, for its options and for waiting on several connections.
    #[must_use]
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    fn step(&mut self, mode: Mode) -> Result<Option<Event>, ClientError> {
        loop {
            let event = self.client.poll()?;
            if let Err(error) = self.write_output() {
                if !is_broken(&error) {
                    return Err(error.into());
                }
                // What the server said before it went still counts: only the read decides.
                self.client.output().clear();
            }
            if event.is_some() || self.client.is_ended() {
                return Ok(event);
            }
            self.set_mode(mode)?;
            match self.stream.read(&mut self.buffer) {
                Ok(0) => return Ok(self.client.end_of_input()),
                Ok(bytes) => self.client.receive(&self.buffer[..bytes]),
                Err(error) if would_wait(&error) => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_broken(&error) => return Ok(self.client.end_of_input()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn set_mode(&mut self, mode: Mode) -> Result<(), ClientError> {
        if self.mode != mode {
            match mode {
                Mode::Waiting(timeout) => {
                    self.stream.set_nonblocking(false)?;
                    self.stream.set_read_timeout(Some(timeout))?;
                }
                Mode::Polling => self.stream.set_nonblocking(true)?,
            }
            self.mode = mode;
        }
        Ok(())
    }
}

impl std::ops::Deref for Connection {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl std::ops::DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}

fn would_wait(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

fn is_broken(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
    )
}

/// How long one write waits for a server that does not read. Beyond, the bytes stay queued.
pub const WRITE_WAIT: Duration = Duration::from_secs(10);

/// Bytes read from a socket at once.
pub const READ_BYTES: usize = 64 * 1024;

/// The read timeout until the first call sets its own.
const FIRST_WAIT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
