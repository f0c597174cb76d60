//! The sections `admin` and `hook`: who looks after the server, and whom it asks. Read here, used by what they are for.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use worldshard::{AdminOptions, Secret};

use super::number::Within;
use crate::failure::Failure;
use crate::logging;

/// A listener of its own for operators
#[derive(Serialize, Deserialize, JsonSchema, Clone, PartialEq, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Admin {
    /// Where it listens, `host:port`
    pub(crate) listen: String,
    /// A file with the token that operators show: a line of at least 16 bytes
    pub(crate) token_file: PathBuf,
}

impl Admin {
    /// The same with the token read, for the server.
    ///
    /// # Errors
    /// Names the file that cannot be read or is too short.
    pub(crate) fn options(&self) -> Result<AdminOptions, Failure> {
        let path = &self.token_file;
        let refused =
            |why: String| Failure::usage(format!("admin.token_file {}: {why}", path.display()));
        let bytes = std::fs::read(path).map_err(|error| refused(error.to_string()))?;
        let short = || refused("too short to be a secret; at least 16 bytes".to_owned());
        let token = Secret::from_file(&bytes).ok_or_else(short)?;
        let mut options = AdminOptions::new(self.listen.clone(), token);
        options.log = logging::hand();
        Ok(options)
    }
}

/// The operator's own service, which is asked and told
#[derive(Serialize, Deserialize, JsonSchema, Clone, PartialEq, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hook {
    /// Where it is asked, `http://` or `https://`
    pub(crate) url: String,
    /// Time for one answer
    #[serde(default = "timeout")]
    pub(crate) timeout_ms: Within<10, 60_000>,
    /// How often a call is tried again
    #[serde(default = "retries")]
    pub(crate) retries: Within<0, 10>,
    /// What a question without an answer is taken for
    #[serde(default)]
    pub(crate) on_error: OnError,
    /// What it is asked or told
    #[serde(default = "events")]
    pub(crate) events: Vec<HookEvent>,
}

/// What a question without an answer is taken for
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, PartialEq, Debug, Default)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnError {
    #[default]
    Deny,
    Allow,
}

/// What a hook is asked or told
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, PartialEq, Debug)]
#[serde(rename_all = "snake_case")]
pub(crate) enum HookEvent {
    Auth,
    Connect,
    Message,
    Disconnect,
}

fn timeout() -> Within<10, 60_000> {
    Within::of(2000)
}

fn retries() -> Within<0, 10> {
    Within::of(2)
}

fn events() -> Vec<HookEvent> {
    vec![HookEvent::Auth, HookEvent::Connect, HookEvent::Disconnect]
}
