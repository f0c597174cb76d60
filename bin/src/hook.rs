//! The operator's own service, as flags say it: turned into the options of a hook. Never posts anything.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use worldshard_hook::{HookEvents, HookOptions, HookPlugin, OnError};

use crate::failure::Failure;

/// Which service is told of sessions, and of what.
#[derive(Args, Debug)]
pub(crate) struct HookArgs {
    /// Post what happens to sessions to this address: http or https. docs/hook.md has the requests
    #[arg(
        long,
        value_name = "URL",
        requires = "hook_secret_file",
        help_heading = "Hook"
    )]
    hook: Option<String>,

    /// The file with the secret that signs what is posted, at least 16 bytes; the end of its line is no part of it
    #[arg(long, value_name = "FILE", requires = "hook", help_heading = "Hook")]
    hook_secret_file: Option<PathBuf>,

    /// What is posted: auth (the service decides who is let in), connect, message, disconnect, and svc:NAME for a service of
    /// the ext lane that the hook is
    #[arg(long, value_name = "EVENT,…", default_value = "connect,message,disconnect", value_parser = events, help_heading = "Hook")]
    hook_events: HookEvents,

    /// Milliseconds for one try; then it has failed
    #[arg(long, value_name = "MS", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=60_000), help_heading = "Hook")]
    hook_timeout: u32,

    /// Tries after the first that failed
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=20), help_heading = "Hook")]
    hook_retries: u32,

    /// With auth among the events: who comes in where the service does not say, nobody or everybody as nobody's session
    #[arg(long, value_name = "deny|allow", default_value = "deny", value_parser = on_error, help_heading = "Hook")]
    hook_on_error: OnError,
}

impl HookArgs {
    /// Reads the file that the flags name; the hook, if there is to be one.
    pub(crate) fn read(&self) -> Result<Option<HookPlugin>, Failure> {
        let (Some(url), Some(path)) = (&self.hook, &self.hook_secret_file) else {
            return Ok(None);
        };
        let mut options = HookOptions::new(url.clone(), secret(path)?);
        options.events = self.hook_events.clone();
        options.timeout = Duration::from_millis(self.hook_timeout.into());
        options.retries = self.hook_retries;
        options.on_error = self.hook_on_error;
        Ok(Some(HookPlugin::new(options)))
    }

    /// Whether the service decides who is let in.
    pub(crate) fn decides(&self) -> bool {
        self.hook.is_some() && self.hook_events.auth
    }
}

fn secret(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |why: &dyn std::fmt::Display| {
        Failure::runtime(format!("--hook-secret-file {}: {why}", path.display()))
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

fn events(text: &str) -> Result<HookEvents, String> {
    text.parse()
}

fn on_error(text: &str) -> Result<OnError, String> {
    text.parse()
}
