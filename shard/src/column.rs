//! Values of the shared components: one typed column each, a row per entity.
//!
//! A view's rows are its ranks, a ghost set's its entries. Never decides who has a row.

use std::any::{Any, TypeId, type_name};
use std::fmt;

use hecs::{Entity, EntityBuilder, EntityRef};

use crate::component::{Codec, Component};
use crate::registry::Registry;
use crate::world::Rank;

/// One column per shared component type of a registry, all with the same number of rows.
///
/// An entity that lacks a component has `None` in its row.
#[derive(Clone, Default)]
pub(crate) struct Columns {
    columns: Vec<Typed>,
    rows: usize,
}

struct Typed {
    type_id: TypeId,
    column: Box<dyn AnyColumn>,
}

impl Clone for Typed {
    fn clone(&self) -> Self {
        Self {
            type_id: self.type_id,
            column: self.column.boxed_clone(),
        }
    }
}

impl Columns {
    /// Columns without rows for the shared and replicated components.
    pub(crate) fn empty_like(registry: &Registry) -> Self {
        let columns = registry
            .shared()
            .map(|entry| Typed {
                type_id: entry.type_id,
                column: (entry.column)(),
            })
            .collect();
        Self { columns, rows: 0 }
    }

    /// Drops all rows and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.reset(0);
    }

    /// Drops all rows and makes `rows` empty ones.
    pub(crate) fn reset(&mut self, rows: usize) {
        for typed in &mut self.columns {
            typed.column.reset(rows);
        }
        self.rows = rows;
    }

    /// Appends a row with the components of an entity.
    pub(crate) fn push_from_entity(&mut self, entity: &EntityRef<'_>) {
        for typed in &mut self.columns {
            typed.column.push_from_entity(entity);
        }
        self.rows += 1;
    }

    /// Appends a row for each of these entities: for many of them cheaper than one by one.
    pub(crate) fn extend_from_world(&mut self, world: &hecs::World, entities: &[Entity]) {
        for typed in &mut self.columns {
            typed.column.extend_from_world(world, entities);
        }
        self.rows += entities.len();
    }

    /// Appends a row with the components in a builder; those that have no column stay in it.
    pub(crate) fn push_from_builder(&mut self, builder: &mut EntityBuilder) {
        for typed in &mut self.columns {
            typed.column.push_from_builder(builder);
        }
        self.rows += 1;
    }

    /// Moves all rows of columns of the same registry behind the own ones.
    pub(crate) fn append(&mut self, other: &mut Columns) {
        assert_eq!(self.columns.len(), other.columns.len(), "same registry");
        for (typed, source) in self.columns.iter_mut().zip(&mut other.columns) {
            typed.column.append(source.column.as_any_mut());
        }
        self.rows += std::mem::take(&mut other.rows);
    }

    /// Fills the rows of own entities from the world: each entity's row is its slot.
    pub(crate) fn scatter_from_world(&mut self, world: &hecs::World) {
        for typed in &mut self.columns {
            typed.column.scatter_from_world(world);
        }
    }

    /// Fills rows from columns of the same registry: row `i` of `other` goes to row `rows[i]`.
    pub(crate) fn scatter_from_columns(&mut self, other: &Columns, rows: &[u32]) {
        assert_eq!(self.columns.len(), other.columns.len(), "same registry");
        assert_eq!(other.rows, rows.len(), "every row has a place to go to");
        for (typed, source) in self.columns.iter_mut().zip(&other.columns) {
            typed
                .column
                .scatter_from_column(source.column.as_any(), rows);
        }
    }

    /// The component in a row.
    ///
    /// # Panics
    /// When the type is not registered as shared or replicated, or there is no such row.
    pub(crate) fn get<C: Component>(&self, row: usize) -> Option<&C> {
        self.slice::<C>()[row].as_ref()
    }

    /// Appends the components in a row: for each column whether there is one, then its canonical bytes.
    pub(crate) fn encode_row(&self, row: usize, out: &mut Vec<u8>) {
        for typed in &self.columns {
            typed.column.encode_row(row, out);
        }
    }

    /// Appends the components in a row: for each column whether there is one, then its canonical bytes with their length
    /// in front.
    pub(crate) fn encode_row_framed(&self, row: usize, out: &mut Vec<u8>) {
        let mut bytes = Vec::new();
        for typed in &self.columns {
            bytes.clear();
            typed.column.encode_row(row, &mut bytes);
            // What `encode_row` puts in front says whether there is one.
            let value = (bytes[0] == 1).then(|| bytes[1..].to_vec());
            value.encode(out);
        }
    }

    /// A component's column, in row order.
    ///
    /// # Panics
    /// When the type is not registered as shared or replicated.
    pub(crate) fn slice<C: Component>(&self) -> &[Option<C>] {
        let column = self
            .columns
            .iter()
            .find(|typed| typed.type_id == TypeId::of::<C>())
            .and_then(|typed| typed.column.as_any().downcast_ref::<Column<C>>());
        match column {
            Some(column) => &column.values,
            None => panic!(
                "component {0} is not visible to neighbours: register it with \
                 `.component::<{0}>(\"name\", Visibility::Shared)` on the App",
                type_name::<C>()
            ),
        }
    }
}

