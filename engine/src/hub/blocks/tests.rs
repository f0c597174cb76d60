use std::collections::BTreeSet;

use super::*;

#[test]
fn what_is_laid_out_stays_what_it_was_while_blocks_are_used_again() {
    let mut blocks = Blocks::for_messages();
    let mut kept = Vec::new();
    for number in 0..20_000_u32 {
        let bytes = number.to_le_bytes().repeat(number as usize % 300);
        let copy = blocks.copy(&bytes);
        let frame = blocks.frame(MessageKind::Binary, &bytes);
        assert!(copy == bytes && frame.ends_with(&bytes));
        if number % 64 == 0 {
            kept.push((copy, bytes));
        }
    }
    assert!(kept.iter().all(|(copy, bytes)| copy == bytes));
}

#[test]
fn memory_is_used_again_once_nobody_holds_it() {
    let mut blocks = Blocks::for_messages();
    for _ in 0..100_000 {
        drop(blocks.copy(b"soon gone"));
    }
    assert_eq!(blocks.blocks.len(), 1);
    let mut blocks = Blocks::for_messages();
    let held: Vec<Bytes> = (0..1_000_000).map(|_| blocks.copy(b"held")).collect();
    assert_eq!(blocks.blocks.len(), BLOCKS_MAX);
    drop(held);
    let mut copies = |count: usize| -> BTreeSet<_> {
        let one = |_| blocks.copy(b"soon gone").as_ptr();
        (0..count).map(one).collect()
    };
    // Once through all blocks; then there is no other memory.
    let known = copies(100_000);
    assert!(copies(1_000_000).is_subset(&known));
}
