//! Sixth phase: decides which entities each session sees. Never lays out records: that is `publish`.
//!
//! A session without a credit is not looked at: what it will see is decided when it can be told.

use worldshard_protocol::{EntityId, SessionId};
use worldshard_spatial::{Bounds, Point};

use crate::command::Interest;
use crate::config::WorldConfig;
use crate::recipe::Predicate;
use crate::shard::Shard;
use crate::view::View;
use crate::viewer::Viewer;

/// What every session with a credit sees after this tick. Kept between ticks for its memory.
#[derive(Debug, Default)]
pub(crate) struct Sights {
    /// (entity, rank in the view), ascending by entity within a session.
    pub(crate) seen: Vec<(EntityId, u32)>,
    /// Whose, and where its part of `seen` ends; it starts where the one before ends.
    pub(crate) sessions: Vec<(SessionId, usize)>,
    nearest: Vec<(f32, u32)>,
}

/// Looks through the eyes of every session that can be told.
pub(crate) fn observe(shard: &mut Shard) {
    let mut sights = std::mem::take(&mut shard.sights);
    sights.seen.clear();
    sights.sessions.clear();
    let mut candidates = 0;
    for viewer in shard.viewers.values() {
        if !viewer.credits.available() {
            continue;
        }
        let at = shard.viewpoint_at(viewer);
        let start = sights.seen.len();
        let eyes = Eyes {
            at,
            viewer,
            view: &shard.view,
            config: &shard.recipe.config,
            predicates: &shard.recipe.predicates,
        };
        candidates += look(&eyes, &mut sights);
        sights.seen[start..].sort_unstable_by_key(|&(entity, _)| entity);
        sights.sessions.push((viewer.session, sights.seen.len()));
    }
    shard.stats.candidates += candidates;
    shard.sights = sights;
}

struct Eyes<'a> {
    at: Point,
    viewer: &'a Viewer,
    view: &'a View,
    config: &'a WorldConfig,
    predicates: &'a [Predicate],
}

impl Eyes<'_> {
    /// What was visible goes on being so a little beyond the edge.
    fn knows(&self, entity: EntityId) -> bool {
        self.viewer.visible.binary_search(&entity).is_ok()
    }
}

/// Appends what these eyes see; returns how many candidates were looked at.
fn look(eyes: &Eyes<'_>, sights: &mut Sights) -> u64 {
    let (view, hysteresis_m) = (eyes.view, eyes.config.interest_hysteresis_m);
    let seen = &mut sights.seen;
    let mut candidates = 0;
    match eyes.viewer.interest {
        Interest::Radius(radius_m) => {
            let radius_squared = radius_m * radius_m;
            view.within(eyes.at, radius_m + hysteresis_m, |near| {
                candidates += 1;
                if near.distance_squared <= radius_squared || eyes.knows(near.id) {
                    seen.push((near.id, near.rank));
                }
            });
        }
        Interest::Box(half) => {
            let margin = Point::new(hysteresis_m, hysteresis_m, hysteresis_m);
            let inner = Bounds {
                min: eyes.at - half,
                max: eyes.at + half,
            };
            let outer = Bounds {
                min: inner.min - margin,
                max: inner.max + margin,
            };
            view.within_box(outer, |rank| {
                candidates += 1;
                let id = view.id(rank);
                // Rounded corners: a corner of the wider box would reach beyond the border.
                let beyond_squared =
                    inner.distance_squared(view.position(rank), eyes.config.metric);
                let near = beyond_squared <= hysteresis_m * hysteresis_m;
                if beyond_squared <= 0.0 || (near && eyes.knows(id)) {
                    seen.push((id, rank));
                }
            });
        }
        Interest::Nearest { k, radius_m } => {
            view.nearest(eyes.at, usize::from(k), radius_m, &mut sights.nearest);
            candidates += sights.nearest.len() as u64;
            seen.extend(
                sights
                    .nearest
                    .iter()
                    .map(|&(_, rank)| (view.id(rank), rank)),
            );
        }
        Interest::Custom {
            predicate,
            radius_m,
        } => {
            let accepts = &eyes.predicates[usize::from(predicate)];
            view.within(eyes.at, radius_m, |near| {
                candidates += 1;
                if accepts(view, eyes.at, near.rank) {
                    seen.push((near.id, near.rank));
                }
            });
        }
    }
    candidates
}
