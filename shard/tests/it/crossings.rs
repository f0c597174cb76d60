//! A viewpoint that crosses a border in every tick, a thousand times: what its client and one who stands by are told.

use std::collections::VecDeque;
use std::sync::Arc;

use worldshard_protocol::SessionId;
use worldshard_protocol::world::ViewpointMode;
use worldshard_shard::{
    Acknowledgement, Command, CommandBody, Interest, NamedSystem, Position, Recipe, ViewerStats,
};
use worldshard_spatial::{IndexKind, Metric, Point, ShardId};

use crate::drift::{config, recipe};
use crate::lockstep::Lockstep;

/// A walker and a camera about the point where territories meet, and nothing else.
fn border(shards: u16, route: &[Point]) -> (Lockstep, SessionId, SessionId) {
    let mut recipe = recipe(config(Metric::Plane, IndexKind::Grid, 2), 0);
    recipe.systems.clear();
    let mut world = Lockstep::new(recipe, shards);
    let interest = Interest::Radius(30.0);
    let walker = world.join(1, ViewpointMode::Avatar, route[0], interest, false);
    let camera = world.join(2, ViewpointMode::Camera, MIDDLE, interest, false);
    world.step();
    (world, walker, camera)
}

/// Goes on to the next place of a route. True when another shard owns there.
fn walk(world: &mut Lockstep, walker: SessionId, route: &[Point]) -> bool {
    let place = route[(world.tick.0 % route.len() as u64) as usize];
    let before = world.clients[&walker].owner;
    world.command(walker, CommandBody::Move(place));
    world.step();
    world.clients[&walker].owner != before
}

fn viewer(world: &Lockstep, session: SessionId) -> ViewerStats {
    let found = world.shards.iter().find_map(|shard| shard.viewer(session));
    found.unwrap()
}

#[test]
fn a_walker_that_crosses_in_every_tick_is_told_of_every_tick_and_so_is_who_stands_by() {
    for (shards, route) in [(2, &TO_AND_FRO[..]), (8, &TO_AND_FRO), (8, &CIRCLE)] {
        let (mut world, walker, camera) = border(shards, route);
        let entity = world.clients[&walker].entity.unwrap();
        for crossing in 1..=CROSSINGS {
            assert!(walk(&mut world, walker, route), "that was no crossing");
            let (tick, at) = (world.tick, world.entities()[&entity].0);
            for session in [walker, camera] {
                let client = &world.clients[&session];
                assert_eq!(
                    client.view.tick(),
                    tick,
                    "{session} after {crossing} crossings"
                );
                assert_eq!(
                    u64::from(client.last_seq),
                    tick.0,
                    "{session} was told twice"
                );
                let seen: Vec<_> = client.view.iter().collect();
                assert_eq!(seen.len(), 1, "{session} sees {seen:?}, tick {tick}");
                assert_eq!(seen[0].0, entity);
                assert_eq!(seen[0].1.record.position(), at.to_array());
            }
            let viewer = viewer(&world, walker);
            assert_eq!(
                (viewer.in_flight, viewer.starved_ticks),
                (0, 0),
                "{viewer:?}"
            );
        }
    }
}

/// Walks a route until there have been enough crossings, while the client acknowledges each delta so many ticks late, to
/// where the walker was when it came. The ticks that no delta was built for.
fn missed_with_late_acknowledgements(shards: u16, route: &[Point], late_ticks: usize) -> Vec<u64> {
    let (mut world, walker, _) = border(shards, route);
    world.clients.get_mut(&walker).unwrap().reads = false;
    let mut said: VecDeque<(ShardId, u32)> = VecDeque::new();
    let mut missed = Vec::new();
    let mut crossings = 0;
    while crossings < CROSSINGS {
        crossings += u64::from(walk(&mut world, walker, route));
        let client = &world.clients[&walker];
        if client.view.tick() != world.tick {
            missed.push(world.tick.0);
        }
        said.push_back((client.owner, client.last_seq));
        if said.len() > late_ticks {
            let (owner, delta_sequence) = said.pop_front().unwrap();
            world.shards[usize::from(owner.0)].acknowledge(Acknowledgement {
                session: walker,
                delta_sequence,
            });
        }
        assert_eq!(viewer(&world, walker).starved_ticks, missed.len() as u64);
    }
    missed
}

