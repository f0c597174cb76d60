//! The messages of the world service: what a client asks of a world, and their opcodes.
//!
//! Owns the parser for clients' bytes, which trusts nothing. Never judges limits of a running world (radius,
//! bounds, speed): that is admission.

#![cfg_attr(
    not(test),
    warn(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing
    )
)]

use crate::error::{ErrorCode, WireError};
use crate::hot::{HotHeader, WORLD_SVC};

/// What a client says to the world.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum ClientMessage<'a> {
    /// Take a viewpoint in the world.
    Join {
        /// An avatar that moves, or a camera that looks.
        mode: ViewpointMode,
        /// Where to begin, in metres; the world chooses when absent.
        at: Option<[f32; 3]>,
        /// What to be told of.
        interest: InterestWish,
        /// Full snapshots every time instead of deltas.
        full: bool,
        /// Whether the client acknowledges deltas; if not, the socket's pace stands in.
        acks: bool,
    },
    /// Give the viewpoint up.
    Leave,
    /// Walk on in this direction, at this share of full speed.
    Steer {
        /// Of length at most 1 (up to [`STEER_TOLERANCE`]); zero stops.
        direction: [f32; 3],
    },
    /// Walk to a point.
    Move {
        /// Metres.
        to: [f32; 3],
    },
    /// Move the camera.
    Look {
        /// Metres.
        at: [f32; 3],
    },
    /// Change what to be told of.
    Interest(InterestWish),
    /// Nothing but the acknowledgement in the header.
    Ack,
    /// Begin or end the overview stream.
    Overview {
        /// Whether to send it.
        on: bool,
        /// Whether to include ghosts.
        ghosts: bool,
    },
    /// A message of the world's own.
    Custom {
        /// At least [`OPCODE_CUSTOM`].
        opcode: u8,
        /// As the world defines it.
        payload: &'a [u8],
    },
}

/// How a session stands in the world.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ViewpointMode {
    /// By an entity that it steers.
    Avatar,
    /// By a free viewpoint that others cannot see.
    Camera,
}

/// What a session wishes to be told of. Lengths in metres, finite, not negative.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum InterestWish {
    /// Whatever the server gives by default.
    Default,
    /// Everything within a distance.
    Radius(f32),
    /// Everything in a box around the viewpoint.
    Box {
        /// Half the edges.
        half: [f32; 3],
    },
    /// The nearest few.
    Nearest {
        /// At most so many entities.
        k: u16,
        /// None farther than this.
        radius: f32,
    },
    /// What a predicate of the world's own selects.
    Custom {
        /// Its number in the world.
        predicate: u8,
        /// None farther than this.
        radius: f32,
    },
}

impl<'a> ClientMessage<'a> {
    /// Reads the payload that follows `header`: exact lengths, known values, finite numbers.
    ///
    /// # Errors
    /// `BAD_REQUEST` for malformed bytes and numbers that are not finite; `NOT_ALLOWED` for finite ones out
    /// of range. The detail names the field.
    pub fn parse(header: &HotHeader, payload: &'a [u8]) -> Result<Self, WireError> {
        if header.svc != WORLD_SVC {
            return Err(WireError::bad("svc_id: not the world service"));
        }
        if header.ack {
            return Err(WireError::bad(
                "flags: the world acknowledges by deltas, not by ACK",
            ));
        }
        if header.opcode >= OPCODE_CUSTOM {
            let opcode = header.opcode;
            return Ok(Self::Custom { opcode, payload });
        }
        let mut reader = Reader { rest: payload };
        let message = match header.opcode {
            OPCODE_JOIN => reader.join()?,
            OPCODE_LEAVE => Self::Leave,
            OPCODE_STEER => Self::Steer {
                direction: reader.direction()?,
            },
            OPCODE_MOVE => Self::Move {
                to: reader.point("to: not finite")?,
            },
            OPCODE_LOOK => Self::Look {
                at: reader.point("at: not finite")?,
            },
            OPCODE_INTEREST => Self::Interest(reader.interest()?),
            OPCODE_ACK if header.delta_ack.is_none() => {
                return Err(WireError::bad("delta_ack: missing in an acknowledgement"));
            }
            OPCODE_ACK => Self::Ack,
            OPCODE_OVERVIEW => reader.overview()?,
            _ => return Err(WireError::bad("opcode: unknown")),
        };
        reader.end()?;
        Ok(message)
    }

