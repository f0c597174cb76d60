//! Sieves and visible sets against plain sets.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use worldshard_protocol::Tick;

use super::{Sieve, Visible, Word, slots_of};
use crate::roster::Roster;
use crate::roster::tests::view_of;

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

    /// What a set of ids knew comes out the same whether its slots are looked up before or recognised after.
    #[test]
    fn suspects_are_recognised_as_if_they_had_been_known(
        on_roster in btree_set(1..2000u64, 1..200),
        before in btree_set(1..2000u64, 1..100),
        looked_at in vec((any::<prop::sample::Index>(), any::<bool>(), any::<bool>()), 0..300),
    ) {
        let ids: Vec<u64> = on_roster.into_iter().collect();
        let mut roster = Roster::default();
        roster.update(&view_of(&before.iter().copied().collect::<Vec<_>>()), Tick(2000));
        let (mut sieve, mut words) = (Sieve::default(), Vec::new());
        sieve.reset(roster.len());
        (0..roster.len() as u32).for_each(|slot| sieve.see(slot, true, true));
        sieve.drain(&mut words);
        let mut visible = Visible::default();
        visible.replace(&words, roster.edition());
        visible.pack(&roster);
        prop_assert!(visible.is_packed());
        prop_assert_eq!(visible.len(), before.len());
        roster.update(&view_of(&ids), Tick(2001));

        // Whoever enters would stay too.
        let looked_at: BTreeMap<u32, (bool, bool)> = looked_at.into_iter()
            .map(|(index, enters, stays)| (index.index(ids.len()) as u32, (enters, enters || stays)))
            .collect();
        let (mut expected, mut lost) = (Vec::new(), Vec::new());
        sieve.reset(roster.len());
        visible.unfold(&roster, &mut sieve, &mut lost);
        looked_at.iter().for_each(|(&slot, &(enters, stays))| sieve.see(slot, enters, stays));
        sieve.drain(&mut expected);

        let mut gone = Vec::new();
        looked_at.iter().for_each(|(&slot, &(enters, stays))| sieve.suspect(slot, enters, stays));
        words.clear();
        sieve.drain(&mut words);
        visible.recognise(&roster, &mut words, &mut gone);
        prop_assert_eq!(seen(&words), seen(&expected));
        prop_assert!(gone.is_sorted());
        let left = |words: &[Word], gone: &[u64]| -> BTreeSet<u64> {
            let slots = known(words).into_iter().filter(|slot| !seen(words).contains(slot));
            slots.map(|slot| ids[slot as usize]).chain(gone.iter().copied()).collect()
        };
        prop_assert_eq!(left(&words, &gone), left(&expected, &lost));
        let entered = |words: &[Word]| &seen(words) - &known(words);
        prop_assert_eq!(entered(&words), entered(&expected));
    }
}
