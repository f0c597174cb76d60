//! Makes a shard of an archive. Total for all bytes: what is not an archive of this world is refused, by name.

use std::fmt;
use std::sync::Arc;

use hecs::EntityBuilder;
use rkyv::rancor::Failure;
use worldshard_protocol::{EntityId, RECORD_BYTES, Tick};
use worldshard_spatial::{CellMap, ShardId};

use super::archive::{
    ArchivedColumnArchive, ArchivedGhostsArchive, ArchivedGroupArchive, ArchivedShardArchive,
    CHECKPOINT_LAYOUT,
};
use crate::audit::Tally;
use crate::component::Codec;
use crate::config::ConfigError;
use crate::ghost::GhostSet;
use crate::layout::insert_laid;
use crate::recipe::Recipe;
use crate::registry::Known;
use crate::shard::Shard;

impl Shard {
    /// The shard as it was when the archive was frozen. Whoever reads the bytes back has checked that they are those that
    /// were written: a checksum, not a signature.
    ///
    /// # Errors
    /// When they are no archive of this layout, of another shard or number of shards, or of components that the recipe
    /// does not know in this version.
    pub fn restore(
        own: ShardId,
        recipe: Arc<Recipe>,
        cell_map: Arc<CellMap>,
        bytes: &[u8],
    ) -> Result<Self, RestoreError> {
        let archive = read(bytes)?;
        let shards = cell_map.shard_count();
        let found = (archive.shard.to_native(), archive.shards.to_native());
        if found != (own.0, shards) {
            return Err(RestoreError::Shard {
                expected: (own.0, shards),
                found,
            });
        }
        let mut shard = Self::empty(own, recipe, cell_map).map_err(RestoreError::Config)?;
        fill(&mut shard, archive)?;
        Ok(shard)
    }
}

/// The archive in the bytes, if it is of the layout that this build reads.
pub(super) fn read(bytes: &[u8]) -> Result<&ArchivedShardArchive, RestoreError> {
    let archive = rkyv::access::<ArchivedShardArchive, Failure>(bytes);
    let archive = archive.map_err(|_| RestoreError::Damaged("the archive"))?;
    let layout = archive.layout.to_native();
    if layout == CHECKPOINT_LAYOUT {
        Ok(archive)
    } else {
        Err(RestoreError::Layout { found: layout })
    }
}

fn fill(shard: &mut Shard, archive: &ArchivedShardArchive) -> Result<(), RestoreError> {
    let registry = shard.recipe().registry.clone();
    let mut known = Vec::new();
    for component in archive.components.iter() {
        let (name, version) = (component.name.as_str(), component.version.to_native());
        known.push(registry.known(name, version)?);
    }
    for group in archive.groups.iter() {
        insert_group(shard, group, &known)?;
    }
    shard.ghosts = ghosts(shard, &archive.ghosts, &known)?;
    let mut ids: Vec<EntityId> = shard.ghosts.entries.iter().map(|ghost| ghost.id).collect();
    ids.sort_unstable();
    let twice = ids.windows(2).any(|pair| pair[0] == pair[1]);
    if twice || ids.iter().any(|&id| shard.world.owns(id)) {
        return Err(RestoreError::Damaged("the ghosts"));
    }
    shard.next_entity = EntityId(archive.next_entity.to_native());
    let mut rest = archive.rest.as_slice();
    let tick = Tick(archive.tick.to_native());
    let whole = shard.decode_rest(&mut rest, tick).is_some() && rest.is_empty();
    if !whole {
        return Err(RestoreError::Damaged("what is kept beside the entities"));
    }
    shard.look_again();
    Ok(())
}

fn insert_group(
    shard: &mut Shard,
    group: &ArchivedGroupArchive,
    known: &[Known],
) -> Result<(), RestoreError> {
    let rows = group.ids.len();
    let told = [group.changed_ticks.len(), group.extra_changed_ticks.len()];
    let mut columns = Vec::new();
    for column in group.columns.iter() {
        let component = usize::from(column.component.to_native());
        let known = known.get(component).ok_or(DAMAGED_COLUMN)?;
        columns.push((known, rows_of(column, rows).ok_or(DAMAGED_COLUMN)?));
    }
    if told != [rows; 2] {
        return Err(DAMAGED_COLUMN);
    }
    let registry = shard.recipe().registry.clone();
    let mut builder = EntityBuilder::new();
    for row in 0..rows {
        for (known, rows) in &columns {
            (known.decode)(rows[row], &mut builder).ok_or_else(|| known.refused())?;
        }
        let id = EntityId(group.ids[row].to_native());
        let changed = Tick(group.changed_ticks[row].to_native());
        let extra_changed = Tick(group.extra_changed_ticks[row].to_native());
        if id > EntityId::MAX || shard.world.owns(id) {
            return Err(RestoreError::Damaged("the ids of entities"));
        }
        insert_laid(
            &registry,
            &mut shard.world,
            id,
            &mut builder,
            [changed, extra_changed],
        )
        .ok_or(RestoreError::Damaged("an entity without a place"))?;
        shard.held = shard.held + Tally::of(id);
    }
    Ok(())
}

