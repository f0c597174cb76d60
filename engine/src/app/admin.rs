//! Where operators look and command. Values only.

use std::fmt;
use std::sync::Arc;

use crate::identity::Secret;

/// Where operators look and command: a listener of its own, that clients do not reach.
#[derive(Clone, Debug)]
pub struct AdminOptions {
    /// Where to listen, `host:port`. It is not encrypted: for this machine, or a network of operators alone.
    pub listen: String,
    /// What whoever asks must show, as `Authorization: Bearer TOKEN`; only `/healthz` and `/readyz` are answered without.
    pub token: Secret,
    /// How the level of the log is read and changed; without, it cannot be.
    pub log: Option<LogControl>,
}

impl AdminOptions {
    /// Without a hand on the log.
    #[must_use]
    pub fn new(listen: impl Into<String>, token: Secret) -> Self {
        Self {
            listen: listen.into(),
            token,
            log: None,
        }
    }
}

/// A hand on the log of the process: the engine writes to it, and whoever set it up knows how to change it.
#[derive(Clone)]
pub struct LogControl {
    level: Arc<dyn Fn() -> String + Send + Sync>,
    set: Arc<SetLevel>,
}

type SetLevel = dyn Fn(&str) -> Result<(), String> + Send + Sync;

impl LogControl {
    /// Of these two: one says the level, the other sets it, or says what is wrong with it.
    #[must_use]
    pub fn new(
        level: impl Fn() -> String + Send + Sync + 'static,
        set: impl Fn(&str) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        Self {
            level: Arc::new(level),
            set: Arc::new(set),
        }
    }

    /// As it is now.
    #[must_use]
    pub fn level(&self) -> String {
        (self.level)()
    }

    /// Changes it.
    ///
    /// # Errors
    /// What is wrong with the level; then it stays as it was.
    pub fn set(&self, level: &str) -> Result<(), String> {
        (self.set)(level)
    }
}

impl fmt::Debug for LogControl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("LogControl(..)")
    }
}
