//! Values that belong to one shard rather than to an entity, one per type.
//!
//! They are neither handed off nor part of the digest: state of the world belongs in components.

use std::any::{Any, TypeId, type_name};
use std::cell::{Ref, RefCell, RefMut};
use std::collections::BTreeMap;

/// One value per type, each borrowed on its own.
#[derive(Default)]
pub struct Resources {
    values: BTreeMap<TypeId, RefCell<Box<dyn Any>>>,
}

impl Resources {
    /// Without values.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the value of a type; returns the one it had.
    pub fn insert<T: 'static>(&mut self, value: T) -> Option<T> {
        let old = self
            .values
            .insert(TypeId::of::<T>(), RefCell::new(Box::new(value)))?;
        let old = old.into_inner().downcast().expect("filed under its type");
        Some(*old)
    }

    /// Takes the values of types that have none here.
    pub(crate) fn take_missing(&mut self, from: &mut Self) {
        let is_missing = |of: &TypeId, _: &mut RefCell<Box<dyn Any>>| !self.values.contains_key(of);
        let mut missing: BTreeMap<_, _> = from.values.extract_if(.., is_missing).collect();
        self.values.append(&mut missing);
    }

    /// Whether the type has a value.
    #[must_use]
    pub fn contains<T: 'static>(&self) -> bool {
        self.values.contains_key(&TypeId::of::<T>())
    }

    /// The value of a type; `None` when there is none.
    ///
    /// # Panics
    /// While it is borrowed mutably.
    #[must_use]
    pub fn get<T: 'static>(&self) -> Option<Ref<'_, T>> {
        let value = self.values.get(&TypeId::of::<T>())?.borrow();
        Some(Ref::map(value, |value| {
            value.downcast_ref().expect("filed under its type")
        }))
    }

    /// The value of a type, to change it; `None` when there is none.
    ///
    /// # Panics
    /// While it is borrowed.
    #[must_use]
    pub fn get_mut<T: 'static>(&self) -> Option<RefMut<'_, T>> {
        let value = self.values.get(&TypeId::of::<T>())?.borrow_mut();
        Some(RefMut::map(value, |value| {
            value.downcast_mut().expect("filed under its type")
        }))
    }

    /// The value of a type that must be there.
    ///
    /// # Panics
    /// When there is none, naming the type, and while it is borrowed mutably.
    #[must_use]
    pub fn expect<T: 'static>(&self) -> Ref<'_, T> {
        self.get().unwrap_or_else(|| missing::<T>())
    }

    /// The value of a type that must be there, to change it.
    ///
    /// # Panics
    /// When there is none, naming the type, and while it is borrowed.
    #[must_use]
    pub fn expect_mut<T: 'static>(&self) -> RefMut<'_, T> {
        self.get_mut().unwrap_or_else(|| missing::<T>())
    }
}

fn missing<T>() -> ! {
    panic!(
        "there is no resource {}: add it with `App::resource`; what a Startup system inserts is not there when a kept \
         world does its ticks again",
        type_name::<T>()
    )
}

#[cfg(test)]
mod tests;
