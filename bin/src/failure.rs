//! Why a command ends badly: what the user reads, and the exit status a script reads.

use std::fmt;
use std::process::ExitCode;

use worldshard::Error;

/// A command's end other than the one hoped for.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    status: u8,
}

impl Failure {
    /// The command line asks for what cannot be: status 2, as for flags that cannot be parsed.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            status: 2,
        }
    }

    /// It was tried and did not work: status 1.
    pub(crate) fn runtime(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            status: 1,
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.status)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// The engine speaks of options, the user typed flags.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::World(error) => Self::usage(format!("the world cannot be built: {error}")),
            Error::Option { name, detail } => {
                Self::usage(format!("--{}: {detail}", name.replace('_', "-")))
            }
            error @ (Error::Component(_)
            | Error::Conflict { .. }
            | Error::Startup { .. }
            | Error::Io { .. }
            | Error::Driver { .. }
            | Error::Runtime(_)) => Self::runtime(error.to_string()),
        }
    }
}
