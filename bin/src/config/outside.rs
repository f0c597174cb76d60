//! The sections `admin` and `hook`: who looks after the server, and whom it asks. Read here, used by what they are for.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use worldshard::{AdminOptions, Secret};
use worldshard_hook::{HookEvents, HookOptions, HookPlugin};

use super::number::Within;
use crate::failure::Failure;
use crate::logging;
use crate::operators::token_in;

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
    /// Names the file that cannot be read, is too short, or has what nobody could show.
    pub(crate) fn options(&self) -> Result<AdminOptions, Failure> {
        let path = &self.token_file;
        let refused =
            |why: String| Failure::usage(format!("admin.token_file {}: {why}", path.display()));
        let bytes = std::fs::read(path).map_err(|error| refused(error.to_string()))?;
        let short = || refused("too short to be a secret; at least 16 bytes".to_owned());
        let token = token_in(&bytes).map_err(|why| refused(why.to_owned()))?;
        let token = Secret::new(token.as_bytes()).ok_or_else(short)?;
        let mut options = AdminOptions::new(self.listen.clone(), token);
        options.log = logging::hand();
        Ok(options)
    }
}

/// The operator's own service, which is asked and told
#[derive(Serialize, Deserialize, JsonSchema, Clone, PartialEq, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hook {
    /// Where it is posted to, `http://` or `https://`
    pub(crate) url: String,
    /// A file with the secret that signs what is posted, at least 16 bytes; the end of its line is no part of it
    pub(crate) secret_file: PathBuf,
    /// A file with certificates, PEM: that of a service at `https://` must be signed by one of them; not said, by one that
    /// browsers know
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Time for one try; then it has failed
    #[serde(default = "timeout")]
    pub(crate) timeout_ms: Within<1, 60_000>,
    /// Tries after the first that failed
    #[serde(default = "retries")]
    pub(crate) retries: Within<0, 20>,
    /// With `auth` among the events: who comes in where the service does not say, nobody or everybody as nobody's session
    #[serde(default)]
    pub(crate) on_error: OnError,
    /// What is posted: `auth` (the service decides who is let in), `connect`, `message`, `disconnect`, and `svc:NAME` for a
    /// service of the ext lane that the hook is
    #[serde(default = "events")]
    pub(crate) events: Vec<String>,
}

impl Hook {
    /// What is posted, as the hook has it.
    ///
    /// # Errors
    /// Names the event that there is not.
    pub(crate) fn events(&self) -> Result<HookEvents, String> {
        self.events.join(",").parse()
    }

    /// The certificates that are believed; none where it is those that browsers know.
    ///
    /// # Errors
    /// Names the file, and what is wrong with it.
    pub(crate) fn authorities(&self) -> Result<Vec<Vec<u8>>, String> {
        let Some(path) = &self.ca_file else {
            return Ok(Vec::new());
        };
        let wrong = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
        let pem = std::fs::read(path).map_err(|error| wrong(&error))?;
        worldshard_hook::certificates(&pem).map_err(|why| wrong(&why))
    }

    /// The hook, with the secret read.
    ///
    /// # Errors
    /// Names the file that cannot be read or is too short.
    pub(crate) fn plugin(&self) -> Result<HookPlugin, Failure> {
        let mut options = HookOptions::new(self.url.clone(), secret(&self.secret_file)?);
        let wrong = |why| Failure::usage(format!("hook.ca_file: {why}"));
        options.authorities = self.authorities().map_err(wrong)?;
        options.events = self.events().map_err(Failure::usage)?;
        options.timeout = self.timeout_ms.ms();
        options.retries = self.retries.count();
        options.on_error = match self.on_error {
            OnError::Deny => worldshard_hook::OnError::Deny,
            OnError::Allow => worldshard_hook::OnError::Allow,
        };
        Ok(HookPlugin::new(options))
    }
}

/// Who comes in where the service does not say
#[derive(
    clap::ValueEnum, Serialize, Deserialize, JsonSchema, Clone, Copy, PartialEq, Debug, Default,
)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnError {
    #[default]
    Deny,
    Allow,
}

fn timeout() -> Within<1, 60_000> {
    Within::of(2000)
}

fn retries() -> Within<0, 20> {
    Within::of(3)
}

fn events() -> Vec<String> {
    ["connect", "message", "disconnect"]
        .map(str::to_owned)
        .into()
}

fn secret(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |why: &dyn std::fmt::Display| {
        Failure::runtime(format!("hook.secret_file {}: {why}", path.display()))
    };
    let mut secret = std::fs::read(path).map_err(|error| failed(&error))?;
    if secret.last() == Some(&b'\n') {
        secret.pop();
    }
    if secret.last() == Some(&b'\r') {
        secret.pop();
    }
    let least = HookOptions::SECRET_BYTES_MIN;
    match secret.len() < least {
        true => Err(failed(&format!("shorter than {least} bytes"))),
        false => Ok(secret),
    }
}
