//! The entities of a view by ascending id, and beside each what deltas copy of it.
//!
//! An entity's *slot* is its place among them. Never decides who sees what: that is `observe`.
//! Invariant: slots ascend as ids do, so that a walk over slots meets ids in the order of the wire.

use worldshard_protocol::{RECORD_BYTES, Tick};

use crate::slots::{SLOTS_PER_WORD, slots_of};
use crate::view::View;

/// All entities that one shard knows of, for its sessions. Brought up to date in ticks in which somebody looks.
#[derive(Default)]
pub(crate) struct Roster {
    /// Counts how often `ids` became others: slots of different editions cannot be compared.
    edition: u64,
    ids: Vec<u64>,
    /// As `ids` was in the edition before.
    former_ids: Vec<u64>,
    /// Where the slots of the edition before are now; of this edition's length at least when nobody was moved.
    moved: Vec<u32>,
    /// The slot of each rank of the view.
    by_rank: Vec<u32>,
    /// By slot, as all that follow.
    rows: Vec<u32>,
    /// As `rows` was in the edition before.
    former_rows: Vec<u32>,
    records: Vec<[u8; RECORD_BYTES]>,
    changed_ticks: Vec<Tick>,
    /// One bit a slot: its record changed in the tick of the update.
    changed: Vec<u64>,
    updated: Tick,
    input: Input,
}

/// The view's ids in its own order when they were last sorted: from tick to tick they are mostly the same.
#[derive(Default)]
struct Input {
    ids: Vec<u64>,
    slots: Vec<u32>,
    /// Ids that are in another row than before, or that were in none, with their rows; ascending.
    newcomers: Vec<(u64, u32)>,
}

impl Roster {
    /// Takes in the view of a tick.
    pub(crate) fn update(&mut self, view: &View, tick: Tick) {
        let rows = view.rows();
        if rows.ids != self.input.ids {
            self.sort(&rows.ids);
        }
        let count = self.ids.len();
        self.updated = tick;
        self.by_rank.resize(count, 0);
        self.records.resize(count, [0; RECORD_BYTES]);
        self.changed_ticks.resize(count, Tick(0));
        let by_row = rows.ranks.iter().zip(&rows.records).zip(&rows.told);
        for (&slot, ((&rank, record), told)) in self.input.slots.iter().zip(by_row) {
            self.by_rank[rank as usize] = slot;
            self.records[slot as usize] = *record;
            self.changed_ticks[slot as usize] = told.changed_tick;
        }
        self.changed.clear();
        self.changed
            .extend(self.changed_ticks.chunks(SLOTS_PER_WORD).map(|ticks| {
                let bits = ticks.iter().zip(0..);
                bits.fold(0, |word, (&changed, bit)| {
                    word | u64::from(changed == tick) << bit
                })
            }));
    }

    /// Begins another edition. Who keeps its row keeps its place among the others too: only the rest is sorted.
    fn sort(&mut self, ids: &[u64]) {
        let Input {
            ids: former_input,
            slots,
            newcomers,
        } = &mut self.input;
        newcomers.clear();
        let by_row = (0u32..).zip(ids);
        let by_row = by_row.filter(|&(row, id)| former_input.get(row as usize) != Some(id));
        newcomers.extend(by_row.map(|(row, &id)| (id, row)));
        newcomers.sort_unstable();
        former_input.clear();
        former_input.extend_from_slice(ids);
        std::mem::swap(&mut self.ids, &mut self.former_ids);
        std::mem::swap(&mut self.rows, &mut self.former_rows);
        self.ids.clear();
        self.rows.clear();
        self.moved.clear();
        slots.clear();
        slots.resize(ids.len(), GONE);
        let mut place = |id: u64, row: u32| {
            let slot = self.ids.len() as u32;
            self.ids.push(id);
            self.rows.push(row);
            slots[row as usize] = slot;
            slot
        };
        let mut newcomers = newcomers.iter().copied().peekable();
        for (&former, &row) in self.former_ids.iter().zip(&self.former_rows) {
            while let Some((id, row)) = newcomers.next_if(|&(id, _)| id < former) {
                place(id, row);
            }
            let slot = if ids.get(row as usize) == Some(&former) {
                place(former, row)
            } else if let Some((id, row)) = newcomers.next_if(|&(id, _)| id == former) {
                place(id, row)
            } else {
                GONE
            };
            self.moved.push(slot);
        }
        for (id, row) in newcomers {
            place(id, row);
        }
        debug_assert!(self.ids.is_sorted(), "slots ascend as ids do");
        self.edition += 1;
    }

    /// Which edition the slots are of.
    pub(crate) fn edition(&self) -> u64 {
        self.edition
    }

    /// How many slots there are.
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// The slot of the entity at a rank of the view.
    #[inline]
    pub(crate) fn slot(&self, rank: u32) -> u32 {
        self.by_rank[rank as usize]
    }

    /// The slot of each rank of the view.
    pub(crate) fn by_rank(&self) -> &[u32] {
        &self.by_rank
    }

    /// The place of the slot's entity in the view's rows.
    pub(crate) fn row(&self, slot: u32) -> usize {
        self.rows[slot as usize] as usize
    }

    /// Looks for an id among the slots from `from` on, the nearest first: whoever asks for ids that ascend begins where
    /// the one before was found. The slot, or else the first one with a higher id.
    pub(crate) fn find(&self, id: u64, from: u32) -> Result<u32, u32> {
        let rest = &self.ids[from as usize..];
        let mut reach = 1;
        while reach < rest.len() && rest[reach] < id {
            reach *= 2;
        }
        let near = &rest[..rest.len().min(reach + 1)];
        match near.binary_search(&id) {
            Ok(place) => Ok(from + place as u32),
            Err(place) => Err(from + place as u32),
        }
    }

    /// The ids by the slots of this edition or of the one before.
    pub(crate) fn ids_of(&self, edition: u64) -> &[u64] {
        if edition == self.edition {
            return &self.ids;
        }
        assert_eq!(
            edition + 1,
            self.edition,
            "slots are kept for one edition more"
        );
        &self.former_ids
    }

    /// Where a slot of the edition before is now; none when its entity is not known any more.
    #[inline]
    pub(crate) fn moved(&self, former: u32) -> Option<u32> {
        let slot = self.moved[former as usize];
        (slot != GONE).then_some(slot)
    }

    /// The records, by slot.
    pub(crate) fn records(&self) -> &[[u8; RECORD_BYTES]] {
        &self.records
    }

    /// Those of 64 slots whose record changed after `since`.
    #[inline]
    pub(crate) fn changed(&self, word: u32, slots: u64, since: Tick) -> u64 {
        if since.next() == self.updated {
            return slots & self.changed[word as usize];
        }
        let changed = |&slot: &u32| self.changed_ticks[slot as usize] > since;
        slots_of(word, slots)
            .filter(changed)
            .fold(0, |bits, slot| bits | 1 << (slot as usize % SLOTS_PER_WORD))
    }
}

/// In `moved`: not known any more.
const GONE: u32 = u32::MAX;

#[cfg(test)]
pub(crate) mod tests;
