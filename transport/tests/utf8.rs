//! Texts: checked while they arrive, failed at the byte that cannot be mended.

mod common;

use common::case::*;
use common::{Said, masked};

/// Each with the place of the byte at which no continuation can make it UTF-8.
const BAD: [(&[u8], usize); 20] = [
    (b"\x80", 0),
    (b"ok\xbf", 2),
    (b"\xc0\xaf", 0),
    (b"\xc1\xbf", 0),
    (b"\xc3(", 1),
    (b"\xc3\xc3", 1),
    (b"\xe0\x80\xaf", 1),
    (b"\xe0\x9f\xbf", 1),
    (b"\xe2\x82(", 2),
    (b"\xe2(\xa1", 1),
    (b"\xed\xa0\x80", 1),
    (b"\xed\xbf\xbf", 1),
    (b"\xf0\x80\x80\xaf", 1),
    (b"\xf0\x8f\xbf\xbf", 1),
    (b"\xf0\x9f\x98(", 3),
    (b"\xf0\x9f(\x80", 2),
    (b"\xf4\x90\x80\x80", 1),
    (b"\xf5\x80\x80\x80", 0),
    (b"\xf8\x88\x80\x80\x80", 0),
    (b"\xfe", 0),
];

#[test]
fn texts_are_utf8_wherever_their_characters_are_cut() {
    let texts = [
        "κόσμε",
        "\0",
        "\u{7f}\u{80}",
        "\u{7ff}\u{800}",
        "\u{d7ff}\u{e000}",
        "\u{ffff}\u{10000}",
        "\u{10ffff}\u{fffe}",
        "a😀b",
        "\u{feff}",
    ];
    for letters in texts {
        run(vec![heard(
            "whole",
            masked(TEXT, letters.as_bytes()),
            vec![text(letters)],
        )]);
        for cut in 0..=letters.len() {
            let (front, back) = letters.as_bytes().split_at(cut);
            let bytes = [
                masked(TEXT_OPEN, front),
                masked(PING, b""),
                masked(LAST, back),
            ]
            .concat();
            run(vec![heard(
                "in fragments",
                bytes,
                vec![Said::Ping(vec![]), text(letters)],
            )]);
        }
    }
}

#[test]
fn bad_utf8_fails_with_1007_at_the_byte_that_cannot_be_mended() {
    for (bytes, at) in BAD {
        let tail = [bytes, &[b'x'; 50]].concat();
        run(vec![
            broken(
                "inside a frame",
                nothing(),
                masked(TEXT, &tail),
                1007,
                6 + at + 1,
            ),
            broken(
                "inside a message",
                nothing(),
                masked(TEXT_OPEN, &tail),
                1007,
                6 + at + 1,
            ),
            broken(
                "in a continuation",
                (masked(TEXT_OPEN, "größe".as_bytes()), vec![]),
                masked(MORE, &tail),
                1007,
                6 + at + 1,
            ),
        ]);
        for cut in 1..=at {
            let before = (masked(TEXT_OPEN, &tail[..cut]), vec![]);
            let last = masked(LAST, &tail[cut..]);
            run(vec![broken(
                "a character over two fragments",
                before,
                last,
                1007,
                6 + at - cut + 1,
            )]);
        }
    }
}

#[test]
fn a_message_that_ends_inside_a_character_fails_with_1007() {
    for cut_short in [&b"\xc3"[..], b"\xe2\x82", b"fine \xf0\x9f\x98"] {
        let at = 6 + cut_short.len();
        run(vec![broken(
            "message ends in a character",
            nothing(),
            masked(TEXT, cut_short),
            1007,
            at,
        )]);
        let before = (masked(TEXT_OPEN, cut_short), vec![]);
        run(vec![broken(
            "an empty end",
            before,
            masked(LAST, b""),
            1007,
            6,
        )]);
    }
}
