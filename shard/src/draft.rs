//! An entity that does not exist yet: its components, written out. Never has an id.

use std::any::{Any, TypeId, type_name};
use std::ops::Range;

use worldshard_spatial::Point;

use crate::component::{Appearance, Component, Position};
use crate::registry::{Registry, write_part};

/// The components of an entity to be.
#[derive(Clone, Debug)]
pub struct Draft {
    position: Point,
    parts: Vec<Part>,
    /// The canonical bytes of all parts, one after another.
    bytes: Vec<u8>,
}

#[derive(Clone, Debug)]
struct Part {
    type_id: TypeId,
    type_name: &'static str,
    range: Range<usize>,
}

impl Draft {
    /// An entity at `position`, in metres, with the default appearance.
    #[must_use]
    pub fn at(position: Point) -> Self {
        Self {
            position,
            parts: Vec::new(),
            bytes: Vec::new(),
        }
        .with(Position(position))
        .with(Appearance::default())
    }

    /// Sets what it looks like to clients.
    #[must_use]
    pub fn appearance(self, appearance: Appearance) -> Self {
        self.with(appearance)
    }

    /// Adds a component, in place of one of the same type.
    #[must_use]
    pub fn with<C: Component>(mut self, component: C) -> Self {
        if let Some(position) = (&component as &dyn Any).downcast_ref::<Position>() {
            self.position = position.0;
        }
        self.parts.retain(|part| part.type_id != TypeId::of::<C>());
        let start = self.bytes.len();
        component.encode(&mut self.bytes);
        self.parts.push(Part {
            type_id: TypeId::of::<C>(),
            type_name: type_name::<C>(),
            range: start..self.bytes.len(),
        });
        self
    }

    /// Where the entity will be, in metres.
    #[must_use]
    pub fn position(&self) -> Point {
        self.position
    }

    /// Appends the same bytes as `Registry::encode_entity` would for the finished entity.
    ///
    /// # Panics
    /// When a component is not registered; the message names it and the remedy.
    pub fn encode(&self, registry: &Registry, out: &mut Vec<u8>) {
        let mut parts: Vec<(u16, &Part)> = self
            .parts
            .iter()
            .map(|part| {
                let number = registry.number_of(part.type_id, part.type_name);
                (number, part)
            })
            .collect();
        parts.sort_unstable_by_key(|(number, _)| *number);
        for (number, part) in parts {
            write_part(number, &self.bytes[part.range.clone()], out);
        }
    }
}

#[cfg(test)]
mod tests;
