//! Sixth phase: decides which entities each session sees. Never lays out records: that is `publish`.
//!
//! A session without a credit is not looked at: what it will see is decided when it can be told.

use std::ops::Range;

use worldshard_protocol::{SessionId, Tick};
use worldshard_spatial::{Bounds, Metric, Point};

use super::ask::{ask, tell};
use crate::command::Interest;
use crate::config::WorldConfig;
use crate::roster::Roster;
use crate::shard::Shard;
use crate::slots::{Sieve, Word};
use crate::view::View;

/// What every session with a credit sees after this tick. Kept between ticks for its memory.
#[derive(Debug, Default)]
pub(crate) struct Sights {
    /// Ascending by session.
    pub(crate) sessions: Vec<Sight>,
    pub(crate) words: Vec<Word>,
    pub(crate) gone: Vec<u64>,
    sieve: Sieve,
    nearest: Vec<(f32, u32)>,
    /// Ranks that the predicate of a custom interest accepts.
    accepted: Vec<u32>,
}

/// What one session sees. Its parts of the lists begin where those of the session before end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sight {
    pub(crate) session: SessionId,
    /// End of its words, which hold what it sees and what it knew, by slot of the roster.
    pub(crate) words_end: usize,
    /// End of what it knew and the roster does not know any more, ascending.
    pub(crate) gone_end: usize,
    /// It has the same to hear as the session before.
    pub(crate) same: bool,
}

/// Looks through the eyes of every session that can be told.
pub(crate) fn observe(shard: &mut Shard) {
    let mut sights = std::mem::take(&mut shard.sights);
    sights.sessions.clear();
    sights.words.clear();
    sights.gone.clear();
    let mut viewers = std::mem::take(&mut shard.viewers);
    if viewers.values().any(|viewer| viewer.credits.available()) {
        shard.roster.update(&shard.view, shard.tick());
        let roster = &shard.roster;
        sights.sieve.reset(roster.len());
        let mut candidates = 0;
        let mut failed = Vec::new();
        let mut before: Option<Known> = None;
        for viewer in viewers.values_mut() {
            if !viewer.credits.available() {
                if viewer.visible.is_outdated(roster) {
                    viewer.visible.pack(roster);
                }
                continue;
            }
            let at = shard.viewpoint_at(viewer);
            match ask(shard, viewer.interest, at, &mut sights.accepted) {
                Ok(asked) => candidates += asked,
                Err(why) => {
                    viewer.interest = Interest::Radius(shard.recipe.config.interest_radius_m);
                    failed.push((viewer.session, why));
                }
            }
            let first_gone = sights.gone.len();
            // Whoever these interests knew and does not come upon is too far away: no other may stay.
            let suspects = viewer.visible.is_packed()
                && matches!(viewer.interest, Interest::Radius(_) | Interest::Box(_));
            let Sights { sieve, gone, .. } = &mut sights;
            if !suspects {
                viewer.visible.unfold(roster, sieve, gone);
            }
            let eyes = Eyes {
                at,
                interest: viewer.interest,
                suspects,
                view: &shard.view,
                roster,
                config: &shard.recipe.config,
            };
            candidates += look(&eyes, &mut sights);
            let first = sights.words.len();
            sights.sieve.drain(&mut sights.words);
            if suspects {
                let words = &mut sights.words[first..];
                viewer.visible.recognise(roster, words, &mut sights.gone);
            }
            let known = Known {
                built: viewer.built,
                full: viewer.full,
                words: first..sights.words.len(),
                gone: first_gone..sights.gone.len(),
            };
            let same = before.is_some_and(|before| before.is_same(&known, &sights));
            before = Some(known);
            sights.sessions.push(Sight {
                session: viewer.session,
                words_end: sights.words.len(),
                gone_end: sights.gone.len(),
                same,
            });
        }
        shard.stats.candidates += candidates;
        tell(shard, failed);
    }
    shard.viewers = viewers;
    shard.sights = sights;
}

/// All that decides what a session has to hear.
struct Known {
    built: Option<Tick>,
    full: bool,
    words: Range<usize>,
    gone: Range<usize>,
}

