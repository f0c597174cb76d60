//! The sections `auth` and `tls`: whom the server lets in, and how connections are encrypted. Names of files, never secrets.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use worldshard::identity::AUDIENCE;
use worldshard::{OnExpiry, TlsOptions};

use super::number::{Count, Within};
use super::tenants::Exceed;

/// Whom the server lets in
#[derive(Serialize, Deserialize, JsonSchema, Clone, PartialEq, Debug)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Auth {
    /// What a client must show: nothing, a secret that all share, or a token that names its user. Not said: nothing, but
    /// then only an address of this machine alone can be listened on
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mode: Option<AuthMode>,
    /// With `mode: secret`: the file with it, at least 16 bytes
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) secret_file: Option<PathBuf>,
    /// With `mode: token`: files with public keys of `worldshard keygen`
    pub(crate) key_files: Vec<PathBuf>,
    /// With `mode: token`: whom a token must be for
    pub(crate) audience: String,
    /// With `mode: token`: by how much the clocks may differ
    pub(crate) skew_ms: Within<0, 60_000>,
    /// Time in which a client must show it, if its request has not
    pub(crate) deadline_ms: Within<100, 60_000>,
    /// With `mode: token`: what becomes of a session whose token expires
    pub(crate) on_expiry: Expiry,
    /// Sessions that one user may have, where there are no `tenants`; 0 for any number
    pub(crate) sessions_per_user: Count<0>,
    /// What becomes of one more, where there are no `tenants`
    pub(crate) on_exceed: Exceed,
}

/// What a client must show
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AuthMode {
    None,
    Secret,
    Token,
}

/// What becomes of a session whose token expires
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, PartialEq, Debug, Default)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Expiry {
    #[default]
    Close,
    Keep,
}

/// How connections are encrypted: by two files, or by a certificate for development
#[derive(Serialize, Deserialize, JsonSchema, Clone, PartialEq, Debug, Default)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Tls {
    /// The certificate, PEM, with those of its issuers behind it. Read again at SIGHUP
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cert_file: Option<PathBuf>,
    /// Its private key, PEM
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key_file: Option<PathBuf>,
    /// Show a certificate for development that nobody vouches for
    pub(crate) dev: bool,
    /// With `dev`: the folder that keeps it. Not said: that of `data`, else .worldshard
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dev_folder: Option<PathBuf>,
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            mode: None,
            secret_file: None,
            key_files: Vec::new(),
            audience: AUDIENCE.to_owned(),
            skew_ms: Within::of(0),
            deadline_ms: Within::of(3000),
            on_expiry: Expiry::Close,
            sessions_per_user: Count::of(0),
            on_exceed: Exceed::Deny,
        }
    }
}

impl Tls {
    /// How connections are encrypted, if they are.
    pub(crate) fn options(&self, data: Option<&PathBuf>) -> Option<TlsOptions> {
        if let (Some(certificate), Some(key)) = (&self.cert_file, &self.key_file) {
            return Some(TlsOptions::files(certificate, key));
        }
        let default = PathBuf::from(FOLDER);
        let folder = self.dev_folder.as_ref().or(data).unwrap_or(&default);
        self.dev.then(|| TlsOptions::dev(folder))
    }
}

impl From<OnExpiry> for Expiry {
    fn from(on_expiry: OnExpiry) -> Self {
        match on_expiry {
            OnExpiry::Close => Self::Close,
            OnExpiry::Keep => Self::Keep,
        }
    }
}

impl From<Expiry> for OnExpiry {
    fn from(expiry: Expiry) -> Self {
        match expiry {
            Expiry::Close => Self::Close,
            Expiry::Keep => Self::Keep,
        }
    }
}

/// In the working directory, where a certificate for development is kept unless another place is said.
const FOLDER: &str = ".worldshard";
