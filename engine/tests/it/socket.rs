//! Servers on each runtime and blocking clients over real sockets, for the tests of `net_*`. Never judges: tests do.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use worldshard::prelude::*;
use worldshard::runtime::{Running, start};
use worldshard::{AppRecipe, Runtime};
use worldshard_transport::{
    Event, Limits, MessageKind, Reader, Role, client_request, masked_close, masked_frame,
    masked_ping, parse_client_response,
};

use crate::runtimes::runs_here;

/// Runs `test` on every runtime that can run here, or on the one that WORLDSHARD_RUNTIME names.
pub(crate) fn on_each_runtime(test: impl Fn(Runtime)) {
    for runtime in [Runtime::Portable, Runtime::Glommio] {
        if runs_here(runtime, 8) {
            println!("on {runtime}");
            test(runtime);
        }
    }
}

/// An application that returns every message to its sender, on a free port.
pub(crate) fn echo_app(runtime: Runtime, shards: u16) -> App {
    let mut app = App::new();
    app.bind("127.0.0.1:0")
        .runtime(runtime)
        .shards(shards)
        .system(Update, echo)
        // Clients of tests often stay until the server has stopped.
        .options(|options| options.limits.close_deadline = Duration::from_millis(500));
    app
}

fn echo(cx: &mut Context) {
    for message in cx.messages() {
        cx.send(Audience::One(message.session), message.payload.clone());
    }
}

/// A running server and its address.
pub(crate) fn serve(app: &mut App) -> (Running, SocketAddr) {
    let recipe: Arc<AppRecipe> = app.build().unwrap();
    let running = start(&recipe).unwrap();
    let address = running.local_addr().unwrap();
    (running, address)
}

/// Stops a server and expects it to end well.
pub(crate) fn end(running: Running) {
    running.stop();
    running.join().unwrap();
}

/// A client that blocks, for at most [`PATIENCE`].
pub(crate) struct Client<S = TcpStream> {
    pub(crate) stream: S,
    reader: Reader,
    pending: Vec<u8>,
}

/// What a client heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Message(MessageKind, Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
    /// The end of the stream, or a reset.
    End,
}

impl Client {
    /// Connects to the WebSocket at `path`.
    pub(crate) fn connect(address: SocketAddr, path: &str) -> Client {
        Client::over(tcp(address), path)
    }

    /// Asks for the WebSocket at `path` with more header lines, each with its end, and gives the head of the answer too.
    /// Refused: status and body.
    pub(crate) fn ask(
        address: SocketAddr,
        path: &str,
        lines: &str,
    ) -> Result<(Client, String), (u16, String)> {
        let mut stream = tcp(address);
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{lines}\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        let end = loop {
            let end = bytes.windows(4).position(|end| end == b"\r\n\r\n");
            if let Some(end) = end {
                break end + 4;
            }
            let len = read_some(&mut stream, &mut bytes).unwrap();
            assert!(len > 0, "no answer: {}", String::from_utf8_lossy(&bytes));
        };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut pending = bytes.split_off(end);
        if status != 101 {
            while read_some(&mut stream, &mut pending).unwrap_or(0) > 0 {}
            return Err((status, String::from_utf8(pending).unwrap()));
        }
        let client = Client {
            stream,
            reader: Reader::new(Role::Client, Limits::default()),
            pending,
        };
        Ok((client, head))
    }
}

impl<S: Read + Write> Client<S> {
    /// The same over a connected socket.
    pub(crate) fn over(mut stream: S, path: &str) -> Client<S> {
        stream
            .write_all(&client_request("localhost", path, &KEY))
            .unwrap();
        let mut bytes = Vec::new();
        let len = loop {
            if let Some(len) = parse_client_response(&bytes, &KEY).unwrap() {
                break len;
            }
            read_some(&mut stream, &mut bytes).unwrap();
        };
        let limits = Limits {
            message_bytes_max: 1 << 30,
            ..Limits::default()
        };
        Client {
            stream,
            reader: Reader::new(Role::Client, limits),
            pending: bytes.split_off(len),
        }
    }

