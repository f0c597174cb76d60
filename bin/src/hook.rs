//! The flags of the operator's own service. What they mean is said by the configuration's section `hook`.

use std::path::PathBuf;

use clap::Args;

use crate::config::number::Within;
use crate::config::outside::{Hook, OnError};

/// Which service is told of sessions, and of what.
#[derive(Args, Debug)]
pub(crate) struct HookArgs {
    /// Post what happens to sessions to this address: http or https. docs/hook.md has the requests
    #[arg(long, value_name = "URL", help_heading = "Hook")]
    hook: Option<String>,

    /// The file with the secret that signs what is posted, at least 16 bytes; the end of its line is no part of it
    #[arg(long, value_name = "FILE", help_heading = "Hook")]
    hook_secret_file: Option<PathBuf>,

    /// A file with certificates, PEM: that of a service at https must be signed by one of them, not by one that browsers know
    #[arg(long, value_name = "FILE", help_heading = "Hook")]
    hook_ca_file: Option<PathBuf>,

    /// What is posted: auth (the service decides who is let in), connect, message, disconnect, and svc:NAME for a service of
    /// the ext lane that the hook is
    #[arg(
        long,
        value_name = "EVENT,…",
        default_value = "connect,message,disconnect",
        value_delimiter = ',',
        help_heading = "Hook"
    )]
    hook_events: Vec<String>,

    /// Milliseconds for one try; then it has failed
    #[arg(long, value_name = "MS", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=60_000), help_heading = "Hook")]
    hook_timeout: u32,

    /// Tries after the first that failed
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=20), help_heading = "Hook")]
    hook_retries: u32,

    /// With auth among the events: who comes in where the service does not say, nobody or everybody as nobody's session
    #[arg(long, value_enum, default_value_t = OnError::Deny, help_heading = "Hook")]
    hook_on_error: OnError,
}

impl HookArgs {
    /// What the flags say, given or not: of those that have no default, nothing is an empty text.
    pub(crate) fn section(&self) -> Hook {
        Hook {
            url: self.hook.clone().unwrap_or_default(),
            secret_file: self.hook_secret_file.clone().unwrap_or_default(),
            ca_file: self.hook_ca_file.clone(),
            timeout_ms: Within::unchecked(self.hook_timeout),
            retries: Within::unchecked(self.hook_retries),
            on_error: self.hook_on_error,
            events: self.hook_events.clone(),
        }
    }
}
