//! The layers: a file, over it the environment, over that the flags that were given. Which of them said a value is kept,
//! so that whoever is wrong is named.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::ArgMatches;
use clap::parser::ValueSource;
use serde_json::Value;

use super::keys::{self, Key};
use super::read::{self, Read};
use super::rules::Broken;
use super::{Config, rules};
use crate::cli::ServeArgs;
use crate::failure::Failure;

/// All that is said about a server, of which the file can be read again.
pub(crate) struct Layers {
    pub(crate) file: Option<PathBuf>,
    variables: Vec<Said>,
    flags: Vec<Said>,
}

/// One value of a layer.
struct Said {
    key: String,
    /// The variable or flag.
    by: String,
    /// Null when it is said that there is none.
    value: Value,
}

impl Layers {
    /// A file and the environment alone.
    ///
    /// # Errors
    /// Names the variable that cannot be read.
    pub(crate) fn new(file: Option<PathBuf>) -> Result<Self, Failure> {
        let variables = variables()?;
        let flags = Vec::new();
        Ok(Self {
            file,
            variables,
            flags,
        })
    }

    /// With the flags of `serve` that were given.
    pub(crate) fn flags(mut self, args: &ServeArgs, matches: &ArgMatches) -> Self {
        let said = serde_json::to_value(args.config()).expect("a configuration is plain data");
        let given = |flag: &str| matches.value_source(flag) == Some(ValueSource::CommandLine);
        self.flags = FLAGS
            .iter()
            .filter(|(flag, _)| given(flag))
            .map(|(flag, key)| Said {
                key: (*key).to_owned(),
                by: format!("--{}", flag.replace('_', "-")),
                value: said.pointer(&pointer(key)).cloned().unwrap_or_default(),
            })
            .collect();
        self
    }

    /// What holds.
    ///
    /// # Errors
    /// Names the file with line and column, the variable or the flag that is wrong, and what is wanted.
    pub(crate) fn read(&self) -> Result<Config, Failure> {
        let mut config = Config::default();
        if let Some(file) = &self.file {
            let Read {
                config: said,
                places,
            } = read::file(file)?;
            // The file alone first: what is wrong with it is said with its line.
            rules::check(&said).map_err(|Broken { key, why }| places.refused(&key, &why))?;
            config = said;
        }
        config = overlay(config, &self.variables)?;
        config = overlay(config, &self.flags)?;
        rules::check(&config).map_err(|broken| self.blame(&broken))?;
        Ok(config)
    }

    /// A rule that does not hold: the last layer that said the key is to blame.
    pub(crate) fn blame(&self, Broken { key, why }: &Broken) -> Failure {
        let of_list = |list: &str| {
            key.strip_prefix(list)
                .is_some_and(|rest| rest.starts_with('['))
        };
        let layers = self.flags.iter().chain(&self.variables);
        let by = layers
            .into_iter()
            .find(|said| said.key == *key || of_list(&said.key));
        let places = self.file.as_deref().and_then(|file| read::file(file).ok());
        match (by, places) {
            (Some(said), _) if said.key == *key => Failure::usage(format!("{}: {why}", said.by)),
            (Some(said), _) => Failure::usage(format!("{}: {key}: {why}", said.by)),
            (None, Some(read)) => read.places.refused(key, why),
            (None, None) => Failure::usage(format!("{key}: {why}")),
        }
    }
}

/// Lays what a layer says over what holds without it.
fn overlay(config: Config, layer: &[Said]) -> Result<Config, Failure> {
    let mut below = serde_json::to_value(&config).expect("a configuration is plain data");
    for said in layer {
        for (_, replaced) in REPLACES.iter().filter(|(key, _)| *key == said.key) {
            set(&mut below, replaced, Value::Null);
        }
    }
    let with = |layer: &[Said]| {
        let mut all = below.clone();
        for said in layer {
            set(&mut all, &said.key, said.value.clone());
        }
        serde_json::from_value(all).map_err(|error| error.to_string())
    };
    with(layer).map_err(|why| {
        // Several may make one thing, so each is tried alone only to find who is wrong.
        let alone = |said: &&Said| {
            let alone: Result<Config, String> = with(std::slice::from_ref(*said));
            alone.is_err_and(|its| its == why)
        };
        let by = layer.iter().find(alone).or(layer.last());
        let by = by.map_or("", |said| &said.by);
        Failure::usage(format!("{by}: {why}"))
    })
}

/// Sets a key, or takes it away, so that its default holds.
fn set(all: &mut Value, key: &str, value: Value) {
    let (section, name) = key.rsplit_once('.').unwrap_or(("", key));
    let section = match section {
        "" => all,
        // Those that may be absent stand at the top.
        _ if all.pointer(&pointer(section)).is_none() => &mut all[section],
        _ => &mut *all
            .pointer_mut(&pointer(section))
            .expect("it was looked up"),
    };
    if section.is_null() {
        *section = Value::Object(serde_json::Map::new());
    }
    let section = section.as_object_mut().expect("a section is a map");
    match value.is_null() {
        true => section.remove(name),
        false => section.insert(name.to_owned(), value),
    };
}

fn pointer(key: &str) -> String {
    format!("/{}", key.replace('.', "/"))
}

