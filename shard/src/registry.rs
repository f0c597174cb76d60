//! The components of a world: their names, who sees them, and how to write and read a whole entity.
//!
//! The same on every shard, since all build the same recipe. Never holds a component's value.

mod versions;

use std::any::{TypeId, type_name};
use std::fmt;
use std::sync::Arc;

use hecs::{Archetype, EntityBuilder, EntityRef};
use worldshard_protocol::EntityId;

use crate::checkpoint::{FrozenColumn, freeze_column};
use crate::column::{AnyColumn, column};
use crate::component::{Appearance, Codec, Component, Position, Steering, Visibility};
use crate::migration::Migration;
use crate::timers::Timers;
use crate::world::{Laid, Rank};

pub(crate) use versions::Known;

/// The table of registered components. A clone is cheap and shares the table.
#[derive(Clone)]
pub struct Registry {
    entries: Arc<Vec<Entry>>,
}

/// One registered type; its place in the table is its number in encoded entities.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) type_id: TypeId,
    type_name: &'static str,
    name: Box<str>,
    visibility: Visibility,
    /// Of its canonical bytes, as checkpoints name it.
    version: u16,
    migrations: Vec<Migration>,
    encode: fn(&EntityRef<'_>, &mut Vec<u8>) -> bool,
    decode: fn(&mut &[u8], &mut EntityBuilder) -> bool,
    pub(crate) column: fn() -> Box<dyn AnyColumn>,
    freeze: fn(&Archetype) -> Option<Box<dyn FrozenColumn>>,
}

