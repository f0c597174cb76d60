//! Sorts entries into cells and finds the runs of entries that an area touches.
//! Never compares distances: that is `Index`.
//!
//! Cells in a row along x are neighbours in the order, so an area is one run of ranks per row.

use std::ops::Range;

use super::lattice::Lattice;
use crate::Point;

/// The window of cells is stored, one number each, while it has at most this many cells an entry;
/// a sparser crowd is sorted by cell number instead, and its rows are found by binary search.
const WINDOW_CELLS_PER_ENTRY_MAX: u64 = 32;

/// A window of this many cells is stored however few the entries.
const WINDOW_CELLS_MIN: u64 = 4096;

/// A row of a sparse window costs two binary searches, about as much as testing this many entries.
const SPARSE_ROW_ENTRIES: u64 = 16;

#[derive(Clone, Debug)]
pub(super) struct Grid {
    lattice: Lattice,
    window: Window,
    entries: usize,
    /// When the window is stored: the first rank of each of its cells, then the number of entries.
    starts: Vec<u32>,
    /// When it is not: the global cell number of each rank.
    keys: Vec<u64>,
    positions: Vec<[u32; 3]>,
    slots: Vec<u32>,
}

/// The smallest box of cells that holds every entry; `low` and `high` are both inside.
#[derive(Copy, Clone, Debug)]
struct Window {
    low: [u32; 3],
    high: [u32; 3],
    stored: bool,
}

impl Grid {
    pub(super) fn new(lattice: Lattice) -> Self {
        Self {
            lattice,
            window: Window::NOTHING,
            entries: 0,
            starts: Vec::new(),
            keys: Vec::new(),
            positions: Vec::new(),
            slots: Vec::new(),
        }
    }

    /// Writes into `order` the positions of the input sorted by (global cell, id), and into `sorted` the ids in that order.
    pub(super) fn sort(
        &mut self,
        ids: &[u64],
        points: &[Point],
        order: &mut Vec<u32>,
        sorted: &mut Vec<u64>,
    ) {
        self.entries = points.len();
        self.positions.clear();
        let mut window = Window::NOTHING;
        let lattice = self.lattice;
        self.positions.extend(points.iter().map(|&point| {
            let position = lattice.position_of(point);
            window.include(position);
            position
        }));
        order.clear();
        let stored_max = (WINDOW_CELLS_PER_ENTRY_MAX * points.len() as u64)
            .clamp(WINDOW_CELLS_MIN, u64::from(u32::MAX));
        window.stored = window.cell_count() <= stored_max;
        self.window = window;
        sorted.clear();
        if window.stored {
            self.sort_by_counting(order);
            sorted.extend(order.iter().map(|&input| ids[input as usize]));
            if !ids.is_sorted() {
                self.sort_cells(ids, order, sorted);
            }
        } else {
            self.sort_by_comparing(ids, order);
            sorted.extend(order.iter().map(|&input| ids[input as usize]));
        }
    }

    /// Visits, ascending, runs of ranks that together hold every entry between two corners, which
    /// are given in metres and may be infinite.
    pub(super) fn runs(&self, low: [f64; 3], high: [f64; 3], mut visit: impl FnMut(Range<usize>)) {
        let Some((low, high)) = self.window.clip(
            self.lattice.position_of_exact(low),
            self.lattice.position_of_exact(high),
        ) else {
            return;
        };
        let rows = u64::from(high[2] - low[2] + 1) * u64::from(high[1] - low[1] + 1);
        let entries_per_row = if self.window.stored {
            1
        } else {
            SPARSE_ROW_ENTRIES
        };
        if rows.saturating_mul(entries_per_row) > self.entries as u64 {
            visit(0..self.entries);
            return;
        }
        let mut from = 0;
        for z in low[2]..=high[2] {
            for y in low[1]..=high[1] {
                let run = if self.window.stored {
                    let first = self.window.slot([low[0], y, z]);
                    let last = self.window.slot([high[0], y, z]);
                    self.starts[first] as usize..self.starts[last + 1] as usize
                } else {
                    self.sparse_run(from, [low[0], y, z], [high[0], y, z])
                };
                from = run.end;
                if !run.is_empty() {
                    visit(run);
                }
            }
        }
    }

