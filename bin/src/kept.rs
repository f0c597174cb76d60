//! What a world needs to be made again from its folder: written into its manifest, and read back.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use worldshard::prelude::App;
use worldshard::runtime::{Recording, manifest_of};
use worldshard::worlds::WorldName;
use worldshard::{AppRecipe, DataOptions, worlds};

use crate::config::Config;
use crate::config::server::World;
use crate::failure::Failure;

/// How `serve` keeps its world, if it is to.
pub(crate) fn options(config: &Config) -> Option<DataOptions> {
    let data = &config.data;
    let mut options = DataOptions::new(data.folder.as_ref()?);
    options.durability = data.durability.into();
    options.checkpoint_every = data.checkpoint_every_ms.ms();
    options.checkpoints_kept = data.checkpoints_kept.size();
    options.accept_loss = data.accept_loss;
    options.digest_file.clone_from(&data.digest_file);
    options.launch = launch(&config.world);
    Some(options)
}

fn launch(wanted: &World) -> BTreeMap<String, String> {
    let radius = wanted.interest_radius_m;
    let radius = radius.map(|radius_m| (radius_m.get() as f32).to_string());
    [
        ("world", Some(WorldName::from(wanted.name).to_string())),
        ("entities", Some(wanted.entities.get().to_string())),
        ("seed", Some(wanted.seed.to_string())),
        (
            "tick_interval_s",
            Some(wanted.tick_interval().as_secs_f64().to_string()),
        ),
        ("interest_radius", radius),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), value?)))
    .collect()
}

/// The world of a folder, as `serve` made it.
pub(crate) fn setup(folder: &Path) -> Result<worlds::WorldSetup, Failure> {
    let manifest = manifest_of(folder)?;
    let manifest = manifest.ok_or_else(|| {
        Failure::runtime(format!("{}: there is no world in it", folder.display()))
    })?;
    let value = |name: &'static str| {
        let bad = move || {
            Failure::runtime(format!(
                "world.json: launch.{name} is missing or cannot be read: the world was not made by worldshard serve"
            ))
        };
        (manifest.launch.get(name), bad)
    };
    let (world, bad_world) = value("world");
    let (entities, bad_entities) = value("entities");
    let (seed, bad_seed) = value("seed");
    let (interval, bad_interval) = value("tick_interval_s");
    let (radius, bad_radius) = value("interest_radius");
    let parsed = |text: Option<&String>| text.and_then(|text| text.parse::<u64>().ok());
    let setup = worlds::world(
        world
            .and_then(|name| name.parse().ok())
            .ok_or_else(bad_world)?,
        parsed(entities).ok_or_else(bad_entities)?,
        parsed(seed).ok_or_else(bad_seed)?,
    );
    let seconds = interval.and_then(|text| text.parse().ok());
    let seconds = seconds.filter(|seconds| (0.0001..=1e6).contains(seconds));
    let setup = setup.tick_interval(Duration::from_secs_f64(seconds.ok_or_else(bad_interval)?));
    Ok(match radius {
        Some(text) => setup.interest_radius_m(text.parse().map_err(|_| bad_radius())?),
        None => setup,
    })
}

/// The recording in a folder, and what it was made of.
pub(crate) fn recording(folder: &Path) -> Result<(Recording, Arc<AppRecipe>), Failure> {
    let recipe = App::new().plugin(setup(folder)?).build()?;
    Ok((Recording::open(folder, &recipe)?, recipe))
}
