//! Why a command ends badly: what the user reads, and the exit status a script reads.

use std::fmt;
use std::io::{self, ErrorKind, Write as _};
use std::process::ExitCode;

use worldshard::Error;

/// Prints what a command was asked for. Whoever reads no further, such as `head`, has all that it wants.
///
/// # Errors
/// What is printed goes nowhere: a full disk.
pub(crate) fn say(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::runtime(format!("stdout: {error}")))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

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

    /// The address given by `--bind` cannot be listened on.
    pub(crate) fn bind(address: &str, source: &io::Error) -> Self {
        let kind = source.kind();
        let remedy = if kind == ErrorKind::PermissionDenied {
            "permission denied; choose a port above 1023".to_owned()
        } else if kind == ErrorKind::AddrInUse {
            "another program listens there; choose another port, or 0 for any free one".to_owned()
        } else if kind == ErrorKind::AddrNotAvailable {
            "this machine does not have that address; try 127.0.0.1 or 0.0.0.0".to_owned()
        } else if kind == ErrorKind::InvalidInput {
            "not an address with a port, such as 127.0.0.1:8080".to_owned()
        } else {
            source.to_string()
        };
        Self::runtime(format!("--bind {address}: {remedy}"))
    }

    /// A server does not start; says which flag to change when it is the address that cannot be had.
    pub(crate) fn start(error: Error, address: &str) -> Self {
        if let Error::Io { what, source } = &error
            && what.starts_with("listening")
        {
            return Self::bind(address, source);
        }
        error.into()
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
            | Error::Data { .. }
            | Error::Runtime(_)) => Self::runtime(error.to_string()),
        }
    }
}