    /// Visits, ascending, the ranks of each cell that holds any.
    pub(super) fn cells(&self, mut visit: impl FnMut(Range<usize>)) {
        if self.window.stored {
            for cell in self.starts.windows(2).filter(|cell| cell[0] < cell[1]) {
                visit(cell[0] as usize..cell[1] as usize);
            }
            return;
        }
        let mut start = 0;
        for cell in self.keys.chunk_by(|a, b| a == b) {
            visit(start..start + cell.len());
            start += cell.len();
        }
    }

    #[cfg(test)]
    pub(super) fn stores_window(&self) -> bool {
        self.window.stored
    }

    fn sparse_run(&self, from: usize, first: [u32; 3], last: [u32; 3]) -> Range<usize> {
        let (first, last) = (self.lattice.key(first), self.lattice.key(last));
        let rest = &self.keys[from..];
        let start = from + rest.partition_point(|&key| key < first);
        let end = start + self.keys[start..].partition_point(|&key| key <= last);
        start..end
    }

    /// By cell; in each as they were given.
    fn sort_by_counting(&mut self, order: &mut Vec<u32>) {
        self.starts.clear();
        self.starts.resize(self.window.cell_count() as usize + 1, 0);
        self.slots.clear();
        let window = self.window;
        let starts = &mut self.starts[..];
        self.slots.extend(self.positions.iter().map(|&position| {
            let slot = window.slot(position);
            starts[slot] += 1;
            slot as u32
        }));
        let mut end = 0;
        for start in &mut self.starts {
            end += *start;
            *start = end;
        }
        order.resize(self.entries, 0);
        // From the back, each cell fills downwards until its start is in place: a stable sort.
        for (input, &slot) in self.slots.iter().enumerate().rev() {
            let start = &mut self.starts[slot as usize];
            *start -= 1;
            order[*start as usize] = input as u32;
        }
    }

    /// By id in each cell. Most are given that way: few cells hold entries of two senders.
    fn sort_cells(&self, ids: &[u64], order: &mut [u32], sorted: &mut [u64]) {
        for cell in self.starts.windows(2) {
            let cell = cell[0] as usize..cell[1] as usize;
            if !sorted[cell.clone()].is_sorted() {
                sorted[cell.clone()].sort_unstable();
                order[cell].sort_unstable_by_key(|&input| ids[input as usize]);
            }
        }
    }

    fn sort_by_comparing(&mut self, ids: &[u64], order: &mut Vec<u32>) {
        order.extend(0..self.entries as u32);
        let key = |input: u32| self.lattice.key(self.positions[input as usize]);
        order.sort_unstable_by_key(|&input| (key(input), ids[input as usize]));
        self.keys.clear();
        self.keys.extend(order.iter().map(|&input| key(input)));
    }
}

impl Window {
    const NOTHING: Window = Window {
        low: [u32::MAX; 3],
        high: [0; 3],
        stored: true,
    };

    #[inline]
    fn include(&mut self, position: [u32; 3]) {
        for (axis, slice) in position.into_iter().enumerate() {
            self.low[axis] = self.low[axis].min(slice);
            self.high[axis] = self.high[axis].max(slice);
        }
    }

    fn cell_count(&self) -> u64 {
        (0..3)
            .map(|axis| (u64::from(self.high[axis]) + 1).saturating_sub(u64::from(self.low[axis])))
            .fold(1, u64::saturating_mul)
    }

    /// The number of a cell inside the window, in the order of the global numbers.
    #[inline]
    fn slot(&self, position: [u32; 3]) -> usize {
        let [x, y, z] = [0, 1, 2].map(|axis| (position[axis] - self.low[axis]) as usize);
        let [width, depth] = [0, 1].map(|axis| (self.high[axis] - self.low[axis]) as usize + 1);
        (z * depth + y) * width + x
    }

    fn clip(&self, low: [u32; 3], high: [u32; 3]) -> Option<([u32; 3], [u32; 3])> {
        let low = [0, 1, 2].map(|axis| low[axis].max(self.low[axis]));
        let high = [0, 1, 2].map(|axis| high[axis].min(self.high[axis]));
        (0..3)
            .all(|axis| low[axis] <= high[axis])
            .then_some((low, high))
    }
}
