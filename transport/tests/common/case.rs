//! Streams of frames with what a server hears in them.

use super::{Said, check, masked};
use worldshard_transport::{Limits, Role};

/// One stream of frames: what a server hears in it, and with which code it fails after how many bytes.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) said: Vec<Said>,
    pub(crate) fails: Option<(u16, usize)>,
}

pub(crate) fn heard(name: &'static str, bytes: Vec<u8>, said: Vec<Said>) -> Case {
    Case {
        name,
        bytes,
        said,
        fails: None,
    }
}

/// `fails_at` counts from the start of `last`, the frame that breaks a rule.
pub(crate) fn broken(
    name: &'static str,
    (before, said): (Vec<u8>, Vec<Said>),
    last: Vec<u8>,
    code: u16,
    fails_at: usize,
) -> Case {
    let fails = Some((code, before.len() + fails_at));
    // What follows a failure must be ignored: a whole ping, and garbage.
    let bytes = [before, last, masked(0x89, b"after"), vec![0xff; 9]].concat();
    Case {
        name,
        bytes,
        said,
        fails,
    }
}

pub(crate) fn run(cases: Vec<Case>) {
    run_as(Role::Server, Limits::default(), cases);
}

pub(crate) fn run_as(role: Role, limits: Limits, cases: Vec<Case>) {
    for case in cases {
        let by_byte = check(case.name, role, limits, &case.bytes);
        assert_eq!(by_byte.said, case.said, "{}", case.name);
        let fails = by_byte.failure.map(|(failure, at)| (failure.code, at));
        assert_eq!(fails, case.fails, "{}", case.name);
    }
}

pub(crate) fn nothing() -> (Vec<u8>, Vec<Said>) {
    (Vec::new(), Vec::new())
}

pub(crate) fn text(text: &str) -> Said {
    Said::Text(text.to_owned())
}

pub(crate) const TEXT: u8 = 0x81;
pub(crate) const BINARY: u8 = 0x82;
pub(crate) const TEXT_OPEN: u8 = 0x01;
pub(crate) const BINARY_OPEN: u8 = 0x02;
pub(crate) const MORE: u8 = 0x00;
pub(crate) const LAST: u8 = 0x80;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8a;
