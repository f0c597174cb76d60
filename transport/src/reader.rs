//! Reads one direction of one connection: bytes in, events out, all framing rules of RFC 6455 enforced.
//!
//! Holds bytes only while a frame or message is incomplete; a message that lies whole in the input is never copied.
//! Never answers: pongs, close frames and the end of the connection are the owner's.

use std::fmt;
use std::ops::Range;

use crate::frame::MessageKind;
use crate::utf8::{NotUtf8, Utf8Check};
use crate::{close_code, mask};
use head::{Control, Head, HeadPart, Opcode};

mod head;

/// One direction of one connection, for either end.
#[derive(Debug)]
pub struct Reader {
    role: Role,
    limits: Limits,
    part: HeadPart,
    frame: Option<Frame>,
    message: Option<Assembly>,
    control: Vec<u8>,
    delivered: Vec<u8>,
    ended: bool,
}

/// Which end reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The peer is a client: its frames must be masked.
    Server,
    /// The peer is a server: its frames must not be masked.
    Client,
}

/// Bounds on what one connection makes its reader hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Payload bytes of one message, all fragments together. Beyond: failed with 1009 when the frame's head claims it.
    pub message_bytes_max: usize,
    /// Frames of one message, empty ones included. Beyond: failed with 1008, a flood and not a size.
    pub fragments_max: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            message_bytes_max: 64 * 1024,
            fragments_max: 1024,
        }
    }
}

/// What one call of [`Reader::read`] did.
#[derive(Debug, PartialEq, Eq)]
pub struct Step<'a> {
    /// So many bytes from the front of the input are done with.
    pub consumed: usize,
    /// What they completed. `None`: the whole input is consumed, or as many frames as may be.
    pub event: Option<Event<'a>>,
}

/// Something the peer said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A whole message.
    Message {
        /// Text or binary, as its first frame says.
        kind: MessageKind,
        /// All of it; a text is UTF-8.
        payload: &'a [u8],
    },
    /// To be answered with a pong of the same bytes.
    Ping(&'a [u8]),
    /// Answers a ping, or none.
    Pong(&'a [u8]),
    /// The peer says no more; a code is one that may be sent.
    Close {
        /// `None` when the frame was empty.
        code: Option<u16>,
        /// Up to 123 bytes, empty without a code.
        reason: &'a str,
    },
}

/// The peer broke a rule: close with this code and reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// 1002, 1007, 1008 or 1009.
    pub code: u16,
    /// For the close frame and the log.
    pub reason: &'static str,
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} ({})", self.reason, self.code)
    }
}

impl std::error::Error for Failure {}

impl Reader {
    /// A reader at the first byte behind the handshake.
    pub fn new(role: Role, limits: Limits) -> Reader {
        Reader {
            role,
            limits,
            part: HeadPart::default(),
            frame: None,
            message: None,
            control: Vec::new(),
            delivered: Vec::new(),
            ended: false,
        }
    }

    /// From now on a message may have so many bytes; one that was begun as it may, too.
    pub fn set_message_bytes_max(&mut self, bytes: usize) {
        self.limits.message_bytes_max = bytes;
    }

    /// Consumes a prefix of `input`, unmasking in place, and yields at most one event.
    ///
    /// Call it again with the rest, even an empty one, until it yields no event: then all is consumed and what the
    /// last event held is freed. After a failure or a close every call consumes everything and yields nothing.
    ///
    /// # Errors
    /// [`Failure`] at the first byte that breaks a rule; at the frame's head already where the head shows it.
    pub fn read<'a>(&'a mut self, input: &'a mut [u8]) -> Result<Step<'a>, Failure> {
        let mut as_many_as_there_are = usize::MAX;
        self.read_at_most(input, &mut as_many_as_there_are)
    }

