//! Any bytes as an archive of a shard, and as what was said to one: refused, or read and then written with the same
//! meaning. A checksum stands before both where they are read from a disk; here it does not.
//!
//! Each target says whether the bytes were accepted, and panics when a promise is broken.

use std::sync::{Arc, OnceLock};

use worldshard_shard::{Call, Codec, Contents, Recipe, Shard, WorldConfig};
use worldshard_spatial::{CellMap, ShardId};

/// The recipe and the map of the world whose archives the corpus has.
pub fn world() -> (Arc<Recipe>, Arc<CellMap>) {
    static WORLD: OnceLock<(Arc<Recipe>, Arc<CellMap>)> = OnceLock::new();
    let make = || {
        let recipe = Recipe::new(WorldConfig::default());
        let grid = recipe.config.grid().expect("the default is a world");
        let cell_map = CellMap::balanced(grid, 2, None).expect("the default can be cut");
        (Arc::new(recipe), Arc::new(cell_map))
    };
    WORLD.get_or_init(make).clone()
}

/// An archive of shard 0 of two: what comes of it is frozen to an archive of the same shard.
pub fn checkpoint(bytes: &[u8]) -> bool {
    let contents = Contents::read(bytes);
    let (recipe, cell_map) = world();
    let Ok(shard) = Shard::restore(ShardId(0), recipe.clone(), cell_map.clone(), bytes) else {
        return false;
    };
    let contents = contents.expect("what a shard is made of can be listed");
    assert_eq!(contents.tick, shard.tick());
    assert_eq!(contents.entities.len(), shard.world().len());
    let again = shard.freeze().encode();
    let twin = Shard::restore(ShardId(0), recipe, cell_map, &again).expect("it was just frozen");
    assert_eq!(twin.digest(), shard.digest());
    // Rows of the ECS may stand in another order: what is frozen once more is the same again.
    let once_more = twin.freeze().encode();
    assert_eq!(once_more.len(), again.len());
    true
}

/// What was said to a shard, as it stands in a piece of a journal.
pub fn calls(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    let Some(calls) = Vec::<Call>::decode(&mut rest) else {
        return false;
    };
    let mut again = Vec::new();
    calls.encode(&mut again);
    let mut behind = again.as_slice();
    let twin = Vec::<Call>::decode(&mut behind).expect("it was just encoded");
    assert!(behind.is_empty());
    let mut once_more = Vec::new();
    twin.encode(&mut once_more);
    assert_eq!(once_more, again);
    true
}
