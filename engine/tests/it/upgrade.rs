//! Upgrades asked for byte by byte, from any address of this machine, and their answers. Never judges: tests do.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};

use socket2::{Domain, Socket, Type};

use crate::socket::patient;

/// What an upgrade was answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    /// As far as it came with the head.
    pub(crate) body: String,
}

impl Answer {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find_map(|(one, value)| (one == name).then_some(value))
    }
}

/// A socket whose client has this address of the machine's own.
pub(crate) fn tcp_from(source: &str, address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let source: IpAddr = source.parse().unwrap();
    socket.bind(&SocketAddr::new(source, 0).into()).unwrap();
    socket.connect(&address.into()).unwrap();
    patient(socket.into())
}

/// Asks for the WebSocket at `path`, with more header lines, each with its end.
pub(crate) fn ask(stream: &mut (impl Read + Write), path: &str, lines: &str) -> Answer {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{lines}\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    loop {
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let status = head.split(' ').nth(1).unwrap().parse().unwrap();
            let (head, mut body) = (head.to_owned(), body.to_owned());
            if status != 101 {
                let mut rest = Vec::new();
                // An end by a reset is an end.
                let _ = stream.read_to_end(&mut rest);
                body.push_str(&String::from_utf8_lossy(&rest));
            }
            return Answer { status, head, body };
        }
        let mut buffer = [0; 4096];
        let len = stream.read(&mut buffer).unwrap();
        assert!(len > 0, "no answer: {text}");
        text.push_str(&String::from_utf8_lossy(&buffer[..len]));
    }
}
