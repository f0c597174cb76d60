//! Sets of slots of a roster: what a session sees and knew while it is looked at, and a visible set.
//!
//! Never knows what an entity is, nor why it is in a set.

use worldshard_protocol::EntityId;

use crate::roster::Roster;

/// What one session sees and what it knew: a bit each for every slot of a roster, and above them one bit for each word
/// of 64. As cheap to walk for a few slots of many as for all.
#[derive(Debug, Default)]
pub(crate) struct Sieve {
    words: Vec<Seen>,
    /// One bit a word: clear when nothing in it is seen or known.
    occupied: Vec<u64>,
}

/// Side by side, because who asks for one mostly asks for the other.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    seen: u64,
    known: u64,
}

/// 64 slots that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    /// The first of them, by 64.
    pub(crate) number: u32,
    /// Which of them a session sees now.
    pub(crate) seen: u64,
    /// Which it was told of before.
    pub(crate) known: u64,
}

impl Sieve {
    /// Makes room for so many slots, all unseen and unknown.
    pub(crate) fn reset(&mut self, slots: usize) {
        debug_assert!(
            self.occupied.iter().all(|&word| word == 0),
            "it was drained"
        );
        self.words
            .resize(slots.div_ceil(SLOTS_PER_WORD), Seen::default());
        self.occupied
            .resize(self.words.len().div_ceil(SLOTS_PER_WORD), 0);
    }

    /// Sees a slot if `enters`, or if it `stays` once it is known.
    #[inline]
    pub(crate) fn see(&mut self, slot: u32, enters: bool, stays: bool) {
        let number = slot as usize / SLOTS_PER_WORD;
        let bit = slot as usize % SLOTS_PER_WORD;
        let word = &mut self.words[number];
        // No branch on what is as good as random.
        let sees = u64::from(enters) | (u64::from(stays) & word.known >> bit);
        let unoccupied = word.seen | word.known == 0;
        word.seen |= sees << bit;
        if unoccupied {
            self.occupied[number / SLOTS_PER_WORD] |= sees << (number % SLOTS_PER_WORD);
        }
    }

    /// Sees a slot if `enters`. If it `stays`, as all do that enter, it counts as known until
    /// [`Visible::recognise`] says who is.
    #[inline]
    pub(crate) fn suspect(&mut self, slot: u32, enters: bool, stays: bool) {
        let number = slot as usize / SLOTS_PER_WORD;
        let bit = slot as usize % SLOTS_PER_WORD;
        let word = &mut self.words[number];
        let unoccupied = word.known == 0;
        word.seen |= u64::from(enters) << bit;
        word.known |= u64::from(stays) << bit;
        if unoccupied {
            self.occupied[number / SLOTS_PER_WORD] |= u64::from(stays) << (number % SLOTS_PER_WORD);
        }
    }

    /// Knows a slot.
    #[inline]
    fn know(&mut self, slot: u32) {
        self.know_word(
            slot / SLOTS_PER_WORD as u32,
            1 << (slot as usize % SLOTS_PER_WORD),
        );
    }

    /// Knows the slots of a word.
    #[inline]
    fn know_word(&mut self, number: u32, slots: u64) {
        let number = number as usize;
        self.words[number].known |= slots;
        self.occupied[number / SLOTS_PER_WORD] |= 1 << (number % SLOTS_PER_WORD);
    }

    /// Appends every word in which something is seen or known, ascending. Nothing is afterwards.
    pub(crate) fn drain(&mut self, out: &mut Vec<Word>) {
        for (number, occupied) in (0u32..).zip(&mut self.occupied) {
            let words = slots_of(number, std::mem::take(occupied));
            out.extend(words.map(|number| {
                let Seen { seen, known } = std::mem::take(&mut self.words[number as usize]);
                Word {
                    number,
                    seen,
                    known,
                }
            }));
        }
    }
}

/// The slots of a word, ascending.
#[inline]
pub(crate) fn slots_of(number: u32, mut word: u64) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let bit = (word != 0).then(|| word.trailing_zeros())?;
        word &= word - 1;
        Some(number * SLOTS_PER_WORD as u32 + bit)
    })
}

