//! How a client connects, who it is, and what it does when a connection ends. Settings and their limits only.

use std::fmt;
use std::time::Duration;

use serde_json::value::RawValue;

use crate::lanes::{AckPolicy, Framing};
use crate::url::{Url, UrlError};

/// All settings of an [`Agent`](crate::Agent).
#[derive(Clone, Debug)]
pub struct Options {
    /// The server and the path.
    pub url: Url,
    /// What the path speaks.
    pub framing: Framing,
    /// Who the client is.
    pub identity: Identity,
    /// The version of the application's protocol, for servers that check it; at most 20 bytes.
    pub version: Option<String>,
    /// Where the client runs.
    pub environment: Environment,
    /// How deltas are acknowledged.
    pub acks: AckPolicy,
    /// Whether a session is resumed, where the server waits for clients.
    pub resume: bool,
    /// When to connect again.
    pub reconnect: Reconnect,
    /// How long to wait for what.
    pub patience: Patience,
    /// Bounds.
    pub limits: AgentLimits,
    /// Whose certificates the server may show.
    #[cfg(all(feature = "tls", not(target_arch = "wasm32")))]
    pub trust: crate::native::tls::Trust,
}

impl Options {
    /// A client of the world at `url`.
    ///
    /// # Errors
    /// The text is no address of a WebSocket.
    pub fn new(url: &str) -> Result<Self, UrlError> {
        Ok(Self {
            url: url.parse()?,
            framing: Framing::Lanes,
            identity: Identity::default(),
            version: None,
            environment: Environment::default(),
            acks: AckPolicy::default(),
            resume: true,
            reconnect: Reconnect::default(),
            patience: Patience::default(),
            limits: AgentLimits::default(),
            #[cfg(all(feature = "tls", not(target_arch = "wasm32")))]
            trust: crate::native::tls::Trust::default(),
        })
    }

    /// A client of a raw path at `url`.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn raw(url: &str) -> Result<Self, UrlError> {
        Ok(Self {
            framing: Framing::Raw,
            ..Self::new(url)?
        })
    }

    /// What no server would take is refused here, before any connection.
    pub(crate) fn check(&self) -> Result<(), OptionsError> {
        let identity = &self.identity;
        let is_named = |user: &str| {
            (1..=USER_BYTES_MAX).contains(&user.len())
                && user
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"._@-".contains(&byte))
        };
        if !identity.user.as_deref().is_none_or(is_named) {
            return Err(OptionsError::User);
        }
        let is_json = |text: &str| {
            text.len() <= CONNECT_BYTES_MAX && serde_json::from_str::<&RawValue>(text).is_ok()
        };
        if !identity.connect.as_deref().is_none_or(is_json) {
            return Err(OptionsError::Connect);
        }
        if let Some(credential) = &identity.credential {
            self.check_credential(credential)?;
        }
        let is_short = |version: &String| (1..=VERSION_BYTES_MAX).contains(&version.len());
        if !self.version.as_ref().is_none_or(is_short) {
            return Err(OptionsError::Version);
        }
        Ok(())
    }

    pub(crate) fn check_credential(&self, credential: &Credential) -> Result<(), OptionsError> {
        let is_token_byte =
            |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        match self.identity.place {
            CredentialPlace::Subprotocol if !credential.0.bytes().all(is_token_byte) => {
                Err(OptionsError::Credential)
            }
            CredentialPlace::Subprotocol | CredentialPlace::FirstMessage => Ok(()),
        }
    }
}

/// Who a client says it is.
#[derive(Clone, Default, Debug)]
pub struct Identity {
    /// A name: 1 to 64 letters, digits and `._@-`. A token names its user itself.
    pub user: Option<String>,
    /// What proves it.
    pub credential: Option<Credential>,
    /// Where that is shown.
    pub place: CredentialPlace,
    /// JSON for the application, at most 4096 bytes, the same on each new session.
    pub connect: Option<String>,
}

impl Identity {
    /// A session whose client shows nothing opens at once, so nothing of it is said in a message then.
    pub(crate) fn is_said_in_message(&self) -> bool {
        self.credential.is_some() && self.place == CredentialPlace::FirstMessage
    }

    pub(crate) fn says_nothing(&self) -> bool {
        self.user.is_none() && self.credential.is_none() && self.connect.is_none()
    }
}

/// A secret or a token. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential(String);

impl Credential {
    /// A credential as the server wants it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(…)")
    }
}

