//! Folders in which a start came to nothing, or was refused.

use std::fs;
use std::path::PathBuf;

use worldshard_spatial::ShardId;

use super::*;
use crate::hub::Commons;
use crate::prelude::App;
use crate::worlds::{WorldName, world};

/// A folder of a test's own, removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("worldshard-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn open(&self) -> Result<Opened> {
        let recipe = App::new()
            .plugin(world(WorldName::Flock, 50, 3))
            .build()
            .unwrap();
        let cell_map = Commons::new(&recipe, 2).unwrap().cell_map().clone();
        open(&recipe, &cell_map, &DataOptions::new(&self.0))
    }

    fn path(&self, name: FileName) -> PathBuf {
        self.0.join(name.to_string())
    }

    /// A folder stands where the file is to be written.
    fn obstacle(&self, name: FileName) -> PathBuf {
        self.0.join(format!("{name}.unfinished"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn checkpoint(tick: u64, shard: u16) -> FileName {
    FileName::Checkpoint(Tick(tick), ShardId(shard))
}

#[test]
fn a_first_start_that_came_to_nothing_is_made_again_and_not_held_against_the_folder() {
    let folder = Folder::new("first-start");
    // Before the first checkpoint, between the two, and twice at the same place.
    for shard in [0, 1, 1] {
        let obstacle = folder.obstacle(checkpoint(0, shard));
        fs::create_dir(&obstacle).unwrap();
        assert!(folder.open().is_err());
        assert!(folder.path(FileName::Manifest).exists());
        assert_eq!(folder.path(checkpoint(0, 0)).exists(), shard == 1);
        fs::remove_dir(obstacle).unwrap();
    }
    let opened = folder.open().unwrap();
    assert_eq!((opened.process, opened.tick), (0, Tick(0)));
    assert!(opened.recovery.is_none());
    drop(opened);
    let again = folder.open().unwrap();
    assert_eq!(again.process, 1);
    assert_eq!(again.recovery.unwrap().tick, Tick(0));
}

#[test]
fn a_world_that_began_is_never_begun_anew() {
    let folder = Folder::new("begun");
    drop(folder.open().unwrap());
    fs::remove_file(folder.path(checkpoint(0, 1))).unwrap();
    let refused = folder.open().err().unwrap().to_string();
    assert!(refused.contains("no checkpoint is whole"), "{refused}");
    fs::remove_file(folder.path(checkpoint(0, 0))).unwrap();
    let refused = folder.open().err().unwrap().to_string();
    assert!(refused.contains("there is no world in it"), "{refused}");
    // As it was written before it said whether its world began.
    let path = folder.path(FileName::Manifest);
    let manifest = fs::read_to_string(&path).unwrap();
    let older: String = manifest
        .split_inclusive('\n')
        .filter(|line| !line.contains("begun"))
        .collect();
    assert_ne!(older, manifest);
    fs::write(&path, older).unwrap();
    let refused = folder.open().err().unwrap().to_string();
    assert!(refused.contains("there is no world in it"), "{refused}");
}

#[test]
fn a_start_that_is_refused_is_not_counted() {
    let folder = Folder::new("refused-starts");
    drop(folder.open().unwrap());
    let (path, aside) = (folder.path(checkpoint(0, 1)), folder.0.join("aside"));
    fs::rename(&path, &aside).unwrap();
    for _ in 0..3 {
        assert!(folder.open().is_err());
    }
    fs::rename(aside, path).unwrap();
    assert_eq!(folder.open().unwrap().process, 1);
}
