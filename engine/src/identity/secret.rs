//! A secret that the server shares with its clients. Never kept: what is kept tells whether one that is shown is it.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// A shared secret.
#[derive(Clone)]
pub struct Secret([u8; 32]);

impl Secret {
    /// A secret of at least [`SECRET_BYTES_MIN`] bytes; `None` when it is shorter.
    #[must_use]
    pub fn new(secret: &[u8]) -> Option<Self> {
        let long_enough = secret.len() >= SECRET_BYTES_MIN;
        long_enough.then(|| Self(print(secret).finalize().into_bytes().into()))
    }

    /// As the text of a file says it, without the end of its line.
    #[must_use]
    pub fn from_file(bytes: &[u8]) -> Option<Self> {
        let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        Self::new(line.strip_suffix(b"\r").unwrap_or(line))
    }

    /// Whether what is shown is the secret. Takes as long however much of it is right.
    pub(crate) fn is(&self, shown: &str) -> bool {
        print(shown.as_bytes()).verify_slice(&self.0).is_ok()
    }
}

/// Of equal length for all secrets: comparing two says nothing of either.
fn print(secret: &[u8]) -> Hmac<Sha256> {
    let mut print = Hmac::<Sha256>::new_from_slice(PURPOSE).expect("it takes any length");
    print.update(secret);
    print
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// A shorter secret is refused: it could be guessed.
pub const SECRET_BYTES_MIN: usize = 16;

const PURPOSE: &[u8] = b"worldshard shared secret 1";

#[cfg(test)]
mod tests;
