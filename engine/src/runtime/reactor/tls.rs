//! The TLS of one connection, sans-IO: ciphertext in and plaintext out, plaintext in and ciphertext out.
//!
//! Keeps bytes only while a record is incomplete, waits for a later turn, or was not taken by the kernel as a whole.
//! Never decides what plaintext means, nor when there is a turn.

use std::io;
use std::sync::Arc;

use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, InsufficientSizeError,
    UnbufferedStatus, WriteTraffic,
};
use rustls::{Error, ServerConfig};

/// One connection's TLS.
pub(crate) struct Tls {
    protocol: UnbufferedServerConnection,
    /// What the peer sent and nothing could be made of yet.
    incoming: Vec<u8>,
    /// There is more in `incoming` than the beginning of a record: it is for a later turn.
    waits: bool,
    /// Ciphertext that the kernel has not taken.
    outgoing: Vec<u8>,
    /// Bytes of plaintext that are sent when `outgoing` is.
    sealed: usize,
    /// What the peer sent so far, as long as the handshake is not complete.
    handshake_bytes: usize,
    /// The peer says no more.
    peer_ended: bool,
    /// We say no more.
    ended: bool,
    /// The protocol was broken, and nothing may be made of what follows.
    failed: bool,
}

/// Memory that the connections of a shard use one after another.
#[derive(Default)]
pub(super) struct Scratch {
    /// What was read, or is to be written.
    pub(super) plaintext: Vec<u8>,
    /// What was made of the latter.
    ciphertext: Vec<u8>,
}

/// How far a connection's input was read.
enum Read {
    /// Up to an incomplete record, if any.
    AsFarAsItGoes,
    /// Up to the bound of a turn.
    ForOneTurn,
}

impl Tls {
    /// For a connection just accepted.
    pub(super) fn new(config: Arc<ServerConfig>) -> Tls {
        let protocol = UnbufferedServerConnection::new(config);
        Tls {
            protocol: protocol
                .expect("the only mistake is a size of fragments, which is rustls' own"),
            incoming: Vec::new(),
            waits: false,
            outgoing: Vec::new(),
            sealed: 0,
            handshake_bytes: 0,
            peer_ended: false,
            ended: false,
            failed: false,
        }
    }

    /// Whether the handshake is not complete.
    pub(super) fn is_handshaking(&self) -> bool {
        self.protocol.is_handshaking()
    }

    /// Whether the peer, with its first bytes, asks for something by HTTP.
    pub(super) fn is_plain_request(&self, bytes: &[u8]) -> bool {
        self.handshake_bytes == 0 && bytes.first().is_some_and(u8::is_ascii_uppercase)
    }

    /// Whether ciphertext waits for a later turn.
    pub(super) fn waits(&self) -> bool {
        self.waits
    }

    /// Whether the peer has said that it says no more.
    pub(super) fn peer_ended(&self) -> bool {
        self.peer_ended
    }

    /// Whether all is said.
    pub(super) fn has_ended(&self) -> bool {
        self.ended || self.failed
    }

    /// Ciphertext that the kernel has not taken.
    pub(super) fn outgoing_bytes(&self) -> usize {
        self.outgoing.len()
    }

    /// Keeps ciphertext for a later turn.
    pub(super) fn keep(&mut self, bytes: &[u8]) {
        self.handshake_bytes += bytes.len();
        self.incoming.extend_from_slice(bytes);
        self.waits = true;
    }

