//! The framing rules of RFC 6455, byte by byte: what is heard, and at which byte a broken rule shows.

mod common;

use common::case::*;
use common::{Said, bare, claim, masked};
use worldshard_transport::{Limits, Role};

#[test]
fn messages_of_every_length_form_are_heard_whole_and_in_order() {
    for len in [
        0, 1, 2, 3, 4, 5, 31, 32, 33, 124, 125, 126, 127, 128, 1000, 65_535, 65_536,
    ] {
        let letters: String = (0..len)
            .map(|at| char::from(b'a' + (at % 26) as u8))
            .collect();
        let bytes: Vec<u8> = (0..len).map(|at| (at * 7 % 256) as u8).collect();
        run(vec![heard(
            "a text and a binary message",
            [masked(TEXT, letters.as_bytes()), masked(BINARY, &bytes)].concat(),
            vec![Said::Text(letters), Said::Binary(bytes)],
        )]);
    }
    run(vec![
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
}

#[test]
fn pings_and_pongs_are_heard_with_their_bytes_also_inside_a_message() {
    let long = [0x5a; 125];
    run(vec![
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
}

#[test]
fn reserved_bits_fail_at_the_first_byte() {
    for bits in 1..8u8 {
        for opcode in [TEXT, BINARY, TEXT_OPEN, CLOSE, PING, PONG] {
            let before = (masked(TEXT, b"fine"), vec![text("fine")]);
            let last = masked(opcode | bits << 4, b"");
            run(vec![broken("reserved bits", before, last, 1002, 1)]);
        }
        let before = (masked(TEXT_OPEN, b"fine"), vec![]);
        run(vec![broken(
            "in a continuation",
            before,
            masked(LAST | bits << 4, b""),
            1002,
            1,
        )]);
    }
}

#[test]
fn reserved_opcodes_fail_at_the_first_byte() {
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        for first in [opcode, 0x80 | opcode] {
            for payload in [&b""[..], b"payload"] {
                let before = (masked(PING, b""), vec![Said::Ping(vec![])]);
                run(vec![broken(
                    "reserved opcode",
                    before,
                    masked(first, payload),
                    1002,
                    1,
                )]);
            }
            let before = (masked(BINARY_OPEN, b"a"), vec![]);
            run(vec![broken(
                "inside a message",
                before,
                masked(first, b""),
                1002,
                1,
            )]);
        }
    }
}

#[test]
fn fragments_are_joined_and_their_order_is_enforced() {
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
    run(vec![
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
}

#[test]
fn too_many_fragments_fail_with_1008_at_the_head_of_the_first_too_many() {
    let limits = Limits {
        fragments_max: 3,
        ..Limits::default()
    };
    let three = [
        masked(TEXT_OPEN, b""),
        masked(MORE, b""),
        masked(LAST, b"c"),
    ]
    .concat();
    let open = [masked(TEXT_OPEN, b""), masked(MORE, b""), masked(MORE, b"")].concat();
    run_as(
        Role::Server,
        limits,
        vec![
            heard(
                "three, twice",
                [&three[..], &three].concat(),
                vec![text("c"), text("c")],
            ),
            broken("a fourth", (open, vec![]), masked(MORE, b""), 1008, 6),
        ],
    );
}

#[test]
fn a_close_is_heard_once_and_nothing_after_it() {
    let after = || [masked(PING, b"late"), masked(TEXT, b"late"), vec![0xff; 20]].concat();
    let close =
        |code: u16, reason: &[u8]| masked(CLOSE, &[&code.to_be_bytes()[..], reason].concat());
    run(vec![heard(
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
            run(vec![heard(
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
        run(vec![broken(
            "code never to be sent",
            nothing(),
            close(code, b""),
            1002,
            8,
        )]);
    }
    run(vec![
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
}

#[test]
fn each_end_demands_the_masking_the_other_owes() {
    for first in [TEXT, BINARY, TEXT_OPEN, PING, PONG, CLOSE] {
        run(vec![broken(
            "bare frame of a client",
            nothing(),
            bare(first, b""),
            1002,
            2,
        )]);
        let before = (bare(PING, b""), vec![Said::Ping(vec![])]);
        let last = masked(first, b"");
        run_as(
            Role::Client,
            Limits::default(),
            vec![broken("masked frame of a server", before, last, 1002, 2)],
        );
    }
    run(vec![broken(
        "bare continuation",
        (masked(TEXT_OPEN, b"a"), vec![]),
        bare(LAST, b"b"),
        1002,
        2,
    )]);
    let bytes = [
        bare(TEXT_OPEN, b"to "),
        bare(PONG, b"p"),
        bare(LAST, b"you"),
        bare(BINARY, &[1; 70_000][..60_000]),
    ];
    run_as(
        Role::Client,
        Limits::default(),
        vec![heard(
            "bare frames of a server",
            bytes.concat(),
            vec![
                Said::Pong(b"p".to_vec()),
                text("to you"),
                Said::Binary(vec![1; 60_000]),
            ],
        )],
    );
}

#[test]
fn a_claim_over_the_limit_fails_with_1009_before_any_payload() {
    let limits = Limits {
        message_bytes_max: 1000,
        ..Limits::default()
    };
    let full = vec![b'a'; 1000];
    let mut cases = vec![
        heard(
            "at the limit",
            masked(BINARY, &full),
            vec![Said::Binary(full.clone())],
        ),
        heard(
            "at the limit in fragments",
            [
                masked(BINARY_OPEN, &full[..999]),
                masked(MORE, b"a"),
                masked(LAST, b""),
            ]
            .concat(),
            vec![Said::Binary(full.clone())],
        ),
        broken(
            "over it by the second fragment",
            (masked(BINARY_OPEN, &full[..999]), vec![]),
            claim(LAST, 0x80, 2),
            1009,
            2,
        ),
    ];
    for (len, fails_at) in [
        (1001, 4),
        (65_535, 4),
        (65_536, 10),
        (1 << 30, 10),
        (1 << 40, 10),
        (u64::MAX, 10),
    ] {
        for first in [TEXT, BINARY, TEXT_OPEN, BINARY_OPEN] {
            cases.push(broken(
                "over it",
                nothing(),
                claim(first, 0x80, len),
                1009,
                fails_at,
            ));
        }
    }
    run_as(Role::Server, limits, cases);
}
