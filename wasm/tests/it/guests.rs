//! Services as WebAssembly text: what a compiler would make of them, by hand.

/// A guest of our own ABI that has, beside a memory of one page, these parts. Imports come first.
pub(crate) fn own(imports: &str, parts: &str) -> String {
    format!(
        r#"(module {imports} (memory (export "memory") 1) (func (export "worldshard_abi_1")) {parts})"#
    )
}

/// Writes a number in decimals that end at an address, and answers where they begin.
const DECIMALS: &str = r#"
    (func $decimals (param $number i64) (param $at i32) (result i32)
        (loop $next
            (local.set $at (i32.sub (local.get $at) (i32.const 1)))
            (i32.store8 (local.get $at)
                (i32.add (i32.const 48) (i32.wrap_i64 (i64.rem_u (local.get $number) (i64.const 10)))))
            (local.set $number (i64.div_u (local.get $number) (i64.const 10)))
            (br_if $next (i64.ne (local.get $number) (i64.const 0))))
        (local.get $at))
    ;; Whether nine bytes at an address are `increment`.
    (func $is_increment (param $at i32) (param $len i32) (result i32)
        (if (i32.ne (local.get $len) (i32.const 9)) (then (return (i32.const 0))))
        (i32.and
            (i64.eq (i64.load (local.get $at)) (i64.load (i32.const 0)))
            (i32.eq (i32.load8_u offset=8 (local.get $at)) (i32.load8_u (i32.const 8)))))
    ;; Lays out `new value: ` and the next number; answers where it begins. It ends at 128.
    (func $counted (result i32) (local $at i32)
        (global.set $value (i64.add (global.get $value) (i64.const 1)))
        (local.set $at (call $decimals (global.get $value) (i32.const 128)))
        (local.set $at (i32.sub (local.get $at) (i32.const 11)))
        (memory.copy (local.get $at) (i32.const 16) (i32.const 11))
        (local.get $at))
    (data (i32.const 0) "increment")
    (data (i32.const 16) "new value: ")
    (global $value (mut i64) (i64.const 0))"#;

/// Our own ABI: `increment` is answered to all by `new value: N`. Saves and loads the value.
pub(crate) fn counter() -> String {
    own(
        r#"(import "worldshard" "input_read" (func $read (param i32 i32 i32 i32) (result i32)))
           (import "worldshard" "send_all" (func $send_all (param i32 i32 i32)))
           (import "worldshard" "output" (func $output (param i32 i32)))"#,
        &format!(
            r#"{DECIMALS}
            (func (export "room_message") (param $member i32) (param $kind i32) (param $len i32) (local $at i32)
                (if (local.get $kind) (then (return)))
                (drop (call $read (i32.const 0) (i32.const 0) (i32.const 64) (i32.const 9)))
                (if (call $is_increment (i32.const 64) (local.get $len)) (then
                    (local.set $at (call $counted))
                    (call $send_all (i32.const 0) (local.get $at) (i32.sub (i32.const 128) (local.get $at))))))
            (func (export "room_save")
                (i64.store (i32.const 64) (global.get $value))
                (call $output (i32.const 64) (i32.const 8)))
            (func (export "room_load") (param $len i32)
                (drop (call $read (i32.const 0) (i32.const 0) (i32.const 64) (i32.const 8)))
                (global.set $value (i64.load (i32.const 64))))"#
        ),
    )
}

