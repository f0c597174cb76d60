//! Random walkers who all look 100 m far, in a world of 10 m cells: what each sees is exactly who is near.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use worldshard_protocol::world::ViewpointMode;
use worldshard_protocol::{EntityId, SessionId};
use worldshard_shard::{Chance, Draft, Interest, NamedSystem, Position, Recipe, Step, WorldConfig};
use worldshard_spatial::{Bounds, IndexKind, Metric, Point};

use crate::lockstep::Lockstep;

const RADIUS_M: f32 = 100.0;
const STEP_M: f32 = 6.0;
const WALKERS: u64 = 1000;

/// A world in which each of `count` walkers has about 30 others in sight.
fn config(metric: Metric, count: u64) -> WorldConfig {
    let edge_m = match metric {
        Metric::Plane | Metric::Flat => (count as f32).sqrt() * 32.0,
        Metric::Solid => (count as f32).cbrt() * 52.0,
    };
    // On an axis that does not count there is height to differ by.
    let height_m = if metric == Metric::Plane {
        1.0
    } else {
        edge_m.max(500.0)
    };
    let max = match metric {
        Metric::Plane => Point::new(edge_m, edge_m, height_m),
        Metric::Flat => Point::new(edge_m, height_m, edge_m),
        Metric::Solid => Point::new(edge_m, edge_m, edge_m),
    };
    WorldConfig {
        seed: 3,
        bounds: Bounds::new(Point::ORIGIN, max),
        metric,
        cell_edge_m: 10.0,
        index: IndexKind::Grid,
        index_edge_m: 25.0,
        interest_radius_m: RADIUS_M,
        interest_radius_max_m: RADIUS_M,
        interest_hysteresis_m: 0.0,
        ..WorldConfig::default()
    }
}

fn walk(step: &mut Step<'_>) {
    let bounds = step.space().bounds;
    for (&id, position) in step.query::<(&EntityId, &mut Position)>().iter() {
        let mut chance = step.chance(id, "walk");
        let mut way = || chance.range(-STEP_M, STEP_M);
        position.0 = bounds.clamp(position.0 + Point::new(way(), way(), way()));
    }
}

fn crowd(metric: Metric, shards: u16) -> Lockstep {
    crowd_of(WALKERS, config(metric, WALKERS), shards)
}

/// So many walkers that look as far as the world lets them.
fn crowd_of(count: u64, config: WorldConfig, shards: u16) -> Lockstep {
    let bounds = config.bounds;
    let interest = Interest::Radius(config.interest_radius_max_m);
    let mut recipe = Recipe::new(config);
    recipe.avatar = Some(Arc::new(|_, at| Draft::at(at)));
    recipe.systems.push(NamedSystem {
        name: "walk",
        run: Arc::new(walk),
    });
    let mut world = Lockstep::new(recipe, shards);
    for walker in 1..=count {
        let mut chance = Chance::new(9, EntityId(walker), world.tick, "start");
        let at = Point::new(
            chance.range(bounds.min.x, bounds.max.x),
            chance.range(bounds.min.y, bounds.max.y),
            chance.range(bounds.min.z, bounds.max.z),
        );
        world.join(walker, ViewpointMode::Avatar, at, interest, false);
    }
    world
}

/// What a run must have had in it to prove anything.
#[derive(Default)]
struct Seen {
    /// Pairs more than half the radius apart that see each other.
    far: u64,
    /// Of all seen pairs, those whose owners differ.
    across: u64,
    /// Times that somebody came back into a visible set that he had left.
    again: u64,
    left: BTreeSet<(SessionId, EntityId)>,
    known: BTreeMap<SessionId, BTreeSet<EntityId>>,
}

impl Seen {
    fn note(&mut self, world: &Lockstep) {
        let all = world.entities();
        for (&session, client) in &world.clients {
            let (at, owner) = all[&client.entity.unwrap()];
            let now: BTreeSet<EntityId> = client.view.ids().collect();
            for entity in &now {
                let (other, other_owner) = all[entity];
                let distance_squared = world.config.metric.distance_squared(at, other);
                self.far += u64::from(distance_squared > (RADIUS_M / 2.0).powi(2));
                self.across += u64::from(owner != other_owner);
                self.again += u64::from(self.left.remove(&(session, *entity)));
            }
            let before = self.known.insert(session, now.clone()).unwrap_or_default();
            let gone = before.difference(&now).map(|&entity| (session, entity));
            self.left.extend(gone);
        }
    }
}

#[test]
fn every_walker_sees_exactly_who_is_within_its_radius_in_plane_flat_and_solid_worlds() {
    for metric in [Metric::Plane, Metric::Flat, Metric::Solid] {
        for shards in [1, 2, 8] {
            let mut world = crowd(metric, shards);
            let mut seen = Seen::default();
            let mut checks = 0;
            for _ in 0..30 {
                world.step();
                checks += world.check_interest();
                seen.note(&world);
            }
            let what = format!("{metric:?}, {shards} shards");
            assert_eq!(checks, 30 * WALKERS, "{what}: every set at every tick");
            assert!(
                seen.far > 10_000,
                "{what}: {} pairs beyond half the radius",
                seen.far
            );
            assert!(seen.again > 100, "{what}: {} came back", seen.again);
            assert_eq!(
                seen.across > 1000,
                shards > 1,
                "{what}: {} across",
                seen.across
            );
        }
    }
}

