use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

const LETTERS_MAX: usize = 8;

fn counting_bell() -> (Arc<Bell>, Arc<AtomicU32>) {
    let woken = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&woken);
    let bell = Bell::new(move || {
        count.fetch_add(1, Ordering::SeqCst);
    });
    (Arc::new(bell), woken)
}

#[test]
fn a_bell_wakes_once_until_it_is_answered() {
    let (bell, woken) = counting_bell();
    bell.ring();
    bell.ring();
    assert_eq!(woken.load(Ordering::SeqCst), 1);
    bell.answer();
    bell.ring();
    assert_eq!(woken.load(Ordering::SeqCst), 2);
}

#[test]
fn a_full_mailbox_gives_the_letter_back() {
    let (bell, _) = counting_bell();
    let (post, mailboxes) = mailboxes::<(), usize>(&[bell], LETTERS_MAX);
    for letter in 0..LETTERS_MAX {
        assert_eq!(post.letter(ShardId(0), letter), Ok(()));
    }
    assert_eq!(post.letter(ShardId(0), LETTERS_MAX), Err(LETTERS_MAX));
    assert_eq!(mailboxes[0].letters.recv(), Ok(0));
    assert_eq!(post.letter(ShardId(0), LETTERS_MAX), Ok(()));
}

#[test]
fn every_sender_may_be_one_tick_ahead() {
    let bells: Vec<_> = (0..3).map(|_| counting_bell().0).collect();
    let (post, mailboxes) = mailboxes::<u32, ()>(&bells, LETTERS_MAX);
    for envelope in 0..4 {
        post.envelope(ShardId(2), envelope);
    }
    assert_eq!(mailboxes[2].envelopes.drain().count(), 4);
}

#[test]
fn letters_to_an_ended_shard_are_dropped() {
    let (bell, _) = counting_bell();
    let (post, mailboxes) = mailboxes::<(), u8>(&[bell], LETTERS_MAX);
    drop(mailboxes);
    assert_eq!(post.letter(ShardId(0), 1), Ok(()));
    post.envelope(ShardId(0), ());
}
