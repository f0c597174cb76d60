//! What checkpoints need of a registry: versions of components, migrations between them, copies of columns.
//!
//! Never reads or writes a checkpoint.

use std::any::{TypeId, type_name};
use std::sync::Arc;

use hecs::Archetype;

use super::{Entry, PRIVATE, Registry, RegistryError};
use crate::checkpoint::{FrozenColumn, RestoreError};
use crate::component::{Component, Visibility};
use crate::migration::Migration;

/// How to read a component of a checkpoint.
pub(crate) struct Known {
    name: Box<str>,
    version: u16,
    pub(crate) decode: Migration,
}

impl Registry {
    /// Says of which version the canonical bytes of a registered type are; 1 unless said. To be raised whenever its
    /// fields change, so that checkpoints of before are not misread.
    ///
    /// # Errors
    /// When the type is not registered.
    pub fn set_version<C: Component>(&mut self, version: u16) -> Result<(), RegistryError> {
        self.entry_mut::<C>()?.version = version;
        Ok(())
    }

    /// Registers how a value is made of the bytes of an earlier version: `None` when they are not one.
    ///
    /// # Errors
    /// When the type is not registered, or there is a migration from this version already.
    pub fn migrate<C: Component>(
        &mut self,
        from: u16,
        read: impl Fn(&[u8]) -> Option<C> + Send + Sync + 'static,
    ) -> Result<(), RegistryError> {
        let entry = self.entry_mut::<C>()?;
        if entry.migrations.iter().any(|known| known.from() == from) {
            return Err(RegistryError::MigrationTaken {
                name: entry.name.to_string(),
                from,
            });
        }
        entry.migrations.push(Migration::new(from, read));
        Ok(())
    }

    fn entry_mut<C: Component>(&mut self) -> Result<&mut Entry, RegistryError> {
        let index = self.index_of(TypeId::of::<C>());
        let index = index.ok_or(RegistryError::NotRegistered {
            type_name: type_name::<C>(),
        })?;
        Ok(&mut Arc::make_mut(&mut self.entries)[usize::from(index)])
    }

    /// The registered components by number: name and version.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&str, u16)> {
        self.entries
            .iter()
            .map(|entry| (&*entry.name, entry.version))
    }

    /// How to read a component of a checkpoint.
    pub(crate) fn known(&self, name: &str, version: u16) -> Result<Known, RestoreError> {
        let entry = self.entries.iter().find(|entry| *entry.name == *name);
        let entry = entry.ok_or_else(|| RestoreError::ComponentUnknown {
            name: name.to_owned(),
        })?;
        let decode = if version == entry.version {
            Migration::present(version, entry.decode)
        } else {
            let migration = entry.migrations.iter().find(|one| one.from() == version);
            let known = entry.version;
            let refused = || RestoreError::ComponentVersion {
                name: name.to_owned(),
                found: version,
                known,
            };
            migration.ok_or_else(refused)?.clone()
        };
        Ok(Known {
            name: entry.name.clone(),
            version,
            decode,
        })
    }

    /// Copies of all columns of an archetype, by number.
    ///
    /// # Panics
    /// When it has a component type that is not registered: it would be lost.
    pub(crate) fn freeze(&self, archetype: &Archetype) -> Vec<(u16, Box<dyn FrozenColumn>)> {
        let columns = (0u16..).zip(self.entries.iter());
        let frozen: Vec<_> = columns
            .filter_map(|(number, entry)| Some((number, (entry.freeze)(archetype)?)))
            .collect();
        let private = PRIVATE.iter().filter(|(_, id)| archetype.has_dynamic(id()));
        assert!(
            frozen.len() + private.count() == archetype.component_types().len(),
            "entities carry a component type that is not registered: register it with \
             `.component::<C>(\"name\", Visibility::Private)` on the App"
        );
        frozen
    }

    /// The numbers of the shared components, in the order of their columns.
    pub(crate) fn shared_numbers(&self) -> impl Iterator<Item = u16> {
        let numbered = (0u16..).zip(self.entries.iter());
        let shared = numbered.filter(|(_, entry)| entry.visibility >= Visibility::Shared);
        shared.map(|(number, _)| number)
    }
}

impl Known {
    /// The bytes are not a value of the type.
    pub(crate) fn refused(&self) -> RestoreError {
        RestoreError::ComponentValue {
            name: self.name.to_string(),
            version: self.version,
        }
    }
}
