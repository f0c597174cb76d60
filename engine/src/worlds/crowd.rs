//! `crowd`: walkers with goals. Most goals lie where something happens, and that moves: territories become uneven.

use worldshard_shard::Chance;

use super::motion::Wanderer;
use super::{KIND_AVATAR, KIND_NATIVE, Reaches, Velocity, WorldSetup, config_of, motion};
use crate::prelude::{
    App, Appearance, Bounds, Component, Draft, EntityId, FixedUpdate, Metric, Near, Point,
    Position, Rank, Steering, Step, View, Visibility, WorldConfig,
};

/// Where a walker wants to be.
#[derive(Component, Copy, Clone, Debug, PartialEq)]
struct Goal {
    at: Point,
    /// The goal is a door: behind it the walker is gone, and another comes in elsewhere.
    leaving: bool,
}

/// A square with room for all.
pub(super) fn config(entities: u64) -> WorldConfig {
    let area_m2 = entities as f32 * AREA_PER_WALKER_M2;
    let reaches = Reaches {
        perception_m: PERCEPTION_M,
        interest_m: 24.0,
        interest_max_m: 30.0,
        hysteresis_m: 1.0,
        cell_edge_m: 4.0,
        avatar_speed_m_s: 5.0,
    };
    config_of(Metric::Plane, area_m2.sqrt().max(EDGE_MIN_M), reaches)
}

pub(super) fn build(setup: &WorldSetup, app: &mut App) {
    let (config, avatar_speed_m_s) = (&setup.config, setup.config.avatar_speed_max_m_s);
    let period_s = 2.0 * config.bounds.extent().x / ATTRACTOR_SPEED_M_S;
    let attractors: Vec<Wanderer> = (0..ATTRACTORS)
        .map(|number| Wanderer::new(config.seed, number, period_s, config.dt()))
        .collect();
    app.component::<Velocity>("velocity", Visibility::Shared)
        .component::<Goal>("goal", Visibility::Private)
        .populate(setup.entities, |genesis, entity| {
            let mut chance = genesis.chance(entity, "birth");
            let bounds = &genesis.config.bounds;
            let position = motion::anywhere(&mut chance, bounds);
            // The first goal is near, so that walkers choose the next at different times.
            let goal = bounds.clamp(
                position + chance.unit_vector(Metric::Plane) * chance.range(0.0, FIRST_WALK_MAX_M),
            );
            walker(position, KIND_NATIVE).with(Goal {
                at: goal,
                leaving: false,
            })
        })
        .avatar(|_, at| walker(at, KIND_AVATAR).with(Steering::default()))
        .system(FixedUpdate, move |step: &mut Step<'_>| {
            walk(step, &attractors, avatar_speed_m_s)
        });
}

fn walker(position: Point, kind: u8) -> Draft {
    Draft::at(position)
        .appearance(Appearance { kind, heading: 0 })
        .with(Velocity(Point::ORIGIN))
}

/// What moving a walker needs.
type Walker<'a> = (
    &'a EntityId,
    &'a Rank,
    &'a mut Position,
    &'a mut Velocity,
    &'a mut Appearance,
    Option<&'a mut Goal>,
    Option<&'a Steering>,
);

/// Moves every walker: avatars as they are steered, the others towards their goals and out of each other's way.
fn walk(step: &mut Step<'_>, attractors: &[Wanderer], avatar_speed_m_s: f32) {
    let (view, space, dt) = (step.view(), step.space(), step.dt());
    let attractors: Vec<Point> = attractors
        .iter()
        .map(|attractor| attractor.at(step.tick(), &space.bounds))
        .collect();
    let away = view.around_each(PERCEPTION_M, |rank, near| out_of_the_way(view, rank, near));
    let mut walkers = step.query::<Walker<'_>>();
    for (&id, rank, position, velocity, appearance, goal, steering) in walkers.iter() {
        let at = position.0;
        let wanted = match (steering, goal) {
            (Some(steering), _) => motion::steered(steering, space.metric, avatar_speed_m_s),
            (None, Some(goal)) => {
                if (goal.at - at).length_squared() < ARRIVED_M * ARRIVED_M {
                    let mut chance = step.chance(id, "goal");
                    if goal.leaving {
                        step.despawn(id);
                        step.spawn(id, newcomer(&mut chance, &attractors, &space.bounds));
                        continue;
                    }
                    *goal = next_goal(&mut chance, &attractors, &space.bounds);
                }
                let towards = (goal.at - at).normalized_or_zero() * pace_m_s(id);
                let wanted = towards + *away.of(rank);
                let turned = velocity.0 + (wanted - velocity.0) * (TURN_PER_S * dt).min(1.0);
                turned.clamp_length(SPEED_MAX_M_S)
            }
            (None, None) => Point::ORIGIN,
        };
        (position.0, velocity.0) = motion::advance(at, wanted, dt, &space.bounds);
        appearance.heading = motion::heading(velocity.0, appearance.heading);
    }
}