impl Registry {
    /// The built-in components only.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Self {
            entries: Arc::default(),
        };
        // The record carries the first two to ghosts and clients.
        registry.built_in::<Position>("position");
        registry.built_in::<Appearance>("appearance");
        registry.built_in::<Steering>("steering");
        registry.built_in::<Timers>("timers");
        registry
    }

    fn built_in<C: Component>(&mut self, name: &str) {
        self.register::<C>(name, Visibility::Private)
            .expect("the built-in components have different names and types");
    }

    /// Adds a component type under the name by which clients and tools know it.
    ///
    /// Clones made before do not see it.
    ///
    /// # Errors
    /// When the name is empty, the name or the type is registered already, or the table is full.
    pub fn register<C: Component>(
        &mut self,
        name: &str,
        visibility: Visibility,
    ) -> Result<(), RegistryError> {
        if name.is_empty() {
            return Err(RegistryError::NameEmpty {
                type_name: type_name::<C>(),
            });
        }
        if let Some(known) = self.entries.iter().find(|entry| *entry.name == *name) {
            return Err(RegistryError::NameTaken {
                name: name.to_owned(),
                type_name: known.type_name,
            });
        }
        if let Some(index) = self.index_of(TypeId::of::<C>()) {
            return Err(RegistryError::TypeTaken {
                name: self.name(index).to_owned(),
                type_name: type_name::<C>(),
            });
        }
        if self.entries.len() == COMPONENTS_MAX {
            return Err(RegistryError::Full);
        }
        Arc::make_mut(&mut self.entries).push(Entry {
            type_id: TypeId::of::<C>(),
            type_name: type_name::<C>(),
            name: name.into(),
            visibility,
            version: FIRST_VERSION,
            migrations: Vec::new(),
            encode: encode_from::<C>,
            decode: decode_into::<C>,
            column: column::<C>,
            freeze: freeze_column::<C>,
        });
        Ok(())
    }

    /// The number of a registered component type.
    pub(crate) fn index_of(&self, type_id: TypeId) -> Option<u16> {
        let index = self.entries.iter().position(|e| e.type_id == type_id)?;
        Some(u16::try_from(index).expect("register refuses more than COMPONENTS_MAX"))
    }

    /// The name under which the component with this number is registered.
    ///
    /// # Panics
    /// When there is no such number.
    #[must_use]
    pub fn name(&self, index: u16) -> &str {
        &self.entries[usize::from(index)].name
    }

    /// Who sees a component type; `None` when it is not registered.
    #[must_use]
    pub fn visibility<C: Component>(&self) -> Option<Visibility> {
        let index = self.index_of(TypeId::of::<C>())?;
        Some(self.entries[usize::from(index)].visibility)
    }

    /// The number of a component type that must be registered.
    ///
    /// # Panics
    /// When it is not; the message names the type and the remedy.
    pub(crate) fn number_of(&self, type_id: TypeId, type_name: &str) -> u16 {
        self.index_of(type_id).unwrap_or_else(|| {
            panic!(
                "component {type_name} is not registered: add \
                 `.component::<{type_name}>(\"name\", Visibility::Private)` to the App"
            )
        })
    }

    /// The replicated components in the order of their numbers on the wire, which count from zero.
    pub fn replicated(&self) -> impl Iterator<Item = (u16, &str)> {
        (0..).zip(self.entries_replicated().map(|entry| &*entry.name))
    }

    fn entries_replicated(&self) -> impl Iterator<Item = &Entry> {
        self.entries
            .iter()
            .filter(|entry| entry.visibility == Visibility::Replicated)
    }

    /// The entries that have a column in views and ghost sets.
    pub(crate) fn shared(&self) -> impl Iterator<Item = &Entry> {
        self.entries
            .iter()
            .filter(|entry| entry.visibility >= Visibility::Shared)
    }

    /// Appends all registered components of an entity, ascending by number: (u16 number, u32 length,
    /// bytes) each. Its id and what the engine keeps beside it are not among them.
    ///
    /// # Panics
    /// When the entity carries an unregistered component: it would be lost in a handoff.
    pub fn encode_entity(&self, entity: &EntityRef<'_>, out: &mut Vec<u8>) {
        let mut count = 0;
        for (number, entry) in (0u16..).zip(self.entries.iter()) {
            let head = out.len();
            out.extend_from_slice(&number.to_le_bytes());
            out.extend_from_slice(&[0; 4]);
            if (entry.encode)(entity, out) {
                write_length(head, out);
                count += 1;
            } else {
                out.truncate(head);
            }
        }
        let private = PRIVATE.iter().filter(|(has, _)| has(entity)).count();
        assert!(
            count + private == entity.len(),
            "entity {:?} carries a component type that is not registered ({:?}): register it with \
             `.component::<C>(\"name\", Visibility::Private)` on the App",
            entity.get::<&EntityId>().as_deref(),
            self.unregistered(entity),
        );
    }

    fn unregistered(&self, entity: &EntityRef<'_>) -> Vec<TypeId> {
        let private = |id: &TypeId| PRIVATE.iter().any(|(_, type_id)| type_id() == *id);
        entity
            .component_types()
            .filter(|id| !private(id) && self.index_of(*id).is_none())
            .collect()
    }

    /// Appends the components of an entity that neighbours see, as `View::encode_shared` writes those of a rank.
    pub fn encode_shared(&self, entity: &EntityRef<'_>, out: &mut Vec<u8>) {
        for entry in self.shared() {
            let head = out.len();
            out.push(1);
            if !(entry.encode)(entity, out) {
                out.truncate(head);
                out.push(0);
            }
        }
    }

    /// Adds the components that [`Registry::encode_entity`] wrote to a builder.
    ///
    /// Total for all bytes: never panics.
    ///
    /// # Errors
    /// When the bytes are not one entity of this registry; the builder then holds a part of it.
    pub fn decode_entity(
        &self,
        bytes: &[u8],
        builder: &mut EntityBuilder,
    ) -> Result<(), DecodeError> {
        for part in Parts::new(bytes) {
            let (number, mut value) = part?;
            let entry = self
                .entries
                .get(usize::from(number))
                .ok_or(DecodeError::NotRegistered { number })?;
            if !(entry.decode)(&mut value, builder) || !value.is_empty() {
                return Err(DecodeError::Value { number });
            }
        }
        if builder.has::<Position>() && builder.has::<Appearance>() {
            Ok(())
        } else {
            Err(DecodeError::Incomplete)
        }
    }

    /// Appends the replicated components of an entity: (u16 number on the wire, u16 length, bytes) each.
    ///
    /// Returns how many were left out because they are longer than [`REPLICATED_BYTES_MAX`]: clients
    /// see the entity without them. Their numbers are still there, as [`replicated_parts`] tells.
    pub fn encode_replicated(&self, entity: &EntityRef<'_>, out: &mut Vec<u8>) -> u32 {
        let mut left_out = 0;
        for (number, entry) in (0u16..).zip(self.entries_replicated()) {
            let head = out.len();
            out.extend_from_slice(&number.to_le_bytes());
            out.extend_from_slice(&[0; 2]);
            let present = (entry.encode)(entity, out);
            match replicated_length(out.len() - head - EXTRA_HEAD_BYTES) {
                Some(length) if present => {
                    out[head + 2..head + EXTRA_HEAD_BYTES].copy_from_slice(&length.to_le_bytes());
                }
                Some(_) => out.truncate(head),
                None => {
                    left_out += 1;
                    out.truncate(head + EXTRA_HEAD_BYTES);
                    out[head + 2..].copy_from_slice(&LEFT_OUT.to_le_bytes());
                }
            }
        }
        left_out
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let components = self.entries.iter().map(|e| (&e.name, e.visibility));
        f.debug_map().entries(components).finish()
    }
}

