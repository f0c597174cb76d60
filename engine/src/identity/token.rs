//! Signed tokens: JSON Web Tokens of one algorithm, EdDSA with Ed25519. Never asks what time it is.
//!
//! Strict: the signature is checked before anything of the claims is read, and `exp` is required.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use worldshard_protocol::UserId;

use super::auth::{TokenPolicy, Unproven};
use super::key::PrivateKey;

/// What a token says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grant {
    /// Who shows it.
    pub user: UserId,
    /// The tenant whose clients it is good for; none for all.
    pub tenant: Option<String>,
    /// Where it is good.
    pub audience: String,
    /// When it was made, since 1970.
    pub issued: Duration,
    /// Until when it is good, since 1970.
    pub expires: Duration,
}

/// What a token that was proven says.
pub(crate) struct Granted {
    pub(crate) user: UserId,
    /// The only tenant that it is good for.
    pub(crate) tenant: Option<String>,
    /// When it is not good any more, the clocks' difference included.
    pub(crate) expires: Duration,
}

#[derive(Serialize, Deserialize)]
struct Header<'a> {
    alg: &'a str,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    typ: Option<&'a str>,
    #[serde(default)]
    kid: Option<&'a str>,
    /// Names extensions that must be understood. None is.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    crit: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct Made<'a> {
    sub: &'a UserId,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<&'a str>,
    aud: &'a str,
    iat: u64,
    exp: u64,
}

#[derive(Deserialize)]
struct Claims {
    sub: Option<String>,
    tenant: Option<String>,
    aud: Option<Audience>,
    exp: Option<f64>,
    nbf: Option<f64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Grant {
    /// The token that says so, made with `key`.
    ///
    /// # Panics
    /// Never: what it says is plain JSON.
    #[must_use]
    pub fn token(&self, key: &PrivateKey) -> String {
        let header = Header {
            alg: ALGORITHM,
            typ: Some("JWT"),
            kid: Some(key.public().id()),
            crit: None,
        };
        let claims = Made {
            sub: &self.user,
            tenant: self.tenant.as_deref(),
            aud: &self.audience,
            iat: self.issued.as_secs(),
            exp: self.expires.as_secs(),
        };
        let header = serde_json::to_vec(&header).expect("it is plain JSON");
        let claims = serde_json::to_vec(&claims).expect("it is plain JSON");
        let said = [header, claims].map(|part| BASE64URL_NOPAD.encode(&part));
        let said = said.join(".");
        let signature = BASE64URL_NOPAD.encode(&key.sign(said.as_bytes()));
        format!("{said}.{signature}")
    }
}

/// What a text says that one of the policy's keys signed, if it is good at `now`, since 1970.
pub(crate) fn read(text: &str, policy: &TokenPolicy, now: Duration) -> Result<Granted, Unproven> {
    if text.len() > TOKEN_BYTES_MAX {
        return Err(Unproven::Malformed);
    }
    let (said, signature) = text.rsplit_once('.').ok_or(Unproven::Malformed)?;
    let (header, claims) = said.split_once('.').ok_or(Unproven::Malformed)?;
    let [header, claims, signature] = [decode(header)?, decode(claims)?, decode(signature)?];
    let header: Header<'_> = serde_json::from_slice(&header).map_err(|_| Unproven::Malformed)?;
    if header.alg != ALGORITHM {
        return Err(Unproven::Algorithm);
    }
    if header.crit.is_some() {
        return Err(Unproven::Malformed);
    }
    let mut keys = policy.keys.iter();
    let key = keys.find(|key| Some(key.id()) == header.kid);
    let key = key.ok_or(Unproven::UnknownKey)?;
    if !key.verifies(said.as_bytes(), &signature) {
        return Err(Unproven::Signature);
    }
    let claims: Claims = serde_json::from_slice(&claims).map_err(|_| Unproven::Malformed)?;
    claims.check(policy, now)
}

impl Claims {
    fn check(self, policy: &TokenPolicy, now: Duration) -> Result<Granted, Unproven> {
        let is_for_us = match &self.aud {
            None => false,
            Some(Audience::One(one)) => *one == policy.audience,
            Some(Audience::Several(all)) => all.contains(&policy.audience),
        };
        if !is_for_us {
            return Err(Unproven::Audience);
        }
        let expires = time(self.exp.ok_or(Unproven::Malformed)?)?;
        let expires = expires.saturating_add(policy.skew);
        if now >= expires {
            return Err(Unproven::Expired);
        }
        if let Some(begins) = self.nbf
            && now.saturating_add(policy.skew) < time(begins)?
        {
            return Err(Unproven::NotYet);
        }
        let user = self.sub.and_then(|name| UserId::new(&name).ok());
        let user = user.ok_or(Unproven::NoUser)?;
        let tenant = self.tenant;
        Ok(Granted {
            user,
            tenant,
            expires,
        })
    }
}

/// A time as tokens say it: seconds since 1970, perhaps with a fraction.
fn time(seconds: f64) -> Result<Duration, Unproven> {
    Duration::try_from_secs_f64(seconds).map_err(|_| Unproven::Malformed)
}

/// Refuses padding, and last letters that say more than there is: no two texts stand for the same bytes.
fn decode(part: &str) -> Result<Vec<u8>, Unproven> {
    let decoded = BASE64URL_NOPAD.decode(part.as_bytes());
    decoded.map_err(|_| Unproven::Malformed)
}

const ALGORITHM: &str = "EdDSA";

/// A longer token is refused unread.
const TOKEN_BYTES_MAX: usize = 4096;

#[cfg(test)]
mod tests;
