//! Where a shard keeps its connections. A slot of one that ended never names another.

use super::connection::Connection;

/// Names a connection of one shard, for as long as the shard lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Slot {
    index: u32,
    generation: u32,
}

/// The connections of one shard.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    entries: Vec<Entry>,
    free: Vec<u32>,
    len: usize,
}

#[derive(Debug, Default)]
struct Entry {
    generation: u32,
    connection: Option<Box<Connection>>,
}

impl Slot {
    /// The place in a table of the driver; a later connection may have the same.
    pub(crate) fn index(self) -> usize {
        self.index as usize
    }
}

impl Slots {
    /// Keeps a connection.
    pub(crate) fn insert(&mut self, connection: Box<Connection>) -> Slot {
        let index = self.free.pop().unwrap_or_else(|| {
            self.entries.push(Entry::default());
            u32::try_from(self.entries.len() - 1).expect("descriptors are fewer than 2^32")
        });
        let entry = &mut self.entries[index as usize];
        entry.connection = Some(connection);
        self.len += 1;
        Slot {
            index,
            generation: entry.generation,
        }
    }

    /// Ends the slot and gives its connection back.
    pub(crate) fn remove(&mut self, slot: Slot) -> Option<Box<Connection>> {
        let entry = self.entries.get_mut(slot.index())?;
        if entry.generation != slot.generation {
            return None;
        }
        let connection = entry.connection.take()?;
        entry.generation = entry.generation.wrapping_add(1);
        self.free.push(slot.index);
        self.len -= 1;
        Some(connection)
    }

    pub(crate) fn find(&self, slot: Slot) -> Option<&Connection> {
        let entry = self.entries.get(slot.index())?;
        let connection = entry.connection.as_deref()?;
        (entry.generation == slot.generation).then_some(connection)
    }

    pub(crate) fn find_mut(&mut self, slot: Slot) -> Option<&mut Connection> {
        let entry = self.entries.get_mut(slot.index())?;
        let connection = entry.connection.as_deref_mut()?;
        (entry.generation == slot.generation).then_some(connection)
    }

    /// The connection at a place, if there is one now.
    pub(crate) fn at(&mut self, index: usize) -> Option<(Slot, &mut Connection)> {
        let entry = self.entries.get_mut(index)?;
        let connection = entry.connection.as_deref_mut()?;
        let slot = Slot {
            index: u32::try_from(index).ok()?,
            generation: entry.generation,
        };
        Some((slot, connection))
    }

    /// Connections kept.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The slots of all connections, in order of their places.
    pub(crate) fn all(&self) -> Vec<Slot> {
        let entries = self.entries.iter().zip(0..);
        entries
            .filter(|(entry, _)| entry.connection.is_some())
            .map(|(entry, index)| Slot {
                index,
                generation: entry.generation,
            })
            .collect()
    }
}
