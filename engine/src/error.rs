//! Why an engine does not start or ends. Never a refusal to a client: those are `protocol::WireError`.

use std::fmt;

use worldshard_shard::{ConfigError, RegistryError};

/// The result of anything that can keep an engine from running.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an engine does not start, or how it ended. The text names the cause and what to change.
///
/// `Debug` prints the same text, because that is what `fn main() -> Result<()>` shows.
pub enum Error {
    /// The world's values contradict each other.
    World(ConfigError),
    /// A component cannot be registered.
    Component(RegistryError),
    /// Two plugins, or a plugin and the application, claim the same name.
    Conflict {
        /// What is claimed, such as ``path `/list` ``.
        what: String,
        /// Who claimed it first.
        first: &'static str,
        /// Who claimed it again.
        second: &'static str,
    },
    /// An option has a value it may not have.
    Option {
        /// The option's name.
        name: &'static str,
        /// What is wrong and what is allowed.
        detail: String,
    },
    /// A Startup system panicked.
    Startup {
        /// The system's name.
        system: &'static str,
    },
    /// The operating system refused something.
    Io {
        /// What was attempted.
        what: String,
        /// Its answer.
        source: std::io::Error,
    },
    /// A driver cannot be made here.
    Driver {
        /// Its name.
        runtime: &'static str,
        /// What it lacks.
        detail: String,
    },
    /// A world that is kept on disk cannot be opened or kept.
    Data {
        /// Where it is.
        folder: std::path::PathBuf,
        /// Why.
        source: crate::durable::DurableError,
    },
    /// A driver ended against its will.
    Runtime(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::World(error) => write!(f, "world: {error}"),
            Self::Component(error) => write!(f, "{error}"),
            Self::Conflict {
                what,
                first,
                second,
            } => write!(
                f,
                "{what} is claimed by {first} and by {second}: remove one of them"
            ),
            Self::Option { name, detail } => write!(f, "{name}: {detail}"),
            Self::Startup { system } => write!(f, "startup system {system} panicked"),
            Self::Io { what, source } => write!(f, "{what}: {source}"),
            Self::Driver { runtime, detail } => {
                write!(f, "the {runtime} runtime cannot start here: {detail}")
            }
            Self::Data { folder, source } => write!(f, "{}: {source}", folder.display()),
            Self::Runtime(detail) => write!(f, "{detail}"),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::World(error) => Some(error),
            Self::Component(error) => Some(error),
            Self::Io { source, .. } => Some(source),
            Self::Data { source, .. } => Some(source),
            Self::Conflict { .. }
            | Self::Option { .. }
            | Self::Startup { .. }
            | Self::Driver { .. }
            | Self::Runtime(_) => None,
        }
    }
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        Self::World(error)
    }
}

impl From<RegistryError> for Error {
    fn from(error: RegistryError) -> Self {
        Self::Component(error)
    }
}
