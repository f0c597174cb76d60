//! Anything as a module, a message or an argument: the host answers, and goes on.

use std::cell::RefCell;
use std::sync::LazyLock;

use proptest::prelude::*;
use worldshard_wasm::{Event, Guest, GuestConfig, Host, Module, PayloadRef, Trap};

use crate::guests::{counter, stateroom, stateroom_counter};
use crate::{NOW, host, module, own, tell, with_epochs};

static HOST: LazyLock<Host> = LazyLock::new(host);

/// Whose guests are stopped; those of the other have all the time they want.
static TICKED: LazyLock<Host> = LazyLock::new(host);

/// A guest that sends what it was told as a message of Stateroom's, which it may or may not be.
static MIRROR: LazyLock<Module> = LazyLock::new(|| {
    let recv = r"(call $send (i32.add (local.get $at) (i32.const 20)) (i32.sub (local.get $len) (i32.const 20)))";
    module(&HOST, &stateroom(1, 0, recv)).unwrap()
});

/// A guest that calls a function of the host with any arguments, which it is told: which function, then six numbers.
static CALLER: LazyLock<Module> = LazyLock::new(|| {
    let functions = [
        ("send_all", 3),
        ("send_one", 4),
        ("send_all_but", 4),
        ("send_group", 5),
        ("send_all_but_group", 5),
        ("cancel_timer", 2),
        ("kick", 4),
        ("log", 2),
        ("output", 2),
    ];
    let mut imports = String::from(
        r#"(import "worldshard" "input_read" (func $read (param i32 i32 i32 i32) (result i32)))"#,
    );
    let mut calls = String::new();
    for (index, (name, count)) in functions.iter().enumerate() {
        imports += &format!(
            r#"(import "worldshard" "{name}" (func ${name} (param {})))"#,
            "i32 ".repeat(*count)
        );
        let arguments: String = (1..=*count)
            .map(|at| format!("(i32.load offset={} (i32.const 0))", at * 4))
            .collect();
        calls += &format!(
            "(if (i32.eq (i32.load (i32.const 0)) (i32.const {index})) (then (call ${name} {arguments})))"
        );
    }
    let parts = format!(
        r#"(func (export "room_message") (param i32 i32 i32)
        (drop (call $read (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 28)))
        {calls}
        (drop (call $read (i32.const 0) (i32.load offset=4 (i32.const 0)) (i32.load offset=8 (i32.const 0)) (i32.load offset=12 (i32.const 0)))))"#
    );
    module(&HOST, &own(&imports, &parts)).unwrap()
});

fn tell_bytes(module: &Module, payload: &[u8]) -> Result<usize, Trap> {
    let mut guest = Guest::new(module, GuestConfig::default(), NOW)?;
    let payload = PayloadRef::Binary(payload);
    let effects = tell(&mut guest, Event::Message { member: 1, payload })?;
    Ok(effects.len())
}

/// Numbers as guests get them wrong: small, near the end of the memory, near the end of all numbers.
fn number() -> impl Strategy<Value = u32> {
    prop_oneof![
        0..70_u32,
        65_500..65_600_u32,
        u32::MAX - 70..=u32::MAX,
        any::<u32>()
    ]
}

proptest! {
    #[test]
    fn any_bytes_are_a_module_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Module::new(&HOST, &bytes);
        let headed = [b"\0asm\x01\0\0\0", &bytes[..]].concat();
        let _ = Module::new(&HOST, &headed);
    }

    #[test]
    fn a_damaged_module_is_refused_or_runs_within_its_bounds(
        which in 0..2_usize,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        thread_local! {
            static WHOLE: RefCell<[Vec<u8>; 2]> =
                RefCell::new([counter(), stateroom_counter()].map(|text| wat::parse_str(text).unwrap()));
        }
        let mut bytes = WHOLE.with_borrow(|whole| whole[which].clone());
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        // A damaged loop may not end by itself.
        if let Ok(module) = Module::new(&TICKED, &bytes) {
            let _ = with_epochs(&TICKED, || tell_bytes(&module, b"increment"));
        }
    }

    #[test]
    fn any_bytes_are_a_message_of_stateroom_or_a_trap(
        bytes in prop::collection::vec(prop_oneof![3 => 0..4_u8, 1 => any::<u8>()], 0..60),
    ) {
        match tell_bytes(&MIRROR, &bytes) {
            Ok(effects) => prop_assert_eq!(effects, 1),
            Err(trap) => prop_assert!(matches!(trap, Trap::Stateroom(_) | Trap::Text | Trap::Limit { .. }), "{}", trap),
        }
    }

    #[test]
    fn any_arguments_are_taken_or_a_trap(
        function in 0..9_u32,
        arguments in prop::array::uniform6(number()),
    ) {
        let numbers = std::iter::once(function).chain(arguments);
        let bytes: Vec<u8> = numbers.flat_map(u32::to_le_bytes).collect();
        if let Err(trap) = tell_bytes(&CALLER, &bytes) {
            let expected = matches!(trap, Trap::Pointer { .. } | Trap::Argument(_) | Trap::Text | Trap::Limit { .. });
            prop_assert!(expected, "{}", trap);
        }
    }
}
