//! Resume tokens: which session, which of its resumptions, and the signature of the process that made it.
//!
//! Never decides whether a session can be resumed: that is `detached`. A token is a secret, so nothing here is logged.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use worldshard_protocol::SessionId;

/// Signs tokens. Whoever has it can take over any session.
pub(crate) struct ResumeKey([u8; 32]);

/// What a token says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Token {
    pub(crate) session: SessionId,
    /// How often the session had been resumed when it was made.
    pub(crate) generation: u32,
}

impl ResumeKey {
    pub(crate) fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// The text of a token: its bytes and their signature in hexadecimal.
    pub(crate) fn sign(&self, token: Token) -> String {
        let said = token.bytes();
        let signature = self.signer(&said).finalize().into_bytes();
        let mut text = String::with_capacity(TEXT_BYTES);
        for byte in said.iter().chain(&signature) {
            text.extend([byte >> 4, byte & 15].map(|digit| char::from(DIGITS[usize::from(digit)])));
        }
        text
    }

    /// What a text says; `None` when it is no token, or not one of this key. Takes as long however much of it is right.
    pub(crate) fn read(&self, text: &str) -> Option<Token> {
        let bytes = bytes_of(text)?;
        let (said, signature) = bytes.split_first_chunk::<SAID_BYTES>()?;
        self.signer(said).verify_slice(signature).ok()?;
        Token::read(said)
    }

    fn signer(&self, said: &[u8]) -> Hmac<Sha256> {
        let mut signer = Hmac::<Sha256>::new_from_slice(&self.0).expect("it takes any length");
        // The key may come to sign other things: what is signed says what it is.
        signer.update(PURPOSE);
        signer.update(said);
        signer
    }
}

impl Token {
    fn bytes(self) -> [u8; SAID_BYTES] {
        let mut bytes = [0; SAID_BYTES];
        let (session, generation) = bytes.split_at_mut(8);
        session.copy_from_slice(&self.session.value().to_be_bytes());
        generation.copy_from_slice(&self.generation.to_be_bytes());
        bytes
    }

    fn read(bytes: &[u8; SAID_BYTES]) -> Option<Self> {
        let (session, generation) = bytes.split_first_chunk::<8>()?;
        Some(Self {
            session: SessionId::from_value(u64::from_be_bytes(*session))?,
            generation: u32::from_be_bytes(generation.try_into().ok()?),
        })
    }
}

/// The bytes that a text of lower-case hexadecimal digits stands for: no two texts stand for the same.
fn bytes_of(text: &str) -> Option<[u8; TEXT_BYTES / 2]> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let pairs: &[[u8; 2]; TEXT_BYTES / 2] = pairs.try_into().ok()?;
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; TEXT_BYTES / 2];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

const PURPOSE: &[u8] = b"worldshard resume 1";

/// Session and generation.
const SAID_BYTES: usize = 12;

/// Two digits for each byte, those of the signature included.
const TEXT_BYTES: usize = 2 * (SAID_BYTES + 32);

#[cfg(test)]
mod tests;