/// The length as it is laid out; none when it is more than [`REPLICATED_BYTES_MAX`].
fn replicated_length(bytes: usize) -> Option<u16> {
    u16::try_from(bytes)
        .ok()
        .filter(|&length| length != LEFT_OUT)
}

/// What [`Registry::encode_replicated`] appended for one entity: each component's number, and its bytes unless it is
/// left out.
pub fn replicated_parts(mut bytes: &[u8]) -> impl Iterator<Item = (u16, Option<&[u8]>)> {
    std::iter::from_fn(move || {
        let (number, rest) = bytes.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let number = u16::from_le_bytes(*number);
        let length = u16::from_le_bytes(*length);
        if length == LEFT_OUT {
            bytes = rest;
            return Some((number, None));
        }
        let (value, rest) = rest.split_at_checked(length.into())?;
        bytes = rest;
        Some((number, Some(value)))
    })
}

/// The components in the bytes of an entity; ends after the first error.
struct Parts<'a> {
    bytes: &'a [u8],
    number_min: u32,
}

impl<'a> Parts<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            number_min: 0,
        }
    }

    fn take(&mut self) -> Option<(u16, &'a [u8])> {
        let number = u16::decode(&mut self.bytes)?;
        let length = usize::try_from(u32::decode(&mut self.bytes)?).ok()?;
        let (value, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        let ascending = u32::from(number) >= self.number_min;
        self.number_min = u32::from(number) + 1;
        ascending.then_some((number, value))
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = Result<(u16, &'a [u8]), DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.bytes.is_empty() {
            return None;
        }
        let part = self.take().ok_or(DecodeError::Framing);
        if part.is_err() {
            self.bytes = &[];
        }
        Some(part)
    }
}