    /// Appends header and payload, as a client sends them.
    pub fn encode(&self, seq: Option<u32>, delta_ack: Option<u32>, out: &mut Vec<u8>) {
        let header = HotHeader {
            svc: WORLD_SVC,
            opcode: self.opcode(),
            seq,
            delta_ack,
            ack: false,
        };
        header.write(out);
        match *self {
            Self::Join {
                mode,
                at,
                interest,
                full,
                acks,
            } => {
                let mode = match mode {
                    ViewpointMode::Avatar => MODE_AVATAR,
                    ViewpointMode::Camera => MODE_CAMERA,
                };
                let at_bit = if at.is_some() { JOIN_AT } else { 0 };
                let full_bit = if full { JOIN_FULL } else { 0 };
                let acks_bit = if acks { JOIN_ACKS } else { 0 };
                out.extend_from_slice(&[mode, at_bit | full_bit | acks_bit]);
                push_numbers(at.as_ref().map_or(&[], |at| at.as_slice()), out);
                interest.encode(out);
            }
            Self::Leave | Self::Ack => {}
            Self::Steer { direction: numbers }
            | Self::Move { to: numbers }
            | Self::Look { at: numbers } => push_numbers(&numbers, out),
            Self::Interest(wish) => wish.encode(out),
            Self::Overview { on, ghosts } => {
                let on_bit = if on { OVERVIEW_ON } else { 0 };
                out.push(on_bit | if ghosts { OVERVIEW_GHOSTS } else { 0 });
            }
            Self::Custom { payload, .. } => out.extend_from_slice(payload),
        }
    }

    /// The opcode of the message.
    #[must_use]
    pub fn opcode(&self) -> u8 {
        match *self {
            Self::Join { .. } => OPCODE_JOIN,
            Self::Leave => OPCODE_LEAVE,
            Self::Steer { .. } => OPCODE_STEER,
            Self::Move { .. } => OPCODE_MOVE,
            Self::Look { .. } => OPCODE_LOOK,
            Self::Interest(_) => OPCODE_INTEREST,
            Self::Ack => OPCODE_ACK,
            Self::Overview { .. } => OPCODE_OVERVIEW,
            Self::Custom { opcode, .. } => opcode,
        }
    }
}

impl InterestWish {
    fn encode(&self, out: &mut Vec<u8>) {
        match *self {
            Self::Default => out.push(WISH_DEFAULT),
            Self::Radius(radius) => {
                out.push(WISH_RADIUS);
                push_numbers(&[radius], out);
            }
            Self::Box { half } => {
                out.push(WISH_BOX);
                push_numbers(&half, out);
            }
            Self::Nearest { k, radius } => {
                out.push(WISH_NEAREST);
                out.extend_from_slice(&k.to_le_bytes());
                push_numbers(&[radius], out);
            }
            Self::Custom { predicate, radius } => {
                out.extend_from_slice(&[WISH_CUSTOM, predicate]);
                push_numbers(&[radius], out);
            }
        }
    }
}

fn push_numbers(numbers: &[f32], out: &mut Vec<u8>) {
    numbers
        .iter()
        .for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
}

