//! Our own ABI: what its guests export and import. `docs/guests.md` describes it for who writes guests.

use std::time::Duration;

use wasmtime::{Caller, Linker, ValType};

use crate::error::Trap;
use crate::event::{Audience, Effect, Event, Payload, PayloadRef};
use crate::memory::{self, Span};
use crate::module::Signature;
use crate::sandbox::{Sandbox, at_most};

/// What comes behind it, in the name of an export, is the version.
pub(crate) const VERSION_PREFIX: &str = "worldshard_abi_";

/// What a guest exports for what it cares about. None of them is required.
pub(crate) const INIT: &str = "room_init";
pub(crate) const LOAD: &str = "room_load";
pub(crate) const SAVE: &str = "room_save";
pub(crate) const CONNECT: &str = "room_connect";
pub(crate) const MESSAGE: &str = "room_message";
pub(crate) const DISCONNECT: &str = "room_disconnect";
pub(crate) const TIMER: &str = "room_timer";
pub(crate) const TICK: &str = "room_tick";

/// The types of these exports.
pub(crate) const HANDLERS: &[Signature] = &[
    (INIT, &[], &[], "a function without arguments"),
    (LOAD, &[ValType::I32], &[], "a function of one i32: bytes"),
    (SAVE, &[], &[], "a function without arguments"),
    (
        CONNECT,
        &[ValType::I32],
        &[],
        "a function of one i32: member",
    ),
    (
        MESSAGE,
        &[ValType::I32, ValType::I32, ValType::I32],
        &[],
        "a function of three i32: member, kind, bytes",
    ),
    (
        DISCONNECT,
        &[ValType::I32],
        &[],
        "a function of one i32: member",
    ),
    (TIMER, &[ValType::I32], &[], "a function of one i32: bytes"),
    (TICK, &[ValType::I64], &[], "a function of one i64: number"),
];

/// The module that guests import from.
const MODULE: &str = "worldshard";

/// What a guest may ask for the bytes of.
const INPUT_EVENT: u32 = 0;
const INPUT_ROOM: u32 = 1;
const INPUT_CONFIG: u32 = 2;

/// What a payload is.
const KIND_TEXT: u32 = 0;
const KIND_BINARY: u32 = 1;

/// The bytes of an event that its guest reads, rather than being given them as arguments.
pub(crate) fn input<'a>(event: &Event<'a>) -> &'a [u8] {
    match *event {
        Event::Message { payload, .. } => payload.as_bytes(),
        Event::Timer { name } => name.as_bytes(),
        Event::Load { state } => state,
        Event::Init | Event::Connect { .. } | Event::Disconnect { .. } | Event::Tick { .. } => &[],
    }
}

/// The number of a payload's kind.
pub(crate) fn kind(payload: PayloadRef<'_>) -> u32 {
    match payload {
        PayloadRef::Text(_) => KIND_TEXT,
        PayloadRef::Binary(_) => KIND_BINARY,
    }
}

/// Offers the functions of the ABI.
pub(crate) fn link(linker: &mut Linker<Sandbox>) -> wasmtime::Result<()> {
    link_input(linker)?;
    link_sends(linker)?;
    link_room(linker)?;
    link_language(linker)
}

/// What a guest reads: bytes, time and chance.
fn link_input(linker: &mut Linker<Sandbox>) -> wasmtime::Result<()> {
    linker.func_wrap(
        MODULE,
        "input_len",
        |caller: Caller<'_, Sandbox>, input: u32| {
            let bytes = chosen(caller.data(), input)?;
            // A config or an event of 4 GiB would not fit into a guest anyway.
            Ok(u32::try_from(bytes.len()).unwrap_or(u32::MAX))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "input_read",
        |mut caller: Caller<'_, Sandbox>, input: u32, offset: u32, address: u32, bytes: u32| {
            let (memory, sandbox) = memory::split(&mut caller)?;
            let target = Span::new(address, bytes).write(memory)?;
            let source = chosen(sandbox, input)?
                .get(offset as usize..)
                .unwrap_or_default();
            let count = source.len().min(target.len());
            target[..count].copy_from_slice(&source[..count]);
            // At most `bytes`, which is 32 bits.
            Ok(count as u32)
        },
    )?;
    linker.func_wrap(MODULE, "now", |caller: Caller<'_, Sandbox>| {
        caller.data().now_ns()
    })?;
    linker.func_wrap(MODULE, "random", |mut caller: Caller<'_, Sandbox>| {
        caller.data_mut().chance.next_u64()
    })?;
    Ok(())
}

