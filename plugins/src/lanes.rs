//! What plugins say to clients on lanes. Never decides what.

use std::borrow::Cow;

use serde_json::Value;
use worldshard::prelude::*;

/// A message of a service, about a room if one is named.
pub(crate) fn said(svc: &str, kind: &str, room: Option<&str>, data: &Value) -> Text {
    let mut envelope = ExtEnvelope::new(svc, kind);
    envelope.room = room.map(Cow::Borrowed);
    let data = serde_json::value::to_raw_value(data).expect("a value is JSON");
    envelope.data = Some(Cow::Owned(data));
    Text::envelope(&envelope)
}
