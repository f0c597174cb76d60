//! A disk keeps what was synchronised, some of the rest, and nothing beyond its room.

use std::io::ErrorKind;

use worldshard_protocol::{EntityId, Tick};
use worldshard_shard::Chance;

use super::{Crash, Disk};
use crate::durable::Store as _;

fn chance(seed: u64) -> Chance {
    Chance::new(seed, EntityId(0), Tick(0), "disk")
}

#[test]
fn a_crash_keeps_what_was_synchronised_and_any_beginning_of_the_rest() {
    let mut lengths = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let disk = Disk::default();
        disk.append("journal", b"durable").unwrap();
        disk.sync("journal").unwrap();
        disk.append("journal", b"volatile").unwrap();
        disk.append("made", b"and not synchronised").unwrap();
        disk.crash(Crash::Process, &mut chance(seed));
        assert_eq!(disk.read("journal").unwrap(), b"durablevolatile");
        disk.crash(Crash::Machine, &mut chance(seed));
        let left = disk.read("journal").unwrap();
        assert!(left.starts_with(b"durable") && left.len() <= 15);
        lengths.insert((left.len(), disk.read("made").is_ok()));
        disk.crash(Crash::Machine, &mut chance(seed + 1));
        assert_eq!(disk.read("journal").unwrap(), left);
    }
    assert_eq!(lengths.len(), 2 * 9);
}

#[test]
fn a_full_disk_takes_a_part_and_says_so() {
    let disk = Disk::default();
    disk.write("one", b"whole").unwrap();
    disk.fill();
    let refused = disk.append("journal", b"half of it").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::StorageFull);
    assert_eq!(disk.read("journal").unwrap(), b"half ");
    assert!(disk.write("one", b"other").is_err());
    assert_eq!(disk.read("one").unwrap(), b"whole");
}

#[test]
fn a_file_that_was_removed_may_come_back_until_the_folder_is_synchronised() {
    let comes_back = |seed, synchronised: bool| {
        let disk = Disk::default();
        disk.write("old", b"old").unwrap();
        disk.remove("old").unwrap();
        if synchronised {
            disk.write("new", b"new").unwrap();
        }
        disk.crash(Crash::Machine, &mut chance(seed));
        disk.read("old").is_ok()
    };
    assert!((0..20).any(|seed| comes_back(seed, false)));
    assert!(!(0..20).any(|seed| comes_back(seed, true)));
}
