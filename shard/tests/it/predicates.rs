//! Custom interests, and those whose predicate fails: the default one stands instead, and nobody else is touched.

use std::sync::Arc;

use worldshard_protocol::world::ViewpointMode;
use worldshard_protocol::{EntityId, SessionId};
use worldshard_shard::{Interest, Keep, Notice, Predicate, Recipe, Shard, View};
use worldshard_spatial::{IndexKind, Metric, Point};

use crate::drift::{config, recipe};
use crate::lockstep::{Lockstep, brute_force};

/// The first sees who is to the right. The second accepts some, and panics at the others.
fn with_predicates(count: usize) -> Recipe {
    let mut recipe = recipe(config(Metric::Plane, IndexKind::Grid, 3), 400);
    let fails = |_: &View, _: Point, rank: u32| {
        assert!(rank.is_multiple_of(2), "as planned");
        true
    };
    let predicates: [Predicate; 2] = [
        Arc::new(|view: &View, at: Point, rank: u32| view.position(rank).x > at.x),
        Arc::new(fails),
    ];
    recipe.predicates.extend(predicates.into_iter().take(count));
    recipe
}

fn custom(predicate: u8) -> Interest {
    Interest::Custom {
        predicate,
        radius_m: 35.0,
    }
}

fn look(world: &mut Lockstep, counter: u64, interest: Interest) -> SessionId {
    let at = Point::flat(3.0 * counter as f32, 5.0);
    world.join(counter, ViewpointMode::Camera, at, interest, false)
}

/// What a client sees, against brute force by this interest; that is known then.
fn check(world: &Lockstep, session: SessionId, interest: Interest, known: &mut Vec<EntityId>) {
    let viewer = world.shards.iter().find_map(|shard| shard.viewer(session));
    let viewer = viewer.unwrap();
    assert_eq!(viewer.interest, interest);
    let all = world.entities();
    let of = |interest| brute_force(&world.config, viewer.at, &interest, &all, known);
    *known = if let Interest::Custom { radius_m, .. } = interest {
        let k = u16::MAX;
        let mut within = of(Interest::Nearest { k, radius_m });
        within.retain(|id| all[id].0.x > viewer.at.x);
        within
    } else {
        of(interest)
    };
    let seen: Vec<EntityId> = world.clients[&session].view.ids().collect();
    assert_eq!(seen, *known, "{session} at tick {}", world.tick);
}

fn failures(world: &Lockstep) -> Vec<SessionId> {
    let notices = world.notices.iter();
    let failed = notices.filter(|(_, notice)| matches!(notice, Notice::InterestFailed(_)));
    failed.map(|(session, _)| *session).collect()
}

#[test]
fn a_predicate_that_panics_costs_its_session_its_interest_and_no_other_anything() {
    for shards in [1, 2, 8] {
        let mut world = Lockstep::new(with_predicates(2), shards);
        let mut without = Lockstep::new(with_predicates(2), shards);
        world.shards[0].keep_calls(Keep::All);
        let archive = world.shards[0].freeze().encode();
        let fallback = Interest::Radius(world.config.interest_radius_m);
        let failing = look(&mut world, 1, custom(1));
        let right = look(&mut world, 2, custom(0));
        let near = look(&mut world, 3, fallback);
        look(&mut without, 1, fallback);
        let mut known = [(); 3].map(|()| Vec::new());
        for _ in 0..20 {
            world.step();
            without.step();
            assert_eq!(world.digest(), without.digest());
            check(&world, failing, fallback, &mut known[0]);
            check(&world, right, custom(0), &mut known[1]);
            check(&world, near, fallback, &mut known[2]);
        }
        assert_eq!(failures(&world), [failing], "told once");
        // Whoever does it all again comes to the same.
        let shard = &mut world.shards[0];
        let calls = shard.take_calls();
        let (recipe, cell_map) = (shard.recipe().clone(), shard.cell_map().clone());
        let mut again = Shard::restore(shard.own(), recipe, cell_map, &archive).unwrap();
        calls.into_iter().for_each(|call| again.say_again(call));
        assert_eq!(again.stats(), shard.stats());
        for session in [failing, right, near] {
            assert_eq!(again.viewer(session), shard.viewer(session));
        }
    }
}

#[test]
fn an_interest_whose_predicate_is_registered_no_longer_is_the_default_one_after_a_restart() {
    let mut world = Lockstep::new(with_predicates(1), 2);
    let right = look(&mut world, 2, custom(0));
    let mut known = Vec::new();
    for _ in 0..3 {
        world.step();
        check(&world, right, custom(0), &mut known);
    }
    let recipe = Arc::new(with_predicates(0));
    for shard in &mut world.shards {
        let archive = shard.freeze().encode();
        let cell_map = shard.cell_map().clone();
        *shard = Shard::restore(shard.own(), recipe.clone(), cell_map, &archive).unwrap();
    }
    let fallback = Interest::Radius(world.config.interest_radius_m);
    for _ in 0..3 {
        world.step();
        check(&world, right, fallback, &mut known);
    }
    assert_eq!(failures(&world), [right]);
    let failed = world.shards.iter().map(|one| one.stats().interests_failed);
    assert_eq!(failed.sum::<u64>(), 1);
}
