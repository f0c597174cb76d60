//! The framing rules of RFC 6455, byte by byte: what is heard, and at which byte a broken rule shows.

mod common;

use common::case::*;
use common::{Said, bare, claim, masked, tables};
use worldshard_transport::{Limits, Role};

#[test]
fn messages_of_every_length_form_are_heard_whole_and_in_order() {
    run(tables::messages());
}

#[test]
fn pings_and_pongs_are_heard_with_their_bytes_also_inside_a_message() {
    run(tables::controls());
}

#[test]
fn reserved_bits_fail_at_the_first_byte() {
    run(tables::reserved_bits());
}

#[test]
fn reserved_opcodes_fail_at_the_first_byte() {
    run(tables::reserved_opcodes());
}

#[test]
fn fragments_are_joined_and_their_order_is_enforced() {
    run(tables::fragments());
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
    run(tables::closes());
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
