//! What travels: whole WebSocket messages, and payloads of an application. Knows no frames and no services.

use std::fmt;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// One message of a WebSocket, as a browser gives and takes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    /// A text.
    Text(String),
    /// Bytes.
    Binary(Bytes),
}

impl Message {
    /// Bytes of the payload.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// Whether the payload is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What applications say to each other. On lanes texts and JSON travel in the ext lane and bytes in the hot lane; on a raw
/// path each is a message as it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Payload {
    /// A text: on lanes, `data` that is a JSON string.
    Text(String),
    /// The text of any other JSON value; raw paths have texts only.
    Json(String),
    /// Bytes.
    Binary(Bytes),
}

impl Payload {
    /// A value as JSON.
    ///
    /// # Errors
    /// The value has no form in JSON, such as a map whose keys are no strings.
    pub fn json(value: &impl Serialize) -> Result<Self, PayloadError> {
        let text = serde_json::to_string(value).map_err(|error| PayloadError(error.to_string()))?;
        Ok(Self::Json(text))
    }

    /// Reads JSON as a type of the caller's. A text is read as the JSON that it contains, and as a string where it
    /// contains none.
    ///
    /// # Errors
    /// It is of another shape, or bytes.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, PayloadError> {
        let parsed = match self {
            Self::Json(text) => serde_json::from_str(text),
            Self::Text(text) => serde_json::from_str(text).or_else(|error| {
                let string = serde_json::Value::from(text.as_str());
                serde_json::from_value(string).map_err(|_| error)
            }),
            Self::Binary(_) => return Err(PayloadError("bytes are not JSON".to_owned())),
        };
        parsed.map_err(|error| PayloadError(error.to_string()))
    }

    /// Bytes of the payload.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) | Self::Json(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// Whether the payload is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<&str> for Payload {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Payload {
    fn from(text: String) -> Self {
        Self::Text(text)
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

/// A payload is not what its reader takes it for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PayloadError(pub(crate) String);

impl fmt::Display for PayloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "payload: {}", self.0)
    }
}

impl std::error::Error for PayloadError {}