/// Our own ABI: does what the first letter of a text says. Increments as [`counter`], and says its room's name, its config,
/// a random number, how many ticks it was told, who it talks to; waits for a timer, spins, takes all memory, or traps.
pub(crate) fn everything() -> String {
    let sends = |letter: char, text: &str| {
        format!(
            "(if (i32.eq (local.get $first) (i32.const {})) (then {text}))",
            letter as u32
        )
    };
    let input = |input: u32| {
        format!(
            "(local.set $len (call $len (i32.const {input})))
            (drop (call $read (i32.const {input}) (i32.const 0) (i32.const 512) (local.get $len)))
            (call $send_one (local.get $member) (i32.const 0) (i32.const 512) (local.get $len))"
        )
    };
    let number = |number: &str| {
        format!(
            "(local.set $at (call $decimals {number} (i32.const 600)))
            (call $send_one (local.get $member) (i32.const 0) (local.get $at) (i32.sub (i32.const 600) (local.get $at)))"
        )
    };
    let letters = [
        sends(
            'i',
            "(local.set $at (call $counted))
            (call $send_all (i32.const 0) (local.get $at) (i32.sub (i32.const 128) (local.get $at)))",
        ),
        sends('n', &input(1)),
        sends('c', &input(2)),
        sends('r', &number("(call $random)")),
        sends('a', &number("(global.get $ticks)")),
        sends('m', &number("(i64.extend_i32_u (local.get $member))")),
        sends('w', "(call $set_timer (i32.const 40) (i32.const 4) (i64.const 1000000))"),
        sends('l', "(call $log (i32.const 64) (local.get $len))"),
        sends('s', "(loop $on (br $on))"),
        sends(
            'g',
            "(loop $on
                (local.set $at (memory.grow (i32.const 1)))
                (if (i32.lt_s (local.get $at) (i32.const 0)) (then unreachable))
                (memory.fill (i32.mul (local.get $at) (i32.const 65536)) (i32.const 1) (i32.const 65536))
                (br $on))",
        ),
        sends('t', "unreachable"),
    ];
    own(
        r#"(import "worldshard" "input_len" (func $len (param i32) (result i32)))
           (import "worldshard" "input_read" (func $read (param i32 i32 i32 i32) (result i32)))
           (import "worldshard" "send_all" (func $send_all (param i32 i32 i32)))
           (import "worldshard" "send_one" (func $send_one (param i32 i32 i32 i32)))
           (import "worldshard" "set_timer" (func $set_timer (param i32 i32 i64)))
           (import "worldshard" "random" (func $random (result i64)))
           (import "worldshard" "log" (func $log (param i32 i32)))"#,
        &format!(
            r#"{DECIMALS}
            (data (i32.const 40) "wake")
            (data (i32.const 48) "wokenbye")
            (global $ticks (mut i64) (i64.const 0))
            (func (export "room_tick") (param i64)
                (global.set $ticks (i64.add (global.get $ticks) (i64.const 1))))
            (func (export "room_timer") (param i32) (call $send_all (i32.const 0) (i32.const 48) (i32.const 5)))
            (func (export "room_disconnect") (param i32) (call $send_all (i32.const 0) (i32.const 53) (i32.const 3)))
            (func (export "room_message") (param $member i32) (param $kind i32) (param $len i32)
                (local $first i32) (local $at i32)
                (if (local.get $kind) (then (return)))
                (drop (call $read (i32.const 0) (i32.const 0) (i32.const 64) (i32.const 64)))
                (local.set $first (i32.load8_u (i32.const 64)))
                {})"#,
            letters.concat()
        ),
    )
}

/// Stateroom's ABI. `$told` lies at 1024; what was allocated is freed before anything else is.
pub(crate) fn stateroom(version: i32, protocol: i32, recv: &str) -> String {
    format!(
        r#"(module
            (import "env" "stateroom_send" (func $send (param i32 i32)))
            (memory (export "memory") 1)
            (global (export "STATEROOM_API_VERSION") i32 (i32.const 200))
            (global (export "STATEROOM_API_PROTOCOL") i32 (i32.const 204))
            (data (i32.const 200) "{}{}")
            (global $allocated (mut i32) (i32.const 0))
            (func (export "stateroom_malloc") (param $size i32) (result i32)
                (if (global.get $allocated) (then unreachable))
                (global.set $allocated (local.get $size))
                (i32.const 1024))
            (func (export "stateroom_free") (param $at i32) (param $size i32)
                (if (i32.ne (local.get $at) (i32.const 1024)) (then unreachable))
                (if (i32.ne (local.get $size) (global.get $allocated)) (then unreachable))
                (global.set $allocated (i32.const 0)))
            {DECIMALS}
            (func (export "stateroom_recv") (param $at i32) (param $len i32) {recv}))"#,
        escaped(version),
        escaped(protocol)
    )
}

/// As [`counter`], by Stateroom's ABI.
pub(crate) fn stateroom_counter() -> String {
    stateroom(
        1,
        0,
        r"(local $from i32)
        (if (i32.ne (i32.load (local.get $at)) (i32.const 3)) (then (return)))
        (if (i32.ne (i32.load offset=8 (local.get $at)) (i32.const 1)) (then (return)))
        (if (i32.eqz (call $is_increment (i32.add (local.get $at) (i32.const 20)) (i32.load offset=12 (local.get $at))))
            (then (return)))
        ;; A message, to everyone, of text, of so many bytes.
        (local.set $from (i32.sub (call $counted) (i32.const 20)))
        (i64.store (local.get $from) (i64.const 0))
        (i32.store offset=8 (local.get $from) (i32.const 1))
        (i64.store offset=12 (local.get $from) (i64.extend_i32_u (i32.sub (i32.const 108) (local.get $from))))
        (call $send (local.get $from) (i32.sub (i32.const 128) (local.get $from)))",
    )
}

/// A number as four bytes of a data segment.
fn escaped(number: i32) -> String {
    number
        .to_le_bytes()
        .iter()
        .map(|byte| format!("\\{byte:02x}"))
        .collect()
}
