//! JSON that is handed on as it was said: every digit, escape and blank of it. Never looked into.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::ext::{EXT_DEPTH_MAX, depth};

/// A text that is one JSON value. Two are equal when their texts are.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JsonText(Box<RawValue>);

impl JsonText {
    /// Reads a text of at most `bytes_max` bytes that may stand in the `data` of an envelope; blanks around it are dropped.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(text: &str, bytes_max: usize) -> Result<Self, String> {
        if text.len() > bytes_max {
            return Err(format!("{} bytes; at most {bytes_max}", text.len()));
        }
        if depth(text) > JSON_TEXT_DEPTH_MAX {
            return Err(format!("nested deeper than {JSON_TEXT_DEPTH_MAX}"));
        }
        let raw: Box<RawValue> = serde_json::from_str(text).map_err(|_| "not JSON".to_owned())?;
        Ok(Self(raw))
    }

    /// As it was said.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.get()
    }
}

impl PartialEq for JsonText {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for JsonText {}

impl fmt::Debug for JsonText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Brackets nested deeper are refused: with those of an envelope and its `data` around it, a text is still read.
pub const JSON_TEXT_DEPTH_MAX: usize = EXT_DEPTH_MAX - 2;

#[cfg(test)]
mod tests;
