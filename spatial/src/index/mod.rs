//! Who is near: the positions of one tick, sorted by (global cell, id), and questions about them.
//!
//! Never follows a moving point: it is rebuilt from scratch every tick. Invariant: the order of two
//! entries, and every answer, is the same whatever the kind of index and whatever else it holds.

mod grid;
mod lattice;
mod neighbourhoods;
mod tree;

use std::ops::Range;

use crate::metric::reach_m;
use crate::{Bounds, Metric, Point, SpaceError};
use grid::Grid;
pub use lattice::INDEX_CELLS_MAX;
use lattice::Lattice;
pub use neighbourhoods::Near;
use tree::Tree;

/// How an index finds its candidates; the answers are the same.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum IndexKind {
    /// Cells in one array: cheapest to rebuild and to ask where density suits the cell edge.
    Grid,
    /// An R-tree: steady where density varies by orders of magnitude.
    Tree,
}

/// The positions of one tick, in the order (global cell, id).
///
/// An entry's *rank* is its place in that order, from 0. Points outside the bounds are as welcome
/// as those inside. A point that is not finite on the counted axes is kept in the order and is near
/// nothing.
#[derive(Debug)]
pub struct Index {
    metric: Metric,
    cell_edge_m: f32,
    grid: Grid,
    /// Present in an index of kind `Tree`.
    tree: Option<Tree>,
    order: Vec<u32>,
    points: Vec<Point>,
    ids: Vec<u64>,
}

impl Index {
    /// An empty index over a world, in cells of `cell_edge_m` metres: best half the radius that is
    /// asked most. The whole costs [`within`](Self::within) four tenths more, a quarter costs
    /// [`neighbourhoods`](Self::neighbourhoods) a third more (`bench/README.md`).
    ///
    /// # Errors
    ///
    /// Refuses lengths that are not finite, bounds without extent, an edge that is not positive and
    /// more than [`INDEX_CELLS_MAX`] cells.
    pub fn new(
        kind: IndexKind,
        bounds: Bounds,
        metric: Metric,
        cell_edge_m: f32,
    ) -> Result<Self, SpaceError> {
        Ok(Self {
            metric,
            cell_edge_m,
            grid: Grid::new(Lattice::new(bounds, cell_edge_m, metric)?),
            tree: match kind {
                IndexKind::Grid => None,
                IndexKind::Tree => Some(Tree::load(metric, &[])),
            },
            order: Vec::new(),
            points: Vec::new(),
            ids: Vec::new(),
        })
    }

    /// Replaces all entries. Ids are unique and in any order, ascending being cheapest; buffers are
    /// used again, so that an index of kind `Grid` allocates only when it grows.
    ///
    /// # Panics
    ///
    /// When `ids` and `points` differ in length, or there are 2^32 entries or more.
    pub fn rebuild(&mut self, ids: &[u64], points: &[Point]) {
        assert_eq!(ids.len(), points.len(), "one id for each point");
        assert!(u32::try_from(ids.len()).is_ok(), "ranks have 32 bits");
        self.grid.sort(ids, points, &mut self.order, &mut self.ids);
        self.points.clear();
        self.points
            .extend(self.order.iter().map(|&input| points[input as usize]));
        debug_assert!(
            self.ids.windows(2).all(|pair| pair[0] != pair[1]),
            "an id was given twice"
        );
        if let Some(tree) = &mut self.tree {
            *tree = Tree::load(self.metric, &self.points);
        }
    }

