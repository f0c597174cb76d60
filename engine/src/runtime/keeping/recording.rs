//! A world on disk as something to look at: any tick of it, and where two of them part. Never writes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use worldshard_protocol::{EntityId, Tick};
use worldshard_shard::{Contents, ContentsEntity, Shard};
use worldshard_spatial::CellMap;

use super::directory::Directory;
use super::opening::{data, manifest_of};
use crate::app::AppRecipe;
use crate::durable::{
    DurableError, FileName, Loaded, Manifest, Opening, Replay, Store, complete, load, load_from,
};
use crate::error::Result;
use crate::hub::Commons;

/// The kept ticks of a world.
pub struct Recording {
    folder: PathBuf,
    store: Directory,
    recipe: Arc<AppRecipe>,
    cell_map: Arc<CellMap>,
}

/// Where two worlds part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The first tick after which they differ, of those that were compared.
    pub tick: Tick,
    /// The shard that owns the entity in the first of them, or else in the other.
    pub shard: u16,
    /// Who differs, the lowest of all.
    pub entity: EntityId,
    /// In which component, the first by name; none when only one of them has the entity.
    pub component: Option<String>,
    /// Its canonical bytes in the first.
    pub one: Option<Vec<u8>>,
    /// And in the other.
    pub other: Option<Vec<u8>>,
}

impl Recording {
    /// The world in a folder, made of `recipe`.
    ///
    /// # Errors
    /// When there is none, or it is another one.
    pub fn open(folder: &Path, recipe: &Arc<AppRecipe>) -> Result<Self> {
        let manifest = manifest_of(folder)?.ok_or_else(|| data(folder, DurableError::Empty))?;
        let cell_map = Arc::clone(Commons::new(recipe, manifest.shards)?.cell_map());
        let launch = manifest.launch.clone();
        let wanted = Manifest::of(recipe.world_name(), recipe.world(), manifest.shards, launch);
        manifest
            .check(&wanted)
            .map_err(|source| data(folder, source))?;
        let store = Directory::look(folder).map_err(|source| {
            let what = "opening it".to_owned();
            data(folder, DurableError::Io { what, source })
        })?;
        Ok(Self {
            folder: folder.to_owned(),
            store,
            recipe: Arc::clone(recipe),
            cell_map,
        })
    }

    /// The world before it does again what leads to a tick; the last that is kept, if none is asked for.
    ///
    /// # Errors
    /// When the tick is not kept.
    pub fn load(&self, until: Option<Tick>) -> Result<Loaded> {
        let opening = Opening {
            recipe: Arc::clone(self.recipe.world()),
            cell_map: Arc::clone(&self.cell_map),
            until,
            accept_loss: true,
        };
        let loaded = load(&self.store, &opening).map_err(|source| data(&self.folder, source))?;
        loaded.ok_or_else(|| data(&self.folder, DurableError::Empty))
    }

    /// The world after a tick; the last that is kept, if none is asked for.
    ///
    /// # Errors
    /// When the tick is not kept, or one before it panics.
    pub fn at(&self, tick: Option<Tick>) -> Result<Replay> {
        let Loaded {
            mut replay, reach, ..
        } = self.load(tick)?;
        while replay.tick() < reach && self.step(&mut replay)? {}
        Ok(replay)
    }

    fn step(&self, replay: &mut Replay) -> Result<bool> {
        replay.step().map_err(|source| data(&self.folder, source))
    }

    /// The world right after a checkpoint, with all that was said to it later.
    ///
    /// # Errors
    /// When there is no such checkpoint.
    pub fn after(&self, checkpoint: Tick) -> Result<Replay> {
        let opening = Opening {
            recipe: Arc::clone(self.recipe.world()),
            cell_map: Arc::clone(&self.cell_map),
            until: None,
            accept_loss: true,
        };
        let loaded = load_from(&self.store, &opening, checkpoint);
        Ok(loaded.map_err(|source| data(&self.folder, source))?.replay)
    }

