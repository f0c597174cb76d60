//! The listener of operators: a thread that accepts, and one for each of a few connections. No shard serves it, so it answers
//! while they stand still.
//!
//! Requests are answered by `routes`. Shards are asked by errands in their mailboxes, and waited for no longer than a while.

mod bans;
mod errands;
mod routes;

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};
use std::os::fd::AsRawFd as _;
use worldshard_transport::{Refusal, RequestHead, Response, parse_head};

use super::clock;
use super::server::StopHandle;
use crate::app::AdminOptions;

/// The thread that accepts operators.
pub(crate) struct Admin {
    thread: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
    waker: Waker,
    address: SocketAddr,
}

/// What the threads of the listener share.
pub(crate) struct Shared {
    /// Of the server that is looked after.
    pub(crate) server: StopHandle,
    pub(crate) options: AdminOptions,
    connections: AtomicUsize,
    ended: AtomicBool,
}

impl Admin {
    /// Starts to answer at `listener`, which must not block.
    pub(crate) fn start(
        listener: TcpListener,
        server: StopHandle,
        options: AdminOptions,
    ) -> io::Result<Admin> {
        let address = listener.local_addr()?;
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKE)?;
        let raw = listener.as_raw_fd();
        poll.registry()
            .register(&mut SourceFd(&raw), LISTENER, Interest::READABLE)?;
        let shared = Arc::new(Shared {
            server,
            options,
            connections: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("admin".to_owned());
        let thread = thread.spawn(move || accept(&listener, poll, &accepting))?;
        Ok(Admin {
            thread: Some(thread),
            shared,
            waker,
            address,
        })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Admin {
    /// Ends the listener. A connection that is being answered ends by its own deadline.
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        let _ = self.waker.wake();
        if let Some(thread) = self.thread.take() {
            // It has nothing that could panic but the standard library.
            let _ = thread.join();
        }
    }
}

fn accept(listener: &TcpListener, mut poll: Poll, shared: &Arc<Shared>) {
    let mut events = Events::with_capacity(4);
    let mut refused = VecDeque::new();
    while !shared.ended.load(Ordering::SeqCst) {
        let now = clock::now();
        while refused.front().is_some_and(|(until, _)| *until <= now) {
            refused.pop_front();
        }
        match listener.accept() {
            Ok((stream, _)) => {
                if let Some(stream) = answer(stream, shared) {
                    refused.push_back((now + LINGER, stream));
                    if refused.len() > REFUSED_MAX {
                        refused.pop_front();
                    }
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let next: Option<&(Instant, TcpStream)> = refused.front();
                let wait = next.map(|(until, _)| until.saturating_duration_since(now));
                // An interrupted wait is only a shorter one.
                let _ = poll.poll(&mut events, wait);
            }
            // Descriptors may be free again soon; another error is of a connection that is gone.
            Err(_) => clock::stand_still(clock::now() + BACK_OFF),
        }
    }
}

/// Answers on a thread of its own, if there are not too many. One more is refused at once, and given back: closed now, it
/// might be reset before its peer has read that.
fn answer(stream: TcpStream, shared: &Arc<Shared>) -> Option<TcpStream> {
    let place = Place::take(shared);
    let refused = stream.try_clone();
    let serve = move |place: Place| {
        let deadline = clock::now() + REQUEST_MAX;
        // A peer that is gone needs no answer.
        let _ = converse(stream, &place.0, deadline);
    };
    let spawned = place.map(|place| {
        let thread = std::thread::Builder::new().name("admin-answer".to_owned());
        thread.spawn(move || serve(place))
    });
    if matches!(spawned, Some(Ok(_))) {
        return None;
    }
    let mut stream = refused.ok()?;
    let busy = Refusal::new(503, "too many operators; come back later");
    // This thread waits for no peer: an empty socket has room for so little.
    stream.set_nonblocking(true).ok()?;
    stream.write_all(&busy.response().encode()).ok()?;
    stream.shutdown(Shutdown::Write).ok()?;
    Some(stream)
}

/// A place among the connections that are answered at once.
struct Place(Arc<Shared>);

impl Place {
    fn take(shared: &Arc<Shared>) -> Option<Self> {
        let before = shared.connections.fetch_add(1, Ordering::SeqCst);
        let place = Self(Arc::clone(shared));
        (before < CONNECTIONS_MAX).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::SeqCst);
    }
}

/// One request and its answer.
fn converse(mut stream: TcpStream, shared: &Shared, deadline: Instant) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    let (response, with_body) = match read_head(&mut stream, deadline)? {
        Ok(head) => {
            let response = routes::respond(shared, &head, clock::now());
            (response, head.method != "HEAD")
        }
        Err(refusal) => (refusal.response(), true),
    };
    let bytes = match with_body {
        true => response.encode(),
        false => response.encode_head_only(),
    };
    write(&stream, &bytes)
}

fn read_head(
    stream: &mut TcpStream,
    deadline: Instant,
) -> io::Result<Result<RequestHead, Refusal>> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match parse_head(&bytes) {
            Ok(Some((head, _))) => return Ok(Ok(head)),
            Ok(None) => {}
            Err(refusal) => return Ok(Err(refusal)),
        }
        let left = deadline.saturating_duration_since(clock::now());
        if left.is_zero() {
            return Ok(Err(Refusal::new(408, "the request head took too long")));
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(len) => bytes.extend_from_slice(&buffer[..len]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Its time is over: the next round says so.
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Writes the only answer of a connection, and waits a moment for the peer to have read it.
fn write(mut stream: &TcpStream, bytes: &[u8]) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_write_timeout(Some(REQUEST_MAX))?;
    stream.write_all(bytes)?;
    stream.shutdown(Shutdown::Write)?;
    // Closed with something unread, the connection would be reset and the answer be lost.
    stream.set_read_timeout(Some(LINGER))?;
    let mut rest = [0; 1024];
    let until = clock::now() + LINGER;
    while clock::now() < until && stream.read(&mut rest)? > 0 {}
    Ok(())
}

/// As JSON, with the end of a line for whoever reads it in a terminal.
fn json(status: u16, value: &serde_json::Value) -> Response {
    Response::json(status, format!("{value}\n"))
}

const LISTENER: Token = Token(0);
const WAKE: Token = Token(1);

/// Connections that are answered at once; one more is answered 503.
const CONNECTIONS_MAX: usize = 16;

/// Connections that were answered so and are not closed yet; with one more, the first is.
const REFUSED_MAX: usize = 64;

/// Time for a request to come, and for its answer to be taken.
const REQUEST_MAX: Duration = Duration::from_secs(5);

/// Time for a peer to have read its answer.
const LINGER: Duration = Duration::from_millis(500);

/// Pause before accepting again when the system had nothing left.
const BACK_OFF: Duration = Duration::from_millis(50);