    /// The number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.points.len()
    }

    /// Whether there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// How this index finds its candidates.
    #[must_use]
    pub fn kind(&self) -> IndexKind {
        match self.tree {
            None => IndexKind::Grid,
            Some(_) => IndexKind::Tree,
        }
    }

    /// For each rank, the entry's position in what [`rebuild`](Self::rebuild) was given.
    #[must_use]
    pub fn order(&self) -> &[u32] {
        &self.order
    }

    /// The point at a rank.
    ///
    /// # Panics
    ///
    /// When there is no such rank.
    #[must_use]
    pub fn point(&self, rank: u32) -> Point {
        self.points[rank as usize]
    }

    /// The id at a rank.
    ///
    /// # Panics
    ///
    /// When there is no such rank.
    #[must_use]
    pub fn id(&self, rank: u32) -> u64 {
        self.ids[rank as usize]
    }

    /// All points, by rank.
    #[must_use]
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// All ids, by rank.
    #[must_use]
    pub fn ids(&self) -> &[u64] {
        &self.ids
    }

    /// Visits every entry with `distance_squared(centre, point) <= radius_m * radius_m`, by
    /// ascending rank, with its squared distance in square metres.
    ///
    /// A negative or NaN radius finds nothing, and nothing is found at a distance whose square
    /// exceeds `f32` (1.8e19 m).
    #[inline]
    pub fn within(&self, centre: Point, radius_m: f32, mut visit: impl FnMut(u32, f32)) {
        let Some(limit) = square_limit(radius_m) else {
            return;
        };
        let metric = self.metric;
        self.runs_near(centre, radius_m, |run| {
            let points = &self.points[run.start as usize..run.end as usize];
            for (rank, &point) in run.zip(points) {
                let distance_squared = metric.distance_squared(centre, point);
                if distance_squared <= limit {
                    visit(rank, distance_squared);
                }
            }
        });
    }

    /// Visits, ascending, runs of ranks that together hold all that [`within`](Self::within) finds and some more, for
    /// callers that compare distances themselves, run by run.
    #[inline]
    pub fn runs_near(&self, centre: Point, radius_m: f32, visit: impl FnMut(Range<u32>)) {
        let finite = self.metric.project(centre).is_finite();
        if !finite || square_limit(radius_m).is_none() {
            return;
        }
        let reach = reach_m(radius_m);
        let centre_exact = centre.to_array().map(f64::from);
        let low = centre_exact.map(|coordinate| coordinate - reach);
        let high = centre_exact.map(|coordinate| coordinate + reach);
        self.candidates(low, high, visit);
    }

    /// Visits every entry inside or on a face of the box, by ascending rank. Axes that do not count
    /// are not compared; a box that is inverted or NaN on one that does holds nothing.
    pub fn within_box(&self, area: Bounds, mut visit: impl FnMut(u32)) {
        let metric = self.metric;
        let (min, max) = (area.min.to_array(), area.max.to_array());
        // An infinite box still holds only finite points.
        let low = min.map(|coordinate| coordinate.clamp(-f32::MAX, f32::MAX));
        let high = max.map(|coordinate| coordinate.clamp(-f32::MAX, f32::MAX));
        let upright = |axis: usize| !metric.axes()[axis] || low[axis] <= high[axis];
        if !(0..3).all(upright) {
            return;
        }
        let area = Bounds::new(Point::from_array(low), Point::from_array(high));
        self.candidates(low.map(f64::from), high.map(f64::from), |run| {
            let points = &self.points[run.start as usize..run.end as usize];
            for (rank, &point) in run.zip(points) {
                if metric.contains(&area, point) {
                    visit(rank);
                }
            }
        });
    }

    /// Replaces `out` by the `k` nearest of the entries that [`within`](Self::within) finds, sorted
    /// by squared distance and then id: pairs of squared distance and rank.
    pub fn nearest(&self, centre: Point, k: usize, radius_m: f32, out: &mut Vec<(f32, u32)>) {
        out.clear();
        if k == 0 || radius_m.is_nan() {
            return;
        }
        // All within a smaller circle are nearer than any outside: widen it until it holds enough.
        let mut circle_m = if k < self.len() {
            self.cell_edge_m.min(radius_m)
        } else {
            radius_m
        };
        loop {
            self.within(centre, circle_m, |rank, distance_squared| {
                out.push((distance_squared, rank));
            });
            if out.len() >= k || circle_m >= radius_m {
                break;
            }
            out.clear();
            circle_m = (circle_m * 2.0).min(radius_m);
        }
        let nearer_then_id = |a: &(f32, u32), b: &(f32, u32)| {
            a.0.total_cmp(&b.0)
                .then_with(|| self.id(a.1).cmp(&self.id(b.1)))
        };
        if out.len() > k {
            out.select_nth_unstable_by(k - 1, nearer_then_id);
            out.truncate(k);
        }
        out.sort_unstable_by(nearer_then_id);
    }

    /// Visits, ascending, runs of ranks that hold every entry between two corners and perhaps some outside.
    #[inline]
    fn candidates(&self, low: [f64; 3], high: [f64; 3], mut visit: impl FnMut(Range<u32>)) {
        match &self.tree {
            None => {
                let grid = &self.grid;
                grid.runs(low, high, |run| visit(run.start as u32..run.end as u32));
            }
            Some(tree) => {
                let ranks = tree.candidates(self.metric, low, high);
                for run in ranks.chunk_by(|a, b| a + 1 == *b) {
                    visit(run[0]..run[0] + run.len() as u32);
                }
            }
        }
    }
}

/// The largest squared distance within a radius; `None` when nothing is.
fn square_limit(radius_m: f32) -> Option<f32> {
    // Below infinity, so that an infinite or NaN distance is beyond every radius.
    (radius_m >= 0.0).then(|| (radius_m * radius_m).min(f32::MAX))
}

#[cfg(test)]
mod tests;
