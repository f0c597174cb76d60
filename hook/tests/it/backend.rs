//! A service that answers what it is posted by a script, and keeps what it was posted. Never judges: tests do.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::Value;
use worldshard::runtime::since_1970;
use worldshard_hook::signature;

use crate::SECRET;
use crate::socket::{PATIENCE, eventually};

/// One request that came in.
#[derive(Clone, Debug)]
pub(crate) struct Posted {
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Value,
}

/// What becomes of a request.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// 200 with this body.
    Ok(String),
    /// This status, with more header lines, each with its end.
    Status(u16, String),
    /// The connection is cut without a word.
    Cut,
    /// No answer, as long as the service is there.
    Hang,
    /// No HTTP.
    Garbage,
    /// A body without end, as long as it is read.
    Giant,
    /// Its head is there, and its body comes a byte at a time.
    Drip,
}

type Script = dyn Fn(&Posted) -> Answer + Send + Sync;

/// The service.
pub(crate) struct Backend {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    posted: Mutex<Vec<Posted>>,
    script: Mutex<Arc<Script>>,
    over: AtomicBool,
}

impl Posted {
    pub(crate) fn event(&self) -> &str {
        self.body["event"].as_str().unwrap()
    }

    pub(crate) fn key(&self) -> &str {
        &self.headers["idempotency-key"]
    }
}

impl Backend {
    /// On a free port; it answers `{}` until it is told otherwise.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            posted: Mutex::default(),
            script: Mutex::new(Arc::new(|_: &Posted| ok("{}"))),
            over: AtomicBool::new(false),
        });
        let accepting = std::thread::Builder::new().spawn({
            let shared = Arc::clone(&shared);
            move || {
                let mut serving = Vec::new();
                for stream in listener.incoming() {
                    if shared.over.load(Ordering::SeqCst) {
                        break;
                    }
                    let shared = Arc::clone(&shared);
                    let serve = move || shared.serve(&mut stream.unwrap());
                    serving.push(std::thread::Builder::new().spawn(serve).unwrap());
                }
                for thread in serving {
                    thread.join().unwrap();
                }
            }
        });
        Self {
            address,
            shared,
            accepting: Some(accepting.unwrap()),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook?key=in-the-url", self.address)
    }

    /// From now on it answers so.
    pub(crate) fn answer(&self, script: impl Fn(&Posted) -> Answer + Send + Sync + 'static) {
        *self.shared.script.lock().unwrap() = Arc::new(script);
    }

    /// What it was posted so far.
    pub(crate) fn posted(&self) -> Vec<Posted> {
        self.shared.posted.lock().unwrap().clone()
    }

    /// What it was posted of an event.
    pub(crate) fn posted_of(&self, event: &str) -> Vec<Posted> {
        let mut posted = self.posted();
        posted.retain(|one| one.event() == event);
        posted
    }

    /// Waits until it was posted so much of an event.
    pub(crate) fn waits_for(&self, event: &str, count: usize) -> Vec<Posted> {
        eventually(PATIENCE, &format!("{count} of {event}"), || {
            self.posted_of(event).len() >= count
        });
        self.posted_of(event)
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        // Wakes whoever accepts.
        drop(TcpStream::connect(self.address));
        let ended = self.accepting.take().unwrap().join();
        assert!(
            ended.is_ok() || std::thread::panicking(),
            "the service panicked"
        );
    }
}

impl Shared {
    /// Answers one connection, request after request.
    fn serve(&self, stream: &mut TcpStream) {
        stream
            .set_read_timeout(Some(std::time::Duration::from_millis(20)))
            .unwrap();
        let mut bytes = Vec::new();
        while let Some(posted) = self.read(stream, &mut bytes) {
            let script = Arc::clone(&self.script.lock().unwrap());
            let answer = script(&posted);
            self.posted.lock().unwrap().push(posted);
            let more = match answer {
                Answer::Ok(body) => write(stream, &plain(200, "", &body)),
                Answer::Status(status, headers) => write(stream, &plain(status, &headers, "")),
                Answer::Cut => false,
                Answer::Garbage => {
                    write(stream, "220 mail.example ESMTP\r\n\r\n");
                    false
                }
                Answer::Hang => {
                    self.until_over(stream);
                    false
                }
                Answer::Giant => {
                    write(
                        stream,
                        "HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n",
                    );
                    while !self.is_over() && write(stream, &"{".repeat(4096)) {}
                    false
                }
                Answer::Drip => {
                    write(stream, "HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n");
                    while !self.is_over() && write(stream, " ") {
                        std::thread::park_timeout(std::time::Duration::from_millis(10));
                    }
                    false
                }
            };
            if !more {
                return;
            }
        }
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    fn until_over(&self, stream: &mut TcpStream) {
        let mut byte = [0];
        while !self.is_over() {
            if matches!(stream.read(&mut byte), Ok(0)) {
                return;
            }
        }
    }

    /// The next request; none at the end. Its signature is checked here, so that every test does.
    fn read(&self, stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<Posted> {
        let mut buffer = [0; 16 * 1024];
        loop {
            if let Some((posted, length)) = parse(bytes) {
                bytes.drain(..length);
                return Some(posted);
            }
            match stream.read(&mut buffer) {
                Ok(0) => return None,
                Ok(length) => bytes.extend_from_slice(&buffer[..length]),
                Err(_) if self.is_over() => return None,
                Err(error) => {
                    use std::io::ErrorKind::{TimedOut, WouldBlock};
                    if !matches!(error.kind(), WouldBlock | TimedOut) {
                        return None;
                    }
                }
            }
        }
    }
}

fn parse(bytes: &[u8]) -> Option<(Posted, usize)> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..end]).unwrap();
    let mut lines = head.trim_end().split("\r\n");
    assert_eq!(lines.next(), Some("POST /hook?key=in-the-url HTTP/1.1"));
    let headers: BTreeMap<String, String> = lines
        .map(|line| line.split_once(':').unwrap())
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    let length: usize = headers["content-length"].parse().unwrap();
    let body = bytes.get(end..end + length)?;
    check_signature(&headers["worldshard-signature"], body);
    let posted = Posted {
        headers,
        body: serde_json::from_slice(body).unwrap(),
    };
    Some((posted, end + length))
}

fn check_signature(line: &str, body: &[u8]) {
    let seconds = line
        .strip_prefix("t=")
        .and_then(|line| line.split_once(','));
    let seconds: u64 = seconds.unwrap().0.parse().unwrap();
    let at = std::time::Duration::from_secs(seconds);
    assert_eq!(line, signature(SECRET, at, body));
    assert!(since_1970().abs_diff(at) < 2 * PATIENCE, "{line}");
}

pub(crate) fn ok(body: impl Into<String>) -> Answer {
    Answer::Ok(body.into())
}

pub(crate) fn status(status: u16) -> Answer {
    Answer::Status(status, String::new())
}

fn plain(status: u16, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} Word\r\n{headers}content-length: {length}\r\n\r\n{body}")
}

fn write(stream: &mut TcpStream, text: &str) -> bool {
    stream.write_all(text.as_bytes()).is_ok()
}