/// The velocity that keeps a walker from the others near it.
fn out_of_the_way(view: &View, rank: u32, near: &[Near]) -> Point {
    let at = view.position(rank);
    let mut away = Point::ORIGIN;
    for neighbour in near.iter().filter(|near| near.distance_squared > 0.0) {
        let distance_m = neighbour.distance_squared.sqrt();
        away += (at - view.position(neighbour.rank))
            * ((PERCEPTION_M - distance_m) / (PERCEPTION_M * distance_m));
    }
    (away * SEPARATION_M_S).clamp_length(SEPARATION_MAX_M_S)
}

/// Near an attractor for most; anywhere for some; a door for a few.
fn next_goal(chance: &mut Chance, attractors: &[Point], bounds: &Bounds) -> Goal {
    let draw = chance.next_f32();
    if draw < LEAVING_SHARE {
        return Goal {
            at: door(chance, bounds),
            leaving: true,
        };
    }
    let at = if draw < LEAVING_SHARE + STROLLING_SHARE {
        motion::anywhere(chance, bounds)
    } else {
        let attractor = attractors[(chance.next_u64() % ATTRACTORS) as usize];
        // The sum of two directions is denser towards the middle.
        let offset = chance.unit_vector(Metric::Plane) * chance.next_f32();
        bounds.clamp(attractor + offset * (bounds.extent().x * GATHERING_SHARE))
    };
    Goal { at, leaving: false }
}

/// Who comes in at a door when another has left.
fn newcomer(chance: &mut Chance, attractors: &[Point], bounds: &Bounds) -> Draft {
    let at = door(chance, bounds);
    walker(at, KIND_NATIVE).with(next_goal(chance, attractors, bounds))
}

/// The middle of one of the four walls, give or take its width.
fn door(chance: &mut Chance, bounds: &Bounds) -> Point {
    let (min, max, middle) = (bounds.min, bounds.max, bounds.centre());
    let aside = chance.range(-DOOR_HALF_WIDTH_M, DOOR_HALF_WIDTH_M);
    let at = match chance.next_u64() % 4 {
        0 => Point::flat(min.x, middle.y + aside),
        1 => Point::flat(max.x, middle.y + aside),
        2 => Point::flat(middle.x + aside, min.y),
        _ => Point::flat(middle.x + aside, max.y),
    };
    bounds.clamp(at)
}

/// A walker's own pace: some stroll, some hurry.
fn pace_m_s(id: EntityId) -> f32 {
    let step = id.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56;
    PACE_MIN_M_S + (PACE_MAX_M_S - PACE_MIN_M_S) * (step as f32 / 255.0)
}

/// How far a walker looks for others, in metres.
const PERCEPTION_M: f32 = 1.5;

/// Speed away from another at no distance; it falls to nothing at [`PERCEPTION_M`].
const SEPARATION_M_S: f32 = 1.5;

/// No crowd pushes faster.
const SEPARATION_MAX_M_S: f32 = 2.0;

/// The slowest and the fastest walker.
const PACE_MIN_M_S: f32 = 1.0;
const PACE_MAX_M_S: f32 = 3.0;

/// Pace and push together.
const SPEED_MAX_M_S: f32 = 4.0;

/// Share of the difference from the wanted velocity that is made up in a second.
const TURN_PER_S: f32 = 4.0;

/// So near counts as there, in metres.
const ARRIVED_M: f32 = 1.0;

/// How many attractors wander through the world.
const ATTRACTORS: u64 = 4;

/// About how fast an attractor moves on each axis.
const ATTRACTOR_SPEED_M_S: f32 = 1.5;

/// Goals at an attractor lie within this share of the world's edge around it: a tenth of the ground for most goals.
const GATHERING_SHARE: f32 = 0.08;

/// Share of goals that lie anywhere.
const STROLLING_SHARE: f32 = 0.25;

/// Share of goals that are doors.
const LEAVING_SHARE: f32 = 0.05;

/// The first goal is at most so many metres away.
const FIRST_WALK_MAX_M: f32 = 20.0;

/// Half of a door's width, in metres.
const DOOR_HALF_WIDTH_M: f32 = 4.0;

/// Room for each, spread evenly.
const AREA_PER_WALKER_M2: f32 = 16.0;

/// A few walkers have room too.
const EDGE_MIN_M: f32 = 64.0;
