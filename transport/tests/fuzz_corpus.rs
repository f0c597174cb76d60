//! The fuzz targets of this crate over their committed corpus, and over seeded mutations of it.

#[path = "../../fuzz/src/transport.rs"]
#[expect(
    unreachable_pub,
    reason = "the file is a module of the fuzz crate, whose binaries call it"
)]
mod targets;

mod common;

use std::fs;
use std::path::Path;

use common::Dice;

#[test]
fn http_heads() {
    run("http_head", targets::http_head);
}

#[test]
fn frames_of_clients() {
    run("frames_server", targets::frames_server);
}

#[test]
fn frames_of_servers() {
    run("frames_client", targets::frames_client);
}

const MUTATIONS: usize = 4000;

fn run(target: &str, test: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(target);
    let entries = fs::read_dir(&folder).expect("the corpus is committed");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("readable").path())
        .collect();
    paths.sort();
    let seeds: Vec<Vec<u8>> = paths
        .iter()
        .map(|path| fs::read(path).expect("readable"))
        .collect();
    assert!(seeds.len() >= 5, "{} seeds in {folder:?}", seeds.len());
    for seed in &seeds {
        test(seed);
    }
    let mut dice = Dice(0x5eed);
    for _ in 0..MUTATIONS {
        test(&mutation(&seeds, &mut dice));
    }
}

/// One seed, or the front of one and the back of another, with a few bytes changed, added or taken away.
fn mutation(seeds: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = seeds[dice.below(seeds.len())].clone();
    if dice.below(3) == 0 {
        let other = &seeds[dice.below(seeds.len())];
        bytes.truncate(dice.below(bytes.len() + 1));
        bytes.extend_from_slice(&other[dice.below(other.len())..]);
    }
    for _ in 0..dice.below(5) {
        let at = dice.below(bytes.len() + 1);
        let byte = dice.next().to_le_bytes()[0];
        match dice.below(4) {
            0 => bytes.insert(at, byte),
            1 if at < bytes.len() => {
                bytes.remove(at);
            }
            2 if at < bytes.len() => bytes[at] ^= 1 << (byte % 8),
            _ if at < bytes.len() => bytes[at] = byte,
            _ => bytes.push(byte),
        }
    }
    bytes
}