#[test]
fn acknowledgements_that_go_where_the_walker_was_cost_no_tick_once_their_round_trip_is_known() {
    for late_ticks in 1..=3 {
        for (shards, route) in [
            (2, &TO_AND_FRO[..]),
            (8, &TO_AND_FRO),
            (2, &WITH_RESTS),
            (8, &WITH_RESTS),
            (8, &CIRCLE),
        ] {
            let missed = missed_with_late_acknowledgements(shards, route, late_ticks);
            // Two deltas may be on their way before the first acknowledgement tells of its round trip.
            let first = missed.iter().all(|&tick| tick <= 3 + late_ticks as u64);
            assert!(
                missed.len() <= late_ticks && first,
                "{shards} shards, {route:?}, {late_ticks} ticks late: missed {missed:?}"
            );
        }
    }
}

/// A world whose avatars go to the next place of the circle in every tick, whatever they are told.
fn circling() -> Recipe {
    let mut recipe = recipe(config(Metric::Plane, IndexKind::Grid, 2), 0);
    recipe.systems.clear();
    recipe.systems.push(NamedSystem {
        name: "circle",
        run: Arc::new(|step| {
            let place = CIRCLE[(step.tick().0 % 4) as usize];
            for position in step.query::<&mut Position>().iter() {
                *position = Position(place);
            }
        }),
    });
    recipe
}

/// To follow it from owner to owner, one each tick, would never end.
#[test]
fn commands_that_go_where_the_walker_was_reach_it_in_the_next_tick_however_it_circles() {
    for late_ticks in 1..=3 {
        let mut world = Lockstep::new(circling(), 8);
        let interest = Interest::Radius(30.0);
        let walker = world.join(1, ViewpointMode::Avatar, CIRCLE[0], interest, false);
        world.step();
        let mut said: VecDeque<(ShardId, Command)> = VecDeque::new();
        let mut arrived = 1;
        for tick in 1..=CROSSINGS {
            let owner = world.clients[&walker].owner;
            let sequence = 1 + tick as u32;
            let command = Command {
                session: walker,
                sequence,
                client_sequence: sequence,
                body: CommandBody::Steer(Point::flat(0.0, 0.0)),
            };
            said.push_back((owner, command));
            let arrived_before = arrived;
            if said.len() > late_ticks {
                let (owner, command) = said.pop_front().unwrap();
                arrived = command.sequence;
                world.shards[usize::from(owner.0)].command(command);
            }
            world.step();
            let viewer = viewer(&world, walker);
            assert!(
                viewer.commands_done >= arrived_before && viewer.commands_skipped == 0,
                "{late_ticks} ticks late, tick {tick}: {arrived} arrived, {viewer:?}"
            );
            let crossed = world.clients[&walker].owner != owner;
            assert!(crossed, "that was no crossing");
        }
    }
}

const CROSSINGS: u64 = 1000;

/// Where the territories of two shards meet, and those of eight.
const MIDDLE: Point = Point::flat(28.0, 28.0);

// All of these are further from the border than the hysteresis.
const TO_AND_FRO: [Point; 2] = [Point::flat(26.4, 26.4), Point::flat(29.6, 29.6)];
const CIRCLE: [Point; 4] = [
    Point::flat(26.4, 26.4),
    Point::flat(29.6, 26.4),
    Point::flat(29.6, 29.6),
    Point::flat(26.4, 29.6),
];
const WITH_RESTS: [Point; 8] = [
    Point::flat(26.4, 26.4),
    Point::flat(26.4, 25.4),
    Point::flat(26.4, 26.4),
    Point::flat(26.4, 25.4),
    Point::flat(29.6, 26.4),
    Point::flat(29.6, 25.4),
    Point::flat(29.6, 26.4),
    Point::flat(29.6, 25.4),
];