impl fmt::Debug for Columns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Columns({} of {} rows)", self.columns.len(), self.rows)
    }
}

/// A column whose type only its entry in the registry knows.
pub(crate) trait AnyColumn: Send + Sync {
    fn as_any(&self) -> &dyn Any;
    fn as_any_mut(&mut self) -> &mut dyn Any;
    fn reset(&mut self, rows: usize);
    fn boxed_clone(&self) -> Box<dyn AnyColumn>;
    fn push_from_entity(&mut self, entity: &EntityRef<'_>);
    fn extend_from_world(&mut self, world: &hecs::World, entities: &[Entity]);
    fn push_from_builder(&mut self, builder: &mut EntityBuilder);
    fn append(&mut self, other: &mut dyn Any);
    fn scatter_from_world(&mut self, world: &hecs::World);
    fn scatter_from_column(&mut self, other: &dyn Any, rows: &[u32]);
    fn encode_row(&self, row: usize, out: &mut Vec<u8>);
}

struct Column<C> {
    values: Vec<Option<C>>,
}

/// An empty column of one component type.
pub(crate) fn column<C: Component>() -> Box<dyn AnyColumn> {
    Box::new(Column::<C> { values: Vec::new() })
}

impl<C: Component> AnyColumn for Column<C> {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn reset(&mut self, rows: usize) {
        self.values.clear();
        self.values.resize(rows, None);
    }

    fn push_from_entity(&mut self, entity: &EntityRef<'_>) {
        self.values.push(entity.get::<&C>().as_deref().cloned());
    }

    fn extend_from_world(&mut self, world: &hecs::World, entities: &[Entity]) {
        let view = world.view::<&C>();
        let values = entities.iter().map(|&entity| view.get(entity).cloned());
        self.values.extend(values);
    }

    fn boxed_clone(&self) -> Box<dyn AnyColumn> {
        Box::new(Self {
            values: self.values.clone(),
        })
    }

    fn push_from_builder(&mut self, builder: &mut EntityBuilder) {
        self.values.push(builder.get::<&C>().cloned());
    }

    fn append(&mut self, other: &mut dyn Any) {
        let other = other.downcast_mut::<Self>().expect("same registry");
        self.values.append(&mut other.values);
    }

    fn scatter_from_world(&mut self, world: &hecs::World) {
        for (place, component) in world.query::<(&Rank, &C)>().iter() {
            self.values[place.rank as usize] = Some(component.clone());
        }
    }

    fn scatter_from_column(&mut self, other: &dyn Any, rows: &[u32]) {
        let other = other.downcast_ref::<Self>().expect("same registry");
        for (value, &row) in other.values.iter().zip(rows) {
            self.values[row as usize].clone_from(value);
        }
    }

    fn encode_row(&self, row: usize, out: &mut Vec<u8>) {
        let value = &self.values[row];
        out.push(u8::from(value.is_some()));
        if let Some(value) = value {
            value.encode(out);
        }
    }
}

#[cfg(test)]
mod tests;