/// Where a credential is shown. Without one, user and connect message stand in the query.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum CredentialPlace {
    /// In the first message on the connection, with user and connect message.
    #[default]
    FirstMessage,
    /// As a subprotocol of the upgrade; user and connect message stand in the query. Only for letters, digits and signs that
    /// a subprotocol may have, as those of tokens are.
    Subprotocol,
}

/// Where a client runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Environment {
    /// A program with sockets: it sees the status of a refused upgrade, and pings by frames.
    Native,
    /// A page: it sees neither, and pings by messages, on lanes.
    Browser,
}

impl Environment {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Browser => "browser",
        }
    }
}

/// That of the program that this is compiled into.
impl Default for Environment {
    fn default() -> Self {
        if cfg!(target_arch = "wasm32") {
            Self::Browser
        } else {
            Self::Native
        }
    }
}

/// When a client connects again.
///
/// The first attempt after a drop follows at once. Those after it wait a random time between nothing and a ceiling, which
/// begins at `base` and doubles with each attempt up to `cap`: so clients of a server that comes back do not all come together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reconnect {
    /// After a connection broke off.
    pub on_drop: bool,
    /// After the server closed; the first attempt waits too. Never with a credential that was refused.
    pub on_close: bool,
    /// Ceiling of the first wait.
    pub base: Duration,
    /// Highest ceiling.
    pub cap: Duration,
    /// Attempts before the first connection; then the client is dead. `None`: no bound.
    pub initial_attempts_max: Option<u32>,
    /// Attempts in a row after one; then the client is dead. `None`: no bound.
    pub attempts_max: Option<u32>,
    /// A connection that lived so long begins the waits anew, and so often at most an attempt follows at once.
    pub steady_after: Duration,
    /// A longer `Retry-After` of the server counts as this.
    pub retry_after_max: Duration,
}

impl Default for Reconnect {
    fn default() -> Self {
        Self {
            on_drop: true,
            on_close: false,
            base: Duration::from_millis(500),
            cap: Duration::from_secs(30),
            initial_attempts_max: None,
            attempts_max: None,
            steady_after: Duration::from_secs(5),
            retry_after_max: Duration::from_secs(3600),
        }
    }
}

/// How long a client waits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Patience {
    /// For a connection, its upgrade and the greeting together; then it is given up.
    pub connect: Duration,
    /// For the server's close after ours; then the connection is dropped.
    pub close: Duration,
    /// After so long without a word from the server it is pinged.
    pub ping_after: Duration,
    /// For any word after a ping; then the connection counts as broken.
    pub silence: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            close: Duration::from_secs(2),
            ping_after: Duration::from_secs(10),
            silence: Duration::from_secs(10),
        }
    }
}

/// Bounds on what a client holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AgentLimits {
    /// Bytes on their way to the socket. Beyond: sending is refused.
    pub unsent_bytes_max: usize,
    /// Requests without an answer. Beyond: another is refused. A server has a bound of its own, 64 by default.
    pub requests_open_max: usize,
    /// Reports that nobody has taken yet. Beyond: sending is refused, no attempt begins, and a connection on which more is
    /// heard is given up; drivers that can stop reading do so before.
    pub reports_max: usize,
    /// Commands that the view does not contain yet, kept to be said again after a resume. Beyond: the oldest is forgotten.
    pub commands_kept_max: usize,
}

impl Default for AgentLimits {
    fn default() -> Self {
        Self {
            unsent_bytes_max: 1024 * 1024,
            requests_open_max: 64,
            reports_max: 4096,
            commands_kept_max: 256,
        }
    }
}

/// Settings that no server would take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OptionsError {
    /// The user's name.
    User,
    /// The connect message.
    Connect,
    /// The credential cannot be a subprotocol.
    Credential,
    /// The version.
    Version,
    /// TLS is a feature of this crate that is not on.
    NoTls,
    /// The authorities to trust are none, or no certificates.
    Trust,
}

impl fmt::Display for OptionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "user: not 1 to 64 letters, digits and ._@-",
            Self::Connect => "connect: not JSON of at most 4096 bytes",
            Self::Credential => "credential: has signs that a subprotocol may not have",
            Self::Version => "version: not 1 to 20 bytes",
            Self::Trust => "trust: no certificate, or none that can be read",
            Self::NoTls => "url: wss needs the feature `tls` of worldshard-client",
        })
    }
}

impl std::error::Error for OptionsError {}

const USER_BYTES_MAX: usize = 64;
const CONNECT_BYTES_MAX: usize = 4096;
const VERSION_BYTES_MAX: usize = 20;
