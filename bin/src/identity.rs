//! Whom a server lets in, as flags say it: turned into the engine's options. Never proves anybody.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use worldshard::identity::{AUDIENCE, PublicKey, SECRET_BYTES_MIN, SKEW_MAX, VERSION_BYTES_MAX};
use worldshard::{Auth, OnExceed, OnExpiry, Secret, ServerOptions, TokenPolicy};

use crate::failure::Failure;

/// Whom a server lets in.
#[derive(Args, Debug)]
pub(crate) struct IdentityArgs {
    /// What a client must show to be let in: nothing, which is for development; a secret that all of them share; or a token
    /// that names its user. Without, nothing, but then only an address of this machine alone can be listened on
    #[arg(long, value_enum, value_name = "HOW", help_heading = "Identity")]
    auth: Option<AuthName>,

    /// With --auth secret: the file with the secret, at least 16 bytes; the end of its line is no part of it
    #[arg(long, value_name = "FILE", help_heading = "Identity")]
    auth_secret_file: Option<PathBuf>,

    /// With --auth token: a public key of `worldshard keygen`. Several may be given: to change keys, give both for a while
    #[arg(long, value_name = "FILE", help_heading = "Identity")]
    auth_key: Vec<PathBuf>,

    /// With --auth token: whom a token must be for
    #[arg(long, value_name = "NAME", default_value = AUDIENCE, help_heading = "Identity")]
    auth_audience: String,

    /// With --auth token: by how many seconds the clocks may differ, at most 60
    #[arg(long, value_name = "S", default_value = "0", value_parser = skew, allow_negative_numbers = true, help_heading = "Identity")]
    auth_skew: Duration,

    /// Seconds in which a client must show it, if its request has not; 0.1 to 60
    #[arg(long, value_name = "S", default_value = "3", value_parser = deadline, allow_negative_numbers = true, help_heading = "Identity")]
    auth_deadline: Duration,

    /// With --auth token: what becomes of a session whose token expires
    #[arg(long, value_name = "keep|close", default_value = "close", value_parser = on_expiry, help_heading = "Identity")]
    auth_expired: OnExpiry,

    /// Sessions that one user may have at a time; 0 for any number
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Identity")]
    sessions_per_user: u32,

    /// What becomes of one more: the new one is turned away, or the oldest is closed. One whose connection broke and that
    /// waits for another one gives way first
    #[arg(long, value_name = "deny|kick-oldest", default_value = "deny", value_parser = on_exceed, help_heading = "Identity")]
    on_exceed: OnExceed,

    /// Let in only clients that name this version of the application's protocol, 1 to 20 bytes, as `v` in their query
    #[arg(long, value_name = "V", value_parser = version, help_heading = "Identity")]
    protocol_version: Option<String>,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum AuthName {
    None,
    Secret,
    Token,
}

impl IdentityArgs {
    /// Whether the flags say what clients must show.
    pub(crate) fn says_whom(&self) -> bool {
        self.auth.is_some()
    }

    /// Reads the files that the flags name.
    pub(crate) fn read(&self) -> Result<Identity, Failure> {
        let unused = |given: bool, flag, wanted| {
            let why = format!("{flag}: only with --auth {wanted}");
            if given {
                return Err(Failure::usage(why));
            }
            Ok(())
        };
        if self.auth != Some(AuthName::Secret) {
            unused(
                self.auth_secret_file.is_some(),
                "--auth-secret-file",
                "secret",
            )?;
        }
        if self.auth != Some(AuthName::Token) {
            unused(!self.auth_key.is_empty(), "--auth-key", "token")?;
        }
        let auth = match self.auth {
            None => None,
            Some(AuthName::None) => Some(Auth::None),
            Some(AuthName::Secret) => Some(Auth::Secret(self.secret()?)),
            Some(AuthName::Token) => Some(Auth::Tokens(self.policy()?)),
        };
        Ok(Identity {
            auth,
            deadline: self.auth_deadline,
            sessions_per_user: self.sessions_per_user,
            on_exceed: self.on_exceed,
            protocol_version: self.protocol_version.clone(),
        })
    }

    fn secret(&self) -> Result<Secret, Failure> {
        let wanted = "--auth secret: say where it stands, by --auth-secret-file";
        let path = self.auth_secret_file.as_deref();
        let path = path.ok_or_else(|| Failure::usage(wanted))?;
        let bytes =
            std::fs::read(path).map_err(|error| failed("--auth-secret-file", path, &error))?;
        let short = format!("shorter than {SECRET_BYTES_MIN} bytes");
        Secret::from_file(&bytes).ok_or_else(|| failed("--auth-secret-file", path, &short))
    }

    fn policy(&self) -> Result<TokenPolicy, Failure> {
        if self.auth_key.is_empty() {
            let wanted = "--auth token: say whose tokens are good, by --auth-key";
            return Err(Failure::usage(wanted));
        }
        let read = |path: &PathBuf| {
            let text = std::fs::read_to_string(path);
            let text = text.map_err(|error| failed("--auth-key", path, &error))?;
            PublicKey::from_pem(&text).map_err(|why| failed("--auth-key", path, &why))
        };
        let keys: Result<Vec<PublicKey>, Failure> = self.auth_key.iter().map(read).collect();
        let mut policy = TokenPolicy::new(keys?);
        policy.audience.clone_from(&self.auth_audience);
        policy.skew = self.auth_skew;
        policy.on_expiry = self.auth_expired;
        Ok(policy)
    }
}

/// What the flags say, with the contents of their files.
pub(crate) struct Identity {
    auth: Option<Auth>,
    deadline: Duration,
    sessions_per_user: u32,
    on_exceed: OnExceed,
    protocol_version: Option<String>,
}

impl Identity {
    pub(crate) fn apply(self, options: &mut ServerOptions) {
        options.auth = self.auth;
        options.on_exceed = self.on_exceed;
        options.protocol_version = self.protocol_version;
        options.limits.auth_deadline = self.deadline;
        options.limits.sessions_per_user = self.sessions_per_user;
    }
}

/// Files that cannot be read, or are not what they should be, are no slip of the command line.
fn failed(flag: &str, path: &Path, why: &impl std::fmt::Display) -> Failure {
    Failure::runtime(format!("{flag} {}: {why}", path.display()))
}

fn seconds(text: &str, least: f64, most: f64) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds) if (least..=most).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err(format!("between {least} and {most} s")),
    }
}

fn skew(text: &str) -> Result<Duration, String> {
    seconds(text, 0.0, SKEW_MAX.as_secs_f64())
}

fn deadline(text: &str) -> Result<Duration, String> {
    seconds(text, 0.1, 60.0)
}

fn on_expiry(text: &str) -> Result<OnExpiry, String> {
    text.parse()
}

fn on_exceed(text: &str) -> Result<OnExceed, String> {
    text.parse()
}

fn version(text: &str) -> Result<String, String> {
    match text.len() {
        1..=VERSION_BYTES_MAX => Ok(text.to_owned()),
        _ => Err(format!("1 to {VERSION_BYTES_MAX} bytes")),
    }
}
