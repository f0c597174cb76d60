//! The server's end of one connection, by hand: the head, the answer, frames. Waits with a bound, and panics beyond it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use worldshard_client::transport::{
    Event, Limits, MessageKind, OriginPolicy, Reader, RequestHead, Role, close_frame, data_frame,
    parse_head, upgrade_speaking,
};

/// Whatever bytes go through.
pub(crate) trait Duplex: Read + Write + Send {}
impl<T: Read + Write + Send> Duplex for T {}

pub(crate) struct Peer {
    stream: Box<dyn Duplex>,
    pub(crate) head: RequestHead,
    reader: Reader,
    input: Vec<u8>,
}

/// What the client said.
#[derive(PartialEq, Debug)]
pub(crate) enum Said {
    Text(String),
    Binary(Vec<u8>),
    Close(Option<u16>),
    /// The connection ended without a close.
    Nothing,
}

/// Lets `serve` have the next connections, in a thread.
pub(crate) fn serve(
    serve: impl FnOnce(&TcpListener) + Send + 'static,
) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::Builder::new().spawn(move || serve(&listener));
    (address, server.unwrap())
}

/// The next connection, as it is.
pub(crate) fn accept(listener: &TcpListener) -> TcpStream {
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

impl Peer {
    /// The next connection, after its head.
    pub(crate) fn accept(listener: &TcpListener) -> Self {
        Self::over(accept(listener))
    }

    pub(crate) fn over(mut stream: impl Duplex + 'static) -> Self {
        let mut input = Vec::new();
        let head = loop {
            if let Some((head, len)) = parse_head(&input).unwrap() {
                assert_eq!(len, input.len(), "a client waits for the answer");
                break head;
            }
            let mut buffer = [0; 1024];
            let read = stream.read(&mut buffer).unwrap();
            assert!(read > 0, "the client went");
            input.extend_from_slice(&buffer[..read]);
        };
        Self {
            stream: Box::new(stream),
            head,
            reader: Reader::new(Role::Server, Limits::default()),
            input: Vec::new(),
        }
    }

    /// The next connection, upgraded with the first subprotocol offered.
    pub(crate) fn upgraded(listener: &TcpListener) -> Self {
        let mut peer = Self::accept(listener);
        peer.upgrade();
        peer
    }

    /// The same, greeted; an `auth` message before that is returned.
    pub(crate) fn greeted(listener: &TcpListener, greeting: &str) -> Self {
        let mut peer = Self::upgraded(listener);
        peer.text(greeting);
        peer
    }

    pub(crate) fn upgrade(&mut self) {
        let protocol = self.head.offered_protocols().next();
        let answer = upgrade_speaking(&self.head, &OriginPolicy::Any, protocol).unwrap();
        self.stream.write_all(&answer).unwrap();
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.raw(&data_frame(MessageKind::Text, text.as_bytes()));
    }

    pub(crate) fn close(&mut self, code: u16, reason: &str) {
        self.raw(&close_frame(code, reason));
    }

    /// The next message or end; pings are answered.
    pub(crate) fn hear(&mut self) -> Said {
        loop {
            let step = self.reader.read(&mut self.input).unwrap();
            let said = match step.event {
                Some(Event::Message {
                    kind: MessageKind::Text,
                    payload,
                }) => Some(Said::Text(String::from_utf8(payload.to_vec()).unwrap())),
                Some(Event::Message {
                    kind: MessageKind::Binary,
                    payload,
                }) => Some(Said::Binary(payload.to_vec())),
                Some(Event::Close { code, .. }) => Some(Said::Close(code)),
                Some(Event::Ping(_) | Event::Pong(_)) | None => None,
            };
            let consumed = step.consumed;
            let was_event = step.event.is_some();
            self.input.drain(..consumed);
            if let Some(said) = said {
                return said;
            }
            if was_event {
                continue;
            }
            let mut buffer = [0; 64 * 1024];
            match self.stream.read(&mut buffer) {
                Ok(0) => return Said::Nothing,
                Ok(read) => self.input.extend_from_slice(&buffer[..read]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {
                    return Said::Nothing;
                }
                // TLS that ends without a word.
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                    return Said::Nothing;
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    pub(crate) fn hear_text(&mut self) -> String {
        match self.hear() {
            Said::Text(text) => text,
            other => panic!("not a text but {other:?}"),
        }
    }
}

/// A greeting, with a token and the number of the last command taken.
pub(crate) fn greeting(session: u64, resume: Option<(&str, u32)>) -> String {
    let resume = resume.map_or(String::new(), |(token, taken)| {
        format!(r#","resume":"{token}","command_sequence":{taken}"#)
    });
    format!(
        r#"{{"v":1,"svc":"sys","type":"authed","data":{{"session":{session},"layout":1,"tick":1,
        "tick_rate_hz":20.0,"shards":1,"home":0,"world":"w","space":{{"min":[0.0,0.0,0.0],"max":[1.0,1.0,1.0],
        "metric":"plane","cell_edge_m":1.0}},"territories":[],"interest":{{"radius_m":1.0,"hysteresis_m":0.0,
        "radius_max_m":1.0}},"border_m":1.0,"components":[]{resume}}}}}"#
    )
}

/// Far beyond what anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
