//! The five rules of `worldshard_client::Agent`, the grammar of its reports, and what both mean to the application at the
//! other end: one checker for every test of them, the engine's too. Never drives anything.
//!
//! What is said, answered and pushed carries whose it is, so that nothing of one session passes for another's. A rule that
//! does not hold is a panic that begins with `found by`.

mod application;
mod user;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use worldshard_client::Payload;

pub(crate) use application::Application;
pub(crate) use user::User;

/// What a client says to the application, as a message or as a request; the response to a request is the same again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Said {
    pub(crate) client: u32,
    /// How often the client had gone live. A life begins with a `Live` that is taken and ends with the end of its connection.
    pub(crate) life: u32,
    /// The session of that life; none outside of one.
    pub(crate) session: Option<u64>,
    /// Of its kind in its life, from 0 on. Message 0 is what the client says when it takes `Live`.
    pub(crate) number: u32,
    /// Makes it longer.
    pub(crate) filler: String,
}

/// What the application says of its own accord.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Pushed {
    pub(crate) session: u64,
    /// From 0 on. Number 0 stands for the state, which is said when the session opens.
    pub(crate) number: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Message,
    Request,
}

/// What cannot have arrived, because its client was told that it was not sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Unsent {
    kind: Kind,
    life: u32,
    number: u32,
}

/// Holds a rule.
#[track_caller]
fn hold(rule: &str, holds: bool, what: impl FnOnce() -> String) {
    assert!(holds, "found by {rule}: {}", what());
}

/// What bytes of a payload mean.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> T {
    let read = serde_json::from_slice(bytes);
    read.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(bytes)))
}

pub(crate) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain JSON")
}

fn bytes(payload: &Payload) -> &[u8] {
    match payload {
        Payload::Text(text) | Payload::Json(text) => text.as_bytes(),
        Payload::Binary(bytes) => bytes,
    }
}
