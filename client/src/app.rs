//! The application's own service on both lanes: messages, requests and their answers. Knows no connection.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use worldshard_protocol::app::{
    APP_SVC_NAME, KIND_ACK, KIND_MESSAGE, KIND_REJECT, KIND_REQUEST, KIND_RESPONSE, OPCODE_APP_ACK,
    OPCODE_APP_MESSAGE, OPCODE_APP_REJECT, OPCODE_APP_REQUEST, OPCODE_APP_RESPONSE, read_reject,
};
use worldshard_protocol::{APP_SVC, ExtEnvelope, HotHeader};

use crate::message::{Message, Payload};

/// What an application's message is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AppKind {
    /// Said, and no answer expected.
    Message,
    /// An answer with a payload.
    Response,
    /// An answer that says yes; or that a message was taken, where the client asked for that.
    Ack,
    /// An answer that says no.
    Reject,
}

impl AppKind {
    pub(crate) fn of_type(kind: &str) -> Option<Self> {
        match kind {
            KIND_MESSAGE => Some(Self::Message),
            KIND_RESPONSE => Some(Self::Response),
            KIND_ACK => Some(Self::Ack),
            KIND_REJECT => Some(Self::Reject),
            _ => None,
        }
    }

    pub(crate) fn of_opcode(opcode: u8) -> Option<Self> {
        match opcode {
            OPCODE_APP_MESSAGE => Some(Self::Message),
            OPCODE_APP_RESPONSE => Some(Self::Response),
            OPCODE_APP_ACK => Some(Self::Ack),
            OPCODE_APP_REJECT => Some(Self::Reject),
            _ => None,
        }
    }
}

/// What the application said, where it arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AppData<'a> {
    /// The text of a JSON value; empty when there was none.
    Json(&'a str),
    /// Bytes.
    Binary(&'a [u8]),
}

impl AppData<'_> {
    /// A copy that can be kept.
    #[must_use]
    pub fn to_payload(self) -> Payload {
        match self {
            // A string of JSON is a text that some application said.
            Self::Json(json) if json.starts_with('"') => match serde_json::from_str(json) {
                Ok(text) => Payload::Text(text),
                Err(_) => Payload::Json(json.to_owned()),
            },
            Self::Json("") => Payload::Json("null".to_owned()),
            Self::Json(json) => Payload::Json(json.to_owned()),
            Self::Binary(bytes) => Payload::Binary(Bytes::copy_from_slice(bytes)),
        }
    }

    /// Code and message of a rejection; what cannot be read is empty.
    pub(crate) fn to_rejection(self) -> (String, String) {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Rejection {
            code: String,
            msg: String,
        }
        match self {
            Self::Json(json) => {
                let rejection: Rejection = serde_json::from_str(json).unwrap_or_default();
                (rejection.code, rejection.msg)
            }
            Self::Binary(bytes) => {
                let (code, msg) = read_reject(bytes).unwrap_or_default();
                (code.to_owned(), msg.to_owned())
            }
        }
    }
}

/// Lays out a message of the application, or a request when it has a number; on lanes.
pub(crate) fn lay_out(payload: &Payload, request: Option<u32>) -> Result<Message, NotJson> {
    let ext = |data: Box<RawValue>| {
        let kind = if request.is_some() {
            KIND_REQUEST
        } else {
            KIND_MESSAGE
        };
        let mut envelope = ExtEnvelope::new(APP_SVC_NAME, kind);
        envelope.seq = request;
        envelope.data = Some(Cow::Owned(data));
        Message::Text(envelope.to_text())
    };
    Ok(match payload {
        Payload::Text(text) => {
            ext(serde_json::value::to_raw_value(text).expect("any string is JSON"))
        }
        Payload::Json(json) => ext(RawValue::from_string(json.clone()).map_err(|_| NotJson)?),
        Payload::Binary(bytes) => {
            let header = HotHeader {
                svc: APP_SVC,
                opcode: if request.is_some() {
                    OPCODE_APP_REQUEST
                } else {
                    OPCODE_APP_MESSAGE
                },
                seq: request,
                ..HotHeader::default()
            };
            let mut message = Vec::with_capacity(header.size() + bytes.len());
            header.write(&mut message);
            message.extend_from_slice(bytes);
            Message::Binary(message.into())
        }
    })
}

/// A payload that says it is JSON is not.
#[derive(Debug)]
pub(crate) struct NotJson;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_lanes_are_laid_out_as_the_wire_document_says() {
        let text = |payload: &Payload, request| match lay_out(payload, request).unwrap() {
            Message::Text(text) => text,
            Message::Binary(bytes) => panic!("{bytes:?}"),
        };
        assert_eq!(
            text(&"hi \"there\"".into(), None),
            r#"{"v":1,"svc":"app","type":"message","data":"hi \"there\""}"#
        );
        assert_eq!(
            text(&Payload::Json("[1, 2]".to_owned()), Some(7)),
            r#"{"v":1,"svc":"app","type":"request","seq":7,"data":[1, 2]}"#
        );
        let bytes = |request| match lay_out(&b"hi".to_vec().into(), request).unwrap() {
            Message::Binary(bytes) => bytes,
            Message::Text(text) => panic!("{text}"),
        };
        assert_eq!(bytes(None)[..], *b"\x01\x03\x00\x00hi");
        assert_eq!(
            bytes(Some(0x1234))[..],
            *b"\x01\x03\x01\x01\x34\x12\x00\x00hi"
        );
        assert!(lay_out(&Payload::Json("{".to_owned()), None).is_err());
    }

    #[test]
    fn rejections_of_both_lanes_are_read() {
        let both = [
            AppData::Json(r#"{"code":"TIMEOUT","msg":"late"}"#),
            AppData::Binary(b"TIMEOUT\0late"),
        ];
        for data in both {
            let (code, message) = data.to_rejection();
            assert_eq!((&*code, &*message), ("TIMEOUT", "late"));
        }
        assert_eq!(AppData::Json("").to_rejection(), Default::default());
        assert_eq!(AppData::Binary(b"").to_rejection(), Default::default());
    }

    #[test]
    fn strings_are_texts_and_other_values_stay_json() {
        assert_eq!(AppData::Json(r#""a\nb""#).to_payload(), "a\nb".into());
        let five = AppData::Json("5").to_payload();
        assert_eq!(five, Payload::Json("5".to_owned()));
        assert_eq!(five.parse::<u8>().unwrap(), 5);
        let inner: Payload = r#"{"x":1}"#.into();
        assert_eq!(
            inner.parse::<serde_json::Value>().unwrap(),
            serde_json::json!({"x": 1})
        );
        assert_eq!(Payload::from("hello").parse::<String>().unwrap(), "hello");
        assert!(Payload::from(vec![1]).parse::<u8>().is_err());
    }
}
