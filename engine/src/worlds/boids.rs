//! The rule of flocking birds, in a plane or in the air: keep apart, fly alike, stay together.
//!
//! Never looks anything up: neighbours come as arguments, in the view's order.

use worldshard_shard::Chance;

use super::{Velocity, motion};
use crate::prelude::{Around, Bounds, Metric, Point, View};

/// How birds fly. Lengths in metres, speeds in metres per second, accelerations in metres per second squared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// How far a bird looks.
    pub(super) perception_m: f32,
    /// Nearer than this, it avoids the other.
    pub(super) separation_m: f32,
    /// It never flies slower.
    pub(super) speed_min_m_s: f32,
    /// It never flies faster.
    pub(super) speed_max_m_s: f32,
    /// It never turns harder.
    pub(super) acceleration_max_m_s2: f32,
    /// Acceleration away from a neighbour at no distance; it falls to nothing at `separation_m`.
    pub(super) separation_m_s2: f32,
    /// Share of the difference from its neighbours' velocity that it makes up in a second.
    pub(super) alignment_per_s: f32,
    /// Acceleration towards its neighbours' middle, per metre.
    pub(super) cohesion_per_s2: f32,
    /// The strongest push by chance.
    pub(super) gust_m_s2: f32,
    /// From here to the world's edge it turns back ever harder.
    pub(super) margin_m: f32,
}

/// What a bird saw of its neighbours. Summed in the order in which they are seen, which is that of the view.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    count: u32,
    velocities: Point,
    offsets: Point,
    away: Point,
}

impl Seen {
    /// What everyone owned here sees.
    pub(super) fn by_each<'v>(view: &'v View, rules: &Rules) -> Around<'v, Seen> {
        let velocities = view.column::<Velocity>();
        view.around_pairs(
            rules.perception_m,
            |[one, other], distance_squared, [seen, met]| {
                let (Some(Velocity(velocity)), Some(Velocity(others))) =
                    (velocities[one as usize], velocities[other as usize])
                else {
                    return;
                };
                let offset = view.position(other) - view.position(one);
                let seen: &mut Seen = seen;
                seen.see(offset, distance_squared, others, rules);
                met.see(-offset, distance_squared, velocity, rules);
            },
        )
    }

    /// A neighbour, `offset` from the bird.
    #[inline]
    pub(super) fn see(
        &mut self,
        offset: Point,
        distance_squared: f32,
        velocity: Point,
        rules: &Rules,
    ) {
        self.count += 1;
        self.velocities += velocity;
        self.offsets += offset;
        // Bounds instead of branches: which neighbours are too near is as good as random. At the separation the
        // push is nothing, and at no distance there is no direction to push to, however hard.
        let separation_m = rules.separation_m;
        let near_squared = distance_squared
            .max(f32::MIN_POSITIVE)
            .min(separation_m * separation_m);
        let distance = near_squared.sqrt();
        self.away += offset * ((distance - separation_m) / (separation_m * distance));
    }
}

impl Rules {
    /// The acceleration that neighbours, edge and chance ask for, without its limit.
    pub(super) fn urge(
        &self,
        (position, velocity): (Point, Point),
        seen: &Seen,
        chance: &mut Chance,
        (bounds, metric): (&Bounds, Metric),
    ) -> Point {
        let mut urge =
            motion::inwards(position, bounds, metric, self.margin_m) * self.acceleration_max_m_s2;
        urge += motion::gust(chance, metric) * self.gust_m_s2;
        if seen.count > 0 {
            let share = 1.0 / seen.count as f32;
            urge += (seen.velocities * share - velocity) * self.alignment_per_s;
            urge += seen.offsets * (share * self.cohesion_per_s2);
            urge += seen.away * self.separation_m_s2;
        }
        urge
    }

    /// The velocity after `dt` seconds under `urge`, within all limits.
    pub(super) fn turn(&self, velocity: Point, urge: Point, dt: f32) -> Point {
        let wanted = velocity + urge.clamp_length(self.acceleration_max_m_s2) * dt;
        let speed = wanted.length();
        if speed > self.speed_max_m_s {
            wanted * (self.speed_max_m_s / speed)
        } else if speed < self.speed_min_m_s && speed > 0.0 {
            wanted * (self.speed_min_m_s / speed)
        } else {
            wanted
        }
    }
}

#[cfg(test)]
mod tests;