/// Appends one component whose bytes are known.
pub(crate) fn write_part(number: u16, value: &[u8], out: &mut Vec<u8>) {
    let head = out.len();
    out.extend_from_slice(&number.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(value);
    write_length(head, out);
}

fn write_length(head: usize, out: &mut [u8]) {
    let value = head + PART_HEAD_BYTES;
    let length = u32::try_from(out.len() - value).expect("a component has fewer than 2^32 bytes");
    out[head + 2..value].copy_from_slice(&length.to_le_bytes());
}

fn encode_from<C: Component>(entity: &EntityRef<'_>, out: &mut Vec<u8>) -> bool {
    let component = entity.get::<&C>();
    if let Some(component) = &component {
        component.encode(out);
    }
    component.is_some()
}

fn decode_into<C: Component>(bytes: &mut &[u8], builder: &mut EntityBuilder) -> bool {
    let component = C::decode(bytes);
    let decoded = component.is_some();
    if let Some(component) = component {
        builder.add(component);
    }
    decoded
}

/// Why a component was not registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegistryError {
    /// A name is what clients know a component by, so it cannot be empty.
    NameEmpty {
        /// The type that was to be registered.
        type_name: &'static str,
    },
    /// Another type has the name.
    NameTaken {
        /// The name.
        name: String,
        /// The type that has it.
        type_name: &'static str,
    },
    /// The type is registered already.
    TypeTaken {
        /// The name it has.
        name: String,
        /// The type.
        type_name: &'static str,
    },
    /// [`COMPONENTS_MAX`] types are registered.
    Full,
    /// What was said of the type concerns a registered one only.
    NotRegistered {
        /// The type.
        type_name: &'static str,
    },
    /// There is a migration from this version already.
    MigrationTaken {
        /// The component.
        name: String,
        /// The version.
        from: u16,
    },
}

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NameEmpty { type_name } => write!(f, "component {type_name} has an empty name"),
            Self::NameTaken { name, type_name } => {
                write!(f, "the component name {name:?} is taken by {type_name}")
            }
            Self::TypeTaken { name, type_name } => {
                write!(
                    f,
                    "component {type_name} is registered already, as {name:?}"
                )
            }
            Self::Full => write!(f, "more than {COMPONENTS_MAX} component types"),
            Self::NotRegistered { type_name } => write!(
                f,
                "component {type_name} is not registered yet: its version and migrations come after \
                 `.component::<{type_name}>(…)`"
            ),
            Self::MigrationTaken { name, from } => {
                write!(
                    f,
                    "component {name:?} has two migrations from version {from}"
                )
            }
        }
    }
}

impl std::error::Error for RegistryError {}

/// Why bytes are not an entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// The parts are cut short, or not in ascending order.
    Framing,
    /// A part's number is not in the registry.
    NotRegistered {
        /// The number.
        number: u16,
    },
    /// A part's bytes are not a value of its type.
    Value {
        /// The part's number.
        number: u16,
    },
    /// An entity needs a position and an appearance.
    Incomplete,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Framing => write!(f, "entity bytes are cut short or out of order"),
            Self::NotRegistered { number } => {
                write!(
                    f,
                    "entity bytes name component {number}, which is not registered"
                )
            }
            Self::Value { number } => {
                write!(f, "bytes of component {number} are not a value of its type")
            }
            Self::Incomplete => write!(f, "entity bytes lack a position or an appearance"),
        }
    }
}

impl std::error::Error for DecodeError {}

type Private = (fn(&EntityRef<'_>) -> bool, fn() -> TypeId);

/// What the engine keeps beside the registered components.
const PRIVATE: [Private; 3] = [
    (|entity| entity.has::<EntityId>(), TypeId::of::<EntityId>),
    (|entity| entity.has::<Laid>(), TypeId::of::<Laid>),
    (|entity| entity.has::<Rank>(), TypeId::of::<Rank>),
];

/// Component types in one world, the built-in ones included; registering more is refused.
pub const COMPONENTS_MAX: usize = 1024;

/// Bytes of one replicated component; a longer one is left out of what clients are told.
pub const REPLICATED_BYTES_MAX: usize = LEFT_OUT as usize - 1;

/// In place of the length of a component that is left out: who was told of it before must hear that it is gone.
const LEFT_OUT: u16 = u16::MAX;

/// Of components whose version nobody said.
const FIRST_VERSION: u16 = 1;

const PART_HEAD_BYTES: usize = 2 + 4;
const EXTRA_HEAD_BYTES: usize = 2 + 2;

const _: () = assert!(COMPONENTS_MAX <= u16::MAX as usize);

#[cfg(test)]
mod tests;