/// The bytes of a payload that are not read yet.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn join(&mut self) -> Result<ClientMessage<'a>, WireError> {
        let mode = match self.byte()? {
            MODE_AVATAR => ViewpointMode::Avatar,
            MODE_CAMERA => ViewpointMode::Camera,
            _ => return Err(WireError::bad("mode: unknown")),
        };
        let options = self.bits(JOIN_AT | JOIN_FULL | JOIN_ACKS, "options: unknown bit")?;
        let at = if options & JOIN_AT != 0 {
            Some(self.point("at: not finite")?)
        } else {
            None
        };
        Ok(ClientMessage::Join {
            mode,
            at,
            interest: self.interest()?,
            full: options & JOIN_FULL != 0,
            acks: options & JOIN_ACKS != 0,
        })
    }

    fn direction(&mut self) -> Result<[f32; 3], WireError> {
        let direction = self.point("direction: not finite")?;
        let square: f32 = direction.iter().map(|axis| axis * axis).sum();
        if square.sqrt() > 1.0 + STEER_TOLERANCE {
            return Err(WireError::new(
                ErrorCode::NotAllowed,
                "direction: longer than 1",
            ));
        }
        Ok(direction)
    }

    fn interest(&mut self) -> Result<InterestWish, WireError> {
        Ok(match self.byte()? {
            WISH_DEFAULT => InterestWish::Default,
            WISH_RADIUS => InterestWish::Radius(self.length()?),
            WISH_BOX => InterestWish::Box {
                half: [self.length()?, self.length()?, self.length()?],
            },
            WISH_NEAREST => InterestWish::Nearest {
                k: u16::from_le_bytes(self.array()?),
                radius: self.length()?,
            },
            WISH_CUSTOM => InterestWish::Custom {
                predicate: self.byte()?,
                radius: self.length()?,
            },
            _ => return Err(WireError::bad("interest: unknown kind")),
        })
    }

    fn overview(&mut self) -> Result<ClientMessage<'a>, WireError> {
        let bits = self.bits(OVERVIEW_ON | OVERVIEW_GHOSTS, "overview: unknown bit")?;
        Ok(ClientMessage::Overview {
            on: bits & OVERVIEW_ON != 0,
            ghosts: bits & OVERVIEW_GHOSTS != 0,
        })
    }

    fn length(&mut self) -> Result<f32, WireError> {
        let length = self.number("interest: not finite")?;
        if length < 0.0 {
            return Err(WireError::new(ErrorCode::NotAllowed, "interest: negative"));
        }
        Ok(length)
    }

    fn point(&mut self, not_finite: &'static str) -> Result<[f32; 3], WireError> {
        let mut axis = || self.number(not_finite);
        Ok([axis()?, axis()?, axis()?])
    }

    fn number(&mut self, not_finite: &'static str) -> Result<f32, WireError> {
        let number = f32::from_le_bytes(self.array()?);
        number
            .is_finite()
            .then_some(number)
            .ok_or(WireError::bad(not_finite))
    }

    fn bits(&mut self, known: u8, unknown: &'static str) -> Result<u8, WireError> {
        let bits = self.byte()?;
        (bits & !known == 0)
            .then_some(bits)
            .ok_or(WireError::bad(unknown))
    }

    fn byte(&mut self) -> Result<u8, WireError> {
        self.array().map(|[byte]| byte)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (array, rest) = self
            .rest
            .split_first_chunk()
            .ok_or(WireError::bad("payload: too short"))?;
        self.rest = rest;
        Ok(*array)
    }

    fn end(&self) -> Result<(), WireError> {
        match self.rest {
            [] => Ok(()),
            _ => Err(WireError::bad("payload: too long")),
        }
    }
}

/// Client: take a viewpoint.
pub const OPCODE_JOIN: u8 = 1;
/// Client: give it up.
pub const OPCODE_LEAVE: u8 = 2;
/// Client: walk on in a direction.
pub const OPCODE_STEER: u8 = 3;
/// Client: walk to a point.
pub const OPCODE_MOVE: u8 = 4;
/// Client: move the camera.
pub const OPCODE_LOOK: u8 = 5;
/// Client: change the interest.
pub const OPCODE_INTEREST: u8 = 6;
/// Client: acknowledge deltas.
pub const OPCODE_ACK: u8 = 7;
/// Client: begin or end the overview.
pub const OPCODE_OVERVIEW: u8 = 8;
/// Client: this opcode and all above are the world's own.
pub const OPCODE_CUSTOM: u8 = 64;

/// Server: a delta; its `seq` counts the session's deltas from 1.
pub const OPCODE_S2C_DELTA: u8 = 1;
/// Server: one shard's overview.
pub const OPCODE_S2C_OVERVIEW: u8 = 2;

/// A direction may be longer than 1 by this much, for clients that normalise in 32 bits; beyond, it is refused.
pub const STEER_TOLERANCE: f32 = 1e-4;

const MODE_AVATAR: u8 = 0;
const MODE_CAMERA: u8 = 1;

const JOIN_AT: u8 = 0x01;
const JOIN_FULL: u8 = 0x02;
const JOIN_ACKS: u8 = 0x04;

const WISH_DEFAULT: u8 = 0;
const WISH_RADIUS: u8 = 1;
const WISH_BOX: u8 = 2;
const WISH_NEAREST: u8 = 3;
const WISH_CUSTOM: u8 = 4;

const OVERVIEW_ON: u8 = 0x01;
const OVERVIEW_GHOSTS: u8 = 0x02;

#[cfg(test)]
mod tests;