/// What a client has been told exists: slots while it stays with a roster, ids where it may not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Visible {
    edition: u64,
    /// Number and slots of each word that has any, ascending.
    words: Vec<(u32, u64)>,
    /// Ascending. Empty unless packed.
    ids: Vec<EntityId>,
}

impl Visible {
    /// How many entities.
    pub(crate) fn len(&self) -> usize {
        let slots = |&(_, word): &(u32, u64)| word.count_ones() as usize;
        self.ids.len() + self.words.iter().map(slots).sum::<usize>()
    }

    /// Becomes what is seen.
    pub(crate) fn replace(&mut self, words: &[Word], edition: u64) {
        self.edition = edition;
        self.ids.clear();
        self.words.clear();
        let seen = words.iter().filter(|word| word.seen != 0);
        self.words.extend(seen.map(|word| (word.number, word.seen)));
    }

    /// Becomes independent of any roster: before it travels, or stays behind an edition.
    pub(crate) fn pack(&mut self, roster: &Roster) {
        if self.words.is_empty() {
            return;
        }
        let ids = roster.ids_of(self.edition);
        self.ids.reserve(self.len());
        for &(number, word) in &self.words {
            let slots = slots_of(number, word);
            self.ids
                .extend(slots.map(|slot| EntityId(ids[slot as usize])));
        }
        self.words.clear();
    }

    /// The entities, ascending.
    pub(crate) fn ids(&self, roster: &Roster) -> Vec<EntityId> {
        let mut packed = self.clone();
        packed.pack(roster);
        packed.ids
    }

    /// So many entities, ascending, whatever roster there is.
    pub(crate) fn of(ids: Vec<EntityId>) -> Self {
        Self {
            ids,
            ..Self::default()
        }
    }

    /// Whether its slots are not those of the roster any more.
    pub(crate) fn is_outdated(&self, roster: &Roster) -> bool {
        self.edition != roster.edition() && !self.words.is_empty()
    }

    /// Whether it is ids: of who came from another shard, or stayed behind an edition.
    pub(crate) fn is_packed(&self) -> bool {
        !self.ids.is_empty()
    }

    /// After a look at slots that are only suspected to be known: in these words, those are known that it holds. What
    /// else it holds goes behind `gone`, ascending: it is not near any more, wherever it is.
    ///
    /// Both ascend, so one walk does, where [`unfold`](Self::unfold) would look each id up in the whole roster.
    pub(crate) fn recognise(&self, roster: &Roster, words: &mut [Word], gone: &mut Vec<u64>) {
        let ids = roster.ids_of(roster.edition());
        let mut known = self.ids.iter().map(|entity| entity.0).peekable();
        for word in words {
            let suspects = std::mem::take(&mut word.known);
            for slot in slots_of(word.number, suspects) {
                let id = ids[slot as usize];
                while let Some(lower) = known.next_if(|&known| known < id) {
                    gone.push(lower);
                }
                if known.next_if_eq(&id).is_some() {
                    word.known |= 1 << (slot as usize % SLOTS_PER_WORD);
                }
            }
            word.seen |= word.known;
        }
        gone.extend(known);
    }

    /// Makes known the entities that are on the roster, and puts the ids of the others behind `gone`, ascending.
    pub(crate) fn unfold(&self, roster: &Roster, sieve: &mut Sieve, gone: &mut Vec<u64>) {
        let mut from = 0;
        for &entity in &self.ids {
            match roster.find(entity.0, from) {
                Ok(slot) => {
                    sieve.know(slot);
                    from = slot;
                }
                Err(higher) => {
                    gone.push(entity.0);
                    from = higher;
                }
            }
        }
        if self.is_outdated(roster) {
            let former_ids = roster.ids_of(self.edition);
            let slots = self.words.iter().flat_map(|&(n, word)| slots_of(n, word));
            for former in slots {
                match roster.moved(former) {
                    Some(slot) => sieve.know(slot),
                    None => gone.push(former_ids[former as usize]),
                }
            }
        } else {
            for &(number, word) in &self.words {
                sieve.know_word(number, word);
            }
        }
    }
}

/// The bits of a word.
pub(crate) const SLOTS_PER_WORD: usize = u64::BITS as usize;

#[cfg(test)]
mod tests;
