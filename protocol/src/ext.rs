//! The ext lane's envelope: strict JSON whose `data` each service reads for itself.
//!
//! Bounds size and depth before anything else looks at the text. Knows no service's data.

#![cfg_attr(
    not(test),
    warn(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing
    )
)]

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::error::{ErrorCode, WireError};

/// One text message. Field names are wsPrism's.
#[derive(Clone, Debug, Serialize)]
pub struct ExtEnvelope<'a> {
    /// The version, [`EXT_VERSION`].
    pub v: u32,
    /// The service.
    pub svc: Cow<'a, str>,
    /// What is said, as the service defines it.
    #[serde(rename = "type")]
    pub kind: Cow<'a, str>,
    /// Bits 0 SEQ, 1 ROOM, 2 ACK; they announce the fields `seq` and `room`, and ask for an acknowledgement.
    #[serde(skip_serializing_if = "is_zero")]
    pub flags: u32,
    /// The sender's number for this message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u32>,
    /// The room it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room: Option<Cow<'a, str>>,
    /// The service's own JSON, not looked into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Cow<'a, RawValue>>,
}

impl<'a> ExtEnvelope<'a> {
    /// An envelope with nothing but its address.
    pub fn new(svc: impl Into<Cow<'a, str>>, kind: impl Into<Cow<'a, str>>) -> Self {
        Self {
            v: EXT_VERSION,
            svc: svc.into(),
            kind: kind.into(),
            flags: 0,
            seq: None,
            room: None,
            data: None,
        }
    }

    /// Reads one text message.
    ///
    /// # Errors
    /// `PAYLOAD_TOO_LARGE` past [`EXT_BYTES_MAX`]; `UNSUPPORTED_VERSION` for another `v`; else `BAD_REQUEST`. The
    /// detail names the field.
    pub fn parse(text: &'a str) -> Result<Self, WireError> {
        if text.len() > EXT_BYTES_MAX {
            let detail = "message: larger than 64 KiB";
            return Err(WireError::new(ErrorCode::PayloadTooLarge, detail));
        }
        if depth(text) > EXT_DEPTH_MAX {
            return Err(WireError::bad("message: nested deeper than 32"));
        }
        let fields: Fields<'a> =
            serde_json::from_str(text).map_err(|error| in_field("message", &error))?;
        let v: u32 = field("v", fields.v)?;
        if v != EXT_VERSION {
            return Err(WireError::new(ErrorCode::UnsupportedVersion, "v: not 1"));
        }
        let envelope = Self {
            v,
            svc: name("svc", fields.svc)?,
            kind: name("type", fields.kind)?,
            flags: fields.flags.map_or(Ok(0), |raw| field("flags", raw))?,
            seq: fields.seq.map(|raw| field("seq", raw)).transpose()?,
            room: fields.room.map(|raw| name("room", raw)).transpose()?,
            data: fields.data.map(Cow::Borrowed),
        };
        envelope.check_flags()?;
        Ok(envelope)
    }

    /// The text of the envelope.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "it writes: nothing that a peer says gets here"
    )]
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).expect("an envelope's fields are all JSON")
    }

    /// Reads `data` as the service's own type; absent data counts as `null`.
    ///
    /// # Errors
    /// `BAD_REQUEST` when it is of another shape.
    pub fn data_as<T: DeserializeOwned>(&self) -> Result<T, WireError> {
        let text = self.data.as_ref().map_or("null", |data| data.get());
        serde_json::from_str(text).map_err(|error| in_field("data", &error))
    }

    fn check_flags(&self) -> Result<(), WireError> {
        if self.flags & !(EXT_FLAG_SEQ | EXT_FLAG_ROOM | EXT_FLAG_ACK) != 0 {
            return Err(WireError::bad("flags: unknown bit"));
        }
        if self.flags & EXT_FLAG_SEQ != 0 && self.seq.is_none() {
            return Err(WireError::bad("seq: announced in flags but missing"));
        }
        if self.flags & EXT_FLAG_ROOM != 0 && self.room.is_none() {
            return Err(WireError::bad("room: announced in flags but missing"));
        }
        Ok(())
    }
}

/// The envelope with every field unread, so that each one's error can name it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields<'a> {
    #[serde(borrow)]
    v: &'a RawValue,
    #[serde(borrow)]
    svc: &'a RawValue,
    #[serde(borrow, rename = "type")]
    kind: &'a RawValue,
    #[serde(borrow, default)]
    flags: Option<&'a RawValue>,
    #[serde(borrow, default)]
    seq: Option<&'a RawValue>,
    #[serde(borrow, default)]
    room: Option<&'a RawValue>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

fn field<T: DeserializeOwned>(field: &str, raw: &RawValue) -> Result<T, WireError> {
    serde_json::from_str(raw.get()).map_err(|error| in_field(field, &error))
}

fn name<'a>(field: &str, raw: &'a RawValue) -> Result<Cow<'a, str>, WireError> {
    /// Borrows where JSON has no escapes.
    #[derive(Deserialize)]
    struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

    let parsed: Name<'a> =
        serde_json::from_str(raw.get()).map_err(|error| in_field(field, &error))?;
    let Name(name) = parsed;
    if name.is_empty() || name.len() > EXT_NAME_BYTES_MAX {
        return Err(WireError::bad(format!("{field}: not 1 to 128 bytes")));
    }
    Ok(name)
}

/// The error's text may quote the client: its length is bounded.
fn in_field(field: &str, error: &serde_json::Error) -> WireError {
    let text: String = error.to_string().chars().take(DETAIL_CHARS_MAX).collect();
    WireError::bad(format!("{field}: {text}"))
}

/// How deep brackets nest outside strings; malformed text may give any answer.
pub(crate) fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                depth = depth.saturating_add(1);
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes fields by reference"
)]
fn is_zero(flags: &u32) -> bool {
    *flags == 0
}

/// The ext lane's version, field `v`.
pub const EXT_VERSION: u32 = 1;

/// A longer text message is refused.
pub const EXT_BYTES_MAX: usize = 64 * 1024;

/// Brackets nested deeper are refused, so that no reader of `data` recurses far.
pub const EXT_DEPTH_MAX: usize = 32;

/// A longer `svc`, `type` or `room` is refused.
pub const EXT_NAME_BYTES_MAX: usize = 128;

/// Flag: the field `seq` is present.
pub const EXT_FLAG_SEQ: u32 = 0x01;

/// Flag: the field `room` is present.
pub const EXT_FLAG_ROOM: u32 = 0x02;

/// Flag: the sender asks for an acknowledgement.
pub const EXT_FLAG_ACK: u32 = 0x04;

/// A longer parser message is cut in an error's detail.
const DETAIL_CHARS_MAX: usize = 160;

#[cfg(test)]
mod tests;
