//! Journals whose end is not what a build writes to its end: what is cut off, and what is refused.

use worldshard_protocol::SessionId;
use worldshard_shard::{Command, CommandBody};

use super::*;

/// A piece of one command whose payload a client chose.
fn said(tick: u64, payload: &[u8]) -> Chunk {
    let body = CommandBody::Custom {
        opcode: 200,
        payload: payload.to_vec().into(),
    };
    let command = Command {
        session: SessionId::new(0, 1),
        sequence: 1,
        client_sequence: 1,
        body,
    };
    Chunk {
        shard: ShardId(0),
        tick: Tick(tick),
        calls: vec![Call::Command(command), Call::Advance(Tick(tick))],
    }
}

fn piece(chunk: &Chunk) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_chunk(chunk, &mut bytes);
    bytes
}

/// Whole pieces, as a client may plant them in a payload: a plausible one, an empty one, and one that was stuffed before.
fn planted() -> [Vec<u8>; 3] {
    let whole = piece(&said(8, b"hello"));
    let mut empty = Vec::new();
    write_frame(Kind::Chunk, &mut empty, |_| {});
    let again = piece(&said(8, &whole));
    [whole, empty, again]
}

#[test]
fn a_piece_that_a_client_said_does_not_make_a_torn_end_look_damaged() {
    let before = piece(&said(6, b"hello"));
    for planted in planted() {
        let mut journal = before.clone();
        write_chunk(&said(7, &planted.repeat(4)), &mut journal);
        assert_eq!(read_journal(&journal).1, Ending::Whole);
        for length in before.len() + 1..journal.len() {
            let (chunks, ending) = read_journal(&journal[..length]);
            assert_eq!((chunks.len(), ending), (1, Ending::Torn(before.len())));
        }
        // What is really behind a damaged piece is still found.
        let damaged = journal.len() - 1;
        write_chunk(&said(8, b"hello"), &mut journal);
        journal[damaged] ^= 1;
        assert_eq!(read_journal(&journal).1, Ending::Damaged(before.len()));
    }
}

#[test]
fn what_a_client_said_comes_back_as_it_was_whatever_it_looks_like() {
    let names = [
        &b"wsJ"[..],
        b"wsJ\0",
        b"wswsJ\x02",
        b"wsJwsJ\0\0ws",
        b"wsJ\x01",
    ];
    let planted = planted();
    for payload in names.into_iter().chain(planted.iter().map(Vec::as_slice)) {
        let chunk = said(7, payload);
        let (chunks, ending) = read_journal(&piece(&chunk));
        assert_eq!(ending, Ending::Whole);
        assert_eq!(format!("{chunks:?}"), format!("{:?}", [chunk]));
    }
}

#[test]
fn a_whole_piece_that_this_build_cannot_read_is_unknown_and_not_torn() {
    let mut journal = piece(&said(6, b"hello"));
    let at = journal.len();
    write_frame(Kind::Chunk, &mut journal, |out| {
        (ShardId(0), Tick(7)).encode(out);
        // One call, of a kind that there is not.
        (1u32, 250u8).encode(out);
    });
    assert_eq!(read_journal(&journal).1, Ending::Unknown(at));
    // The format of another build.
    let mut other = piece(&said(7, b"hello"));
    other[3] += 1;
    let journal = [piece(&said(6, b"hello")), other].concat();
    assert_eq!(read_journal(&journal).1, Ending::Unknown(at));
}