    /// Takes ciphertext behind what was kept, and leaves its plaintext in the scratch: that of at most
    /// [`RECORDS_PER_TURN`] records.
    ///
    /// # Errors
    /// The peer breaks the protocol; an alert that says so may be outgoing.
    pub(super) fn receive(&mut self, bytes: &mut [u8], scratch: &mut Scratch) -> Result<(), Error> {
        let Scratch {
            plaintext,
            ciphertext,
        } = scratch;
        plaintext.clear();
        // Whatever is behind the end is to be ignored.
        if self.has_ended() || self.peer_ended {
            return Ok(());
        }
        if self.is_handshaking() {
            self.handshake_bytes += bytes.len();
        }
        let input = match self.incoming.is_empty() {
            true => bytes,
            false => {
                ciphertext.clear();
                ciphertext.append(&mut self.incoming);
                ciphertext.extend_from_slice(bytes);
                ciphertext.as_mut_slice()
            }
        };
        let (done, read) = self.decipher(input, plaintext);
        self.incoming = input[done..].to_vec();
        self.waits = matches!(read, Ok(Read::ForOneTurn));
        let too_much = match self.is_handshaking() {
            true => self.handshake_bytes > HANDSHAKE_BYTES_MAX,
            false => !self.waits && self.incoming.len() > INCOMPLETE_BYTES_MAX,
        };
        let outcome = match read {
            Ok(_) if too_much => Err(Error::General("too much that is no record".to_owned())),
            outcome => outcome.map(|_| ()),
        };
        self.failed = outcome.is_err();
        outcome
    }

