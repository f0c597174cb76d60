//! Who is let in: by what, and as whom. Never sees where a credential came from.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;
use worldshard_protocol::{JsonText, UserId};

use super::claim::{Claim, Credential, DEV_TICKET};
use super::decide::Decider;
use super::key::PublicKey;
use super::secret::Secret;
use super::token::{self, Granted};

/// What a client must show to be let in.
#[derive(Clone, Debug)]
pub enum Auth {
    /// Nothing: it is who it says it is. For development.
    None,
    /// A secret that the server shares with all of them; then it is who it says it is.
    Secret(Secret),
    /// A token that names the user, signed by whoever may let users in.
    Tokens(TokenPolicy),
    /// Whatever somebody takes who is asked, and who may answer later.
    Decided(Decider),
}

/// Which tokens are good.
#[derive(Clone, Debug)]
pub struct TokenPolicy {
    /// One of these must have signed it; the token says which. At least one; to change keys, have both for a while.
    pub keys: Vec<PublicKey>,
    /// The token must be for this audience.
    pub audience: String,
    /// By how much the clocks may differ; at most [`SKEW_MAX`](super::SKEW_MAX).
    pub skew: Duration,
    /// What becomes of a session whose token expires.
    pub on_expiry: OnExpiry,
}

/// What becomes of a session whose token expires.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OnExpiry {
    /// It is closed.
    #[default]
    Close,
    /// It is kept: the token was asked for at the door.
    Keep,
}

/// Who a client is, as far as it was proven or said.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Identity {
    /// Whose of those who share the server it is: their place in the list.
    pub tenant: u16,
    /// Whose session it is; none when it is nobody's.
    pub user: Option<UserId>,
    /// What the client runs in, as it says.
    pub environment: Option<Environment>,
    /// What the client says of itself.
    pub connect: Option<JsonText>,
    /// When its session is to end, since 1970.
    pub expires: Option<Duration>,
}

/// What a client runs in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// A program of its own.
    Native,
    /// A web page.
    Browser,
}

/// Why a client is not let in. None of them quotes what it showed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unproven {
    /// It showed nothing.
    Missing,
    /// Its first message was another one, or not well formed: what is wrong.
    FirstMessage(&'static str),
    /// The secret is another one.
    Secret,
    /// It is no token.
    Malformed,
    /// It is a token of another algorithm.
    Algorithm,
    /// The token names no key, or one that is not known.
    UnknownKey,
    /// Its key did not sign it, or not as it is.
    Signature,
    /// It is for another audience.
    Audience,
    /// It was good before.
    Expired,
    /// It will be good later.
    NotYet,
    /// It names no user.
    NoUser,
    /// It is another user's than the one named beside it, or the one whose session is to go on.
    OtherUser,
    /// It is another tenant's than the one that the request names, or the one whose session is to go on.
    OtherTenant,
    /// Whoever decides does not let it in: for this reason.
    Denied(String),
    /// Whoever decides is asked for sessions only.
    Undecided,
}

impl TokenPolicy {
    /// Tokens of these keys for the audience `worldshard`, by the server's own clock to the second; closes who expires.
    #[must_use]
    pub fn new(keys: Vec<PublicKey>) -> Self {
        Self {
            keys,
            audience: AUDIENCE.to_owned(),
            skew: Duration::ZERO,
            on_expiry: OnExpiry::Close,
        }
    }
}

impl Auth {
    /// Whether who shows nothing is not let in.
    pub(crate) fn asks(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// Who decides, if somebody is to be asked.
    pub(crate) fn decider(&self) -> Option<&Decider> {
        match self {
            Self::Decided(decider) => Some(decider),
            Self::None | Self::Secret(_) | Self::Tokens(_) => None,
        }
    }

    /// Who a client is, given what it shows and says, at `now`, since 1970.
    pub(crate) fn prove(&self, claim: Claim, now: Duration) -> Result<Identity, Unproven> {
        let mut identity = Identity {
            tenant: claim.tenant.index,
            user: claim.user,
            environment: claim.environment,
            connect: claim.connect,
            expires: None,
        };
        let shown = claim.credential.as_ref().map(|one| one.text());
        match self {
            Self::None => {
                let ticket = claim
                    .credential
                    .as_ref()
                    .is_some_and(Credential::is_dev_ticket);
                if ticket && identity.user.is_none() {
                    identity.user = UserId::new(DEV_TICKET).ok();
                }
            }
            Self::Secret(secret) => {
                if !secret.is(shown.ok_or(Unproven::Missing)?) {
                    return Err(Unproven::Secret);
                }
            }
            Self::Decided(_) => return Err(Unproven::Undecided),
            Self::Tokens(policy) => {
                let shown = shown.ok_or(Unproven::Missing)?;
                let granted = token::read(shown, policy, now)?;
                let Granted {
                    user,
                    tenant,
                    expires,
                } = granted;
                if tenant.is_some_and(|one| one != *claim.tenant.id) {
                    return Err(Unproven::OtherTenant);
                }
                if identity.user.is_some_and(|said| said != user) {
                    return Err(Unproven::OtherUser);
                }
                identity.user = Some(user);
                identity.expires = match policy.on_expiry {
                    OnExpiry::Close => Some(expires),
                    OnExpiry::Keep => None,
                };
            }
        }
        Ok(identity)
    }
}

impl Identity {
    /// Whether nothing is known.
    pub(crate) fn is_nobodys(&self) -> bool {
        *self == Self::default()
    }
}

impl FromStr for OnExpiry {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "close" => Ok(Self::Close),
            "keep" => Ok(Self::Keep),
            _ => Err("keep or close".to_owned()),
        }
    }
}

impl FromStr for Environment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "native" => Ok(Self::Native),
            "browser" => Ok(Self::Browser),
            _ => Err("neither native nor browser".to_owned()),
        }
    }
}

impl fmt::Display for Unproven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "no credential was shown",
            Self::FirstMessage(why) => return write!(f, "the first message is no sys auth: {why}"),
            Self::Secret => "the secret is another one",
            Self::Malformed => "the token is malformed",
            Self::Algorithm => "the token's algorithm is not EdDSA",
            Self::UnknownKey => "the token's key is not known",
            Self::Signature => "the token's signature is wrong",
            Self::Audience => "the token is for another audience",
            Self::Expired => "the token has expired",
            Self::NotYet => "the token is not good yet",
            Self::NoUser => "the token names no user",
            Self::OtherUser => "the token is another user's",
            Self::OtherTenant => "the token is another tenant's",
            Self::Denied(why) => why,
            Self::Undecided => "who is let in is decided as a session begins, and for nothing else",
        })
    }
}

impl std::error::Error for Unproven {}

/// The audience of tokens, unless another one is said.
pub const AUDIENCE: &str = "worldshard";

#[cfg(test)]
mod tests;
