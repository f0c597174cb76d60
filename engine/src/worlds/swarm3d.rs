//! `swarm3d`: groups of birds in a cube of air, each after a target that wanders.

use super::boids::{Rules, Seen};
use super::motion::Wanderer;
use super::{KIND_AVATAR, KIND_NATIVE, Reaches, Velocity, WorldSetup, config_of, motion};
use crate::prelude::{
    App, Appearance, Component, Draft, EntityId, FixedUpdate, Metric, Point, Position, Rank,
    Steering, Step, Visibility, WorldConfig,
};

/// Which target a bird follows.
#[derive(Component, Copy, Clone, Debug, Default, PartialEq, Eq)]
struct Group(u8);

/// A cube in which a bird has about twelve neighbours.
pub(super) fn config(entities: u64) -> WorldConfig {
    let volume_m3 = entities as f32 * VOLUME_PER_BIRD_M3;
    let reaches = Reaches {
        perception_m: RULES.perception_m,
        interest_m: 20.0,
        interest_max_m: 24.0,
        hysteresis_m: 2.0,
        cell_edge_m: 8.0,
        avatar_speed_m_s: 12.0,
    };
    config_of(Metric::Solid, volume_m3.cbrt().max(EDGE_MIN_M), reaches)
}

pub(super) fn build(setup: &WorldSetup, app: &mut App) {
    let (config, avatar_speed_m_s) = (&setup.config, setup.config.avatar_speed_max_m_s);
    let period_s = 2.0 * config.bounds.extent().x / TARGET_SPEED_M_S;
    let targets: Vec<Wanderer> = (0..u64::from(GROUPS))
        .map(|group| Wanderer::new(config.seed, group, period_s, config.dt()))
        .collect();
    app.component::<Velocity>("velocity", Visibility::Shared)
        .component::<Group>("group", Visibility::Private)
        .populate(setup.entities, |genesis, entity| {
            let mut chance = genesis.chance(entity, "birth");
            let position = motion::anywhere(&mut chance, &genesis.config.bounds);
            let velocity = chance.unit_vector(Metric::Solid)
                * chance.range(RULES.speed_min_m_s, RULES.speed_max_m_s);
            let group = (chance.next_u64() % u64::from(GROUPS)) as u8;
            bird(position, velocity, KIND_NATIVE).with(Group(group))
        })
        .avatar(|_, at| bird(at, Point::ORIGIN, KIND_AVATAR).with(Steering::default()))
        .system(FixedUpdate, move |step: &mut Step<'_>| {
            fly(step, &targets, avatar_speed_m_s)
        });
}

fn bird(position: Point, velocity: Point, kind: u8) -> Draft {
    let heading = motion::heading(velocity, 0);
    Draft::at(position)
        .appearance(Appearance { kind, heading })
        .with(Velocity(velocity))
}

/// What moving a bird needs.
type Bird<'a> = (
    &'a EntityId,
    &'a Rank,
    &'a mut Position,
    &'a mut Velocity,
    &'a mut Appearance,
    Option<&'a Group>,
    Option<&'a Steering>,
);

/// Moves every bird: avatars as they are steered, the others by what they see and where their target is.
fn fly(step: &mut Step<'_>, targets: &[Wanderer], avatar_speed_m_s: f32) {
    let (view, space, dt) = (step.view(), step.space(), step.dt());
    let seen = Seen::by_each(view, &RULES);
    let targets: Vec<Point> = targets
        .iter()
        .map(|target| target.at(step.tick(), &space.bounds))
        .collect();
    let mut birds = step.query::<Bird<'_>>();
    for (&id, rank, position, velocity, appearance, group, steering) in birds.iter() {
        let at = position.0;
        let wanted = match steering {
            Some(steering) => motion::steered(steering, space.metric, avatar_speed_m_s),
            None => {
                let mut chance = step.chance(id, "gust");
                let mut urge = RULES.urge(
                    (at, velocity.0),
                    seen.of(rank),
                    &mut chance,
                    (&space.bounds, space.metric),
                );
                if let Some(target) = group.and_then(|group| targets.get(usize::from(group.0))) {
                    urge += (*target - at).normalized_or_zero() * TARGET_M_S2;
                }
                RULES.turn(velocity.0, urge, dt)
            }
        };
        (position.0, velocity.0) = motion::advance(at, wanted, dt, &space.bounds);
        appearance.heading = motion::heading(velocity.0, appearance.heading);
    }
}

const RULES: Rules = Rules {
    perception_m: 6.0,
    separation_m: 4.5,
    speed_min_m_s: 3.0,
    speed_max_m_s: 9.0,
    acceleration_max_m_s2: 14.0,
    separation_m_s2: 24.0,
    alignment_per_s: 0.6,
    cohesion_per_s2: 0.03,
    gust_m_s2: 2.0,
    margin_m: 8.0,
};

/// Targets and the groups that follow them.
const GROUPS: u8 = 8;

/// About how fast a target moves on each axis.
const TARGET_SPEED_M_S: f32 = 3.0;

/// How hard a bird turns towards its target, in metres per second squared.
const TARGET_M_S2: f32 = 1.0;

/// Spread evenly, so many cubic metres for each give nine neighbours in perception range; once they
/// flock, twelve.
const VOLUME_PER_BIRD_M3: f32 =
    4.0 / 3.0 * std::f32::consts::PI * RULES.perception_m * RULES.perception_m * RULES.perception_m
        / 9.0;

/// A few birds have room too.
const EDGE_MIN_M: f32 = 32.0;
