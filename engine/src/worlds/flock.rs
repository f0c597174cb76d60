//! `flock`: birds in a plane.

use super::boids::{Rules, Seen};
use super::{KIND_AVATAR, KIND_NATIVE, Reaches, Velocity, WorldSetup, config_of, motion};
use crate::prelude::{
    App, Appearance, Draft, EntityId, FixedUpdate, Metric, Point, Position, Rank, Steering, Step,
    Visibility, WorldConfig,
};

/// A square in which a bird has about twelve neighbours.
pub(super) fn config(entities: u64) -> WorldConfig {
    let area_m2 = entities as f32 * AREA_PER_BIRD_M2;
    let reaches = Reaches {
        perception_m: RULES.perception_m,
        interest_m: 32.0,
        interest_max_m: 40.0,
        hysteresis_m: 2.0,
        cell_edge_m: 8.0,
        avatar_speed_m_s: 10.0,
    };
    config_of(Metric::Plane, area_m2.sqrt().max(EDGE_MIN_M), reaches)
}

pub(super) fn build(setup: &WorldSetup, app: &mut App) {
    let avatar_speed_m_s = setup.config.avatar_speed_max_m_s;
    app.component::<Velocity>("velocity", Visibility::Shared)
        .populate(setup.entities, |genesis, entity| {
            let mut chance = genesis.chance(entity, "birth");
            let position = motion::anywhere(&mut chance, &genesis.config.bounds);
            let velocity = chance.unit_vector(Metric::Plane)
                * chance.range(RULES.speed_min_m_s, RULES.speed_max_m_s);
            bird(position, velocity, KIND_NATIVE)
        })
        .avatar(|_, at| bird(at, Point::ORIGIN, KIND_AVATAR).with(Steering::default()))
        .system(FixedUpdate, move |step: &mut Step<'_>| {
            fly(step, avatar_speed_m_s)
        });
}

fn bird(position: Point, velocity: Point, kind: u8) -> Draft {
    let heading = motion::heading(velocity, 0);
    Draft::at(position)
        .appearance(Appearance { kind, heading })
        .with(Velocity(velocity))
}

/// Moves every bird: avatars as they are steered, the others by what they see.
fn fly(step: &mut Step<'_>, avatar_speed_m_s: f32) {
    let (view, space, dt) = (step.view(), step.space(), step.dt());
    let seen = Seen::by_each(view, &RULES);
    let mut birds = step.query::<(
        &EntityId,
        &Rank,
        &mut Position,
        &mut Velocity,
        &mut Appearance,
        Option<&Steering>,
    )>();
    for (&id, rank, position, velocity, appearance, steering) in birds.iter() {
        let at = position.0;
        let wanted = match steering {
            Some(steering) => motion::steered(steering, space.metric, avatar_speed_m_s),
            None => {
                let mut chance = step.chance(id, "gust");
                let urge = RULES.urge(
                    (at, velocity.0),
                    seen.of(rank),
                    &mut chance,
                    (&space.bounds, space.metric),
                );
                RULES.turn(velocity.0, urge, dt)
            }
        };
        (position.0, velocity.0) = motion::advance(at, wanted, dt, &space.bounds);
        appearance.heading = motion::heading(velocity.0, appearance.heading);
    }
}

const RULES: Rules = Rules {
    perception_m: 8.0,
    separation_m: 5.0,
    speed_min_m_s: 3.0,
    speed_max_m_s: 8.0,
    acceleration_max_m_s2: 12.0,
    separation_m_s2: 14.0,
    alignment_per_s: 0.8,
    cohesion_per_s2: 0.06,
    gust_m_s2: 2.0,
    margin_m: 12.0,
};

/// Spread evenly, so many square metres for each give nine neighbours in perception range; once they flock, twelve.
const AREA_PER_BIRD_M2: f32 = std::f32::consts::PI * RULES.perception_m * RULES.perception_m / 9.0;

/// A few birds have room too.
const EDGE_MIN_M: f32 = 64.0;
