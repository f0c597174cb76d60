//! One connection, driven by hand: opening, the upgrade, frames in and bytes out. Never waits.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, connect, recv, send, socket_with,
    sockopt,
};
use worldshard_client::transport::{Limits, Reader, Role, client_request, parse_client_response};

use super::tls::Tls;

/// A connection of one client.
pub(crate) struct Socket {
    pub(crate) descriptor: OwnedFd,
    pub(crate) phase: Phase,
    pub(crate) reader: Reader,
    /// Bytes that wait to be written.
    pub(crate) out: Vec<u8>,
    /// Whether the kernel is asked when it takes more.
    pub(crate) awaits_room: bool,
    /// Whether what the server sends is read.
    pub(crate) reads: bool,
    tls: Option<Box<Tls>>,
    key: [u8; 16],
    /// The server's answer as far as it came.
    answer: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    Connecting,
    Upgrading,
    Open,
}

impl Socket {
    /// Begins to connect, and asks for the upgrade at once if that is done. A small `window` leaves the kernel little
    /// room for what is not read.
    pub(crate) fn begin(
        addr: &SocketAddr,
        request: &[u8],
        key: [u8; 16],
        window: Option<usize>,
        tls: Option<Tls>,
    ) -> Result<Self, Errno> {
        let family = match addr {
            SocketAddr::V4(_) => AddressFamily::INET,
            SocketAddr::V6(_) => AddressFamily::INET6,
        };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let descriptor = socket_with(family, SocketType::STREAM, flags, None)?;
        sockopt::set_tcp_nodelay(&descriptor, true)?;
        if let Some(bytes) = window {
            sockopt::set_socket_recv_buffer_size(&descriptor, bytes)?;
        }
        let phase = match connect(&descriptor, addr) {
            Ok(()) => Phase::Upgrading,
            Err(Errno::INPROGRESS) => Phase::Connecting,
            Err(error) => return Err(error),
        };
        let limits = Limits {
            message_bytes_max: MESSAGE_BYTES_MAX,
            ..Limits::default()
        };
        Ok(Self {
            descriptor,
            phase,
            reader: Reader::new(Role::Client, limits),
            out: request.to_vec(),
            awaits_room: false,
            reads: true,
            tls: tls.map(Box::new),
            key,
            answer: Vec::new(),
        })
    }

    /// Whether a connection attempt has come to its end: `Ok(false)` when it needs more time.
    pub(crate) fn is_connected(&self) -> Result<bool, Errno> {
        sockopt::socket_error(&self.descriptor)??;
        match rustix::net::getpeername(&self.descriptor) {
            Ok(_) => Ok(true),
            Err(Errno::NOTCONN) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Takes what the kernel has, up to the length of `buffer`: `None` when there is nothing now, 0 at the end.
    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, Errno> {
        let Some(tls) = &mut self.tls else {
            return take(&self.descriptor, buffer);
        };
        let mut ciphertext = [0; CIPHERTEXT_BYTES];
        let bytes = match take(&self.descriptor, &mut ciphertext)? {
            Some(bytes @ 1..) => bytes,
            nothing => return Ok(nothing),
        };
        let opened = tls.open(&ciphertext[..bytes], buffer);
        let opened = opened.map_err(|_| Errno::PROTO)?;
        // The handshake may go on, or be complete: then what waited for that is sent.
        self.flush()?;
        Ok((opened > 0).then_some(opened))
    }

    /// Gives the kernel what waits; whether it took all.
    pub(crate) fn flush(&mut self) -> Result<bool, Errno> {
        let bytes = match &mut self.tls {
            None => &mut self.out,
            Some(tls) => tls.seal(&mut self.out),
        };
        let mut written = 0;
        while written < bytes.len() {
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            match send(&self.descriptor, &bytes[written..], flags) {
                Ok(taken) => written += taken,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(error) => return Err(error),
            }
        }
        let all = written == bytes.len();
        if all {
            bytes.clear();
        } else {
            bytes.drain(..written);
        }
        Ok(all)
    }

    /// Takes bytes of the server's answer to the upgrade: how many belonged to it once it is whole.
    pub(crate) fn upgrade(&mut self, bytes: &[u8]) -> Result<Option<usize>, String> {
        let before = self.answer.len();
        self.answer.extend_from_slice(bytes);
        let answered = parse_client_response(&self.answer, &self.key);
        match answered {
            Ok(None) => Ok(None),
            Ok(Some(length)) => {
                self.phase = Phase::Open;
                self.answer = Vec::new();
                Ok(Some(length - before))
            }
            Err(refusal) => Err(format!("{} {}", refusal.status, refusal.reason)),
        }
    }
}

fn take(descriptor: &OwnedFd, buffer: &mut [u8]) -> Result<Option<usize>, Errno> {
    match recv(descriptor, buffer, RecvFlags::DONTWAIT) {
        Ok((_, bytes)) => Ok(Some(bytes)),
        Err(Errno::AGAIN | Errno::INTR) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Why there is no connection, and what may help.
pub(crate) fn cannot_connect(addr: &SocketAddr, error: Errno) -> String {
    let remedy = match error {
        Errno::CONNREFUSED => "nobody listens there, see --url",
        Errno::ADDRNOTAVAIL => "all ports are taken; wait a minute, or fewer --connections",
        Errno::MFILE => "no more files may be opened; raise ulimit -n, or fewer --connections",
        _ => "see --url",
    };
    format!("connecting to {addr}: {error}; {remedy}")
}

/// What a client of this number asks with.
pub(crate) fn request(host: &str, path: &str, seed: u64, who: usize) -> (Vec<u8>, [u8; 16]) {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..].copy_from_slice(&(who as u64 ^ KEY_SALT).to_le_bytes());
    (client_request(host, path, &key).to_vec(), key)
}

/// Longer messages of a server are refused: more than a full snapshot of 600 000 entities.
const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Ciphertext taken at once: a whole record.
const CIPHERTEXT_BYTES: usize = 18 * 1024;

/// Keys of low numbers shall not be mostly zeros.
const KEY_SALT: u64 = 0x9e37_79b9_7f4a_7c15;
