//! Opens the world of a folder before any shard runs: as it was, or begun, and a fresh generation to go on behind.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use worldshard_protocol::Tick;
use worldshard_shard::Shard;
use worldshard_spatial::CellMap;

use super::directory::Directory;
use crate::app::{AppRecipe, DataOptions, Durability};
use crate::durable::{
    DurableError, FileName, Manifest, Opening, Recovered, Store, recover, settle,
};
use crate::error::{Error, Result};
use crate::hub::{PROCESSES_MAX, Returning};
use crate::runtime::clock;

/// A world that was opened, in bytes: shards are made of them on their own threads.
pub(crate) struct Opened {
    pub(crate) store: Arc<dyn Store>,
    /// The tick after which the world goes on.
    pub(crate) tick: Tick,
    /// The archive of each shard.
    pub(crate) archives: Vec<Arc<Vec<u8>>>,
    /// How many processes have had the world before this one.
    pub(crate) process: u32,
    /// How it came back; none when it was begun.
    pub(crate) recovery: Option<Recovery>,
    /// Sessions that may be resumed, by their home.
    pub(crate) returning: Vec<Vec<Returning>>,
}

/// How a world came back.
#[derive(Clone, Debug)]
pub struct Recovery {
    /// The last tick that was kept.
    pub tick: Tick,
    /// The tick of the checkpoint from which it was done again.
    pub checkpoint: Tick,
    /// How long that took, the checkpoint of the new process included.
    pub took: Duration,
    /// What was passed over or cut off.
    pub notes: Vec<String>,
}

/// The number of shards of the world in a folder; none when there is no world.
///
/// # Errors
/// When there is a manifest that cannot be read.
pub fn shards_kept(folder: &Path) -> Result<Option<u16>> {
    manifest_of(folder).map(|manifest| manifest.map(|manifest| manifest.shards))
}

/// The manifest of the world in a folder; none when there is no world.
///
/// # Errors
/// When there is one that cannot be read.
pub fn manifest_of(folder: &Path) -> Result<Option<Manifest>> {
    match std::fs::read(folder.join(FileName::Manifest.to_string())) {
        Ok(bytes) => Manifest::parse(&bytes)
            .map(Some)
            .map_err(|source| data(folder, source)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => {
            let what = "reading world.json".to_owned();
            Err(data(folder, DurableError::Io { what, source }))
        }
    }
}

/// Opens the world in a folder for this process alone.
pub(crate) fn open(
    recipe: &AppRecipe,
    cell_map: &Arc<CellMap>,
    options: &DataOptions,
) -> Result<Opened> {
    let began = clock::now();
    let folder = &options.folder;
    let store = directory(folder)?;
    let found = manifest_of(folder)?;
    let mut manifest = next_manifest(recipe, cell_map, options, found.as_ref())?;
    let opening = Opening {
        recipe: Arc::clone(recipe.world()),
        cell_map: Arc::clone(cell_map),
        until: None,
        accept_loss: options.accept_loss,
    };
    let has_begun = found.map(|found| found.begun);
    // What is left of a first start that came to nothing was never told: it is made anew.
    let recovered = match has_begun {
        Some(false) => None,
        Some(true) | None => recover(&*store, &opening).map_err(|source| data(folder, source))?,
    };
    let mut returning = vec![Vec::new(); usize::from(cell_map.shard_count())];
    let (shards, tick, found) = match recovered {
        None if has_begun == Some(true) => return Err(data(folder, DurableError::Empty)),
        None => {
            // Before any file of the world: the next start must make the same, if this one comes to nothing.
            sign(folder, &*store, &manifest)?;
            (begin(&opening)?, Tick(0), None)
        }
        Some(Recovered {
            shards,
            tick,
            checkpoint,
            notes,
        }) => {
            if !recipe.options().limits.resume_grace.is_zero() {
                shards
                    .iter()
                    .for_each(|shard| keep_sessions(shard, &mut returning));
            }
            (shards, tick, Some((checkpoint, notes)))
        }
    };
    let archives = settle(&*store, &shards, tick).map_err(|source| data(folder, source))?;
    // A process that got no further than this had no session: only now it counts. And only now is there nothing behind the
    // last generation that the process before kept in another way.
    manifest.begun = true;
    sign(folder, &*store, &manifest)?;
    let recovery = found.map(|(checkpoint, notes)| Recovery {
        tick,
        checkpoint,
        took: took(began),
        notes,
    });
    Ok(Opened {
        store,
        tick,
        archives,
        process: manifest.processes,
        recovery,
        returning,
    })
}

fn directory(folder: &Path) -> Result<Arc<dyn Store>> {
    let directory = Directory::open(folder).map_err(|source| {
        let is_taken = source.kind() == ErrorKind::WouldBlock;
        let what = if is_taken {
            "another process has it".to_owned()
        } else {
            "opening it".to_owned()
        };
        data(folder, DurableError::Io { what, source })
    })?;
    Ok(Arc::new(directory))
}

/// The manifest as this process has it, compared with the one that was found.
fn next_manifest(
    recipe: &AppRecipe,
    cell_map: &CellMap,
    options: &DataOptions,
    found: Option<&Manifest>,
) -> Result<Manifest> {
    let folder = &options.folder;
    let (name, shards) = (recipe.world_name(), cell_map.shard_count());
    let mut wanted = Manifest::of(name, recipe.world(), shards, options.launch.clone());
    wanted.journal = options.durability == Durability::Tick;
    let Some(found) = found else {
        return Ok(wanted);
    };
    found
        .check(&wanted)
        .map_err(|source| data(folder, source))?;
    if found.begun {
        wanted.begun = true;
        wanted.launch = found.launch.clone();
        wanted.processes = found.processes + 1;
    }
    if wanted.processes > PROCESSES_MAX {
        return Err(data(
            folder,
            DurableError::Manifest {
                what: "the number of processes that had it".to_owned(),
                found: wanted.processes.to_string(),
                expected: format!("at most {PROCESSES_MAX}"),
            },
        ));
    }
    Ok(wanted)
}

fn sign(folder: &Path, store: &dyn Store, manifest: &Manifest) -> Result<()> {
    let written = store.write(&FileName::Manifest.to_string(), &manifest.to_bytes());
    written.map_err(|source| {
        let what = "writing world.json".to_owned();
        data(folder, DurableError::Io { what, source })
    })
}

fn begin(opening: &Opening) -> Result<Vec<Shard>> {
    let shards = opening.cell_map.shards();
    shards
        .map(|own| {
            Ok(Shard::new(
                own,
                opening.recipe.clone(),
                opening.cell_map.clone(),
            )?)
        })
        .collect()
}

/// Its sessions were those of another process, and their homes in this one let them wait for their clients.
fn keep_sessions(shard: &Shard, returning: &mut [Vec<Returning>]) {
    for session in shard.sessions() {
        // A script may name sessions of homes that are not.
        if let Some(of_home) = returning.get_mut(usize::from(session.home()))
            && let Some(viewer) = shard.viewer(session)
        {
            of_home.push(Returning::of(session, shard.own(), &viewer));
        }
    }
}

pub(super) fn data(folder: &Path, source: DurableError) -> Error {
    let folder = folder.to_owned();
    Error::Data { folder, source }
}

fn took(began: Instant) -> Duration {
    clock::now().saturating_duration_since(began)
}

#[cfg(test)]
mod tests;
