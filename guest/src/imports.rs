//! The functions that a host offers, by version 1 of the ABI. Nothing else in the crate is unsafe.

#![expect(
    unsafe_code,
    reason = "calls across the border of the module: each passes the address and the length of a slice that lives until it returns, \
              and the host keeps neither"
)]

use std::time::Duration;

use crate::room::{Audience, Host, Payload};

#[link(wasm_import_module = "worldshard")]
unsafe extern "C" {
    fn input_len(input: u32) -> u32;
    fn input_read(input: u32, offset: u32, to: *mut u8, bytes: u32) -> u32;
    fn send_all(kind: u32, from: *const u8, bytes: u32);
    fn send_one(member: u32, kind: u32, from: *const u8, bytes: u32);
    fn send_all_but(member: u32, kind: u32, from: *const u8, bytes: u32);
    fn send_group(members: *const u32, count: u32, kind: u32, from: *const u8, bytes: u32);
    fn send_all_but_group(members: *const u32, count: u32, kind: u32, from: *const u8, bytes: u32);
    fn set_timer(name: *const u8, bytes: u32, after: u64);
    fn set_interval(name: *const u8, bytes: u32, every: u64);
    fn cancel_timer(name: *const u8, bytes: u32);
    fn kick(member: u32, code: u32, reason: *const u8, bytes: u32);
    fn log(line: *const u8, bytes: u32);
    fn output(state: *const u8, bytes: u32);
    fn now() -> u64;
    fn random() -> u64;
}

/// What a guest may ask for the bytes of.
pub(crate) const EVENT: u32 = 0;
const ROOM: u32 = 1;
const CONFIG: u32 = 2;

/// What a payload is.
pub(crate) const TEXT: u32 = 0;
const BINARY: u32 = 1;

/// The bytes of an input.
pub(crate) fn input(input: u32) -> Vec<u8> {
    // SAFETY: no memory is handed over.
    let mut bytes = vec![0; unsafe { input_len(input) } as usize];
    // SAFETY: the host writes at most as many bytes as there are.
    let read = unsafe { input_read(input, 0, bytes.as_mut_ptr(), bytes.len() as u32) };
    bytes.truncate(read as usize);
    bytes
}

/// Gives the state that is handed over.
pub(crate) fn give(state: &[u8]) {
    // SAFETY: the slice lives until it returns.
    unsafe { output(state.as_ptr(), state.len() as u32) }
}

/// The host on the other side of the module's border.
pub(crate) struct Outside;

impl Host for Outside {
    fn name(&self) -> String {
        String::from_utf8_lossy(&input(ROOM)).into_owned()
    }

    fn config(&self) -> Vec<u8> {
        input(CONFIG)
    }

    fn time(&self) -> Duration {
        // SAFETY: no memory is handed over.
        Duration::from_nanos(unsafe { now() })
    }

    fn random(&mut self) -> u64 {
        // SAFETY: no memory is handed over.
        unsafe { random() }
    }

    fn send(&mut self, to: Audience, payload: Payload) {
        let kind = match payload {
            Payload::Text(_) => TEXT,
            Payload::Binary(_) => BINARY,
        };
        let said = payload.as_bytes();
        let (from, bytes) = (said.as_ptr(), said.len() as u32);
        // SAFETY: the payload and the list of members live until it returns.
        unsafe {
            match &to {
                Audience::All => send_all(kind, from, bytes),
                Audience::One(member) => send_one(*member, kind, from, bytes),
                Audience::AllBut(member) => send_all_but(*member, kind, from, bytes),
                Audience::Group(members) => {
                    send_group(members.as_ptr(), members.len() as u32, kind, from, bytes)
                }
                Audience::AllButGroup(members) => {
                    send_all_but_group(members.as_ptr(), members.len() as u32, kind, from, bytes);
                }
            }
        }
    }

    fn set_timer(&mut self, name: &str, after: Duration, repeats: bool) {
        let after = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
        let set = if repeats { set_interval } else { set_timer };
        // SAFETY: the name lives until it returns.
        unsafe { set(name.as_ptr(), name.len() as u32, after) }
    }

    fn cancel_timer(&mut self, name: &str) {
        // SAFETY: the name lives until it returns.
        unsafe { cancel_timer(name.as_ptr(), name.len() as u32) }
    }

    fn kick(&mut self, member: u32, code: u16, reason: &str) {
        // SAFETY: the reason lives until it returns.
        unsafe {
            kick(
                member,
                u32::from(code),
                reason.as_ptr(),
                reason.len() as u32,
            )
        }
    }

    fn log(&mut self, line: &str) {
        // SAFETY: the line lives until it returns.
        unsafe { log(line.as_ptr(), line.len() as u32) }
    }
}