    pub(crate) fn say(&mut self, kind: MessageKind, payload: &[u8]) {
        self.write(&masked_frame(kind, payload, MASK));
    }

    pub(crate) fn ping(&mut self, payload: &[u8]) {
        self.write(&masked_ping(payload, MASK));
    }

    pub(crate) fn close(&mut self, code: u16, reason: &str) {
        self.write(&masked_close(code, reason, MASK));
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// The next thing that the server says.
    pub(crate) fn hear(&mut self) -> Heard {
        loop {
            let mut pending = std::mem::take(&mut self.pending);
            let step = self.reader.read(&mut pending).unwrap();
            let consumed = step.consumed;
            let heard = step.event.map(|event| match event {
                Event::Message { kind, payload } => Heard::Message(kind, payload.to_vec()),
                Event::Ping(payload) => Heard::Ping(payload.to_vec()),
                Event::Pong(payload) => Heard::Pong(payload.to_vec()),
                Event::Close { code, reason } => Heard::Close(code, reason.to_owned()),
            });
            self.pending = pending.split_off(consumed);
            if let Some(heard) = heard {
                return heard;
            }
            match read_some(&mut self.stream, &mut self.pending) {
                Ok(0) => return Heard::End,
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {
                    return Heard::End;
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Expects an echo.
    pub(crate) fn echoes(&mut self, kind: MessageKind, payload: &[u8]) {
        self.say(kind, payload);
        let len = payload.len();
        let Heard::Message(heard_kind, heard) = self.hear() else {
            panic!("no echo of {len} bytes");
        };
        assert_eq!((heard_kind, heard.len()), (kind, len));
        assert!(heard == payload, "an echo of {len} bytes differs");
    }
}

/// A connected socket with patience.
pub(crate) fn tcp(address: SocketAddr) -> TcpStream {
    patient(TcpStream::connect(address).unwrap())
}

/// The same over a socket that is connected.
pub(crate) fn patient(stream: TcpStream) -> TcpStream {
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends `request` as it is and returns status and body of the answer.
pub(crate) fn http(address: SocketAddr, request: &str) -> (u16, String) {
    let mut stream = tcp(address);
    stream.write_all(request.as_bytes()).unwrap();
    answer(&mut stream)
}

/// GETs `path`.
pub(crate) fn get(address: SocketAddr, path: &str) -> (u16, String) {
    http(
        address,
        &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    )
}

/// Reads an answer to its end; status 0 when there is none.
pub(crate) fn answer(stream: &mut impl Read) -> (u16, String) {
    let mut bytes = Vec::new();
    while read_some(stream, &mut bytes).unwrap_or(0) > 0 {}
    let text = String::from_utf8_lossy(&bytes);
    let status = text
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status.unwrap_or(0), body.to_owned())
}

/// Asks `ready` again and again until it is, within `patience`.
pub(crate) fn eventually(patience: Duration, what: &str, mut ready: impl FnMut() -> bool) {
    let deadline = now() + patience;
    while !ready() {
        assert!(now() < deadline, "not within {patience:?}: {what}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// The machine's time: these tests are about it.
#[expect(
    clippy::disallowed_methods,
    reason = "tests over real sockets measure real time"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

fn read_some(stream: &mut impl Read, bytes: &mut Vec<u8>) -> std::io::Result<usize> {
    let mut buffer = [0; 16 * 1024];
    loop {
        match stream.read(&mut buffer) {
            // A program that the process starts, and that cannot be, sends a signal which nobody waits for.
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            read => {
                let len = read?;
                bytes.extend_from_slice(&buffer[..len]);
                return Ok(len);
            }
        }
    }
}

/// How long a client waits for anything before its test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

const KEY: [u8; 16] = *b"sixteen bytes ok";
pub(crate) const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];