    /// The same, for at most `frames` frames that begin in `input`: each takes one off. When none is left it yields no
    /// event and consumes only what is before the next frame, so that a peer cannot make a call dear by tiny fragments.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub fn read_at_most<'a>(
        &'a mut self,
        input: &'a mut [u8],
        frames: &mut usize,
    ) -> Result<Step<'a>, Failure> {
        self.delivered = Vec::new();
        if self.ended {
            return Ok(Step {
                consumed: input.len(),
                event: None,
            });
        }
        let mut consumed = 0;
        match self.advance(input, &mut consumed, frames) {
            Err(failure) => {
                self.end();
                Err(failure)
            }
            Ok(None) => Ok(Step {
                consumed,
                event: None,
            }),
            Ok(Some(place)) => self.deliver(place, consumed, input),
        }
    }

    /// Bytes this connection owns beyond the reader itself: incomplete frames and messages, and an event just yielded.
    pub fn held_bytes(&self) -> usize {
        let message = self.message.as_ref();
        message.map_or(0, |message| message.bytes.capacity())
            + self.control.capacity()
            + self.delivered.capacity()
    }

    /// Goes on to the end of the next whole message or control frame, of the input, or of `frames`.
    fn advance(
        &mut self,
        input: &mut [u8],
        at: &mut usize,
        frames: &mut usize,
    ) -> Result<Option<Place>, Failure> {
        loop {
            let mut frame = match self.frame.take() {
                Some(frame) => frame,
                None if *frames == 0 => return Ok(None),
                None => match self.next_head(input, at)? {
                    Some(head) => {
                        *frames -= 1;
                        self.begin(head)?
                    }
                    None => return Ok(None),
                },
            };
            let chunk = *at..*at + frame.left().min(input.len() - *at);
            *at = chunk.end;
            mask::apply(&mut input[chunk.clone()], frame.head.mask, frame.taken);
            frame.taken += chunk.len();
            let place = match frame.head.opcode {
                Opcode::Control(_) => self.take_control(&frame, chunk, input),
                Opcode::Data(_) | Opcode::Continuation => self.take_data(&frame, chunk, input)?,
            };
            if place.is_some() {
                return Ok(place);
            }
            if frame.left() > 0 {
                self.frame = Some(frame);
                return Ok(None);
            }
        }
    }

    /// The next frame's head, from bytes kept of it and the input behind `at`; `None` when the input ends before.
    fn next_head(&mut self, input: &[u8], at: &mut usize) -> Result<Option<Head>, Failure> {
        let (role, limits, message) = (self.role, &self.limits, self.message.as_ref());
        let held = message.map(|message| message.bytes.len());
        let found = self.part.take(&input[*at..], |bytes| {
            head::parse(bytes, role, held, limits.message_bytes_max)
        })?;
        let Some((head, len)) = found else {
            *at = input.len();
            return Ok(None);
        };
        *at += len;
        Ok(Some(head))
    }

    /// Counts the frame and opens the message it starts.
    fn begin(&mut self, head: Head) -> Result<Frame, Failure> {
        match head.opcode {
            Opcode::Data(kind) => {
                self.message = Some(Assembly {
                    kind,
                    bytes: Vec::new(),
                    fragments: 0,
                    utf8: Utf8Check::default(),
                });
            }
            Opcode::Continuation | Opcode::Control(_) => {}
        }
        if !matches!(head.opcode, Opcode::Control(_)) {
            let message = self.message.as_mut().expect("the head was checked");
            message.fragments += 1;
            if message.fragments > self.limits.fragments_max {
                return Err(Failure {
                    code: close_code::POLICY,
                    reason: "too many fragments",
                });
            }
        }
        Ok(Frame { head, taken: 0 })
    }

    fn take_control(&mut self, frame: &Frame, chunk: Range<usize>, input: &[u8]) -> Option<Place> {
        let Opcode::Control(control) = frame.head.opcode else {
            unreachable!("asked for control frames only")
        };
        if chunk.len() == frame.head.payload_len {
            return Some(Place::Input(Kind::Control(control), chunk));
        }
        self.control.extend_from_slice(&input[chunk]);
        (frame.left() == 0).then(|| {
            self.delivered = std::mem::take(&mut self.control);
            Place::Held(Kind::Control(control))
        })
    }

    fn take_data(
        &mut self,
        frame: &Frame,
        chunk: Range<usize>,
        input: &[u8],
    ) -> Result<Option<Place>, Failure> {
        let message = self.message.as_mut().expect("opened by its first frame");
        let last = frame.head.is_final && frame.left() == 0;
        let kind = message.kind;
        if kind == MessageKind::Text {
            message.utf8.feed(&input[chunk.clone()])?;
            if last {
                message.utf8.finish()?;
            }
        }
        if last && message.bytes.is_empty() {
            self.message = None;
            return Ok(Some(Place::Input(Kind::Message(kind), chunk)));
        }
        message.bytes.extend_from_slice(&input[chunk]);
        Ok(last.then(|| {
            let message = self.message.take().expect("it was there");
            self.delivered = message.bytes;
            Place::Held(Kind::Message(kind))
        }))
    }

    fn deliver<'a>(
        &'a mut self,
        place: Place,
        consumed: usize,
        input: &'a [u8],
    ) -> Result<Step<'a>, Failure> {
        let close = matches!(
            place,
            Place::Input(Kind::Control(Control::Close), _)
                | Place::Held(Kind::Control(Control::Close))
        );
        if close {
            self.end();
        }
        let (kind, payload) = match place {
            Place::Input(kind, range) => (kind, &input[range]),
            Place::Held(kind) => (kind, &self.delivered[..]),
        };
        let event = match kind {
            Kind::Message(kind) => Event::Message { kind, payload },
            Kind::Control(Control::Ping) => Event::Ping(payload),
            Kind::Control(Control::Pong) => Event::Pong(payload),
            Kind::Control(Control::Close) => parse_close(payload)?,
        };
        Ok(Step {
            consumed,
            event: Some(event),
        })
    }

    /// Nothing more is read; what was incomplete is freed.
    fn end(&mut self) {
        self.ended = true;
        self.frame = None;
        self.message = None;
        self.control = Vec::new();
    }
}

/// A message of which at least one frame's head was read.
#[derive(Debug)]
struct Assembly {
    kind: MessageKind,
    bytes: Vec<u8>,
    fragments: u32,
    utf8: Utf8Check,
}

/// A frame behind its head.
#[derive(Debug)]
struct Frame {
    head: Head,
    taken: usize,
}

impl Frame {
    fn left(&self) -> usize {
        self.head.payload_len - self.taken
    }
}

/// Where a whole payload lies.
enum Place {
    Input(Kind, Range<usize>),
    Held(Kind),
}

#[derive(Clone, Copy)]
enum Kind {
    Message(MessageKind),
    Control(Control),
}

impl From<NotUtf8> for Failure {
    fn from(_: NotUtf8) -> Failure {
        Failure {
            code: close_code::INVALID_TEXT,
            reason: "text is not UTF-8",
        }
    }
}

fn parse_close(payload: &[u8]) -> Result<Event<'_>, Failure> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        // A payload of one byte was refused at the head.
        return Ok(Event::Close {
            code: None,
            reason: "",
        });
    };
    let code = u16::from_be_bytes(*code);
    if !close_code::may_be_sent(code) {
        return Err(head::broken("close code may not be sent"));
    }
    let reason = std::str::from_utf8(reason).map_err(|_| NotUtf8)?;
    Ok(Event::Close {
        code: Some(code),
        reason,
    })
}
