//! Everyone's neighbours at once. Never answers for one point: that is `Index::within`.
//!
//! The entries of a cell are next to each other in the order and look at the same few runs of ranks, so the
//! runs are found once per cell and stay in the cache for all of it.

use std::ops::Range;

use super::{Index, square_limit};
use crate::metric::reach_m;
use crate::{Metric, Point};

/// An entry near another.
#[derive(Copy, Clone, Debug, Default, PartialEq)]
pub struct Near {
    /// Its place in the order.
    pub rank: u32,
    /// Square metres, over the axes that count.
    pub distance_squared: f32,
}

impl Index {
    /// Visits each rank that is `wanted`, ascending, with all that [`within`](Self::within) would find
    /// around its point but itself.
    ///
    /// Several times cheaper than asking for one after the other.
    pub fn neighbourhoods(
        &self,
        radius_m: f32,
        wanted: impl Fn(u32) -> bool,
        visit: impl FnMut(u32, &[Near]),
    ) {
        self.visit_all::<false>(radius_m, wanted, visit);
    }

    /// Visits each rank, ascending, with those near it whose rank is higher: each pair of neighbours once. A rank may
    /// be left out when nothing near it is `wanted`, nor itself.
    ///
    /// What a caller sums up of both ends of each pair, it sums up in the order of [`neighbourhoods`](Self::neighbourhoods),
    /// for half of its work: whoever has a lower rank was visited before.
    pub fn pairs(
        &self,
        radius_m: f32,
        wanted: impl Fn(u32) -> bool,
        visit: impl FnMut(u32, &[Near]),
    ) {
        self.visit_all::<true>(radius_m, wanted, visit);
    }

    fn visit_all<const HIGHER: bool>(
        &self,
        radius_m: f32,
        wanted: impl Fn(u32) -> bool,
        mut visit: impl FnMut(u32, &[Near]),
    ) {
        // One copy of the loop for each metric, whose choice is then made outside of it.
        match (&self.tree, square_limit(radius_m), self.metric) {
            (Some(_), _, _) | (None, None, _) => {
                self.one_by_one::<HIGHER>(radius_m, wanted, visit);
            }
            (None, Some(limit), Metric::Plane) => {
                let distance = |a, b| Metric::Plane.distance_squared(a, b);
                self.cell_by_cell::<HIGHER>((radius_m, limit), distance, wanted, &mut visit);
            }
            (None, Some(limit), Metric::Flat) => {
                let distance = |a, b| Metric::Flat.distance_squared(a, b);
                self.cell_by_cell::<HIGHER>((radius_m, limit), distance, wanted, &mut visit);
            }
            (None, Some(limit), Metric::Solid) => {
                let distance = |a, b| Metric::Solid.distance_squared(a, b);
                self.cell_by_cell::<HIGHER>((radius_m, limit), distance, wanted, &mut visit);
            }
        }
    }

    fn one_by_one<const HIGHER: bool>(
        &self,
        radius_m: f32,
        wanted: impl Fn(u32) -> bool,
        mut visit: impl FnMut(u32, &[Near]),
    ) {
        let mut near = Vec::new();
        for rank in (0..self.len() as u32).filter(|&rank| HIGHER || wanted(rank)) {
            near.clear();
            self.within(self.point(rank), radius_m, |other, distance_squared| {
                if other > rank || (!HIGHER && other < rank) {
                    near.push(Near {
                        rank: other,
                        distance_squared,
                    });
                }
            });
            visit(rank, &near);
        }
    }

    #[inline]
    fn cell_by_cell<const HIGHER: bool>(
        &self,
        (radius_m, limit): (f32, f32),
        distance: impl Fn(Point, Point) -> f32,
        wanted: impl Fn(u32) -> bool,
        visit: &mut impl FnMut(u32, &[Near]),
    ) {
        let reach = reach_m(radius_m);
        let mut runs: Vec<Range<usize>> = Vec::new();
        let mut near: Vec<Near> = Vec::new();
        self.grid.cells(|cell| {
            let any_wanted = |ranks: &Range<usize>| ranks.clone().any(|rank| wanted(rank as u32));
            let cell_wanted = any_wanted(&cell);
            if !HIGHER && !cell_wanted {
                return;
            }
            let (low, high) = corners(&self.points[cell.clone()]);
            runs.clear();
            self.grid.runs(
                low.map(|coordinate| coordinate - reach),
                high.map(|coordinate| coordinate + reach),
                |run| runs.push(run),
            );
            if HIGHER {
                runs.retain_mut(|run| {
                    run.start = run.start.max(cell.start);
                    run.start < run.end && (cell_wanted || any_wanted(run))
                });
            }
            let candidates: usize = runs.iter().map(Range::len).sum();
            if near.len() < candidates {
                near.resize(candidates, Near::default());
            }
            for rank in cell.map(|rank| rank as u32) {
                if !HIGHER && !wanted(rank) {
                    continue;
                }
                let centre = self.point(rank);
                let mut count = 0;
                let mut collect = |run: Range<usize>| {
                    let (first, points) = (run.start as u32, &self.points[run]);
                    let room = &mut near[count..];
                    count += hits(first, points, limit, room, |at| distance(centre, at));
                };
                let own = rank as usize;
                for run in runs.iter().cloned() {
                    if HIGHER {
                        collect(run.start.max(own + 1).min(run.end)..run.end);
                    } else if run.contains(&own) {
                        collect(run.start..own);
                        collect(own + 1..run.end);
                    } else {
                        collect(run);
                    }
                }
                visit(rank, &near[..count]);
            }
        });
    }
}

/// Writes the hits of one run of ranks, which begins at `first`, to the front of `room`; says how many.
#[inline]
fn hits(
    first: u32,
    points: &[Point],
    limit: f32,
    room: &mut [Near],
    distance: impl Fn(Point) -> f32,
) -> usize {
    // So long that no place below is out of its bounds.
    let room = &mut room[..points.len()];
    let mut count = 0;
    for (rank, &point) in (first..).zip(points) {
        let distance_squared = distance(point);
        // Written always and kept sometimes: about every second candidate is a hit, at random, and a
        // branch would be guessed wrong as often.
        room[count] = Near {
            rank,
            distance_squared,
        };
        count += usize::from(distance_squared <= limit);
    }
    count
}

/// The corners of the smallest box around the points; coordinates that are not numbers are passed over.
fn corners(points: &[Point]) -> ([f64; 3], [f64; 3]) {
    let mut low = [f32::INFINITY; 3];
    let mut high = [f32::NEG_INFINITY; 3];
    for point in points {
        for (axis, coordinate) in point.to_array().into_iter().enumerate() {
            low[axis] = low[axis].min(coordinate);
            high[axis] = high[axis].max(coordinate);
        }
    }
    (low.map(f64::from), high.map(f64::from))
}
