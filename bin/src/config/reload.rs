//! Reads the file again while the server runs: at SIGHUP, and when it changes. What is wrong leaves all as it was.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, SystemTime};

use worldshard::runtime::Reloader;
use worldshard::{AppRecipe, Error, ServerOptions};

use super::rules::Broken;
use super::{Config, Layers, check_services, keys};
use crate::failure::Failure;

/// A server's rules and where they are from.
pub(crate) struct Reloading {
    layers: Layers,
    /// What the server was started with.
    started: Config,
    recipe: Arc<AppRecipe>,
    reloader: Reloader,
    /// When the file was changed, and its length, as it was read last.
    stamp: Option<(SystemTime, u64)>,
}

impl Reloading {
    /// Of a server that was started with what `layers` said.
    pub(crate) fn new(
        layers: Layers,
        started: Config,
        recipe: Arc<AppRecipe>,
        reloader: Reloader,
    ) -> Self {
        let stamp = layers.file.as_deref().and_then(stamp);
        Self {
            layers,
            started,
            recipe,
            reloader,
            stamp,
        }
    }

    /// Starts the thread that looks at the file, until what this returns is dropped. Whatever is sent has it read at once.
    ///
    /// # Errors
    /// The system has no thread.
    pub(crate) fn start(self) -> Result<SyncSender<()>, Failure> {
        // One wish waits at most: whoever wishes meanwhile wishes the same.
        let (wishes, wished) = sync_channel(1);
        let thread = std::thread::Builder::new().name("config".to_owned());
        thread.spawn(move || self.run(&wished)).map_err(|error| {
            Failure::runtime(format!("no thread reads the configuration: {error}"))
        })?;
        Ok(wishes)
    }

    fn run(mut self, wished: &Receiver<()>) {
        loop {
            let is_wished = match wished.recv_timeout(LOOK_EVERY) {
                Ok(()) => true,
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let now = self.layers.file.as_deref().and_then(stamp);
            if !is_wished && now == self.stamp {
                continue;
            }
            self.stamp = now;
            match self.again() {
                Ok(()) => tracing::info!("the configuration was read again and holds"),
                Err(failure) => {
                    let why = failure.to_string();
                    tracing::error!(why, "the configuration stays as it was");
                }
            }
        }
    }

    /// What the engine refuses has its place in the file too.
    fn blame(&self, error: Error) -> Failure {
        let Error::Option { name, detail } = error else {
            return error.into();
        };
        let (key, why) = (name.to_owned(), detail);
        self.layers.blame(&Broken { key, why })
    }

    fn again(&self) -> Result<(), Failure> {
        let next = self.layers.read()?;
        check_services(&next, &self.layers, &self.recipe)?;
        let (wanted, most) = (
            next.limits().message_bytes_max,
            self.started.limits().message_bytes_max,
        );
        let grows = wanted > most && next.limits.message_bytes_max.is_none();
        if grows {
            let why = format!(
                "tenants: one wants messages of {wanted} bytes, and the server was started for {most}"
            );
            return Err(Failure::usage(why));
        }
        let mut options = ServerOptions::default();
        next.apply(&mut options);
        self.reloader
            .reload(&options)
            .map_err(|error| self.blame(error))?;
        let fixed = fixed(&self.started, &next);
        if !fixed.is_empty() {
            tracing::warn!(
                keys = fixed.join(", "),
                "changed, but takes another start to hold"
            );
        }
        Ok(())
    }
}

/// Keys whose values differ and that are not read again.
fn fixed(started: &Config, next: &Config) -> Vec<String> {
    let plain = |config: &Config| {
        serde_json::to_value(config.settled()).expect("a configuration is plain data")
    };
    let (started, next) = (plain(started), plain(next));
    let keys = keys::keys().into_iter();
    let keys = keys.filter(|key| !key.is_inner && !is_reloadable(&key.path));
    keys.map(|key| key.path)
        .filter(|path| {
            let pointer = format!("/{}", path.replace('.', "/"));
            started.pointer(&pointer) != next.pointer(&pointer)
        })
        .collect()
}

/// Whether a key is read again while the server runs.
pub(crate) fn is_reloadable(key: &str) -> bool {
    let whole = [
        "tenants",
        "bans",
        "gateway.handshake_limit",
        "auth.sessions_per_user",
        "auth.on_exceed",
    ];
    whole.iter().any(|whole| key.starts_with(whole))
}

fn stamp(file: &Path) -> Option<(SystemTime, u64)> {
    let found = std::fs::metadata(file).ok()?;
    Some((found.modified().ok()?, found.len()))
}

/// Between two looks at the file: who edits it waits no longer than that.
const LOOK_EVERY: Duration = Duration::from_secs(1);