impl Known {
    fn is_same(&self, other: &Self, sights: &Sights) -> bool {
        self.built == other.built
            && self.full == other.full
            && sights.words[self.words.clone()] == sights.words[other.words.clone()]
            && sights.gone[self.gone.clone()] == sights.gone[other.gone.clone()]
    }
}

struct Eyes<'a> {
    at: Point,
    interest: Interest,
    /// Whether what it knew is found out afterwards.
    suspects: bool,
    view: &'a View,
    roster: &'a Roster,
    config: &'a WorldConfig,
}

/// Sees through these eyes; returns how many candidates were looked at, but for those that a predicate was asked about.
/// What was visible goes on being so a little beyond the edge.
fn look(eyes: &Eyes<'_>, sights: &mut Sights) -> u64 {
    let (view, roster) = (eyes.view, eyes.roster);
    let hysteresis_m = eyes.config.interest_hysteresis_m;
    let sieve = &mut sights.sieve;
    let mut candidates = 0;
    match eyes.interest {
        Interest::Radius(radius_m) => {
            let outer_m = radius_m + hysteresis_m;
            // Nothing is seen at a distance whose square is infinite.
            let limits = [radius_m, outer_m].map(|limit_m| (limit_m * limit_m).min(f32::MAX));
            view.runs_near(eyes.at, outer_m, |run| {
                candidates += run.len() as u64;
                let run = run.start as usize..run.end as usize;
                let points = &view.points()[run.clone()];
                let slots = &roster.by_rank()[run];
                if eyes.suspects {
                    see::<true>(eyes, points, slots, limits, sieve);
                } else {
                    see::<false>(eyes, points, slots, limits, sieve);
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
                let slot = roster.slot(rank);
                // Rounded corners: a corner of the wider box would reach beyond the border.
                let beyond_squared =
                    inner.distance_squared(view.position(rank), eyes.config.metric);
                let near = beyond_squared <= hysteresis_m * hysteresis_m;
                if eyes.suspects {
                    sieve.suspect(slot, beyond_squared <= 0.0, near);
                } else {
                    sieve.see(slot, beyond_squared <= 0.0, near);
                }
            });
        }
        Interest::Nearest { k, radius_m } => {
            view.nearest(eyes.at, usize::from(k), radius_m, &mut sights.nearest);
            candidates += sights.nearest.len() as u64;
            for &(_, rank) in &sights.nearest {
                sieve.see(roster.slot(rank), true, true);
            }
        }
        Interest::Custom { .. } => {
            for &rank in &sights.accepted {
                sieve.see(roster.slot(rank), true, false);
            }
        }
    }
    candidates
}

/// Sees those within the first limit, and within the second those that are known; both are squares.
#[inline]
fn see<const SUSPECTS: bool>(
    eyes: &Eyes<'_>,
    points: &[Point],
    slots: &[u32],
    limits: [f32; 2],
    sieve: &mut Sieve,
) {
    // One copy of the loop for each metric, whose choice is then made outside of it.
    match eyes.config.metric {
        Metric::Plane => {
            let distance = |at| Metric::Plane.distance_squared(eyes.at, at);
            see_by::<SUSPECTS>(points, slots, limits, distance, sieve);
        }
        Metric::Flat => {
            let distance = |at| Metric::Flat.distance_squared(eyes.at, at);
            see_by::<SUSPECTS>(points, slots, limits, distance, sieve);
        }
        Metric::Solid => {
            let distance = |at| Metric::Solid.distance_squared(eyes.at, at);
            see_by::<SUSPECTS>(points, slots, limits, distance, sieve);
        }
    }
}

#[inline]
fn see_by<const SUSPECTS: bool>(
    points: &[Point],
    slots: &[u32],
    [enter, leave]: [f32; 2],
    distance: impl Fn(Point) -> f32,
    sieve: &mut Sieve,
) {
    for (&at, &slot) in points.iter().zip(slots) {
        let distance_squared = distance(at);
        let (enters, stays) = (distance_squared <= enter, distance_squared <= leave);
        if SUSPECTS {
            sieve.suspect(slot, enters, stays);
        } else {
            sieve.see(slot, enters, stays);
        }
    }
}
