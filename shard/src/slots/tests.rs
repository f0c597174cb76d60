//! Sieves and visible sets against plain sets.

use std::collections::BTreeSet;

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

use super::{Sieve, Visible, Word, slots_of};
use crate::roster::Roster;

fn seen(words: &[Word]) -> BTreeSet<u32> {
    let slots = |word: &Word| slots_of(word.number, word.seen).collect::<Vec<_>>();
    words.iter().flat_map(slots).collect()
}

fn known(words: &[Word]) -> BTreeSet<u32> {
    let slots = |word: &Word| slots_of(word.number, word.known).collect::<Vec<_>>();
    words.iter().flat_map(slots).collect()
}

proptest! {
    #[test]
    fn a_sieve_lets_through_who_enters_and_who_was_known_and_stays(
        before in btree_set(0..10_000u32, 0..100),
        looked_at in vec((0..10_000u32, any::<bool>(), any::<bool>()), 0..300),
        again in vec((any::<prop::sample::Index>(), any::<bool>()), 0..50),
    ) {
        let roster = Roster::default();
        let mut sieve = Sieve::default();
        sieve.reset(10_000);
        let mut visible = Visible::default();
        // First everything enters that is to be known.
        before.iter().for_each(|&slot| sieve.see(slot, true, false));
        let mut words = Vec::new();
        sieve.drain(&mut words);
        prop_assert_eq!(&seen(&words), &before);
        visible.replace(&words, roster.edition());
        prop_assert_eq!(visible.len(), before.len());

        let mut gone = Vec::new();
        visible.unfold(&roster, &mut sieve, &mut gone);
        let mut expected = BTreeSet::new();
        let known_before: Vec<u32> = before.iter().copied().collect();
        let again = again.iter().filter(|_| !before.is_empty());
        let again = again.map(|(index, stays)| (*index.get(&known_before), false, *stays));
        for (slot, enters, stays) in looked_at.into_iter().chain(again) {
            sieve.see(slot, enters, stays);
            if enters || (stays && before.contains(&slot)) {
                expected.insert(slot);
            }
        }
        words.clear();
        sieve.drain(&mut words);
        prop_assert_eq!(seen(&words), expected);
        prop_assert_eq!(known(&words), before);
        prop_assert!(words.is_sorted_by_key(|word| word.number));
        prop_assert!(gone.is_empty());

        words.clear();
        sieve.drain(&mut words);
        prop_assert!(words.is_empty(), "drained, it is empty");
    }
}
