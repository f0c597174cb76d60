//! The checkers of a world that is kept: a good one passes, and one fact that is wrong is named.

use super::scene::Scene;
use crate::prelude::*;
use crate::sim::check::{Check, Checkers, Finding, Subject};
use crate::sim::{CameBack, ShardSeen};

/// Makes one fact wrong.
type Change = fn(&mut ShardSeen);

/// Knows what two shards had after three ticks.
fn checkers() -> Checkers {
    let mut checkers = Checkers::new(Check::All);
    checkers.keep();
    for tick in 1..=3 {
        for shard in 0..2 {
            checkers.note(Tick(tick), ShardId(shard), digest(tick, shard));
        }
    }
    checkers
}

fn digest(tick: u64, shard: u16) -> u128 {
    u128::from(tick) * 10 + u128::from(shard)
}

fn came_back() -> CameBack {
    CameBack {
        tick: Tick(2),
        told: Tick(2),
        digests: vec![digest(2, 0), digest(2, 1)],
        replayed: vec![(Tick(1), vec![digest(1, 0), digest(1, 1)])],
        entities: Vec::new(),
        last_entity: 0,
    }
}

fn finding(back: &CameBack) -> Finding {
    let found = checkers().came_back(back).unwrap_err();
    assert_eq!(found.checker, "durable");
    found
}

#[test]
fn a_world_that_comes_back_as_it_was_is_good_and_what_came_later_is_forgotten() {
    let mut checkers = checkers();
    checkers.came_back(&came_back()).unwrap();
    assert_eq!(checkers.checks()["durable"], 5);
    // Tick 3 is done once more, otherwise.
    checkers.note(Tick(3), ShardId(0), 7);
    checkers.note(Tick(3), ShardId(1), 8);
    let again = CameBack {
        tick: Tick(3),
        told: Tick(3),
        digests: vec![7, 8],
        ..came_back()
    };
    checkers.came_back(&again).unwrap();
}

#[test]
fn a_tick_that_a_client_was_told_of_and_is_lost_is_found() {
    let back = CameBack {
        told: Tick(3),
        ..came_back()
    };
    let found = finding(&back);
    assert_eq!((found.tick, found.subject), (Tick(2), Subject::World));
    assert!(found.detail.contains("told of tick 3"), "{found}");
}

#[test]
fn a_shard_that_comes_back_otherwise_is_found_in_the_tick_in_which_it_differs() {
    let mut back = came_back();
    back.digests[1] ^= 1;
    let found = finding(&back);
    assert_eq!(found.subject, Subject::Shard(ShardId(1)));
    assert_eq!(found.tick, Tick(2));
    let mut back = came_back();
    back.replayed[0].1[0] ^= 1;
    let found = finding(&back);
    assert_eq!(found.subject, Subject::Shard(ShardId(0)));
    assert_eq!(found.tick, Tick(1));
}

#[test]
fn a_number_that_is_given_again_after_a_crash_is_found() {
    let mut scene = Scene::new(2, 3);
    let now = scene.step();
    let all: Vec<EntityId> = now.entities().iter().map(|(one, _)| one.id).collect();
    let back = |entities: &[EntityId]| CameBack {
        entities: entities.to_vec(),
        last_entity: all[all.len() - 1].0,
        ..came_back()
    };
    let mut good = checkers();
    good.came_back(&back(&all)).unwrap();
    good.look(&now).unwrap();
    let mut bad = checkers();
    bad.came_back(&back(&all[1..])).unwrap();
    let found = bad.look(&now).unwrap_err();
    assert_eq!(found.checker, "durable");
    assert_eq!(found.subject, Subject::Entity(all[0]));
}

#[test]
fn a_shard_that_was_made_otherwise_is_found() {
    let mut scene = Scene::new(2, 6);
    let mut now = scene.step();
    for _ in 0..8 {
        now = scene.step();
    }
    let mut shards = now.shards.iter();
    let lost = shards.find(|shard| !shard.viewers.is_empty()).unwrap();
    let mut good = checkers();
    good.mended(Tick(9), lost, lost).unwrap();
    assert!(good.checks()["mended"] > 0);
    let changes: [(&str, Change); 5] = [
        ("entity", |made| made.entities[3].digest ^= 1),
        ("ghost", |made| made.ghosts.truncate(1)),
        ("viewpoint", |made| made.viewers[0].stats.in_flight += 1),
        ("audit", |made| made.audit_checks += 1),
        ("counters", |made| made.stats.births += 1),
    ];
    for (what, change) in changes {
        let mut made = lost.clone();
        change(&mut made);
        let found = checkers().mended(Tick(9), lost, &made).unwrap_err();
        assert_eq!(found.checker, "mended");
        assert_eq!(found.subject, Subject::Shard(lost.shard));
        assert!(found.detail.contains(what), "{found}");
    }
}
