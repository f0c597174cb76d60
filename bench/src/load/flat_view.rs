//! The visible set as `protocol::View` builds it, in flat ascending lists that deltas are merged into: cheap enough for
//! thousands of clients in one thread. Refuses the same deltas. Components are checked, their values not kept.

use worldshard_client::protocol::{
    ArchivedDelta, EntityId, Extra, Record, Tick, ViewError, read_delta,
};

/// What one client sees.
#[derive(Default)]
pub(crate) struct FlatView {
    /// `None` until the first full delta.
    tick: Option<Tick>,
    command_sequence: u32,
    /// Ascending by id.
    records: Vec<Record>,
}

impl FlatView {
    /// How many entities the client sees.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// The tick of the last delta; 0 before the first.
    pub(crate) fn tick(&self) -> Tick {
        self.tick.unwrap_or_default()
    }

    /// The client's last command that the set contains.
    pub(crate) fn command_sequence(&self) -> u32 {
        self.command_sequence
    }

    /// Applies one delta. `scratch` may hold anything.
    ///
    /// # Errors
    /// The delta is malformed or does not fit the set, which is of no use from then on.
    pub(crate) fn apply(
        &mut self,
        bytes: &[u8],
        scratch: &mut Vec<Record>,
    ) -> Result<(), ViewError> {
        let delta = read_delta(bytes)?;
        if delta.is_full() {
            self.records.clear();
            self.records.extend(delta.entered.iter().map(Record::from));
        } else {
            let base = Tick(delta.base_tick.to_native());
            if self.tick != Some(base) {
                let have = self.tick;
                return Err(ViewError::BaseTick { have, base });
            }
            self.change(delta)?;
            if !delta.left.is_empty() || !delta.entered.is_empty() {
                self.merge(delta, scratch)?;
            }
        }
        self.check_extras(delta)?;
        self.tick = Some(Tick(delta.tick.to_native()));
        self.command_sequence = delta.command_sequence.to_native();
        Ok(())
    }

    /// Both lists ascend: one walk finds all.
    fn change(&mut self, delta: &ArchivedDelta) -> Result<(), ViewError> {
        let mut known = self.records.iter_mut();
        for record in delta.changed.iter().map(Record::from) {
            match known.by_ref().find(|known| known.id >= record.id) {
                Some(found) if found.id == record.id => *found = record,
                Some(_) | None => return Err(ViewError::Unknown(EntityId(record.id))),
            }
        }
        Ok(())
    }

    fn merge(&mut self, delta: &ArchivedDelta, scratch: &mut Vec<Record>) -> Result<(), ViewError> {
        scratch.clear();
        let mut left = delta.left.iter().map(|id| id.to_native()).peekable();
        let mut entered = delta.entered.iter().map(Record::from).peekable();
        for known in &self.records {
            while let Some(record) = entered.next_if(|record| record.id < known.id) {
                scratch.push(record);
            }
            if entered.peek().is_some_and(|record| record.id == known.id) {
                return Err(ViewError::Known(EntityId(known.id)));
            }
            if left.next_if(|id| *id == known.id).is_none() {
                scratch.push(*known);
            }
        }
        scratch.extend(entered);
        // The walk passes each known id: one that was not met is not known.
        if let Some(id) = left.next() {
            return Err(ViewError::Unknown(EntityId(id)));
        }
        std::mem::swap(&mut self.records, scratch);
        Ok(())
    }

    fn check_extras(&self, delta: &ArchivedDelta) -> Result<(), ViewError> {
        for extra in delta.extras.iter().map(Extra::from) {
            let found = self
                .records
                .binary_search_by_key(&extra.id, |record| record.id);
            found.map_err(|_| ViewError::Unknown(EntityId(extra.id)))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
