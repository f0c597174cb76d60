//! The lines between a room and its program: what is told, and what a program may ask for. `docs/stdio.md` says the same
//! with examples. Never does what is asked for.

use std::borrow::Cow;

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use worldshard::prelude::{Payload, SessionId};

/// What a program is told.
#[derive(Serialize, Debug)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Told<'a> {
    Init {
        protocol: u32,
        room: &'a str,
    },
    Connect {
        member: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        user: Option<&'a str>,
    },
    Message {
        member: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        text: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        binary: Option<String>,
    },
    Disconnect {
        member: u64,
    },
    Timer {
        name: &'a str,
    },
    Tick {
        tick: u64,
    },
    Error {
        text: &'a str,
        line: Cow<'a, str>,
    },
}

/// What a program asks for.
#[derive(Deserialize, PartialEq, Debug)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Asked {
    Send {
        to: To,
        #[serde(default)]
        except: Vec<u64>,
        text: Option<String>,
        binary: Option<String>,
    },
    SetTimer {
        name: String,
        after_ms: u64,
    },
    SetInterval {
        name: String,
        every_ms: u64,
    },
    CancelTimer {
        name: String,
    },
    Kick {
        member: u64,
        #[serde(default = "policy")]
        code: u16,
        #[serde(default)]
        reason: String,
    },
    Remove {
        member: u64,
        #[serde(default)]
        reason: String,
    },
    Ticks {
        on: bool,
    },
    List {
        note: Option<String>,
    },
    Log {
        #[serde(default)]
        level: Level,
        text: String,
    },
}

/// Whom something is for.
#[derive(Deserialize, PartialEq, Debug)]
#[serde(untagged)]
pub(crate) enum To {
    All(All),
    One(u64),
    Some(Vec<u64>),
}

/// The one word for everybody.
#[derive(Deserialize, PartialEq, Debug)]
#[serde(rename_all = "snake_case")]
pub(crate) enum All {
    All,
}

/// How much a line of the log matters.
#[derive(Deserialize, Clone, Copy, PartialEq, Debug, Default)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Level {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
}

impl Told<'_> {
    /// As a line, with its end.
    pub(crate) fn line(&self) -> Vec<u8> {
        let mut line = serde_json::to_vec(self).expect("strings and numbers are JSON");
        line.push(b'\n');
        line
    }
}

impl<'a> Told<'a> {
    pub(crate) fn message(member: SessionId, payload: &'a Payload) -> Self {
        let (text, binary) = match payload {
            Payload::Text(text) => (Some(text.as_str()), None),
            Payload::Binary(bytes) => (None, Some(BASE64.encode(bytes))),
        };
        Self::Message {
            member: member.value(),
            text,
            binary,
        }
    }

    /// That a line was not understood, with as much of it as helps to find it.
    pub(crate) fn error(text: &'a str, line: &'a [u8]) -> Self {
        let shown = &line[..line.len().min(SHOWN_BYTES_MAX)];
        let line = String::from_utf8_lossy(shown);
        Self::Error { text, line }
    }
}

impl Asked {
    /// Reads a line.
    ///
    /// # Errors
    /// In words for whoever wrote the program.
    pub(crate) fn read(line: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(line).map_err(|error| error.to_string())
    }
}

/// What a `send` has, which is one of both.
///
/// # Errors
/// In words, as before.
pub(crate) fn payload(text: Option<String>, binary: Option<String>) -> Result<Payload, String> {
    match (text, binary) {
        (Some(text), None) => Ok(text.into()),
        (None, Some(binary)) => match BASE64.decode(binary.as_bytes()) {
            Ok(bytes) => Ok(Payload::Binary(bytes.into())),
            Err(error) => Err(format!("binary is not base64: {error}")),
        },
        (None, None) => Err("a send has neither text nor binary".to_owned()),
        (Some(_), Some(_)) => Err("a send has both text and binary".to_owned()),
    }
}

/// The close code for who breaks the rules (RFC 6455).
fn policy() -> u16 {
    1008
}

/// The lines are these; another number means other ones.
pub(crate) const PROTOCOL: u32 = 1;

/// Of a line that was not understood.
const SHOWN_BYTES_MAX: usize = 200;

#[cfg(test)]
mod tests;
