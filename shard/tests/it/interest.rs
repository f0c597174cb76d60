//! What clients believe, from deltas alone, against brute force over the whole world.

use worldshard_protocol::world::ViewpointMode;
use worldshard_shard::{CommandBody, Interest};
use worldshard_spatial::{IndexKind, Metric, Point};

use crate::drift::{config, recipe};
use crate::lockstep::Lockstep;

fn interests() -> [Interest; 5] {
    [
        Interest::Radius(30.0),
        Interest::Radius(40.0),
        Interest::Radius(5.0),
        Interest::Box(Point::new(25.0, 12.0, 28.0)),
        Interest::Nearest {
            k: 9,
            radius_m: 33.0,
        },
    ]
}

fn crowded(metric: Metric, index: IndexKind, shards: u16) -> Lockstep {
    let mut world = Lockstep::new(recipe(config(metric, index, 11), 600), shards);
    for client in 0..40u64 {
        let spot = client as f32;
        let z = if metric == Metric::Plane {
            0.0
        } else {
            spot * 3.0 - 80.0
        };
        let at = Point::new(spot * 6.0 - 95.0, 150.0 - spot * 6.0, z);
        let mode = if client % 3 == 0 {
            ViewpointMode::Camera
        } else {
            ViewpointMode::Avatar
        };
        world.join(
            client,
            mode,
            at,
            interests()[client as usize % 5],
            client % 7 == 0,
        );
    }
    world
}

#[test]
fn visible_sets_equal_brute_force_at_every_tick_across_borders() {
    for (metric, shards) in [
        (Metric::Plane, 1),
        (Metric::Plane, 4),
        (Metric::Plane, 8),
        (Metric::Solid, 6),
        (Metric::Flat, 3),
    ] {
        let mut world = crowded(metric, IndexKind::Grid, shards);
        let mut checks = 0;
        for tick in 0..50u64 {
            for session in world.clients.keys().copied().collect::<Vec<_>>() {
                if world.clients[&session].entity.is_none() && tick > 0 {
                    let at = Point::new(
                        (tick * 5) as f32 - 100.0,
                        (session.value() % 200) as f32 - 50.0,
                        0.0,
                    );
                    world.command(session, CommandBody::Look(at));
                }
            }
            world.step();
            checks += world.check_interest();
        }
        let enters: u64 = world.shards.iter().map(|shard| shard.stats().enters).sum();
        let leaves: u64 = world.shards.iter().map(|shard| shard.stats().leaves).sum();
        assert!(checks > 1900, "{metric:?} {shards}: only {checks} checks");
        assert!(
            enters > 1000 && leaves > 500,
            "{metric:?} {shards}: {enters} enters, {leaves} leaves"
        );
    }
}

#[test]
fn interest_is_the_same_through_the_tree() {
    let mut world = crowded(Metric::Plane, IndexKind::Tree, 4);
    let checks: u64 = (0..20)
        .map(|_| {
            world.step();
            world.check_interest()
        })
        .sum();
    assert!(checks > 700, "only {checks} checks");
}

#[test]
fn client_that_does_not_read_gets_no_delta_and_catches_up_with_one() {
    let mut world = crowded(Metric::Plane, IndexKind::Grid, 4);
    let step = |world: &mut Lockstep| {
        world.step();
        world.check_interest()
    };
    (0..5).for_each(|_| assert_eq!(step(&mut world), 40));
    let stalled = *world.clients.keys().nth(7).unwrap();
    world.clients.get_mut(&stalled).unwrap().reads = false;
    let before = world.clients[&stalled].last_seq;
    (0..40).for_each(|_| assert!(step(&mut world) >= 39));
    let sent = world.clients[&stalled].last_seq - before;
    assert!(
        (1..=2).contains(&sent),
        "{sent} deltas were built without credit"
    );
    let viewer = |world: &Lockstep| {
        let found = world.shards.iter().find_map(|shard| shard.viewer(stalled));
        found.unwrap()
    };
    assert!(viewer(&world).starved_ticks >= 37, "{:?}", viewer(&world));
    world.clients.get_mut(&stalled).unwrap().reads = true;
    world.acknowledge(stalled);
    // The check at the delta's tick applies the rule of enter and leave to the set as it was last told.
    let checked: u64 = (0..2).map(|_| step(&mut world)).sum();
    assert!(
        checked >= 79,
        "a credit that follows its viewpoint comes one tick later, no more"
    );
    let caught_up = world.clients[&stalled].last_seq - before - sent;
    assert!(
        (1..=2).contains(&caught_up),
        "{caught_up} deltas in two ticks"
    );
}

#[test]
fn still_world_sends_one_snapshot_to_whoever_comes_and_then_nothing() {
    let mut recipe = recipe(config(Metric::Plane, IndexKind::Grid, 5), 300);
    recipe.systems.clear();
    let mut world = Lockstep::new(recipe, 4);
    let camera = world.join(
        1,
        ViewpointMode::Camera,
        Point::flat(10.0, 10.0),
        Interest::Radius(40.0),
        false,
    );
    world.step();
    assert!(
        world.clients[&camera].view.len() > 5,
        "there is something to see"
    );
    assert_eq!(
        world.clients[&camera].last_seq, 1,
        "a newcomer gets the whole state within one tick"
    );
    for _ in 0..20 {
        world.step();
    }
    assert_eq!(
        world.clients[&camera].last_seq, 1,
        "nothing changed, so nothing was said"
    );
    let at = Point::flat(10.0, 10.0);
    let interest = Interest::Radius(40.0);
    let late = world.join(2, ViewpointMode::Camera, at, interest, false);
    world.step();
    let [first, late] = [camera, late].map(|session| &world.clients[&session]);
    assert_eq!(late.view.digest(), first.view.digest());
    assert_eq!((first.last_seq, late.last_seq), (1, 1));
}
