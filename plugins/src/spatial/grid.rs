//! Who is within a radius: exact, by cells whose edge is about the radius. Never knows who was told what.

use std::collections::{BTreeMap, BTreeSet};

use worldshard::prelude::*;

/// Positions, and the cells that they are in.
pub(super) struct Grid {
    radius: f64,
    /// Of the axes, those that count.
    counts: [bool; 3],
    at: BTreeMap<SessionId, [f64; 3]>,
    cells: BTreeMap<[i64; 3], BTreeSet<SessionId>>,
}

impl Grid {
    pub(super) fn new(radius: f64, counts: [bool; 3]) -> Self {
        Self {
            radius,
            counts,
            at: BTreeMap::new(),
            cells: BTreeMap::new(),
        }
    }

    pub(super) fn at(&self, session: SessionId) -> Option<[f64; 3]> {
        self.at.get(&session).copied()
    }

    pub(super) fn set(&mut self, session: SessionId, at: [f64; 3]) {
        self.remove(session);
        self.at.insert(session, at);
        self.cells.entry(self.cell(at)).or_default().insert(session);
    }

    pub(super) fn remove(&mut self, session: SessionId) {
        let Some(at) = self.at.remove(&session) else {
            return;
        };
        let cell = self.cell(at);
        if let Some(inside) = self.cells.get_mut(&cell) {
            inside.remove(&session);
            if inside.is_empty() {
                self.cells.remove(&cell);
            }
        }
    }

    fn is_near(&self, one: [f64; 3], other: [f64; 3]) -> bool {
        let counting = (0..3).filter(|axis| self.counts[*axis]);
        let squares = counting.map(|axis| (one[axis] - other[axis]).powi(2));
        squares.sum::<f64>() <= self.radius * self.radius
    }

    /// All others within the radius of a session.
    pub(super) fn near(&self, session: SessionId) -> BTreeSet<SessionId> {
        let mut near = BTreeSet::new();
        let Some(at) = self.at(session) else {
            return near;
        };
        let cell = self.cell(at);
        // Two that are no farther apart than an edge are in cells that touch.
        let range = |axis: usize| match self.counts[axis] {
            true => cell[axis] - 1..=cell[axis] + 1,
            false => 0..=0,
        };
        for x in range(0) {
            for y in range(1) {
                for z in range(2) {
                    let inside = self.cells.get(&[x, y, z]).into_iter().flatten();
                    near.extend(
                        inside
                            .copied()
                            .filter(|other| *other != session && self.is_near(at, self.at[other])),
                    );
                }
            }
        }
        near
    }

    fn cell(&self, at: [f64; 3]) -> [i64; 3] {
        // A little longer than the radius, so that no rounding puts two that are near into cells that do not touch.
        let edge = self.radius * 1.001;
        [0, 1, 2].map(|axis| match self.counts[axis] {
            true => (at[axis] / edge).floor() as i64,
            false => 0,
        })
    }
}
