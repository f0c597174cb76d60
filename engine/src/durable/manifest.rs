//! What a world on disk is: written once, compared at every start, so that a world is not continued as another one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use worldshard_shard::{Recipe, WorldConfig};

use super::error::DurableError;

/// What a world is, and what made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Counts the formats of this file.
    pub format: u32,
    /// The world's name.
    pub world: String,
    /// How many territories it is cut into.
    pub shards: u16,
    /// How many processes have had it before the one that has it now.
    #[serde(default)]
    pub processes: u32,
    /// Whether its first generation was ever whole. Before that nobody was told anything of it.
    #[serde(default = "yes")]
    pub begun: bool,
    /// Whether the process that has it keeps a journal. Without, nothing is missed behind the last checkpoint of all shards.
    #[serde(default = "yes")]
    pub journal: bool,
    /// What the world's course depends on, by name.
    pub rules: BTreeMap<String, String>,
    /// What the application needs to make the same recipe again.
    #[serde(default)]
    pub launch: BTreeMap<String, String>,
}

impl Manifest {
    /// Of a world that begins.
    #[must_use]
    pub fn of(world: &str, recipe: &Recipe, shards: u16, launch: BTreeMap<String, String>) -> Self {
        Self {
            format: FORMAT,
            world: world.to_owned(),
            shards,
            processes: 0,
            begun: false,
            journal: true,
            rules: rules(recipe),
            launch,
        }
    }

    /// As it stands in its file.
    ///
    /// # Errors
    /// When the bytes are no manifest of this format.
    pub fn parse(bytes: &[u8]) -> Result<Self, DurableError> {
        let unreadable = |found: String| DurableError::Manifest {
            what: "the file".to_owned(),
            found,
            expected: format!("a manifest of format {FORMAT}"),
        };
        let manifest: Self = serde_json::from_slice(bytes)
            .map_err(|error| unreadable(format!("unreadable ({error})")))?;
        if manifest.format == FORMAT {
            Ok(manifest)
        } else {
            Err(unreadable(format!("of format {}", manifest.format)))
        }
    }

    /// Its bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("strings and numbers are JSON");
        bytes.push(b'\n');
        bytes
    }

    /// Compares what was written with what is wanted now.
    ///
    /// # Errors
    /// The first thing that differs.
    pub fn check(&self, wanted: &Self) -> Result<(), DurableError> {
        let differs = |what: &str, found: &dyn ToString, expected: &dyn ToString| {
            let (found, expected) = (found.to_string(), expected.to_string());
            let what = what.to_owned();
            let error = DurableError::Manifest {
                what,
                found: found.clone(),
                expected: expected.clone(),
            };
            if found == expected {
                Ok(())
            } else {
                Err(error)
            }
        };
        differs("world", &self.world, &wanted.world)?;
        differs("shards", &self.shards, &wanted.shards)?;
        for (name, value) in &wanted.rules {
            let found = self.rules.get(name).map_or("absent", String::as_str);
            differs(name, &found, value)?;
        }
        Ok(())
    }
}

/// What the course of a world depends on besides its code.
fn rules(recipe: &Recipe) -> BTreeMap<String, String> {
    let WorldConfig {
        seed,
        tick_interval,
        bounds,
        metric,
        cell_edge_m,
        // The same results come from any index.
        index: _,
        index_edge_m: _,
        interest_radius_m: _,
        interest_radius_max_m,
        interest_hysteresis_m,
        perception_radius_m,
        handoff_hysteresis_m,
        avatar_speed_max_m_s,
        limits,
    } = &recipe.config;
    let entities = recipe.population.as_ref().map_or(0, |all| all.count);
    [
        ("seed", format!("{seed}")),
        ("entities", format!("{entities}")),
        ("tick_interval", format!("{tick_interval:?}")),
        (
            "bounds",
            format!("{:?} to {:?}", bounds.min.to_array(), bounds.max.to_array()),
        ),
        ("metric", format!("{metric:?}")),
        ("cell_edge_m", format!("{cell_edge_m}")),
        ("interest_radius_max_m", format!("{interest_radius_max_m}")),
        ("interest_hysteresis_m", format!("{interest_hysteresis_m}")),
        ("perception_radius_m", format!("{perception_radius_m}")),
        ("handoff_hysteresis_m", format!("{handoff_hysteresis_m}")),
        ("avatar_speed_max_m_s", format!("{avatar_speed_max_m_s}")),
        ("limits", format!("{limits:?}")),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// What was so before it was written down.
fn yes() -> bool {
    true
}

const FORMAT: u32 = 1;
