//! The fuzz targets of this crate over their committed corpus, truncations of it and seeded mutations.

#[path = "../../fuzz/src/protocol.rs"]
#[expect(
    unreachable_pub,
    reason = "the file is a module of the fuzz crate, whose binaries call it"
)]
mod targets;

mod mutate;

use std::fs;
use std::path::Path;

use mutate::{Chance, mutated};

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(target);
    let mut paths: Vec<_> = fs::read_dir(folder)
        .expect("the corpus is committed")
        .map(|entry| entry.expect("the corpus is readable").path())
        .collect();
    paths.sort();
    let read = |path| fs::read(path).expect("the corpus is readable");
    paths.into_iter().map(read).collect()
}

fn check(name: &str, target: fn(&[u8]) -> bool) {
    let mut chance = Chance(7);
    let corpus = corpus(name);
    assert!(corpus.len() > 8, "the corpus is gone");
    let mut accepted_mutants = 0;
    for seed in &corpus {
        target(seed);
        for cut in 0..seed.len().min(400) {
            target(&seed[..cut]);
        }
        for _ in 0..600 {
            accepted_mutants += u32::from(target(&mutated(seed, &mut chance)));
        }
    }
    // Otherwise the mutations never get past the first check.
    assert!(accepted_mutants > 20, "{accepted_mutants} mutants accepted");
}

#[test]
fn golden_change_reaches_the_view_that_follows() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/delta_2_change.bin");
    let bytes = fs::read(path).expect("golden files are readable");
    assert!(targets::delta_reader(&bytes));
}

#[test]
fn hot_lane_keeps_its_promises_on_hostile_bytes() {
    check("hot_lane", targets::hot_lane);
}

#[test]
fn ext_lane_keeps_its_promises_on_hostile_bytes() {
    check("ext_lane", targets::ext_lane);
}

#[test]
fn delta_reader_keeps_its_promises_on_hostile_bytes() {
    check("delta_reader", targets::delta_reader);
}
