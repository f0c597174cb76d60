//! One client of the floor: the upgrade, what comes, and what the kernel did not take yet.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use tungstenite::handshake::derive_accept_key;

use super::frames;

/// One client.
pub(crate) struct Client {
    socket: OwnedFd,
    /// Whether it is a WebSocket now.
    open: bool,
    /// The beginning of what is not whole.
    input: Vec<u8>,
    /// What the kernel did not take.
    output: Vec<u8>,
}

/// What one read brought.
#[derive(Default)]
pub(crate) struct Heard {
    /// What the client must be told at once.
    pub(crate) answer: Vec<u8>,
    /// Its messages, in frames of a server.
    pub(crate) frames: Vec<u8>,
    /// Whether the client is to be cut.
    pub(crate) ends: bool,
}

impl Client {
    pub(crate) fn new(socket: OwnedFd) -> Self {
        Self {
            socket,
            open: false,
            input: Vec::new(),
            output: Vec::new(),
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open
    }

    /// Whether the kernel did not take all that it was given.
    pub(crate) fn is_behind(&self) -> bool {
        !self.output.is_empty()
    }

    /// Its socket, if that can be given something now.
    pub(crate) fn taker(&self) -> Option<BorrowedFd<'_>> {
        (self.open && !self.is_behind()).then(|| self.socket.as_fd())
    }

    /// Reads and forgets.
    pub(crate) fn drop_input(&mut self, buffer: &mut [u8], heard: &mut Heard) {
        heard.ends = self.receive(buffer).is_none();
    }

    /// Reads what came once.
    pub(crate) fn hear(&mut self, buffer: &mut [u8], heard: &mut Heard) {
        let Some(bytes) = self.receive(buffer) else {
            heard.ends = true;
            return;
        };
        if self.input.is_empty() {
            let taken = self.take(&mut buffer[..bytes], heard);
            self.input.extend_from_slice(&buffer[taken..bytes]);
        } else {
            let mut input = std::mem::take(&mut self.input);
            input.extend_from_slice(&buffer[..bytes]);
            let taken = self.take(&mut input, heard);
            input.drain(..taken);
            if !input.is_empty() {
                self.input = input;
            }
        }
    }

    /// Takes what is whole; how many bytes that was.
    fn take(&mut self, bytes: &mut [u8], heard: &mut Heard) -> usize {
        let mut at = 0;
        if !self.open {
            let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
                heard.ends = bytes.len() > HEAD_BYTES_MAX;
                return 0;
            };
            at = end + 4;
            let Some(key) = key(&bytes[..at]) else {
                heard.ends = true;
                return at;
            };
            heard.answer.extend_from_slice(ACCEPTED);
            heard
                .answer
                .extend_from_slice(derive_accept_key(key).as_bytes());
            heard.answer.extend_from_slice(b"\r\n\r\n");
            self.open = true;
        }
        while let Some(frame) = frames::first(&mut bytes[at..]) {
            at += frame.len;
            match frame.opcode {
                frames::CLOSE => {
                    frames::write(frames::CLOSE, frame.payload, &mut heard.answer);
                    heard.ends = true;
                    return at;
                }
                frames::PING => frames::write(frames::PONG, frame.payload, &mut heard.answer),
                frames::PONG => {}
                message => frames::write(message, frame.payload, &mut heard.frames),
            }
        }
        at
    }

    /// Bytes that came; `None` at the end.
    fn receive(&self, buffer: &mut [u8]) -> Option<usize> {
        match recv(&self.socket, buffer, RecvFlags::DONTWAIT) {
            Ok((_, 0)) => None,
            Ok((_, bytes)) => Some(bytes),
            Err(Errno::AGAIN | Errno::INTR) => Some(0),
            Err(_) => None,
        }
    }

    /// Gives the kernel bytes, and keeps what it does not take. Whether the client lives on.
    pub(crate) fn send(&mut self, bytes: &[u8], epoll: &OwnedFd, who: usize) -> bool {
        if self.is_behind() {
            self.output.extend_from_slice(bytes);
            return self.output.len() <= OUTPUT_BYTES_MAX;
        }
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        self.took(bytes, send(&self.socket, bytes, flags), epoll, who)
    }

    /// Keeps what the kernel did not take of what it was given. Whether the client lives on.
    pub(crate) fn took(
        &mut self,
        bytes: &[u8],
        taken: Result<usize, Errno>,
        epoll: &OwnedFd,
        who: usize,
    ) -> bool {
        let sent = match taken {
            Ok(sent) => sent,
            Err(Errno::AGAIN | Errno::INTR) => 0,
            Err(_) => return false,
        };
        if sent == bytes.len() {
            return true;
        }
        self.output.extend_from_slice(&bytes[sent..]);
        self.ask(EventFlags::IN | EventFlags::OUT, epoll, who)
    }

    /// Gives the kernel what it did not take before. Whether the client lives on.
    pub(crate) fn go_on(&mut self, epoll: &OwnedFd, who: usize) -> bool {
        let output = std::mem::take(&mut self.output);
        // It asks anew when there is a rest.
        self.ask(EventFlags::IN, epoll, who) && self.send(&output, epoll, who)
    }

    fn ask(&self, flags: EventFlags, epoll: &OwnedFd, who: usize) -> bool {
        let data = EventData::new_u64(who as u64);
        epoll::modify(epoll, &self.socket, data, flags).is_ok()
    }
}

/// The value of the key's header field.
fn key(head: &[u8]) -> Option<&[u8]> {
    let mut lines = head.split(|&byte| byte == b'\n');
    lines.find_map(|line| {
        let (name, value) = line.split_at_checked(KEY_FIELD.len())?;
        name.eq_ignore_ascii_case(KEY_FIELD)
            .then(|| value.trim_ascii())
    })
}

const KEY_FIELD: &[u8] = b"sec-websocket-key:";

const ACCEPTED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ";

/// A client whose request is longer is cut.
const HEAD_BYTES_MAX: usize = 8192;

/// A client that leaves more unread is cut.
const OUTPUT_BYTES_MAX: usize = 1024 * 1024;
