//! What an entity is made of: the traits of a component, who may see it, and the built-in ones.
//!
//! Never stores a value: that is `world`'s work.

use worldshard_macros::Component;
use worldshard_spatial::Point;

mod codec;

pub use codec::Codec;

/// A part of an entity. Implemented with `#[derive(Component)]`; registered before the world starts.
pub trait Component: Codec + Clone + Send + Sync + 'static {}

/// Who sees a component besides the systems of the entity's owner.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Visibility {
    /// Nobody.
    Private,
    /// Systems of the shards within the border, on the ghost.
    Shared,
    /// As shared, and every client that has the entity in its visible set.
    Replicated,
}

/// Where the entity is, in metres. Every entity has one.
///
/// Clients learn it from the record and systems from [`View::position`](crate::View::position).
#[derive(Component, Copy, Clone, Debug, Default, PartialEq)]
#[component(crate = "crate")]
pub struct Position(pub Point);

/// What the entity looks like to clients. Every entity has one; it travels in the record.
#[derive(Component, Copy, Clone, Debug, Default, PartialEq, Eq)]
#[component(crate = "crate")]
pub struct Appearance {
    /// What it is, as the world defines it.
    pub kind: u8,
    /// Direction in 256ths of a turn, from +x towards +y.
    pub heading: u8,
}

/// Where an avatar's client wants to go: a direction, its length from 0 (stand) to 1 (full speed).
#[derive(Component, Copy, Clone, Debug, Default, PartialEq)]
#[component(crate = "crate")]
pub struct Steering(pub Point);

#[cfg(test)]
mod tests;
