//! Ed25519 keys: how they stand in files, and by which name tokens call them. Never shows a private one.

use std::borrow::Cow;
use std::fmt;

use data_encoding::{BASE64, HEXLOWER};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use sha2::{Digest as _, Sha256};

/// Makes tokens. Whoever has it can be any user.
pub struct PrivateKey {
    seed: [u8; KEY_BYTES],
    pair: Ed25519KeyPair,
    public: PublicKey,
}

/// Tells which tokens its private key made.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    bytes: [u8; KEY_BYTES],
    id: String,
}

/// Why a text is no key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyError(Cow<'static, str>);

impl PrivateKey {
    /// The key of 32 bytes that nobody can guess.
    ///
    /// # Panics
    /// Never: any 32 bytes are a key.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).expect("any 32 bytes are a key");
        let public = pair.public_key().as_ref().try_into();
        Self {
            seed,
            public: PublicKey::from_bytes(public.expect("public keys have 32 bytes")),
            pair,
        }
    }

    /// Reads PKCS#8 in PEM, as [`to_pem`](Self::to_pem) and `openssl genpkey -algorithm ed25519` write it.
    ///
    /// # Errors
    /// Says what the text is not.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let der = block(text, PRIVATE)?;
        let seed = der
            .strip_prefix(&PKCS8_HEAD)
            .and_then(|key| key.try_into().ok());
        let not_ed25519 = || KeyError("its key is not one of Ed25519 in PKCS#8".into());
        Ok(Self::from_seed(seed.ok_or_else(not_ed25519)?))
    }

    /// PKCS#8 in PEM.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem(PRIVATE, &[&PKCS8_HEAD[..], &self.seed].concat())
    }

    /// The other half.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }
}

impl PublicKey {
    pub(crate) fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        let digest = Sha256::digest(bytes);
        Self {
            bytes,
            id: HEXLOWER.encode(&digest[..ID_BYTES]),
        }
    }

    /// Reads a SubjectPublicKeyInfo in PEM, as [`to_pem`](Self::to_pem) and `openssl pkey -pubout` write it.
    ///
    /// # Errors
    /// Says what the text is not.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        if text.contains(&begin(PRIVATE)) {
            return Err(KeyError(
                "that is a private key: the server needs the public one, and nobody else needs the private one".into(),
            ));
        }
        let der = block(text, PUBLIC)?;
        let bytes = der
            .strip_prefix(&SPKI_HEAD)
            .and_then(|key| key.try_into().ok());
        let not_ed25519 = || KeyError("its key is not one of Ed25519".into());
        Ok(Self::from_bytes(bytes.ok_or_else(not_ed25519)?))
    }

    /// SubjectPublicKeyInfo in PEM.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem(PUBLIC, &[&SPKI_HEAD[..], &self.bytes].concat())
    }

    /// What tokens of this key have as `kid`: the first 16 hexadecimal digits of the SHA-256 of its 32 bytes.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&ED25519, &self.bytes);
        key.verify(message, signature).is_ok()
    }
}

/// The bytes of the first block with this label.
fn block(text: &str, label: &str) -> Result<Vec<u8>, KeyError> {
    let missing = || KeyError(format!("no PEM block {label} is in it").into());
    let (_, behind) = text.split_once(&begin(label)).ok_or_else(missing)?;
    let (inside, _) = behind
        .split_once(&format!("-----END {label}-----"))
        .ok_or_else(missing)?;
    let digits: String = inside.split_ascii_whitespace().collect();
    let damaged = |_| KeyError(format!("its PEM block {label} is damaged").into());
    BASE64.decode(digits.as_bytes()).map_err(damaged)
}

/// A block of one line: keys are short.
fn pem(label: &str, der: &[u8]) -> String {
    let digits = BASE64.encode(der);
    format!("{}\n{digits}\n-----END {label}-----\n", begin(label))
}

fn begin(label: &str) -> String {
    format!("-----BEGIN {label}-----")
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({}, ..)", self.public.id)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.id)
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for KeyError {}

const PRIVATE: &str = "PRIVATE KEY";
const PUBLIC: &str = "PUBLIC KEY";

const KEY_BYTES: usize = 32;

/// Bytes of the digest that name a key.
const ID_BYTES: usize = 8;

/// What stands before the 32 bytes of a private Ed25519 key in PKCS#8 (RFC 8410), version 1.
const PKCS8_HEAD: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// What stands before the 32 bytes of a public one in SubjectPublicKeyInfo.
const SPKI_HEAD: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

#[cfg(test)]
mod tests;