/// The bytes of each row of a column.
pub(super) fn rows_of(column: &ArchivedColumnArchive, rows: usize) -> Option<Vec<&[u8]>> {
    let bytes = column.bytes.as_slice();
    if column.ends.is_empty() && rows > 0 {
        let width = bytes.len() / rows;
        let even = width > 0 && width * rows == bytes.len();
        return even.then(|| bytes.chunks_exact(width).collect());
    }
    let mut start = 0;
    let mut parts = Vec::with_capacity(rows);
    for end in column.ends.iter() {
        let end = end.to_native() as usize;
        parts.push(bytes.get(start..end)?);
        start = end;
    }
    (parts.len() == rows && start == bytes.len()).then_some(parts)
}

fn ghosts(
    shard: &Shard,
    archive: &ArchivedGhostsArchive,
    known: &[Known],
) -> Result<GhostSet, RestoreError> {
    let damaged = RestoreError::Damaged("the ghosts");
    let registry = &shard.recipe().registry;
    let mut ghosts = GhostSet::new(registry);
    let mut entries = archive.entries.as_slice();
    while !entries.is_empty() {
        push_ghost(&mut ghosts, &mut entries).ok_or_else(|| damaged.clone())?;
    }
    let mut columns = Vec::new();
    for component in archive.components.iter() {
        let known = known.get(usize::from(component.to_native()));
        columns.push(known.ok_or_else(|| damaged.clone())?);
    }
    let mut rows = archive.rows.as_slice();
    for _ in 0..ghosts.entries.len() {
        let mut builder = EntityBuilder::new();
        for known in &columns {
            let value = Option::<Vec<u8>>::decode(&mut rows).ok_or_else(|| damaged.clone())?;
            if let Some(value) = value {
                (known.decode)(&value, &mut builder).ok_or_else(|| known.refused())?;
            }
        }
        ghosts.columns.push_from_builder(&mut builder);
    }
    if rows.is_empty() {
        Ok(ghosts)
    } else {
        Err(damaged)
    }
}

fn push_ghost(ghosts: &mut GhostSet, bytes: &mut &[u8]) -> Option<()> {
    let id = EntityId::decode(bytes)?;
    let owner = ShardId::decode(bytes)?;
    let (changed, extra_changed) = (Tick::decode(bytes)?, Tick::decode(bytes)?);
    let record = <[u8; RECORD_BYTES]>::decode(bytes)?;
    let extra = Vec::<u8>::decode(bytes)?;
    ghosts.push_told(id, owner, [changed, extra_changed], record, &extra);
    Some(())
}

/// Why an archive is not taken.
#[derive(Clone, Debug, PartialEq)]
pub enum RestoreError {
    /// The bytes are not what was written, or not by this engine.
    Damaged(&'static str),
    /// Another build's layout.
    Layout {
        /// What the archive has; this build has [`CHECKPOINT_LAYOUT`].
        found: u32,
    },
    /// It is of another shard, or of a world that was cut otherwise: (shard, shards).
    Shard {
        /// What was asked for.
        expected: (u16, u16),
        /// What the archive is of.
        found: (u16, u16),
    },
    /// An entity carries a component that no type is registered for.
    ComponentUnknown {
        /// Its registered name when it was written.
        name: String,
    },
    /// A component's bytes are of a version from which nothing was registered that leads to the present one.
    ComponentVersion {
        /// Its registered name.
        name: String,
        /// The version that was written.
        found: u16,
        /// The version that is registered.
        known: u16,
    },
    /// A component's bytes are not a value of its type.
    ComponentValue {
        /// Its registered name.
        name: String,
        /// The version of the bytes.
        version: u16,
    },
    /// The recipe's configuration is not one of a world.
    Config(ConfigError),
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(what) => write!(f, "{what} is not whole"),
            Self::Layout { found } => write!(
                f,
                "the checkpoint has layout {found}; this build reads layout {CHECKPOINT_LAYOUT}"
            ),
            Self::Shard { expected, found } => write!(
                f,
                "the checkpoint is of shard {} of {}, not of shard {} of {}",
                found.0, found.1, expected.0, expected.1
            ),
            Self::ComponentUnknown { name } => write!(
                f,
                "entities carry the component {name:?}, which is not registered: add \
                 `.component::<C>({name:?}, …)` to the App"
            ),
            Self::ComponentVersion { name, found, known } => write!(
                f,
                "the component {name:?} was written in version {found}, and version {known} is registered: add \
                 `.migration::<C>({found}, …)` to the App"
            ),
            Self::ComponentValue { name, version } => write!(
                f,
                "the bytes of the component {name:?} are not a value of its version {version}: a type that changes \
                 needs `.component_version::<C>(…)`"
            ),
            Self::Config(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RestoreError {}

const DAMAGED_COLUMN: RestoreError = RestoreError::Damaged("a column");