/// What a guest sends, by audience.
fn link_sends(linker: &mut Linker<Sandbox>) -> wasmtime::Result<()> {
    linker.func_wrap(
        MODULE,
        "send_all",
        |mut caller: Caller<'_, Sandbox>, kind: u32, address: u32, bytes: u32| {
            send(&mut caller, |_, _| Ok(Audience::All), kind, address, bytes)
        },
    )?;
    linker.func_wrap(
        MODULE,
        "send_one",
        |mut caller: Caller<'_, Sandbox>, member: u32, kind: u32, address: u32, bytes: u32| {
            send(
                &mut caller,
                |_, _| Ok(Audience::One(member)),
                kind,
                address,
                bytes,
            )
        },
    )?;
    linker.func_wrap(
        MODULE,
        "send_all_but",
        |mut caller: Caller<'_, Sandbox>, member: u32, kind: u32, address: u32, bytes: u32| {
            send(
                &mut caller,
                |_, _| Ok(Audience::AllBut(member)),
                kind,
                address,
                bytes,
            )
        },
    )?;
    linker.func_wrap(
        MODULE,
        "send_group",
        |mut caller: Caller<'_, Sandbox>,
         list: u32,
         count: u32,
         kind: u32,
         address: u32,
         bytes: u32| {
            let to = |memory: &[u8], sandbox: &Sandbox| {
                members(memory, sandbox, list, count).map(Audience::Group)
            };
            send(&mut caller, to, kind, address, bytes)
        },
    )?;
    linker.func_wrap(
        MODULE,
        "send_all_but_group",
        |mut caller: Caller<'_, Sandbox>,
         list: u32,
         count: u32,
         kind: u32,
         address: u32,
         bytes: u32| {
            let to = |memory: &[u8], sandbox: &Sandbox| {
                members(memory, sandbox, list, count).map(Audience::AllButGroup)
            };
            send(&mut caller, to, kind, address, bytes)
        },
    )?;
    Ok(())
}

/// What a guest does to its room beside sending, and what it hands over.
fn link_room(linker: &mut Linker<Sandbox>) -> wasmtime::Result<()> {
    linker.func_wrap(
        MODULE,
        "set_timer",
        |mut caller: Caller<'_, Sandbox>, address: u32, bytes: u32, after_ns: u64| {
            set_timer(&mut caller, address, bytes, after_ns, false)
        },
    )?;
    linker.func_wrap(
        MODULE,
        "set_interval",
        |mut caller: Caller<'_, Sandbox>, address: u32, bytes: u32, every_ns: u64| {
            set_timer(&mut caller, address, bytes, every_ns, true)
        },
    )?;
    linker.func_wrap(
        MODULE,
        "cancel_timer",
        |mut caller: Caller<'_, Sandbox>, address: u32, bytes: u32| {
            let (memory, sandbox) = memory::split(&mut caller)?;
            let name = timer_name(memory, sandbox, address, bytes)?;
            Ok(sandbox.push(Effect::CancelTimer { name })?)
        },
    )?;
    linker.func_wrap(
        MODULE,
        "kick",
        |mut caller: Caller<'_, Sandbox>, member: u32, code: u32, address: u32, bytes: u32| {
            let (memory, sandbox) = memory::split(&mut caller)?;
            let code =
                u16::try_from(code).map_err(|_| Trap::Argument("a close code has 16 bits"))?;
            let max = sandbox.limits.reason_bytes_max;
            let reason = Span::within(address, bytes, "reason_bytes_max", max)?
                .text(memory)?
                .to_owned();
            Ok(sandbox.push(Effect::Kick {
                member,
                code,
                reason,
            })?)
        },
    )?;
    linker.func_wrap(
        MODULE,
        "log",
        |mut caller: Caller<'_, Sandbox>, address: u32, bytes: u32| {
            let (memory, sandbox) = memory::split(&mut caller)?;
            sandbox.write_log(Span::new(address, bytes).read(memory)?);
            sandbox.write_log(b"\n");
            Ok(())
        },
    )?;
    linker.func_wrap(
        MODULE,
        "output",
        |mut caller: Caller<'_, Sandbox>, address: u32, bytes: u32| {
            let (memory, sandbox) = memory::split(&mut caller)?;
            let max = sandbox.limits.state_bytes_max;
            let state = Span::within(address, bytes, "state_bytes_max", max)?.read(memory)?;
            sandbox.output = Some(state.to_owned());
            Ok(())
        },
    )?;
    Ok(())
}

