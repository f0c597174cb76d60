//! What the libraries of languages import of their own.

use worldshard_wasm::{Effect, Event, Limits, Trap};

use crate::{death, guest, guest_in, own, tell};

const SEND_ALL: &str = r#"(import "worldshard" "send_all" (func $send_all (param i32 i32 i32)))"#;

/// Imports a function of WASI.
fn wasi(name: &str, params: &str) -> String {
    format!(
        r#"(import "wasi_snapshot_preview1" "{name}" (func ${name} (param {params}) (result i32)))"#
    )
}

/// A guest that does something as its room begins and then sends so many bytes from 0 on.
fn sends(import: &str, init: &str, bytes: u32) -> String {
    let init = format!(
        r#"(func (export "room_init") {init}
        (call $send_all (i32.const 1) (i32.const 0) (i32.const {bytes})))"#
    );
    own(&[import, SEND_ALL].concat(), &init)
}

fn sent(text: &str) -> Vec<u8> {
    let effects = tell(&mut guest(text), Event::Init).unwrap();
    match &effects[..] {
        [Effect::Send { payload, .. }] => payload.as_bytes().to_owned(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn both_outputs_are_the_log_and_lines_end_with_their_newline_or_the_call() {
    let write = wasi("fd_write", "i32 i32 i32 i32");
    let init = r#"
        (i64.store (i32.const 16) (i64.const 0x00000005_00000040))
        (i64.store (i32.const 24) (i64.const 0x00000007_00000045))
        (drop (call $fd_write (i32.const 1) (i32.const 16) (i32.const 2) (i32.const 0)))
        (drop (call $fd_write (i32.const 2) (i32.const 16) (i32.const 1) (i32.const 8)))"#;
    let text = own(
        &write,
        &format!(r#"(data (i32.const 64) "hello, you\0ab") (func (export "room_init") {init})"#),
    );
    let mut logging = guest(&text);
    assert_eq!(tell(&mut logging, Event::Init), Ok(vec![]));
    assert_eq!(
        logging.drain_log().collect::<Vec<_>>(),
        ["hello, you", "bhello"]
    );
    let written = sent(&sends(&write, init, 4));
    assert_eq!(written, 12_u32.to_le_bytes(), "all of it counts as written");
}

#[test]
fn there_is_nothing_behind_other_files() {
    let write = wasi("fd_write", "i32 i32 i32 i32");
    let answer = |import: &str, call: &str| {
        sent(&sends(
            import,
            &format!("(i32.store (i32.const 0) {call})"),
            1,
        ))
    };
    let call = "(call $fd_write (i32.const 3) (i32.const 16) (i32.const 1) (i32.const 0))";
    assert_eq!(answer(&write, call), [8]);
    let call = "(call $fd_write (i32.const 1) (i32.const 16) (i32.const 1025) (i32.const 0))";
    assert_eq!(answer(&write, call), [28]);
    let prestat = wasi("fd_prestat_get", "i32 i32");
    assert_eq!(
        answer(
            &prestat,
            "(call $fd_prestat_get (i32.const 3) (i32.const 0))"
        ),
        [8]
    );
    let seek = wasi("fd_seek", "i32 i64 i32 i32");
    assert_eq!(
        answer(
            &seek,
            "(call $fd_seek (i32.const 1) (i64.const 0) (i32.const 0) (i32.const 0))"
        ),
        [8]
    );
    let status = wasi("fd_fdstat_get", "i32 i32");
    assert_eq!(
        answer(&status, "(call $fd_fdstat_get (i32.const 3) (i32.const 0))"),
        [8]
    );
    let call = "(drop (call $fd_fdstat_get (i32.const 1) (i32.const 0)))";
    assert_eq!(
        sent(&sends(&status, call, 1)),
        [2],
        "an output is a terminal"
    );
}

#[test]
fn clock_and_chance_are_those_of_the_room() {
    let clock = wasi("clock_time_get", "i32 i64 i32");
    let call = "(drop (call $clock_time_get (i32.const 0) (i64.const 0) (i32.const 0)))";
    assert_eq!(
        sent(&sends(&clock, call, 8)),
        3_000_000_000_u64.to_le_bytes()
    );
    let random = sends(
        &wasi("random_get", "i32 i32"),
        "(drop (call $random_get (i32.const 0) (i32.const 13)))",
        16,
    );
    let first = sent(&random);
    assert_eq!(first, sent(&random), "the same seed, the same bytes");
    assert_eq!(first[13..], [0; 3], "no more than was asked for");
    let other = tell(
        &mut guest_in("lobby", 2, Limits::default(), &random),
        Event::Init,
    )
    .unwrap();
    assert_ne!(other, [Effect::send_all(&first[..])]);
    let seed = r#"(import "env" "seed" (func $seed (result f64)))"#;
    let bytes = sent(&sends(seed, "(f64.store (i32.const 0) (call $seed))", 8));
    let seed = f64::from_le_bytes(bytes.try_into().unwrap());
    assert!((0.0..1.0).contains(&seed), "{seed}");
}

#[test]
fn there_are_no_arguments_and_no_variables() {
    for name in ["args_sizes_get", "environ_sizes_get"] {
        let init = format!(
            "(i64.store (i32.const 0) (i64.const -1)) (drop (call ${name} (i32.const 0) (i32.const 4)))"
        );
        assert_eq!(
            sent(&sends(&wasi(name, "i32 i32"), &init, 8)),
            [0; 8],
            "{name}"
        );
    }
}

#[test]
fn a_guest_may_end_itself() {
    let exit = r#"(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))"#;
    assert_eq!(
        death(exit, "(call $exit (i32.const 3))"),
        Trap::Exit { code: 3 }
    );
    let abort = r#"(import "env" "abort" (func $abort (param i32 i32 i32 i32)))"#;
    let init = "(call $abort (i32.const 0) (i32.const -1) (i32.const 12) (i32.const 5))";
    assert_eq!(
        death(abort, init),
        Trap::Abort {
            line: 12,
            column: 5
        }
    );
}

#[test]
fn a_library_is_initialised_first_and_may_log() {
    let import = r#"(import "worldshard" "log" (func $log (param i32 i32)))"#;
    let parts = r#"(data (i32.const 0) "started, ready")
        (func $start (call $log (i32.const 0) (i32.const 7)))
        (start $start)
        (func (export "_initialize") (call $log (i32.const 9) (i32.const 5)))"#;
    let mut guest = guest(&own(import, parts));
    assert_eq!(guest.drain_log().collect::<Vec<_>>(), ["started", "ready"]);
}

#[test]
fn a_bad_pointer_kills_here_too() {
    for (import, init) in [
        (
            wasi("random_get", "i32 i32"),
            "(drop (call $random_get (i32.const 1) (i32.const -1)))",
        ),
        (
            wasi("clock_time_get", "i32 i64 i32"),
            "(drop (call $clock_time_get (i32.const 0) (i64.const 0) (i32.const 65529)))",
        ),
        (
            wasi("fd_write", "i32 i32 i32 i32"),
            "(drop (call $fd_write (i32.const 1) (i32.const 65535) (i32.const 1) (i32.const 0)))",
        ),
        (
            wasi("fd_write", "i32 i32 i32 i32"),
            "(i64.store (i32.const 0) (i64.const -1)) (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 0)))",
        ),
    ] {
        let trap = death(&import, init);
        assert!(matches!(trap, Trap::Pointer { .. }), "{init}: {trap}");
    }
}