/// What the environment says.
fn variables() -> Result<Vec<Said>, Failure> {
    let keys = keys::keys();
    warn_of_unknown(&keys);
    let keys = keys
        .iter()
        .filter(|key| !key.is_inner && key.path != "version");
    let mut said = Vec::new();
    for key in keys {
        let by = variable(&key.path);
        let Some(text) = std::env::var_os(&by) else {
            continue;
        };
        let text = text.into_string();
        let text = text.map_err(|_| Failure::usage(format!("{by}: not UTF-8")))?;
        let value = match key.is_text {
            true => Value::String(text),
            false => serde_saphyr::from_str(&text).map_err(|error| {
                let why = error.without_snippet();
                Failure::usage(format!("{by}: {text}: {why}"))
            })?,
        };
        let key = key.path.clone();
        said.push(Said { key, by, value });
    }
    Ok(said)
}

/// A variable that begins as those of a section and is none of them is most likely a slip; it may also be another program's.
fn warn_of_unknown(keys: &[Key]) {
    let sections: BTreeSet<String> = keys
        .iter()
        .filter_map(|key| Some(variable(key.path.split_once('.')?.0) + "_"))
        .collect();
    let known: BTreeSet<String> = keys.iter().map(|key| variable(&key.path)).collect();
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    for name in names {
        let is_of_section = sections.iter().any(|section| name.starts_with(section));
        if is_of_section && !known.contains(&name) {
            tracing::warn!(variable = name, "no key has this variable");
        }
    }
}

/// The variable of a key: its path in capitals, with an underscore for each dot.
pub(crate) fn variable(key: &str) -> String {
    format!("WORLDSHARD_{}", key.replace('.', "_").to_uppercase())
}

/// Flags of `serve`, by their ids, and the keys that they say.
pub(crate) const FLAGS: [(&str, &str); 46] = [
    ("bind", "gateway.listen"),
    ("port", "gateway.listen"),
    ("heartbeat_interval", "limits.ping_interval_ms"),
    ("heartbeat_timeout", "limits.silence_max_ms"),
    ("app", "server.app"),
    ("shards", "server.shards"),
    ("runtime", "server.runtime"),
    ("coalesce", "server.coalesce"),
    ("resume_grace", "limits.resume_grace_ms"),
    ("files", "server.files"),
    ("auth", "auth.mode"),
    ("auth_secret_file", "auth.secret_file"),
    ("auth_key", "auth.key_files"),
    ("auth_audience", "auth.audience"),
    ("auth_skew", "auth.skew_ms"),
    ("auth_deadline", "auth.deadline_ms"),
    ("auth_expired", "auth.on_expiry"),
    ("sessions_per_user", "auth.sessions_per_user"),
    ("on_exceed", "auth.on_exceed"),
    ("protocol_version", "server.protocol_version"),
    ("tls_cert", "tls.cert_file"),
    ("tls_key", "tls.key_file"),
    ("tls_dev", "tls.dev"),
    ("tls_dev", "tls.dev_folder"),
    ("world", "world.name"),
    ("entities", "world.entities"),
    ("seed", "world.seed"),
    ("tick_rate", "world.tick_rate_hz"),
    ("interest_radius", "world.interest_radius_m"),
    ("data", "data.folder"),
    ("durability", "data.durability"),
    ("checkpoint_every", "data.checkpoint_every_ms"),
    ("checkpoints_kept", "data.checkpoints_kept"),
    ("accept_loss", "data.accept_loss"),
    ("digest", "data.digest_file"),
    ("unknown_services", "server.unknown_services"),
    ("admin", "admin.listen"),
    ("admin_token_file", "admin.token_file"),
    ("public_metrics", "server.public_metrics"),
    ("hook", "hook.url"),
    ("hook_secret_file", "hook.secret_file"),
    ("hook_ca_file", "hook.ca_file"),
    ("hook_events", "hook.events"),
    ("hook_timeout", "hook.timeout_ms"),
    ("hook_retries", "hook.retries"),
    ("hook_on_error", "hook.on_error"),
];

/// Whoever says the first takes away what a layer below says of the second: both together would contradict each other.
pub(crate) const REPLACES: [(&str, &str); 16] = [
    ("gateway.ping_interval_ms", "limits.ping_interval_ms"),
    ("limits.ping_interval_ms", "gateway.ping_interval_ms"),
    ("gateway.idle_timeout_ms", "limits.silence_max_ms"),
    ("limits.silence_max_ms", "gateway.idle_timeout_ms"),
    ("gateway.writer_send_timeout_ms", "limits.stall_max_ms"),
    ("limits.stall_max_ms", "gateway.writer_send_timeout_ms"),
    ("gateway.drain_grace_ms", "limits.drain_max_ms"),
    ("limits.drain_max_ms", "gateway.drain_grace_ms"),
    ("auth.mode", "auth.secret_file"),
    ("auth.mode", "auth.key_files"),
    ("tls.cert_file", "tls.dev"),
    ("tls.cert_file", "tls.dev_folder"),
    ("tls.dev", "tls.cert_file"),
    ("tls.dev", "tls.key_file"),
    ("tls.dev", "tls.dev_folder"),
    ("tls.dev_folder", "tls.cert_file"),
];
