//! A world in which everything drifts, looks at its neighbours, is born and dies.

use std::sync::Arc;
use std::time::Duration;

use worldshard_protocol::EntityId;
use worldshard_shard::{
    Appearance, Component, Draft, NamedSystem, Population, Position, Recipe, Step, Visibility,
    WorldConfig,
};
use worldshard_spatial::{Bounds, IndexKind, Metric, Point};

/// Metres per second; neighbours read it.
#[derive(Component, Clone, Copy, Debug, PartialEq)]
#[component(crate = "worldshard_shard")]
pub(crate) struct Velocity(pub(crate) Point);

/// How many neighbours it has met: the order in which they are met shows in the rounding.
#[derive(Component, Clone, Copy, Debug, PartialEq)]
#[component(crate = "worldshard_shard")]
pub(crate) struct Met {
    pub(crate) sum: f32,
    pub(crate) count: u64,
}

pub(crate) fn config(metric: Metric, index: IndexKind, seed: u64) -> WorldConfig {
    WorldConfig {
        seed,
        tick_interval: Duration::from_millis(50),
        bounds: Bounds {
            min: Point::new(-100.0, -100.0, -100.0),
            max: Point::new(156.0, 156.0, 156.0),
        },
        metric,
        cell_edge_m: 16.0,
        index,
        index_edge_m: 10.0,
        interest_radius_m: 30.0,
        interest_radius_max_m: 40.0,
        interest_hysteresis_m: 3.0,
        perception_radius_m: 12.0,
        handoff_hysteresis_m: 1.5,
        avatar_speed_max_m_s: 100.0,
        ..WorldConfig::default()
    }
}

pub(crate) fn recipe(config: WorldConfig, count: u64) -> Recipe {
    let mut recipe = Recipe::new(config);
    recipe
        .registry
        .register::<Velocity>("velocity", Visibility::Shared)
        .unwrap();
    recipe
        .registry
        .register::<Met>("met", Visibility::Replicated)
        .unwrap();
    recipe.population = Some(Population {
        count,
        draft: Arc::new(|genesis, entity| {
            let bounds = genesis.config.bounds;
            let mut chance = genesis.chance(entity, "place");
            let at = Point::new(
                chance.range(bounds.min.x, bounds.max.x),
                chance.range(bounds.min.y, bounds.max.y),
                if genesis.config.metric == Metric::Plane {
                    0.0
                } else {
                    chance.range(bounds.min.z, bounds.max.z)
                },
            );
            let velocity = chance.unit_vector(genesis.config.metric) * chance.range(5.0, 60.0);
            Draft::at(at)
                .appearance(Appearance {
                    kind: 1,
                    heading: 0,
                })
                .with(Velocity(velocity))
                .with(Met { sum: 0.0, count: 0 })
        }),
    });
    recipe.avatar = Some(Arc::new(|_, at| {
        Draft::at(at)
            .with(Velocity(Point::new(20.0, 7.0, 0.0)))
            .with(Met { sum: 0.0, count: 0 })
    }));
    recipe.systems.push(NamedSystem {
        name: "drift",
        run: Arc::new(drift),
    });
    recipe.systems.push(NamedSystem {
        name: "turnover",
        run: Arc::new(turnover),
    });
    recipe
}

fn drift(step: &mut Step<'_>) {
    let (view, dt, bounds) = (step.view(), step.dt(), step.space().bounds);
    let velocities = view.column::<Velocity>();
    for (&id, position, velocity, met) in step
        .query::<(&EntityId, &mut Position, &mut Velocity, &mut Met)>()
        .iter()
    {
        let mut pull = Point::ORIGIN;
        view.within(position.0, 12.0, |near| {
            if near.id != id {
                let other = velocities[near.rank as usize].expect("everything here has a velocity");
                pull += other.0 * 0.01 + (near.position - position.0) * 0.02;
                met.sum += near.distance_squared.sqrt();
                met.count += 1;
            }
        });
        let mut chance = step.chance(id, "gust");
        let gust = chance.unit_vector(step.space().metric);
        velocity.0 = (velocity.0 + pull + gust).clamp_length(60.0);
        let next = position.0 + velocity.0 * dt;
        let inside = bounds.clamp(next);
        if next.x != inside.x {
            velocity.0.x = -velocity.0.x;
        }
        if next.y != inside.y {
            velocity.0.y = -velocity.0.y;
        }
        if next.z != inside.z {
            velocity.0.z = -velocity.0.z;
        }
        position.0 = inside;
    }
}

/// A few die and a few are born each tick, anywhere.
fn turnover(step: &mut Step<'_>) {
    let bounds = step.space().bounds;
    let plane = step.space().metric == Metric::Plane;
    for (&id, &appearance) in step.query::<(&EntityId, &Appearance)>().iter() {
        let mut chance = step.chance(id, "turnover");
        let lot = chance.next_f32();
        // Avatars, of kind 0, live on.
        if lot < 0.002 && appearance.kind == 1 {
            step.despawn(id);
        } else if lot > 0.998 {
            let at = Point::new(
                chance.range(bounds.min.x, bounds.max.x),
                chance.range(bounds.min.y, bounds.max.y),
                if plane {
                    0.0
                } else {
                    chance.range(bounds.min.z, bounds.max.z)
                },
            );
            step.spawn(
                id,
                Draft::at(at)
                    .appearance(Appearance {
                        kind: 1,
                        heading: 0,
                    })
                    .with(Velocity(chance.unit_vector(step.space().metric) * 30.0))
                    .with(Met { sum: 0.0, count: 0 }),
            );
        }
    }
}