/// What AssemblyScript's compiler imports of its own: where an assertion failed, and a seed for `Math.random`.
fn link_language(linker: &mut Linker<Sandbox>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "abort",
        |_text: u32, _file: u32, line: u32, column: u32| {
            wasmtime::Result::<()>::Err(Trap::Abort { line, column }.into())
        },
    )?;
    linker.func_wrap("env", "seed", |mut caller: Caller<'_, Sandbox>| {
        caller.data_mut().chance.next_f64()
    })?;
    Ok(())
}

/// The bytes that a guest asks for by number.
fn chosen(sandbox: &Sandbox, input: u32) -> Result<&[u8], wasmtime::Error> {
    match input {
        INPUT_EVENT => Ok(&sandbox.input),
        INPUT_ROOM => Ok(sandbox.room.as_bytes()),
        INPUT_CONFIG => Ok(&sandbox.config),
        _ => Err(Trap::Argument("there are inputs 0, 1 and 2").into()),
    }
}

fn send(
    caller: &mut Caller<'_, Sandbox>,
    to: impl FnOnce(&[u8], &Sandbox) -> Result<Audience, Trap>,
    kind: u32,
    address: u32,
    bytes: u32,
) -> wasmtime::Result<()> {
    let (memory, sandbox) = memory::split(caller)?;
    let to = to(memory, sandbox)?;
    let span = Span::within(
        address,
        bytes,
        "payload_bytes_max",
        sandbox.limits.payload_bytes_max,
    )?;
    let payload = match kind {
        KIND_TEXT => Payload::from(span.text(memory)?),
        KIND_BINARY => Payload::from(span.read(memory)?),
        _ => return Err(Trap::Argument("there are payloads of kind 0 and 1").into()),
    };
    Ok(sandbox.push(Effect::Send { to, payload })?)
}

/// A list of members: 4 bytes each, little-endian.
fn members(memory: &[u8], sandbox: &Sandbox, address: u32, count: u32) -> Result<Vec<u32>, Trap> {
    // The list counts among the bytes of effects, so a longer one than all of them need not be read.
    let max = sandbox.limits.effect_bytes_per_call_max;
    at_most(
        "effect_bytes_per_call_max",
        (count as usize).saturating_mul(4),
        max,
    )?;
    let outside = |_| Trap::Pointer {
        address,
        bytes: u64::from(count) * 4,
    };
    let bytes = count.checked_mul(4).ok_or(()).map_err(outside)?;
    let (list, _) = Span::new(address, bytes).read(memory)?.as_chunks::<4>();
    Ok(list
        .iter()
        .map(|member| u32::from_le_bytes(*member))
        .collect())
}

fn set_timer(
    caller: &mut Caller<'_, Sandbox>,
    address: u32,
    bytes: u32,
    after_ns: u64,
    repeats: bool,
) -> wasmtime::Result<()> {
    let (memory, sandbox) = memory::split(caller)?;
    let name = timer_name(memory, sandbox, address, bytes)?;
    let after = Duration::from_nanos(after_ns);
    Ok(sandbox.push(Effect::SetTimer {
        name,
        after,
        repeats,
    })?)
}

fn timer_name(memory: &[u8], sandbox: &Sandbox, address: u32, bytes: u32) -> Result<String, Trap> {
    let max = sandbox.limits.timer_name_bytes_max;
    let name = Span::within(address, bytes, "timer_name_bytes_max", max)?;
    Ok(name.text(memory)?.to_owned())
}