/// A square world of cells of one size for owners and index alike.
fn square(edge_m: f32, radius_m: f32, cell_m: f32) -> WorldConfig {
    WorldConfig {
        bounds: Bounds::new(Point::ORIGIN, Point::new(edge_m, edge_m, 1.0)),
        cell_edge_m: cell_m,
        index_edge_m: cell_m,
        interest_radius_m: radius_m,
        interest_radius_max_m: radius_m,
        interest_hysteresis_m: 0.0,
        ..config(Metric::Plane, 1)
    }
}

#[test]
fn sets_are_exact_whether_cells_are_wider_than_the_radius_or_as_wide() {
    for (edge_m, radius_m, cell_m) in [
        (600.0, 5.0, 200.0),
        (400.0, 100.0, 100.0),
        (150.0, 5.0, 5.0),
    ] {
        for shards in [1, 2, 8] {
            let mut world = crowd_of(250, square(edge_m, radius_m, cell_m), shards);
            let (mut checks, mut others) = (0, 0);
            for _ in 0..30 {
                world.step();
                checks += world.check_interest();
                let seen = world.clients.values().map(|client| client.view.len());
                others += seen.sum::<usize>() - world.clients.len();
            }
            let what = format!("radius {radius_m}, cells of {cell_m}, {shards} shards");
            assert_eq!(checks, 30 * 250, "{what}: every set at every tick");
            assert!(others > 300, "{what}: {others} others were seen");
        }
    }
}

#[test]
fn aoi_hole_two_players_51_metres_apart_see_each_other() {
    for cell_m in [50.0, 10.0] {
        for shards in [1, 2, 8] {
            let mut recipe = Recipe::new(square(200.0, 100.0, cell_m));
            recipe.avatar = Some(Arc::new(|_, at| Draft::at(at)));
            let mut world = Lockstep::new(recipe, shards);
            let interest = Interest::Radius(100.0);
            let places = [Point::flat(49.0, 60.0), Point::flat(100.0, 60.0)];
            let [one, other] = [(1, places[0]), (2, places[1])]
                .map(|(number, at)| world.join(number, ViewpointMode::Avatar, at, interest, false));
            world.step();
            for (watcher, watched, at) in [(one, other, places[1]), (other, one, places[0])] {
                let entity = world.clients[&watched].entity.unwrap();
                let seen = world.clients[&watcher].view.get(entity);
                let seen = seen.map(|seen| seen.record.position());
                assert_eq!(
                    seen,
                    Some(at.to_array()),
                    "cells of {cell_m}, {shards} shards"
                );
            }
            let owner = |session| world.entities()[&world.clients[&session].entity.unwrap()].1;
            assert_eq!(owner(one) != owner(other), shards > 1, "{shards} shards");
        }
    }
}

#[test]
fn in_a_flat_world_height_makes_no_distance_and_is_delivered() {
    let mut recipe = Recipe::new(config(Metric::Flat, WALKERS));
    recipe.avatar = Some(Arc::new(|_, at| Draft::at(at)));
    let mut world = Lockstep::new(recipe, 2);
    let interest = Interest::Radius(10.0);
    let low = Point::new(100.0, 0.25, 200.0);
    let high = Point::new(107.0, 499.5, 200.0);
    let one = world.join(1, ViewpointMode::Avatar, low, interest, false);
    let other = world.join(2, ViewpointMode::Avatar, high, interest, false);
    world.step();
    for (watcher, watched, at) in [(one, other, high), (other, one, low)] {
        let entity = world.clients[&watched].entity.unwrap();
        let seen = world.clients[&watcher].view.get(entity);
        assert_eq!(seen.map(|seen| seen.record.position()), Some(at.to_array()));
    }
}

#[test]
fn impossible_reaches_are_refused_by_the_name_of_the_field() {
    let good = || config(Metric::Plane, 100);
    assert_eq!(good().validate(), Ok(()));
    type Spoil = fn(&mut WorldConfig);
    let cases: [(&str, Spoil); 11] = [
        ("interest_radius_m", |c| c.interest_radius_m = 0.0),
        ("interest_radius_m", |c| c.interest_radius_m = 100.5),
        ("interest_radius_max_m", |c| {
            c.interest_radius_max_m = f32::NAN
        }),
        ("interest_hysteresis_m", |c| c.interest_hysteresis_m = -1.0),
        ("perception_radius_m", |c| {
            c.perception_radius_m = f32::INFINITY
        }),
        ("handoff_hysteresis_m", |c| c.handoff_hysteresis_m = -0.5),
        ("cell_edge_m", |c| c.cell_edge_m = 0.0),
        ("cell_edge_m", |c| c.cell_edge_m = 0.01),
        ("index_edge_m", |c| c.index_edge_m = -2.0),
        ("index_edge_m", |c| c.index_edge_m = f32::NAN),
        ("bounds", |c| c.bounds.max.x = c.bounds.min.x),
    ];
    for (field, spoil) in cases {
        let mut config = good();
        spoil(&mut config);
        let refused = config.validate().expect_err(field).to_string();
        assert!(refused.starts_with(field), "{field}: {refused}");
    }
}
