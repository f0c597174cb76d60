//! What a system saw around each entity of a shard, until it has used it. Never looks: that is `View`.
//!
//! Megabytes that every tick needs again: a view keeps their memory from tick to tick.

use std::any::Any;
use std::cell::RefCell;

use crate::world::Rank;

/// What was seen around each entity owned here.
pub struct Around<'v, T: 'static> {
    /// In the order of storage, so that a query reads along. Written all over the place: a store need not be
    /// waited for.
    by_row: Vec<T>,
    spare: &'v Spare,
}

/// Memory of what was seen before.
#[derive(Default)]
pub(crate) struct Spare {
    /// Empty vectors of whatever types.
    vectors: RefCell<Vec<Box<dyn Any>>>,
}

impl<'v, T: Clone + Default> Around<'v, T> {
    /// Of so many entities, nothing seen yet.
    pub(crate) fn sized(rows: usize, spare: &'v Spare) -> Self {
        let mut by_row: Vec<T> = spare.take();
        by_row.resize(rows, T::default());
        Self { by_row, spare }
    }
}

impl<T> Around<'_, T> {
    /// Around the entity with this rank.
    ///
    /// # Panics
    /// When the rank is of another shard or tick, and there are fewer entities here.
    #[must_use]
    pub fn of(&self, rank: &Rank) -> &T {
        &self.by_row[rank.row as usize]
    }

    #[inline]
    pub(crate) fn put(&mut self, row: u32, seen: T) {
        self.by_row[row as usize] = seen;
    }
}

impl<T> Drop for Around<'_, T> {
    fn drop(&mut self) {
        self.spare.keep(std::mem::take(&mut self.by_row));
    }
}

impl Spare {
    pub(crate) fn take<T: 'static>(&self) -> Vec<T> {
        let mut vectors = self.vectors.borrow_mut();
        let found = vectors.iter().position(|vector| vector.is::<Vec<T>>());
        let vector = found.and_then(|place| vectors.swap_remove(place).downcast().ok());
        vector.map(|vector| *vector).unwrap_or_default()
    }

    pub(crate) fn keep<T: 'static>(&self, mut vector: Vec<T>) {
        vector.clear();
        let mut vectors = self.vectors.borrow_mut();
        if vectors.len() < SPARE_MAX {
            vectors.push(Box::new(vector));
        }
    }
}

/// Vectors kept; the memory of more is given back.
const SPARE_MAX: usize = 8;
