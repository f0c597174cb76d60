//! A viewpoint that crosses a border in every tick, a thousand times: what its client and one who stands by are told.

use std::collections::VecDeque;

use worldshard_protocol::SessionId;
use worldshard_protocol::world::ViewpointMode;
use worldshard_shard::{Acknowledgement, CommandBody, Interest};
use worldshard_spatial::{IndexKind, Metric, Point, ShardId};

use crate::drift::{config, recipe};
use crate::lockstep::Lockstep;

/// A walker and a camera about the point where territories meet, and nothing else.
fn border(shards: u16) -> (Lockstep, SessionId, SessionId) {
    let mut recipe = recipe(config(Metric::Plane, IndexKind::Grid, 2), 0);
    recipe.systems.clear();
    let mut world = Lockstep::new(recipe, shards);
    let interest = Interest::Radius(30.0);
    let walker = world.join(1, ViewpointMode::Avatar, PLACES[0], interest, false);
    let camera = world.join(2, ViewpointMode::Camera, MIDDLE, interest, false);
    world.step();
    (world, walker, camera)
}

/// Goes on to the next place, where another shard owns.
fn cross(world: &mut Lockstep, walker: SessionId) -> Point {
    let place = PLACES[(world.tick.0 % 2) as usize];
    let before = world.clients[&walker].owner;
    world.command(walker, CommandBody::Move(place));
    world.step();
    assert_ne!(world.clients[&walker].owner, before, "that was no crossing");
    place
}

#[test]
fn a_walker_that_crosses_in_every_tick_is_told_of_every_tick_and_so_is_who_stands_by() {
    for shards in [2, 8] {
        let (mut world, walker, camera) = border(shards);
        let entity = world.clients[&walker].entity.unwrap();
        for crossing in 1..=CROSSINGS {
            let place = cross(&mut world, walker);
            for session in [walker, camera] {
                let client = &world.clients[&session];
                let tick = world.tick;
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
                assert_eq!(seen[0].1.record.position(), place.to_array());
            }
            let viewer = world.shards.iter().find_map(|shard| shard.viewer(walker));
            let viewer = viewer.unwrap();
            assert_eq!(
                (viewer.in_flight, viewer.starved_ticks),
                (0, 0),
                "{viewer:?}"
            );
        }
    }
}

#[test]
fn acknowledgements_that_go_where_the_walker_was_cost_no_tick_once_their_round_trip_is_known() {
    for shards in [2, 8] {
        for late_ticks in 1..=3 {
            let (mut world, walker, _) = border(shards);
            world.clients.get_mut(&walker).unwrap().reads = false;
            let mut said: VecDeque<(ShardId, u32)> = VecDeque::new();
            let mut missed = 0;
            for _ in 0..CROSSINGS {
                cross(&mut world, walker);
                let client = &world.clients[&walker];
                missed += u64::from(client.view.tick() != world.tick);
                said.push_back((client.owner, client.last_seq));
                if said.len() > late_ticks {
                    let (owner, delta_sequence) = said.pop_front().unwrap();
                    world.shards[usize::from(owner.0)].acknowledge(Acknowledgement {
                        session: walker,
                        delta_sequence,
                    });
                }
                let viewer = world.shards.iter().find_map(|shard| shard.viewer(walker));
                let viewer = viewer.unwrap();
                assert!(viewer.in_flight <= late_ticks.max(1) + 1, "{viewer:?}");
                assert_eq!(viewer.starved_ticks, missed, "{viewer:?}");
            }
            // Two deltas may be on their way before the first acknowledgement tells of its round trip.
            assert_eq!(
                missed,
                late_ticks as u64 - 1,
                "{shards} shards, {late_ticks} late"
            );
        }
    }
}

const CROSSINGS: u64 = 1000;

/// Where the territories of two shards meet, and those of eight.
const MIDDLE: Point = Point::flat(28.0, 28.0);
/// Further from the border than the hysteresis.
const PLACES: [Point; 2] = [Point::flat(26.4, 26.4), Point::flat(29.6, 29.6)];