    /// Makes plaintext of `input`; says also how much of that is done with. The rest must come first in the next.
    fn decipher(
        &mut self,
        input: &mut [u8],
        plaintext: &mut Vec<u8>,
    ) -> (usize, Result<Read, Error>) {
        let (mut at, mut records) = (0, 0);
        loop {
            let UnbufferedStatus { discard, state } =
                self.protocol.process_tls_records(&mut input[at..]);
            let mut done = discard;
            let outcome = match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(Ok(record)) = traffic.next_record() {
                        done += record.discard;
                        plaintext.extend_from_slice(record.payload);
                        records += 1;
                    }
                    // Only here nothing of a handshake is half taken, which `seal` relies on.
                    (records >= RECORDS_PER_TURN).then_some(Ok(Read::ForOneTurn))
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    encode(&mut data, &mut self.outgoing);
                    None
                }
                Ok(ConnectionState::TransmitTlsData(data)) => {
                    data.done();
                    None
                }
                Ok(ConnectionState::PeerClosed) => {
                    self.peer_ended = true;
                    None
                }
                Ok(
                    ConnectionState::BlockedHandshake
                    | ConnectionState::WriteTraffic(_)
                    | ConnectionState::Closed,
                ) => Some(Ok(Read::AsFarAsItGoes)),
                // None was offered.
                Ok(ConnectionState::ReadEarlyData(_)) => Some(Err(unexpected())),
                Ok(_) => Some(Err(unexpected())),
                Err(error) => Some(Err(error)),
            };
            at += done;
            if matches!(outcome, Some(Err(_))) {
                self.encode_alert(&mut input[at..]);
            }
            if let Some(outcome) = outcome {
                return (at, outcome);
            }
        }
    }

    /// After an error there may be an alert to send. Nothing else may be asked of rustls then: it would read what is
    /// wrong again.
    fn encode_alert(&mut self, input: &mut [u8]) {
        let mut at = 0;
        while self.protocol.wants_write() {
            let status = self.protocol.process_tls_records(&mut input[at..]);
            let Ok(ConnectionState::EncodeTlsData(mut data)) = status.state else {
                return;
            };
            encode(&mut data, &mut self.outgoing);
            at += status.discard;
        }
    }

    /// Makes ciphertext of the scratch's plaintext and, if it `ends`, of the word that nothing follows. Only when nothing
    /// is outgoing; nor before the handshake is complete, or after the end.
    ///
    /// # Errors
    /// Too much was sent for the keys of TLS 1.2: the connection cannot go on.
    pub(super) fn seal(&mut self, scratch: &mut Scratch, ends: bool) -> Result<(), Error> {
        assert!(
            self.outgoing.is_empty() && !self.is_handshaking() && !self.has_ended(),
            "ciphertext out of turn"
        );
        let Scratch {
            plaintext,
            ciphertext,
        } = scratch;
        ciphertext.clear();
        // What is for a later turn would be read by this. It begins with a whole record, so rustls can do without it now.
        let input: &mut [u8] = match self.waits {
            true => &mut [],
            false => &mut self.incoming,
        };
        loop {
            match self.protocol.process_tls_records(&mut *input).state? {
                ConnectionState::WriteTraffic(mut traffic) => {
                    encrypt(&mut traffic, plaintext, ciphertext)?;
                    self.sealed = plaintext.len();
                    if ends {
                        encrypt_end(&mut traffic, ciphertext)?;
                        self.ended = true;
                    }
                    return Ok(());
                }
                ConnectionState::EncodeTlsData(mut data) => encode(&mut data, ciphertext),
                ConnectionState::TransmitTlsData(data) => data.done(),
                ConnectionState::PeerClosed => self.peer_ended = true,
                ConnectionState::ReadTraffic(_)
                | ConnectionState::ReadEarlyData(_)
                | ConnectionState::BlockedHandshake
                | ConnectionState::Closed => return Err(unexpected()),
                _ => return Err(unexpected()),
            }
        }
    }

    /// Gives ciphertext to `send`, which says how much it took: what is outgoing, else what was just sealed. How many
    /// bytes of plaintext have been sent by that as a whole.
    ///
    /// # Errors
    /// What `send` says; then nothing was taken.
    pub(super) fn pass_on(
        &mut self,
        scratch: &Scratch,
        send: impl FnOnce(&[u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let is_new = self.outgoing.is_empty();
        let bytes = match is_new {
            true => &scratch.ciphertext,
            false => &self.outgoing,
        };
        match send(bytes) {
            Ok(taken) if taken == bytes.len() => {
                self.outgoing = Vec::new();
                Ok(std::mem::take(&mut self.sealed))
            }
            Ok(taken) => {
                self.outgoing = bytes[taken..].to_vec();
                Ok(0)
            }
            Err(error) => {
                if is_new {
                    self.outgoing = bytes.clone();
                }
                Err(error)
            }
        }
    }
}

fn encode(data: &mut EncodeTlsData<'_, ServerConnectionData>, out: &mut Vec<u8>) {
    let at = out.len();
    let mut room = 0;
    loop {
        out.resize(at + room, 0);
        match data.encode(&mut out[at..]) {
            Ok(_) | Err(EncodeError::AlreadyEncoded) => return,
            Err(EncodeError::InsufficientSize(InsufficientSizeError { required_size })) => {
                room = required_size;
            }
        }
    }
}

fn encrypt(
    traffic: &mut WriteTraffic<'_, ServerConnectionData>,
    plaintext: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let room = plaintext.len() + (plaintext.len() / RECORD_BYTES + 1) * OVERHEAD_BYTES;
    into_room(out, room, |out| traffic.encrypt(plaintext, out))
}

fn encrypt_end(
    traffic: &mut WriteTraffic<'_, ServerConnectionData>,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    into_room(out, OVERHEAD_BYTES, |out| traffic.queue_close_notify(out))
}

/// Appends what `write` puts into `room`, or into as much as it asks for.
fn into_room(
    out: &mut Vec<u8>,
    mut room: usize,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, EncryptError>,
) -> Result<(), Error> {
    let at = out.len();
    loop {
        out.resize(at + room, 0);
        match write(&mut out[at..]) {
            Ok(written) => {
                out.truncate(at + written);
                return Ok(());
            }
            Err(EncryptError::InsufficientSize(InsufficientSizeError { required_size })) => {
                room = required_size;
            }
            Err(EncryptError::EncryptExhausted) => return Err(Error::EncryptError),
        }
    }
}

fn unexpected() -> Error {
    Error::General("a state that cannot be".to_owned())
}

/// Records of a connection that are read in a turn; the rest waits for the next. Small ones cost as much as a message.
const RECORDS_PER_TURN: usize = 64;

/// Bytes of a peer by which its handshake must be complete; then the connection ends. A client's few messages are a
/// tenth of it.
const HANDSHAKE_BYTES_MAX: usize = 16 * 1024;

/// Bytes that are kept because they are not yet whole; beyond, the connection ends. A record has at most 18 KiB, and what
/// else a client may say in parts, such as that it takes new keys, is small.
const INCOMPLETE_BYTES_MAX: usize = 32 * 1024;

/// Plaintext of one record.
const RECORD_BYTES: usize = 16 * 1024;

/// What a record has beside its plaintext, or more.
const OVERHEAD_BYTES: usize = 64;

#[cfg(test)]
mod tests;
