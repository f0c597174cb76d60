//! Resume tokens: which session, which of its resumptions, and the signature of the process that made it.
//!
//! Never decides whether a session can be resumed: that is `detached`. A token is a secret, so nothing here is logged.

use std::time::Duration;

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use worldshard_protocol::{SessionId, UserId};

/// Signs tokens. Whoever has it can take over any session.
pub(crate) struct ResumeKey([u8; 32]);

/// What a token says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Token {
    pub(crate) session: SessionId,
    /// How often the session had been resumed when it was made.
    pub(crate) generation: u32,
    /// The id of its tenant, where those are named.
    pub(crate) tenant: Option<String>,
    /// Whose session it is, and when it is to end, since 1970: a process after this one knows it by that.
    pub(crate) of: Option<(UserId, Option<Duration>)>,
}

impl ResumeKey {
    pub(crate) fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// The text of a token: its bytes and their signature in hexadecimal.
    pub(crate) fn sign(&self, token: &Token) -> String {
        let said = token.bytes();
        let signature = self.signer(&said).finalize().into_bytes();
        HEXLOWER.encode(&[&said[..], &signature[..]].concat())
    }

    /// What a text says; `None` when it is no token, or not one of this key. Takes as long however much of it is right.
    pub(crate) fn read(&self, text: &str) -> Option<Token> {
        let bytes = bytes_of(text)?;
        let (said, signature) = bytes.split_last_chunk::<SIGNATURE_BYTES>()?;
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
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(SAID_BYTES_MAX);
        bytes.extend(self.session.value().to_be_bytes());
        bytes.extend(self.generation.to_be_bytes());
        if let Some(id) = &self.tenant {
            bytes.extend(TENANT_FOLLOWS);
            bytes.push(u8::try_from(id.len()).expect("ids are at most 64 bytes"));
            bytes.extend(id.as_bytes());
        }
        if let Some((user, expires)) = &self.of {
            // No session is to end in 1970, or at the end of time.
            let expires = expires.map_or(0, |at| at.as_secs().clamp(1, u64::MAX - 1));
            bytes.extend(expires.to_be_bytes());
            bytes.extend(user.as_str().as_bytes());
        }
        bytes
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (session, rest) = bytes.split_first_chunk::<8>()?;
        let (generation, rest) = rest.split_first_chunk::<4>()?;
        let (tenant, rest) = match rest.strip_prefix(&TENANT_FOLLOWS) {
            None => (None, rest),
            Some(rest) => {
                let (len, rest) = rest.split_first()?;
                let (id, rest) = rest.split_at_checked(usize::from(*len))?;
                (Some(std::str::from_utf8(id).ok()?.to_owned()), rest)
            }
        };
        let of = if rest.is_empty() {
            None
        } else {
            let (expires, user) = rest.split_first_chunk::<8>()?;
            let expires = u64::from_be_bytes(*expires);
            let user = UserId::new(std::str::from_utf8(user).ok()?).ok()?;
            Some((user, (expires > 0).then(|| Duration::from_secs(expires))))
        };
        Some(Self {
            session: SessionId::from_value(u64::from_be_bytes(*session))?,
            generation: u32::from_be_bytes(*generation),
            tenant,
            of,
        })
    }
}

/// The bytes that a text of lower-case hexadecimal digits stands for: no two texts stand for the same.
fn bytes_of(text: &str) -> Option<Vec<u8>> {
    let is_short = text.len() <= 2 * (SAID_BYTES_MAX + SIGNATURE_BYTES);
    is_short.then(|| HEXLOWER.decode(text.as_bytes()).ok())?
}

const PURPOSE: &[u8] = b"worldshard resume 1";

/// Where a session's end could stand: behind it stands the tenant's id, its length before it.
const TENANT_FOLLOWS: [u8; 8] = [0xff; 8];

/// Session, generation, tenant, end and user.
const SAID_BYTES_MAX: usize = 8 + 4 + (8 + 1 + UserId::BYTES_MAX) + 8 + UserId::BYTES_MAX;

const SIGNATURE_BYTES: usize = 32;

#[cfg(test)]
mod tests;
