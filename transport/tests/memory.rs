//! What a connection holds: nothing between messages, what it received inside one, and never what it only claims.

mod common;

use common::{Heard, Said, claim, feed, masked};
use worldshard_transport::{Event, Limits, MessageKind, Reader, Role};

#[test]
fn a_whole_message_is_yielded_in_place() {
    let mut input = [masked(0x81, b"in place"), masked(0x82, b"too")].concat();
    let range = input.as_ptr_range();
    let mut reader = Reader::new(Role::Server, Limits::default());
    let step = reader.read(&mut input).unwrap();
    let Some(Event::Message { kind, payload }) = step.event else {
        panic!("no message");
    };
    assert_eq!(
        (kind, payload, step.consumed),
        (MessageKind::Text, &b"in place"[..], 14)
    );
    assert!(range.contains(&payload.as_ptr()));
    assert_eq!(reader.held_bytes(), 0);
}

#[test]
fn claims_cost_nothing_until_bytes_arrive() {
    let mut reader = Reader::new(Role::Server, Limits::default());
    let mut heard = Heard::default();
    let head = [claim(0x82, 0x80, 65_536), vec![0; 4]].concat();
    feed(&mut reader, &head, 0, &mut heard);
    assert_eq!(reader.held_bytes(), 0);
    for received in 1..=1000 {
        feed(&mut reader, &[7], 0, &mut heard);
        assert!(reader.held_bytes() >= received);
        assert!(
            reader.held_bytes() <= 2 * received + 16,
            "{received} bytes received"
        );
    }
    feed(&mut reader, &vec![7; 65_536 - 1000], 0, &mut heard);
    assert_eq!(heard.said.len(), 1);
    assert_eq!(reader.held_bytes(), 0, "the message was delivered");
}

#[test]
fn an_event_yielded_from_memory_is_freed_by_the_next_call() {
    let frame = masked(0x89, b"a ping in two pieces");
    let (front, back) = frame.split_at(10);
    let mut reader = Reader::new(Role::Server, Limits::default());
    assert_eq!(reader.read(&mut front.to_vec()).unwrap().event, None);
    assert!(reader.held_bytes() > 0);
    let mut back = back.to_vec();
    let step = reader.read(&mut back).unwrap();
    assert_eq!(step.event, Some(Event::Ping(b"a ping in two pieces")));
    assert!(reader.held_bytes() > 0);
    assert_eq!(reader.read(&mut []).unwrap().event, None);
    assert_eq!(reader.held_bytes(), 0);
}

#[test]
fn a_call_takes_no_more_frames_than_it_may_and_the_next_goes_on_there() {
    let pieces = [
        masked(0x02, b"o"),
        masked(0x00, b""),
        masked(0x00, b"n"),
        masked(0x89, b"between"),
        masked(0x80, b"e"),
        masked(0x82, b"two"),
    ];
    let mut input = pieces.concat();
    let mut reader = Reader::new(Role::Server, Limits::default());
    let (mut at, mut ends, mut heard) = (0, Vec::new(), Vec::new());
    for _ in &pieces {
        let mut frames = 1;
        let step = reader.read_at_most(&mut input[at..], &mut frames).unwrap();
        heard.extend(step.event.map(Said::from));
        at += step.consumed;
        ends.push(at);
        assert_eq!(frames, 0);
        // None is left: the next is not begun.
        let step = reader.read_at_most(&mut input[at..], &mut frames).unwrap();
        assert_eq!((step.consumed, step.event), (0, None));
    }
    let lens = pieces.iter().scan(0, |sum, piece| {
        *sum += piece.len();
        Some(*sum)
    });
    assert_eq!(ends, lens.collect::<Vec<_>>());
    let said = [
        Said::Ping(b"between".to_vec()),
        Said::Binary(b"one".to_vec()),
        Said::Binary(b"two".to_vec()),
    ];
    assert_eq!(heard, said);
}

#[test]
fn failures_and_closes_free_what_was_incomplete() {
    for last in [vec![0xff], masked(0x88, b"")] {
        let mut reader = Reader::new(Role::Server, Limits::default());
        let mut heard = Heard::default();
        feed(&mut reader, &masked(0x01, &[b'x'; 5000]), 0, &mut heard);
        assert!(reader.held_bytes() >= 5000);
        feed(&mut reader, &last, 0, &mut heard);
        assert_eq!(reader.held_bytes(), 0);
        feed(&mut reader, &masked(0x89, b"late"), 0, &mut heard);
        assert_eq!(heard.said.len() + usize::from(heard.failure.is_some()), 1);
    }
}

#[test]
fn a_reader_that_holds_nothing_is_small() {
    assert!(size_of::<Reader>() <= 256, "{} bytes", size_of::<Reader>());
}
