//! What sessions say and what happens to them: payloads, messages, events. Never bytes with headers: that is `hub`.

use std::borrow::Cow;
use std::hash::{Hash, Hasher};

use bytes::Bytes;
use serde_json::value::RawValue;
use worldshard_protocol::{ExtEnvelope, HotHeader, SessionId};
use worldshard_transport::MessageKind;

/// The content of one message. Its kind is kept: binary that happens to be UTF-8 stays binary.
///
/// A clone shares the bytes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Payload {
    /// UTF-8.
    Text(Text),
    /// Any bytes.
    Binary(Bytes),
}

/// Bytes that are UTF-8.
#[derive(Clone, Debug)]
pub struct Text {
    bytes: Bytes,
    form: Form,
}

/// What a text becomes on lanes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    /// A JSON string.
    Plain,
    /// The JSON of `data`, as it stands.
    Json,
    /// A whole message of the ext lane.
    Envelope,
}

/// One message of a session: of a `raw` path, or on lanes one to the application. There a text is the JSON of `data`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// Who said it.
    pub session: SessionId,
    /// What.
    pub payload: Payload,
}

/// Something that happened to a session homed on this shard.
///
/// Each session has one `Opened`, then its messages in the order in which it sent them, then one `Closed`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A client connected.
    Opened(SessionId),
    /// It said something.
    Message(Message),
    /// Its connection is gone.
    Closed(SessionId, CloseReason),
}

/// Why a connection is gone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CloseReason {
    /// The client said so, with its close code (1005 when it named none).
    Client {
        /// As in RFC 6455.
        code: u16,
    },
    /// This server closed it.
    Server {
        /// As in RFC 6455.
        code: u16,
        /// As the client was told.
        reason: Cow<'static, str>,
    },
    /// The stream ended without a close, or broke.
    Lost,
    /// Nothing was heard, or nothing could be written, for too long.
    Timeout,
}

/// How a message is sent, beside to whom.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Manner {
    /// It is dropped for who has too much waiting.
    pub(crate) lossy: bool,
    /// What it begins with in the hot lane, if that is not the application's own service.
    pub(crate) header: Option<HotHeader>,
}

impl Manner {
    /// As nobody said otherwise: it arrives, or its client is closed.
    pub(crate) const RELIABLE: Self = Self {
        lossy: false,
        header: None,
    };

    pub(crate) const LOSSY: Self = Self {
        lossy: true,
        header: None,
    };
}

impl Text {
    /// Checks that the bytes are UTF-8.
    #[must_use]
    pub fn from_utf8(bytes: Bytes) -> Option<Self> {
        let is_text = std::str::from_utf8(&bytes).is_ok();
        is_text.then_some(Self {
            bytes,
            form: Form::Plain,
        })
    }

    /// A text that the ext lane carries as it stands, as the JSON of `data`, where any other becomes a JSON string. What
    /// clients say there is of this kind. `None` when it is no JSON.
    #[must_use]
    pub fn json(text: impl Into<String>) -> Option<Self> {
        let text: String = text.into();
        let is_json = serde_json::from_str::<&RawValue>(&text).is_ok();
        is_json.then(|| Self::of_json(text.into()))
    }

    /// The same of bytes that were read as JSON.
    pub(crate) fn of_json(bytes: Bytes) -> Self {
        Self {
            bytes,
            form: Form::Json,
        }
    }

    /// A whole message of the ext lane, with a service and a type of its own. On raw paths it is the JSON of the envelope.
    #[must_use]
    pub fn envelope(envelope: &ExtEnvelope<'_>) -> Self {
        Self {
            bytes: envelope.to_text().into(),
            form: Form::Envelope,
        }
    }

    pub(crate) fn is_envelope(&self) -> bool {
        self.form == Form::Envelope
    }

    /// Whether it stands for JSON; a text that only looks like it does not.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.form != Form::Plain
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes).expect("all constructors check")
    }

    /// Its bytes, shared.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

/// The same words are the same text, JSON or not.
impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Text {}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bytes.hash(state);
    }
}

impl Payload {
    /// The bytes, shared.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        match self {
            Self::Text(text) => text.bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// The kind of message that carries it.
    #[must_use]
    pub fn kind(&self) -> MessageKind {
        match self {
            Self::Text(_) => MessageKind::Text,
            Self::Binary(_) => MessageKind::Binary,
        }
    }

    /// The text; `None` for binary, whatever its bytes.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text.as_str()),
            Self::Binary(_) => None,
        }
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self {
            bytes: text.into(),
            form: Form::Plain,
        }
    }
}

impl From<&'static str> for Text {
    fn from(text: &'static str) -> Self {
        Self {
            bytes: Bytes::from_static(text.as_bytes()),
            form: Form::Plain,
        }
    }
}

impl From<Text> for Payload {
    fn from(text: Text) -> Self {
        Self::Text(text)
    }
}

impl From<String> for Payload {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<&'static str> for Payload {
    fn from(text: &'static str) -> Self {
        Self::Text(text.into())
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Self::Binary(bytes)
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(bytes.into())
    }
}

impl From<&'static [u8]> for Payload {
    fn from(bytes: &'static [u8]) -> Self {
        Self::Binary(Bytes::from_static(bytes))
    }
}
