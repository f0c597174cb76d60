//! The name of a user, who may have several sessions. Never says what a user may do.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Names a user: 1 to [`UserId::BYTES_MAX`] of `A-Z a-z 0-9 . _ @ -`. A clone shares the text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct UserId(Arc<str>);

/// A text that is no user's name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotAUser;

impl UserId {
    /// A longer name is refused.
    pub const BYTES_MAX: usize = 64;

    /// Reads a name.
    ///
    /// # Errors
    /// [`NotAUser`] when it is empty, too long, or has another character.
    pub fn new(text: &str) -> Result<Self, NotAUser> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._@-".contains(&byte);
        let has_length = (1..=Self::BYTES_MAX).contains(&text.len());
        if has_length && text.bytes().all(is_allowed) {
            return Ok(Self(text.into()));
        }
        Err(NotAUser)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UserId {
    type Err = NotAUser;

    fn from_str(text: &str) -> Result<Self, NotAUser> {
        Self::new(text)
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for UserId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for UserId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for NotAUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not 1 to {} of A-Z a-z 0-9 . _ @ -", UserId::BYTES_MAX)
    }
}

impl std::error::Error for NotAUser {}

#[cfg(test)]
mod tests;
