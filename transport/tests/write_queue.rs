//! The queue against a plain list of bytes, under writes of any size.

use std::io::IoSlice;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use worldshard_transport::WriteQueue;

/// What the queue would have written next, through at most `slots` slices.
fn offered(queue: &WriteQueue, slots: usize) -> Vec<u8> {
    let mut slices = vec![IoSlice::new(&[]); slots];
    let filled = queue.slices(&mut slices);
    assert!(slices[..filled].iter().all(|slice| !slice.is_empty()));
    slices[..filled]
        .iter()
        .flat_map(|slice| slice.to_vec())
        .collect()
}

proptest! {
    #[test]
    fn bytes_leave_in_order_and_frames_are_counted_when_their_last_byte_left(
        turns in vec((vec(vec(any::<u8>(), 0..40), 0..5), 1..6_usize, 0..100_usize), 1..30),
    ) {
        let mut queue = WriteQueue::new();
        let (mut pushed, mut written, mut ends, mut completed) = (Vec::new(), 0, Vec::new(), 0);
        for (frames, slots, wanted) in turns {
            for frame in frames {
                pushed.extend_from_slice(&frame);
                if !frame.is_empty() {
                    ends.push(pushed.len());
                }
                queue.push(Bytes::from(frame));
            }
            let offer = offered(&queue, slots);
            prop_assert_eq!(&offer[..], &pushed[written..written + offer.len()]);
            prop_assert_eq!(offer.is_empty(), queue.is_empty());
            let taken = wanted.min(offer.len());
            completed += queue.advance(taken);
            written += taken;
            prop_assert_eq!(completed, ends.iter().filter(|end| **end <= written).count());
            prop_assert_eq!(queue.len_bytes(), pushed.len() - written);
            prop_assert_eq!(queue.len_frames(), ends.len() - completed);
            prop_assert_eq!(queue.is_empty(), pushed.len() == written);
        }
    }
}

#[test]
fn frames_are_shared_not_copied() {
    let frame = Bytes::from(vec![1; 100]);
    let mut queue = WriteQueue::new();
    queue.push(frame.clone());
    queue.advance(40);
    let mut slices = [IoSlice::new(&[]); 4];
    assert_eq!(queue.slices(&mut slices), 1);
    assert_eq!(slices[0].as_ptr(), frame[40..].as_ptr());
}

#[test]
#[should_panic(expected = "3 bytes written of 2")]
fn more_written_than_queued_is_a_defect_of_the_owner() {
    let mut queue = WriteQueue::new();
    queue.push(Bytes::from_static(b"ab"));
    queue.advance(3);
}
