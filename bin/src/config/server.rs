//! The sections `server`, `world` and `data`: what is served, by how many shards, and where it is kept.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use worldshard::{Coalesce, Durability};

use super::number::{COUNT_MAX, Ms, Real, Scalar, Within};
use crate::cli::{AppName, RuntimeName};

/// What is served, and by what
#[derive(Serialize, Deserialize, JsonSchema, Clone, PartialEq, Debug)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Server {
    /// What to serve
    pub(crate) app: AppName,
    /// Shards, each with a thread of its own; 0 for as many as a kept world has, else one per usable core
    pub(crate) shards: Within<0, 1024>,
    /// What drives the threads; auto takes glommio where io_uring is allowed
    pub(crate) runtime: RuntimeName,
    /// How long a message to many may wait to share a write, in milliseconds up to 1000, or `tick` for the end of the tick
    pub(crate) coalesce: CoalesceMs,
    /// Folders whose files are served, by path
    pub(crate) files: BTreeMap<String, PathBuf>,
    /// Which web pages may connect: `same_host`, `any`, or their origins as `https://play.example.org`
    pub(crate) origins: Vec<String>,
    /// The version of the application's protocol that clients must name as `v`, 1 to 20 bytes; not said, none
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) protocol_version: Option<String>,
    /// What becomes of an allowlist that names a service which the application does not have
    pub(crate) unknown_services: UnknownServices,
    /// Whether `/metrics` is answered where clients connect too, to whoever asks
    pub(crate) public_metrics: bool,
}

/// What becomes of an allowlist that names a service which the application does not have
#[derive(
    clap::ValueEnum, Serialize, Deserialize, JsonSchema, Clone, Copy, PartialEq, Debug, Default,
)]
#[serde(rename_all = "snake_case")]
pub(crate) enum UnknownServices {
    #[default]
    Refuse,
    Warn,
}

/// The world, where `server.app` is `world`
#[derive(Serialize, Deserialize, JsonSchema, Clone, PartialEq, Debug)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct World {
    /// Which one
    pub(crate) name: WorldKind,
    /// Entities at the start; the world's size follows
    pub(crate) entities: Within<0, 100_000_000>,
    /// Every random number of the world comes from it
    pub(crate) seed: u64,
    /// Ticks a second
    pub(crate) tick_rate_hz: Real<100, 1_000_000>,
    /// How far a client sees, in metres, and the most it may ask for; not said, as the world has it
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) interest_radius_m: Option<Real<1, 1_000_000_000>>,
}

/// A world
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, PartialEq, Debug, Default)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WorldKind {
    #[default]
    Flock,
    Crowd,
    Swarm3d,
}

/// Where and how a world is kept
#[derive(Serialize, Deserialize, JsonSchema, Clone, PartialEq, Debug)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Data {
    /// The folder; not said, the world ends with the process
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) folder: Option<PathBuf>,
    /// What a crash may lose: everything, what happened since the last checkpoint, or nothing that a client was told
    pub(crate) durability: Level,
    /// World time between two checkpoints
    pub(crate) checkpoint_every_ms: Ms<1>,
    /// Checkpoints to keep, with what happened since the oldest
    pub(crate) checkpoints_kept: Within<1, COUNT_MAX>,
    /// Open a world whose journal is damaged in its middle, and lose what came after that
    pub(crate) accept_loss: bool,
    /// A file that gets a line `TICK HEX` for each tick: the digest of all entities
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) digest_file: Option<PathBuf>,
}

/// What a crash may lose
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, PartialEq, Debug, Default)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Level {
    None,
    Checkpoint,
    #[default]
    Tick,
}

/// Milliseconds, or `tick`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct CoalesceMs(pub(crate) Coalesce);

impl Default for Server {
    fn default() -> Self {
        Self {
            app: AppName::World,
            shards: Within::of(0),
            runtime: RuntimeName::Auto,
            coalesce: CoalesceMs(Coalesce::Within(Duration::from_millis(2))),
            files: BTreeMap::new(),
            origins: vec![SAME_HOST.to_owned()],
            protocol_version: None,
            unknown_services: UnknownServices::Refuse,
            public_metrics: false,
        }
    }
}

impl Default for World {
    fn default() -> Self {
        Self {
            name: WorldKind::Flock,
            entities: Within::of(5000),
            seed: 0,
            tick_rate_hz: Real::unchecked(20.0),
            interest_radius_m: None,
        }
    }
}

impl Default for Data {
    fn default() -> Self {
        Self {
            folder: None,
            durability: Level::Tick,
            checkpoint_every_ms: Ms::of(10_000),
            checkpoints_kept: Within::of(3),
            accept_loss: false,
            digest_file: None,
        }
    }
}

impl World {
    /// World time between two ticks.
    pub(crate) fn tick_interval(&self) -> Duration {
        Duration::from_secs_f64(self.tick_rate_hz.get().recip())
    }
}

impl Serialize for CoalesceMs {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Coalesce::Tick => to.serialize_str("tick"),
            Coalesce::Within(wait) => to.serialize_f64(wait.as_secs_f64() * 1e3),
        }
    }
}

impl<'de> Deserialize<'de> for CoalesceMs {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Scalar::deserialize(from)?.text;
        let wait = text
            .parse()
            .map_err(|why: String| serde::de::Error::custom(format!("{text}; {why}")))?;
        Ok(Self(wait))
    }
}

impl JsonSchema for CoalesceMs {
    fn schema_name() -> Cow<'static, str> {
        "CoalesceMs".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "oneOf": [{ "type": "number", "minimum": 0, "maximum": 1000 }, { "const": "tick" }] })
    }
}

impl From<Level> for Durability {
    fn from(level: Level) -> Self {
        match level {
            Level::None => Self::None,
            Level::Checkpoint => Self::Checkpoint,
            Level::Tick => Self::Tick,
        }
    }
}

impl From<Durability> for Level {
    fn from(durability: Durability) -> Self {
        match durability {
            Durability::None => Self::None,
            Durability::Checkpoint => Self::Checkpoint,
            Durability::Tick => Self::Tick,
        }
    }
}

/// Of `server.origins`: the pages that this host served.
pub(crate) const SAME_HOST: &str = "same_host";

/// Of `server.origins`: all pages.
pub(crate) const ANY: &str = "any";
