//! The ABI of guests built for Stateroom 0.4: what they export and import, and their messages to the byte.
//!
//! Messages are bincode 1: a variant is 4 bytes, a length 8, all numbers little-endian, nothing between.

use std::time::Duration;

use wasmtime::{Caller, Linker, ValType};

use crate::error::Trap;
use crate::event::{Audience, Effect, Event, Payload, PayloadRef};
use crate::memory::{self, Span};
use crate::module::Signature;
use crate::sandbox::{Sandbox, at_most};

/// The exports that every guest has.
pub(crate) const RECV: &str = "stateroom_recv";
pub(crate) const MALLOC: &str = "stateroom_malloc";
pub(crate) const FREE: &str = "stateroom_free";

/// The types of these exports.
pub(crate) const FUNCTIONS: &[Signature] = &[
    (
        RECV,
        &[ValType::I32, ValType::I32],
        &[],
        "a function of two i32: address, bytes",
    ),
    (
        MALLOC,
        &[ValType::I32],
        &[ValType::I32],
        "a function of one i32, bytes, with an i32, an address",
    ),
    (
        FREE,
        &[ValType::I32, ValType::I32],
        &[],
        "a function of two i32: address, bytes",
    ),
];

/// Globals that are the address of a number, not the number.
pub(crate) const VERSION: &str = "STATEROOM_API_VERSION";
pub(crate) const PROTOCOL: &str = "STATEROOM_API_PROTOCOL";

/// Offers the one function of the ABI.
pub(crate) fn link(linker: &mut Linker<Sandbox>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "stateroom_send",
        |mut caller: Caller<'_, Sandbox>, address: u32, bytes: u32| {
            let (memory, sandbox) = memory::split(&mut caller)?;
            let message = Span::new(address, bytes).read(memory)?;
            let effect = decode(message, sandbox.limits.payload_bytes_max)?;
            Ok(sandbox.push(effect)?)
        },
    )?;
    Ok(())
}

/// Lays an event out as its guest reads it; false when guests are not told of such events.
pub(crate) fn encode(event: &Event<'_>, out: &mut Vec<u8>) -> bool {
    out.clear();
    match *event {
        Event::Init => put_u32(out, 0),
        Event::Connect { member } => {
            put_u32(out, 1);
            put_u32(out, member);
        }
        Event::Disconnect { member } => {
            put_u32(out, 2);
            put_u32(out, member);
        }
        Event::Message { member, payload } => {
            put_u32(out, 3);
            put_u32(out, member);
            put_u32(out, payload_variant(payload));
            out.extend_from_slice(&(payload.as_bytes().len() as u64).to_le_bytes());
            out.extend_from_slice(payload.as_bytes());
        }
        Event::Timer { .. } => put_u32(out, 4),
        Event::Tick { .. } | Event::Load { .. } => return false,
    }
    true
}

/// Reads what a guest sent. Nothing is allocated by a length that the bytes do not bear out.
pub(crate) fn decode(message: &[u8], payload_bytes_max: usize) -> Result<Effect, Trap> {
    let mut rest = message;
    let effect = match take_u32(&mut rest)? {
        0 => {
            let to = match take_u32(&mut rest)? {
                0 => Audience::All,
                1 => Audience::One(take_u32(&mut rest)?),
                2 => Audience::AllBut(take_u32(&mut rest)?),
                _ => return Err(Trap::Stateroom("a recipient of unknown kind")),
            };
            let payload = take_payload(&mut rest, payload_bytes_max)?;
            Effect::Send { to, payload }
        }
        1 => Effect::SetTimer {
            name: String::new(),
            after: Duration::from_millis(u64::from(take_u32(&mut rest)?)),
            repeats: false,
        },
        _ => return Err(Trap::Stateroom("a message of unknown kind")),
    };
    if !rest.is_empty() {
        return Err(Trap::Stateroom("bytes behind its end"));
    }
    Ok(effect)
}

fn payload_variant(payload: PayloadRef<'_>) -> u32 {
    match payload {
        PayloadRef::Binary(_) => 0,
        PayloadRef::Text(_) => 1,
    }
}

fn take_payload(rest: &mut &[u8], bytes_max: usize) -> Result<Payload, Trap> {
    let variant = take_u32(rest)?;
    let (length, tail) = rest.split_first_chunk().ok_or(SHORT)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
    at_most("payload_bytes_max", length, bytes_max)?;
    let (bytes, tail) = tail.split_at_checked(length).ok_or(SHORT)?;
    *rest = tail;
    match variant {
        0 => Ok(Payload::from(bytes)),
        1 => Ok(Payload::from(
            std::str::from_utf8(bytes).map_err(|_| Trap::Text)?,
        )),
        _ => Err(Trap::Stateroom("a payload of unknown kind")),
    }
}

fn take_u32(rest: &mut &[u8]) -> Result<u32, Trap> {
    let (number, tail) = rest.split_first_chunk().ok_or(SHORT)?;
    *rest = tail;
    Ok(u32::from_le_bytes(*number))
}

fn put_u32(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&number.to_le_bytes());
}

const SHORT: Trap = Trap::Stateroom("an end too early");

#[cfg(test)]
mod tests;
