//! The fuzz targets of this crate over their committed corpus, truncations of it and seeded mutations.
//!
//! `WORLDSHARD_BLESS=1` writes the corpus anew, when a layout has changed.

#[path = "../../../protocol/tests/mutate/mod.rs"]
mod mutate;
#[path = "../../../fuzz/src/shard.rs"]
#[expect(
    unreachable_pub,
    reason = "the file is a module of the fuzz crate, whose binaries call it"
)]
mod targets;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use worldshard_protocol::SessionId;
use worldshard_protocol::world::ViewpointMode;
use worldshard_shard::{
    Call, Codec, Command, CommandBody, Draft, Interest, Keep, Population, Recipe, SystemName,
};
use worldshard_spatial::Point;

use crate::lockstep::Lockstep;
use mutate::{Chance, mutated};

fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(target)
}

/// Archives of shard 0 of two with everything that is in one, and what was said to it, by name.
fn seeds() -> Vec<(&'static str, String, Vec<u8>)> {
    let (recipe, _) = targets::world();
    let mut recipe = Recipe::new(recipe.config.clone());
    let bounds = recipe.config.bounds;
    recipe.population = Some(Population {
        count: 6,
        draft: Arc::new(move |_, entity| {
            let along = entity.0 as f32 / 7.0;
            Draft::at(bounds.min + (bounds.max - bounds.min) * along)
        }),
    });
    let mut world = Lockstep::new(recipe, 2);
    let mut seeds = Vec::new();
    for shard in &mut world.shards {
        shard.keep_calls(Keep::Words);
    }
    let middle = (bounds.min + bounds.max) * 0.5;
    let mut sessions = Vec::new();
    for tick in 0..12u64 {
        let archive = world.shards[0].freeze().encode();
        seeds.push(("checkpoint", format!("tick_{tick:02}"), archive));
        if tick < 6 {
            let (mode, interest) = match tick % 3 {
                0 => (ViewpointMode::Camera, Interest::Radius(20.0)),
                1 => (
                    ViewpointMode::Avatar,
                    Interest::Box(Point::new(9.0, 9.0, 9.0)),
                ),
                _ => (
                    ViewpointMode::Avatar,
                    Interest::Nearest {
                        k: 3,
                        radius_m: 30.0,
                    },
                ),
            };
            let at = middle + Point::flat(tick as f32 * 4.0 - 10.0, 1.0);
            sessions.push(world.join(tick + 1, mode, at, interest, tick == 4));
        }
        for &session in sessions.iter().rev().skip(1) {
            let aim = Point::flat(tick as f32 - 3.0, 1.0);
            let body = match tick % 4 {
                0 => CommandBody::Look(middle + aim),
                1 => CommandBody::Custom {
                    opcode: 9,
                    payload: b"nothing known"[..].into(),
                },
                2 => CommandBody::Interest(Interest::Radius(10.0 + tick as f32)),
                _ => CommandBody::Steer(aim),
            };
            world.command(session, body);
        }
        if tick == 10 {
            world.command(sessions[0], CommandBody::Leave);
        }
        world.step();
        let calls = world.shards[0].take_calls();
        let mut bytes = Vec::new();
        calls.encode(&mut bytes);
        seeds.push(("calls", format!("tick_{tick:02}"), bytes));
    }
    seeds.push(("calls", "others".to_owned(), others(sessions[0])));
    seeds
}

/// The calls that none of these worlds makes.
fn others(session: SessionId) -> Vec<u8> {
    let system = SystemName {
        name: "herd".to_owned(),
        before: 1,
    };
    let dropped = Command {
        session,
        sequence: 9,
        client_sequence: 8,
        body: CommandBody::Dropped,
    };
    let calls = vec![
        Call::Command(dropped),
        Call::Quarantine(system),
        Call::RunAllSystems,
        Call::Dismiss,
        Call::Settle,
    ];
    let mut bytes = Vec::new();
    calls.encode(&mut bytes);
    bytes
}

fn check(name: &str, target: fn(&[u8]) -> bool) {
    let bless = std::env::var_os("WORLDSHARD_BLESS").is_some_and(|bless| bless == "1");
    let (mut chance, mut accepted) = (Chance(7), 0);
    for (of, seed, bytes) in seeds() {
        if of != name {
            continue;
        }
        let path = corpus(name).join(seed);
        if bless {
            fs::create_dir_all(corpus(name)).unwrap();
            fs::write(&path, &bytes).unwrap();
        }
        let stored = fs::read(&path).expect("the corpus is committed");
        assert!(
            target(&stored),
            "{path:?} is of another layout: bless it anew"
        );
        for cut in (0..stored.len()).step_by(1 + stored.len() / 200) {
            target(&stored[..cut]);
        }
        for _ in 0..600 {
            accepted += u32::from(target(&mutated(&stored, &mut chance)));
        }
    }
    // Otherwise the mutations never get past the first check.
    assert!(accepted > 20, "{accepted} mutants accepted");
}

#[test]
fn an_archive_of_any_bytes_is_refused_or_restored() {
    check("checkpoint", targets::checkpoint);
}

#[test]
fn calls_of_any_bytes_are_refused_or_read() {
    check("calls", targets::calls);
}
