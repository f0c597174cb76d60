//! Tables of streams that a server reads with the default limits: for a reader alone, and for one behind a socket.

use super::case::*;
use super::{Said, masked};

/// All of them.
pub(crate) fn all() -> Vec<Case> {
    [
        messages(),
        controls(),
        reserved_bits(),
        reserved_opcodes(),
        fragments(),
        closes(),
        good_texts(),
        bad_texts(),
        cut_texts(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

pub(crate) fn messages() -> Vec<Case> {
    let mut cases = Vec::new();
    for len in [
        0, 1, 2, 3, 4, 5, 31, 32, 33, 124, 125, 126, 127, 128, 1000, 65_535, 65_536,
    ] {
        let letters: String = (0..len)
            .map(|at| char::from(b'a' + (at % 26) as u8))
            .collect();
        let bytes: Vec<u8> = (0..len).map(|at| (at * 7 % 256) as u8).collect();
        cases.extend([heard(
            "a text and a binary message",
            [masked(TEXT, letters.as_bytes()), masked(BINARY, &bytes)].concat(),
            vec![Said::Text(letters), Said::Binary(bytes)],
        )]);
    }
    cases.extend([
        heard(
            "many messages in one piece",
            (0..40).flat_map(|n| masked(BINARY, &[n])).collect(),
            (0..40).map(|n| Said::Binary(vec![n])).collect(),
        ),
        heard(
            "binary that is UTF-8 stays binary",
            masked(BINARY, "größe".as_bytes()),
            vec![Said::Binary("größe".as_bytes().to_vec())],
        ),
        heard(
            "a longer form of the length than needed",
            vec![
                BINARY, 0xfe, 0, 1, 0, 0, 0, 0, 7, BINARY, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0,
                0, 8,
            ],
            vec![Said::Binary(vec![7]), Said::Binary(vec![8])],
        ),
    ]);
    cases
}

pub(crate) fn controls() -> Vec<Case> {
    let mut cases = Vec::new();
    let long = [0x5a; 125];
    cases.extend([
        heard("empty ping", masked(PING, b""), vec![Said::Ping(vec![])]),
        heard(
            "long ping",
            masked(PING, &long),
            vec![Said::Ping(long.to_vec())],
        ),
        heard(
            "pong nobody asked for",
            masked(PONG, &[0xff, 0]),
            vec![Said::Pong(vec![0xff, 0])],
        ),
        heard(
            "between fragments",
            [
                masked(TEXT_OPEN, b"one "),
                masked(PING, b"p"),
                masked(MORE, b"two "),
                masked(PONG, b"q"),
                masked(LAST, b"three"),
                masked(PING, b"r"),
            ]
            .concat(),
            vec![
                Said::Ping(b"p".to_vec()),
                Said::Pong(b"q".to_vec()),
                text("one two three"),
                Said::Ping(b"r".to_vec()),
            ],
        ),
        heard(
            "ten in a row",
            (0..10).flat_map(|n| masked(PING, &[n])).collect(),
            (0..10).map(|n| Said::Ping(vec![n])).collect(),
        ),
        broken(
            "ping of 126 bytes",
            nothing(),
            masked(PING, &[0; 126]),
            1002,
            2,
        ),
        broken(
            "pong of 65536 bytes",
            nothing(),
            masked(PONG, &[0; 65_536]),
            1002,
            2,
        ),
        broken("ping in fragments", nothing(), masked(0x09, b""), 1002, 1),
        broken("pong in fragments", nothing(), masked(0x0a, b"a"), 1002, 1),
    ]);
    cases
}

pub(crate) fn reserved_bits() -> Vec<Case> {
    let mut cases = Vec::new();
    for bits in 1..8u8 {
        for opcode in [TEXT, BINARY, TEXT_OPEN, CLOSE, PING, PONG] {
            let before = (masked(TEXT, b"fine"), vec![text("fine")]);
            let last = masked(opcode | bits << 4, b"");
            cases.extend([broken("reserved bits", before, last, 1002, 1)]);
        }
        let before = (masked(TEXT_OPEN, b"fine"), vec![]);
        cases.extend([broken(
            "in a continuation",
            before,
            masked(LAST | bits << 4, b""),
            1002,
            1,
        )]);
    }
    cases
}

pub(crate) fn reserved_opcodes() -> Vec<Case> {
    let mut cases = Vec::new();
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        for first in [opcode, 0x80 | opcode] {
            for payload in [&b""[..], b"payload"] {
                let before = (masked(PING, b""), vec![Said::Ping(vec![])]);
                cases.extend([broken(
                    "reserved opcode",
                    before,
                    masked(first, payload),
                    1002,
                    1,
                )]);
            }
            let before = (masked(BINARY_OPEN, b"a"), vec![]);
            cases.extend([broken(
                "inside a message",
                before,
                masked(first, b""),
                1002,
                1,
            )]);
        }
    }
    cases
}

pub(crate) fn fragments() -> Vec<Case> {
    let mut cases = Vec::new();
    let parts = |open: u8, parts: &[&[u8]]| -> Vec<u8> {
        let last = parts.len() - 1;
        let frames = parts.iter().enumerate().map(|(at, part)| match at {
            0 => masked(open, part),
            at if at == last => masked(LAST, part),
            _ => masked(MORE, part),
        });
        frames.flatten().collect()
    };
    let open = || (masked(TEXT_OPEN, b"open"), vec![]);
    cases.extend([
        heard("two", parts(TEXT_OPEN, &[b"ab", b"cd"]), vec![text("abcd")]),
        heard(
            "binary",
            parts(BINARY_OPEN, &[b"\xff", b"\xfe", b""]),
            vec![Said::Binary(vec![255, 254])],
        ),
        heard(
            "all empty",
            parts(TEXT_OPEN, &[b"", b"", b""]),
            vec![text("")],
        ),
        heard(
            "empty but the last",
            parts(TEXT_OPEN, &[b"", b"", b"end"]),
            vec![text("end")],
        ),
        heard(
            "empty but the first",
            parts(TEXT_OPEN, &[b"start", b"", b""]),
            vec![text("start")],
        ),
        heard(
            "bytes one by one",
            parts(TEXT_OPEN, &[&b"a"[..]; 300]),
            vec![text(&"a".repeat(300))],
        ),
        heard(
            "one message after another",
            [
                parts(TEXT_OPEN, &[b"a", b"b"]),
                parts(BINARY_OPEN, &[b"c", b"d"]),
                masked(TEXT, b"e"),
            ]
            .concat(),
            vec![text("ab"), Said::Binary(b"cd".to_vec()), text("e")],
        ),
        broken("last of nothing", nothing(), masked(LAST, b"a"), 1002, 1),
        broken("more of nothing", nothing(), masked(MORE, b""), 1002, 1),
        broken(
            "more after the last",
            (parts(TEXT_OPEN, &[b"a", b"b"]), vec![text("ab")]),
            masked(LAST, b"c"),
            1002,
            1,
        ),
        broken("text inside a text", open(), masked(TEXT, b"a"), 1002, 1),
        broken(
            "binary inside a text",
            open(),
            masked(BINARY, b"a"),
            1002,
            1,
        ),
        broken("another opening", open(), masked(TEXT_OPEN, b"a"), 1002, 1),
        broken("close in fragments", open(), masked(0x08, b""), 1002, 1),
    ]);
    cases
}

pub(crate) fn closes() -> Vec<Case> {
    let mut cases = Vec::new();
    let after = || [masked(PING, b"late"), masked(TEXT, b"late"), vec![0xff; 20]].concat();
    let close =
        |code: u16, reason: &[u8]| masked(CLOSE, &[&code.to_be_bytes()[..], reason].concat());
    cases.extend([heard(
        "empty",
        [masked(CLOSE, b""), after()].concat(),
        vec![Said::Close(None, String::new())],
    )]);
    let longest = "é".repeat(61) + "x";
    assert_eq!(longest.len(), 123);
    for code in [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000,
        4999,
    ] {
        for reason in ["", "bye", &longest] {
            cases.extend([heard(
                "with a code",
                [
                    masked(TEXT_OPEN, b"open"),
                    close(code, reason.as_bytes()),
                    after(),
                ]
                .concat(),
                vec![Said::Close(Some(code), reason.to_owned())],
            )]);
        }
    }
    for code in [
        0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535,
    ] {
        cases.extend([broken(
            "code never to be sent",
            nothing(),
            close(code, b""),
            1002,
            8,
        )]);
    }
    cases.extend([
        broken("one byte", nothing(), masked(CLOSE, b"\x03"), 1002, 2),
        broken("too long", nothing(), masked(CLOSE, &[3; 126]), 1002, 2),
        broken(
            "bad UTF-8",
            nothing(),
            close(1000, b"\xce\xba\xed\xa0\x80"),
            1007,
            13,
        ),
        broken(
            "reason cut in a character",
            nothing(),
            close(1000, b"\xce"),
            1007,
            9,
        ),
    ]);
    cases
}

pub(crate) fn good_texts() -> Vec<Case> {
    let mut cases = Vec::new();
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
        cases.extend([heard(
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
            cases.extend([heard(
                "in fragments",
                bytes,
                vec![Said::Ping(vec![]), text(letters)],
            )]);
        }
    }
    cases
}

pub(crate) fn bad_texts() -> Vec<Case> {
    let mut cases = Vec::new();
    for (bytes, at) in BAD {
        let tail = [bytes, &[b'x'; 50]].concat();
        cases.extend([
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
            cases.extend([broken(
                "a character over two fragments",
                before,
                last,
                1007,
                6 + at - cut + 1,
            )]);
        }
    }
    cases
}

pub(crate) fn cut_texts() -> Vec<Case> {
    let mut cases = Vec::new();
    for cut_short in [&b"\xc3"[..], b"\xe2\x82", b"fine \xf0\x9f\x98"] {
        let at = 6 + cut_short.len();
        cases.extend([broken(
            "message ends in a character",
            nothing(),
            masked(TEXT, cut_short),
            1007,
            at,
        )]);
        let before = (masked(TEXT_OPEN, cut_short), vec![]);
        cases.extend([broken("an empty end", before, masked(LAST, b""), 1007, 6)]);
    }
    cases
}

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
