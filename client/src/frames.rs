//! One WebSocket without its socket: the handshake, then frames in and out, for messages of any meaning.
//!
//! Never reads, writes or waits. A browser brings its own, so this is for native programs.

use worldshard_transport::{
    Event as FrameEvent, Failure, Limits, MessageKind, Reader, Refusal, Role, client_request,
    close_code, masked_close, masked_frame, masked_ping, masked_pong, parse_client_response,
};

use crate::chance::Chance;

/// One end of a WebSocket. Feed it with [`receive`](Self::receive), ask it with [`next`](Self::next), write what
/// [`output`](Self::output) holds.
#[derive(Debug)]
pub(crate) struct Frames {
    chance: Chance,
    key: [u8; 16],
    phase: Phase,
    reader: Reader,
    input: Vec<u8>,
    /// Bytes of `input` that are done with.
    taken: usize,
    output: Vec<u8>,
}

/// Something that arrived whole.
pub(crate) enum Said<'a> {
    /// More bytes are needed.
    Nothing,
    /// It was answered already: ask again.
    Answered,
    /// Frames follow.
    Opened,
    Text(&'a str),
    Binary(&'a [u8]),
    Pong(&'a [u8]),
    /// The last.
    Close {
        code: u16,
        reason: String,
    },
}

/// Why nothing can be read any more.
#[derive(Debug)]
pub(crate) enum Broken {
    Handshake(Refusal),
    Framing(Failure),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Handshake,
    Open,
    /// A close was sent, the server's is awaited.
    Closing,
    Ended,
}

impl Frames {
    /// Asks `host` (with port) for a WebSocket at `path`; the request waits in the output.
    ///
    /// # Panics
    /// When `host` or `path` is not plain ASCII, or `path` has no slash first.
    pub(crate) fn asking(host: &str, path: &str, mut chance: Chance) -> Self {
        let key = chance.key();
        let mut frames = Self::new(chance, key, Phase::Handshake);
        frames.output = client_request(host, path, &key).to_vec();
        frames
    }

    /// A WebSocket whose handshake was done elsewhere.
    pub(crate) fn opened(chance: Chance) -> Self {
        Self::new(chance, [0; 16], Phase::Open)
    }

    fn new(chance: Chance, key: [u8; 16], phase: Phase) -> Self {
        let limits = Limits {
            message_bytes_max: MESSAGE_BYTES_MAX,
            ..Limits::default()
        };
        Self {
            chance,
            key,
            phase,
            reader: Reader::new(Role::Client, limits),
            input: Vec::new(),
            taken: 0,
            output: Vec::new(),
        }
    }

    /// Takes bytes that the server sent.
    pub(crate) fn receive(&mut self, bytes: &[u8]) {
        self.input.drain(..self.taken);
        self.taken = 0;
        self.input.extend_from_slice(bytes);
    }

    /// The server will send no more bytes; whether that comes as a surprise.
    pub(crate) fn end_of_input(&mut self) -> bool {
        let lost = self.phase != Phase::Ended;
        self.phase = Phase::Ended;
        lost
    }

    /// Whatever comes next; answers pings and closes into the output.
    pub(crate) fn next(&mut self) -> Result<Said<'_>, Broken> {
        match self.phase {
            Phase::Ended => Ok(Said::Nothing),
            Phase::Handshake => {
                let answer = parse_client_response(&self.input[self.taken..], &self.key);
                match answer {
                    Ok(None) => Ok(Said::Nothing),
                    Ok(Some(len)) => {
                        self.taken += len;
                        self.phase = Phase::Open;
                        Ok(Said::Opened)
                    }
                    Err(refusal) => {
                        self.phase = Phase::Ended;
                        Err(Broken::Handshake(refusal))
                    }
                }
            }
            Phase::Open | Phase::Closing => self.next_frame(),
        }
    }

    fn next_frame(&mut self) -> Result<Said<'_>, Broken> {
        let step = match self.reader.read(&mut self.input[self.taken..]) {
            Ok(step) => step,
            Err(failure) => {
                self.phase = Phase::Ended;
                return Err(Broken::Framing(failure));
            }
        };
        self.taken += step.consumed;
        Ok(match step.event {
            None => Said::Nothing,
            Some(FrameEvent::Ping(payload)) => {
                let pong = masked_pong(payload, self.chance.mask());
                self.output.extend_from_slice(&pong);
                Said::Answered
            }
            Some(FrameEvent::Pong(payload)) => Said::Pong(payload),
            Some(FrameEvent::Close { code, reason }) => {
                let code = code.unwrap_or(close_code::NO_STATUS);
                if self.phase == Phase::Open {
                    let close = masked_close(code, "", self.chance.mask());
                    self.output.extend_from_slice(&close);
                }
                self.phase = Phase::Ended;
                Said::Close {
                    code,
                    reason: reason.to_owned(),
                }
            }
            Some(FrameEvent::Message {
                kind: MessageKind::Text,
                payload,
            }) => Said::Text(std::str::from_utf8(payload).expect("the reader passes UTF-8 only")),
            Some(FrameEvent::Message {
                kind: MessageKind::Binary,
                payload,
            }) => Said::Binary(payload),
        })
    }

    /// Nothing more is heard: what was said broke a rule beyond frames.
    pub(crate) fn end(&mut self) {
        self.phase = Phase::Ended;
    }

    /// Bytes that wait to be written; the caller removes what it wrote.
    pub(crate) fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Whether messages may be said and heard.
    pub(crate) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Whether nothing more will be heard.
    pub(crate) fn is_ended(&self) -> bool {
        self.phase == Phase::Ended
    }

    pub(crate) fn message(&mut self, kind: MessageKind, payload: &[u8]) {
        let frame = masked_frame(kind, payload, self.chance.mask());
        self.output.extend_from_slice(&frame);
    }

    /// One message in as many frames as there are parts.
    pub(crate) fn fragments(&mut self, kind: MessageKind, parts: &[&[u8]]) {
        for (at, part) in parts.iter().enumerate() {
            let mut frame = masked_frame(kind, part, self.chance.mask()).to_vec();
            // The head's first byte: FIN on the last part only, an opcode on the first only.
            if at + 1 < parts.len() {
                frame[0] &= !FIN;
            }
            if at > 0 {
                frame[0] &= FIN;
            }
            self.output.extend_from_slice(&frame);
        }
    }

    /// # Panics
    /// When `payload` is longer than 125 bytes.
    pub(crate) fn ping(&mut self, payload: &[u8]) {
        let frame = masked_ping(payload, self.chance.mask());
        self.output.extend_from_slice(&frame);
    }

    /// Says that this end is done; what the server sent before its own close is still heard.
    ///
    /// # Panics
    /// When `code` may not stand on the wire.
    pub(crate) fn close(&mut self, code: u16, reason: &str) {
        if self.phase == Phase::Open {
            let frame = masked_close(code, reason, self.chance.mask());
            self.output.extend_from_slice(&frame);
            self.phase = Phase::Closing;
        }
    }
}

/// A longer message of a server is refused: more than a full snapshot of 600 000 entities.
const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The bit of a frame's first byte that ends a message.
const FIN: u8 = 0x80;