    /// The ticks of which every shard has a checkpoint.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn generations(&self) -> Result<BTreeSet<Tick>> {
        let names = self.store.list().map_err(|source| {
            let what = "listing the folder".to_owned();
            data(&self.folder, DurableError::Io { what, source })
        })?;
        let names: Vec<FileName> = names
            .iter()
            .filter_map(|name| FileName::parse(name))
            .collect();
        Ok(complete(&names, self.cell_map.shard_count()))
    }
}

/// The first tick of those that both have after which two worlds differ, and in what.
///
/// Checkpoints that both have are compared first; from the last that is the same on, both worlds do again what they did, tick
/// by tick.
///
/// # Errors
/// When one of them cannot be read or done again, or they have no tick in common.
pub fn first_difference(one: &Recording, other: &Recording) -> Result<Option<Difference>> {
    let (first, second) = (one.generations()?, other.generations()?);
    let mut same = None;
    let mut parted = None;
    for &tick in first.intersection(&second) {
        let (at, beside) = (one.after(tick)?, other.after(tick)?);
        if at.digest() != beside.digest() {
            parted = difference(tick, at.shards(), beside.shards());
            break;
        }
        same = Some(tick);
    }
    let Some(from) = same else {
        let (tick, first, last) = (second.first(), first.first(), first.last());
        let or_none = |tick: Option<&Tick>| tick.copied().unwrap_or_default();
        let not_kept = DurableError::NotKept {
            tick: or_none(tick),
            first: or_none(first),
            last: or_none(last),
        };
        // Worlds that differ from the first checkpoint on differ there.
        return parted.map(Some).ok_or_else(|| data(&one.folder, not_kept));
    };
    let (mut at, mut beside) = (one.after(from)?, other.after(from)?);
    let until = parted.as_ref().map_or(Tick(u64::MAX), |parted| parted.tick);
    while at.tick() < until && one.step(&mut at)? && other.step(&mut beside)? {
        if at.digest() != beside.digest() {
            return Ok(difference(at.tick(), at.shards(), beside.shards()));
        }
    }
    // What both did leads to the same world, and still a checkpoint of one is another.
    Ok(parted)
}

fn difference(tick: Tick, one: &[Shard], other: &[Shard]) -> Option<Difference> {
    let contents = |shards: &[Shard]| {
        let read = |shard: &Shard| Contents::read(&shard.freeze().encode());
        let read: Vec<Contents> = shards.iter().filter_map(|shard| read(shard).ok()).collect();
        let entities = read.into_iter().flat_map(|contents| {
            let shard = contents.shard;
            let entities = contents.entities.into_iter();
            entities.map(move |(id, components)| (id, (shard, components)))
        });
        entities.collect::<std::collections::BTreeMap<_, _>>()
    };
    let (one, other) = (contents(one), contents(other));
    let ids: BTreeSet<EntityId> = one.keys().chain(other.keys()).copied().collect();
    ids.into_iter().find_map(|entity| {
        let (at, beside) = (one.get(&entity), other.get(&entity));
        let (shard, _) = at.or(beside)?;
        let component = match (at, beside) {
            (Some((_, at)), Some((_, beside))) => Some(differing(at, beside)?),
            _ => None,
        };
        let value = |of: Option<&(u16, ContentsEntity)>| {
            let (_, components) = of?;
            components.get(component.as_ref()?).cloned()
        };
        Some(Difference {
            tick,
            shard: *shard,
            entity,
            one: value(at),
            other: value(beside),
            component: component.clone(),
        })
    })
}

/// The first component by name that is not the same.
fn differing(one: &ContentsEntity, other: &ContentsEntity) -> Option<String> {
    let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let differs = |name: &&String| one.get(*name) != other.get(*name);
    names.into_iter().find(differs).cloned()
}
