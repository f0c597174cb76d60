//! What a guest may not do, and that it dies of it alone.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use worldshard_wasm::{Effect, Event, Guest, GuestConfig, Host, Limits, Trap};

use crate::guests::{counter, stateroom_counter};
use crate::{
    NOW, death, death_within, guest, guest_in, host, module, own, says, tell, with_epochs,
};

const SEND_ALL: &str = r#"(import "worldshard" "send_all" (func $send_all (param i32 i32 i32)))"#;
const LOG: &str = r#"(import "worldshard" "log" (func $log (param i32 i32)))"#;

#[test]
fn a_guest_that_never_returns_is_stopped_wherever_it_runs() {
    let host = host();
    let spin = "(loop $on (br $on))";
    let new = |text: &str| Guest::new(&module(&host, text).unwrap(), GuestConfig::default(), NOW);
    for export in ["room_init", "room_save"] {
        let mut hog = new(&own("", &format!(r#"(func (export "{export}") {spin})"#))).unwrap();
        let trap = with_epochs(&host, || match export {
            "room_init" => tell(&mut hog, Event::Init).unwrap_err(),
            _ => hog.save(NOW).unwrap_err(),
        });
        assert_eq!(trap, Trap::Deadline, "{export}");
        assert_eq!(tell(&mut hog, Event::Init), Err(Trap::Dead));
    }
    for start in [r#"(start $spin)"#, r#"(export "_initialize" (func $spin))"#] {
        let text = own("", &format!("(func $spin {spin}) {start}"));
        let trap = with_epochs(&host, || new(&text).unwrap_err());
        assert_eq!(trap, Trap::Deadline, "{start}");
    }
    // Recursion without end and without a loop, which runs before it is too deep.
    let mut hog = new(&own(
        "",
        r#"(func $twice (param i32)
            (if (local.get 0) (then
                (call $twice (i32.sub (local.get 0) (i32.const 1)))
                (call $twice (i32.sub (local.get 0) (i32.const 1))))))
        (func (export "room_init") (call $twice (i32.const 200)))"#,
    ))
    .unwrap();
    assert_eq!(
        with_epochs(&host, || tell(&mut hog, Event::Init)),
        Err(Trap::Deadline)
    );
}

#[test]
fn other_rooms_go_on_beside_one_that_is_stopped() {
    let host = host();
    let mut other = Guest::new(
        &module(&host, &counter()).unwrap(),
        GuestConfig::default(),
        NOW,
    )
    .unwrap();
    let hog = module(
        &host,
        &own("", r#"(func (export "room_init") (loop $on (br $on)))"#),
    )
    .unwrap();
    tell(&mut other, says("increment")).unwrap();
    let mut first = Guest::new(&hog, GuestConfig::default(), NOW).unwrap();
    assert_eq!(
        with_epochs(&host, || tell(&mut first, Event::Init)),
        Err(Trap::Deadline)
    );
    assert_eq!(
        tell(&mut other, says("increment")),
        Ok(vec![Effect::send_all("new value: 2")])
    );
    let mut again = Guest::new(&hog, GuestConfig::default(), NOW).unwrap();
    assert_eq!(
        tell(&mut again, Event::Connect { member: 1 }),
        Ok(vec![]),
        "its room begins again"
    );
}

#[test]
fn a_guest_that_counts_its_steps_is_stopped_at_the_same_one() {
    let limits = Limits {
        fuel_per_call_max: Some(10_000),
        ..Limits::default()
    };
    let host = Host::new(limits).unwrap();
    let hog = own(
        LOG,
        r#"(global $turns (mut i32) (i32.const 0))
        (func (export "room_init") (loop $on
            (global.set $turns (i32.add (global.get $turns) (i32.const 1)))
            (call $log (i32.const 0) (i32.const 0))
            (br $on)))
        (func (export "room_connect") (param i32))"#,
    );
    let hog = module(&host, &hog).unwrap();
    let turns = || {
        let mut guest = Guest::new(&hog, GuestConfig::default(), NOW).unwrap();
        for member in 0..5_000 {
            assert_eq!(tell(&mut guest, Event::Connect { member }), Ok(vec![]));
        }
        assert_eq!(tell(&mut guest, Event::Init), Err(Trap::Fuel));
        guest.drain_log().len()
    };
    let first = turns();
    assert!((500..2_000).contains(&first), "{first} turns");
    assert_eq!(turns(), first);
    let start = own("", "(func $spin (loop $on (br $on))) (start $spin)");
    let start = module(&host, &start).unwrap();
    assert_eq!(
        Guest::new(&start, GuestConfig::default(), NOW).err(),
        Some(Trap::Fuel)
    );
    assert!(
        module(&host, &stateroom_counter()).is_ok(),
        "its version is read without a step"
    );
}

#[test]
fn there_is_a_place_for_so_many_guests_and_the_dead_give_theirs_back() {
    let limits = Limits {
        guests_max: 2,
        ..Limits::default()
    };
    let max = 2;
    let limit = "guests_max";
    let host = Host::new(limits).unwrap();
    let dying = module(
        &host,
        &own("", r#"(func (export "room_init") unreachable)"#),
    )
    .unwrap();
    let unborn = module(&host, &own("", "(func $dies unreachable) (start $dies)")).unwrap();
    let new = || Guest::new(&dying, GuestConfig::default(), NOW);
    let mut first = new().unwrap();
    assert!(Guest::new(&unborn, GuestConfig::default(), NOW).is_err());
    let second = new().unwrap();
    assert_eq!(new().err(), Some(Trap::Limit { limit, max }));
    drop(second);
    let _second = new().unwrap();
    assert_eq!(new().err(), Some(Trap::Limit { limit, max }));
    tell(&mut first, Event::Init).unwrap_err();
    let _third = new().unwrap();
    assert_eq!(new().err(), Some(Trap::Limit { limit, max }));
}

#[test]
fn epochs_between_calls_do_not_count() {
    let host = host();
    let mut counter = Guest::new(
        &module(&host, &counter()).unwrap(),
        GuestConfig::default(),
        NOW,
    )
    .unwrap();
    for value in 1..=20 {
        for _ in 0..host.limits().epochs_per_call_max {
            host.tick_epoch();
        }
        let told = Effect::send_all(format!("new value: {value}").as_str());
        assert_eq!(tell(&mut counter, says("increment")), Ok(vec![told]));
    }
}

/// A guest that grows something until it may not any more and sends how much it has.
fn grower(grow: &str, size: &str, parts: &str) -> String {
    own(
        SEND_ALL,
        &format!(
            r#"{parts} (func (export "room_init")
        (loop $more (br_if $more (i32.ne {grow} (i32.const -1))))
        (i32.store (i32.const 0) {size})
        (call $send_all (i32.const 1) (i32.const 0) (i32.const 4)))"#
        ),
    )
}

#[test]
fn memory_and_tables_grow_up_to_their_limits() {
    let grown = |text: &str, sum: u32| {
        let bytes = sum.to_le_bytes();
        assert_eq!(
            tell(&mut guest(text), Event::Init),
            Ok(vec![Effect::send_all(&bytes[..])])
        );
    };
    grown(
        &grower("(memory.grow (i32.const 1))", "(memory.size)", ""),
        256,
    );
    grown(
        &grower("(memory.grow (i32.const 200))", "(memory.size)", ""),
        201,
    );
    let table = "(table.grow $t (ref.null func) (i32.const 100))";
    grown(
        &grower(table, "(table.size $t)", "(table $t 0 funcref)"),
        10_000,
    );
    let table = "(table.grow $t (ref.null func) (i32.const 0x7fffffff))";
    grown(&grower(table, "(table.size $t)", "(table $t 5 funcref)"), 5);
}

#[test]
fn what_web_assembly_forbids_is_a_fault() {
    for (init, cause) in [
        ("unreachable", "unreachable"),
        ("(drop (i32.load (i32.const -4)))", "out of bounds"),
        (
            "(i32.store (i32.const 65533) (i32.const 0))",
            "out of bounds",
        ),
        (
            "(drop (i32.div_s (i32.const 1) (i32.const 0)))",
            "divide by zero",
        ),
        (
            "(drop (i32.trunc_f32_s (f32.const nan)))",
            "invalid conversion",
        ),
        (
            "(memory.fill (i32.const 0) (i32.const 0) (i32.const -1))",
            "out of bounds",
        ),
    ] {
        let trap = death("", init);
        assert!(
            matches!(&trap, Trap::Fault(text) if text.contains(cause)),
            "{init}: {trap}"
        );
    }
}

#[test]
fn recursion_ends_at_the_limit_of_the_stack() {
    let text = own(
        "",
        r#"(func $deeper (param i64) (result i64)
            (i64.add (local.get 0) (call $deeper (i64.add (local.get 0) (i64.const 1)))))
        (func (export "room_init") (drop (call $deeper (i64.const 0))))"#,
    );
    let trap = tell(&mut guest(&text), Event::Init).unwrap_err();
    assert!(
        matches!(&trap, Trap::Fault(cause) if cause.contains("stack")),
        "{trap}"
    );
}

#[test]
fn a_pointer_outside_the_memory_kills() {
    let read =
        r#"(import "worldshard" "input_read" (func $read (param i32 i32 i32 i32) (result i32)))"#;
    let group = r#"(import "worldshard" "send_group" (func $group (param i32 i32 i32 i32 i32)))"#;
    let output = r#"(import "worldshard" "output" (func $output (param i32 i32)))"#;
    for (import, init) in [
        (
            SEND_ALL,
            "(call $send_all (i32.const 1) (i32.const 65536) (i32.const 1))",
        ),
        (
            SEND_ALL,
            "(call $send_all (i32.const 1) (i32.const 65537) (i32.const 0))",
        ),
        (
            SEND_ALL,
            "(call $send_all (i32.const 1) (i32.const -1) (i32.const 2))",
        ),
        (
            SEND_ALL,
            "(call $send_all (i32.const 0) (i32.const 65535) (i32.const 2))",
        ),
        (LOG, "(call $log (i32.const 1) (i32.const -1))"),
        (
            read,
            "(drop (call $read (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 65536)))",
        ),
        (
            read,
            "(drop (call $read (i32.const 1) (i32.const 0) (i32.const -1) (i32.const -1)))",
        ),
        (
            group,
            "(call $group (i32.const 65533) (i32.const 1) (i32.const 1) (i32.const 0) (i32.const 0))",
        ),
        (output, "(call $output (i32.const 65536) (i32.const 1))"),
    ] {
        let trap = death(import, init);
        assert!(matches!(trap, Trap::Pointer { .. }), "{init}: {trap}");
    }
    let edge = r#"(func (export "room_init") (call $send_all (i32.const 1) (i32.const 65536) (i32.const 0)))"#;
    assert_eq!(
        tell(&mut guest(&own(SEND_ALL, edge)), Event::Init),
        Ok(vec![Effect::send_all(&[][..])])
    );
}

#[test]
fn a_wrong_argument_kills() {
    let kick = r#"(import "worldshard" "kick" (func $kick (param i32 i32 i32 i32)))"#;
    let len = r#"(import "worldshard" "input_len" (func $len (param i32) (result i32)))"#;
    for (import, init) in [
        (
            SEND_ALL,
            "(call $send_all (i32.const 2) (i32.const 0) (i32.const 0))",
        ),
        (
            kick,
            "(call $kick (i32.const 0) (i32.const 65536) (i32.const 0) (i32.const 0))",
        ),
        (len, "(drop (call $len (i32.const 3)))"),
    ] {
        let trap = death(import, init);
        assert!(matches!(trap, Trap::Argument(_)), "{init}: {trap}");
    }
    let init = "(i32.store8 (i32.const 0) (i32.const 255)) (call $send_all (i32.const 0) (i32.const 0) (i32.const 1))";
    assert_eq!(death(SEND_ALL, init), Trap::Text);
}

#[test]
fn each_limit_is_kept_and_named() {
    let timer = r#"(import "worldshard" "set_timer" (func $timer (param i32 i32 i64)))"#;
    let kick = r#"(import "worldshard" "kick" (func $kick (param i32 i32 i32 i32)))"#;
    let group = r#"(import "worldshard" "send_group" (func $group (param i32 i32 i32 i32 i32)))"#;
    let output = r#"(import "worldshard" "output" (func $output (param i32 i32)))"#;
    let forever = "(loop $on (call $send_all (i32.const 1) (i32.const 0) (i32.const 0)) (br $on))";
    let large = "(loop $on (call $send_all (i32.const 1) (i32.const 0) (i32.const 1000)) (br $on))";
    for (limit, max, import, init) in [
        ("effects_per_call_max", 1_024, SEND_ALL, forever),
        ("effect_bytes_per_call_max", 100_000, SEND_ALL, large),
        (
            "payload_bytes_max",
            40_000,
            SEND_ALL,
            "(call $send_all (i32.const 1) (i32.const 0) (i32.const 40001))",
        ),
        (
            "payload_bytes_max",
            40_000,
            SEND_ALL,
            "(call $send_all (i32.const 1) (i32.const 0) (i32.const -1))",
        ),
        (
            "timer_name_bytes_max",
            64,
            timer,
            "(call $timer (i32.const 0) (i32.const 65) (i64.const 0))",
        ),
        (
            "reason_bytes_max",
            123,
            kick,
            "(call $kick (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 124))",
        ),
        (
            "state_bytes_max",
            50_000,
            output,
            "(call $output (i32.const 0) (i32.const 50001))",
        ),
        (
            "effect_bytes_per_call_max",
            100_000,
            group,
            "(call $group (i32.const 0) (i32.const -1) (i32.const 1) (i32.const 0) (i32.const 0))",
        ),
    ] {
        let limits = Limits {
            effect_bytes_per_call_max: 100_000,
            payload_bytes_max: 40_000,
            state_bytes_max: 50_000,
            ..Limits::default()
        };
        assert_eq!(
            death_within(limits, import, init),
            Trap::Limit { limit, max },
            "{init}"
        );
    }
}

#[test]
fn a_call_may_want_as_much_as_its_limits_say_and_the_next_call_again() {
    let text = own(
        SEND_ALL,
        r#"(func (export "room_init") (local $left i32)
        (local.set $left (i32.const 10))
        (loop $on
            (call $send_all (i32.const 1) (i32.const 0) (i32.const 100))
            (br_if $on (local.tee $left (i32.sub (local.get $left) (i32.const 1))))))"#,
    );
    let limits = Limits {
        effects_per_call_max: 10,
        effect_bytes_per_call_max: 1_000,
        payload_bytes_max: 100,
        ..Limits::default()
    };
    let mut guest = guest_in("lobby", 1, limits, &text);
    for _ in 0..3 {
        assert_eq!(
            tell(&mut guest, Event::Init).map(|effects| effects.len()),
            Ok(10)
        );
    }
}

#[test]
fn a_log_beyond_its_limit_is_cut_and_says_so() {
    let text = own(
        LOG,
        r#"(data (i32.const 0) "abcdefgh")
        (func (export "room_init") (loop $on (call $log (i32.const 0) (i32.const 8)) (br_if $on (call $more))))
        (global $left (mut i32) (i32.const 1000))
        (func $more (result i32)
            (global.set $left (i32.sub (global.get $left) (i32.const 1)))
            (global.get $left))
        (func (export "room_connect") (param i32) (call $log (i32.const 0) (i32.const 3)))"#,
    );
    let limits = Limits {
        log_bytes_per_call_max: 20,
        ..Limits::default()
    };
    let mut guest = guest_in("lobby", 1, limits, &text);
    assert_eq!(tell(&mut guest, Event::Init), Ok(vec![]));
    let log: Vec<String> = guest.drain_log().collect();
    assert_eq!(
        log,
        [
            "abcdefgh",
            "abcdefgh",
            "ab",
            "(the guest logged more, which is lost)"
        ]
    );
    tell(&mut guest, Event::Connect { member: 1 }).unwrap();
    assert_eq!(guest.drain_log().collect::<Vec<_>>(), ["abc"]);
}

#[test]
fn what_a_save_wants_done_is_not_done() {
    let text = own(
        SEND_ALL,
        r#"(func (export "room_save") (call $send_all (i32.const 1) (i32.const 0) (i32.const 0)))"#,
    );
    let mut guest = guest(&text);
    assert_eq!(guest.save(NOW), Ok(None), "it handed over nothing");
    assert_eq!(tell(&mut guest, Event::Init), Ok(vec![]));
}

#[test]
fn a_guest_that_the_machine_lets_wait_is_not_stopped_for_that() {
    /// Epochs in which the thread ran not at all; then it has run for long.
    const WAITED: u64 = 50;
    static LOOKS: AtomicU64 = AtomicU64::new(0);
    fn busy() -> Duration {
        let look = LOOKS.fetch_add(1, Ordering::Relaxed);
        Duration::from_secs(look.saturating_sub(WAITED))
    }
    let host = Host::counting(Limits::default(), Duration::from_millis(1), busy).unwrap();
    let spins = own("", r#"(func (export "room_init") (loop $on (br $on)))"#);
    let mut guest =
        Guest::new(&module(&host, &spins).unwrap(), GuestConfig::default(), NOW).unwrap();
    assert_eq!(tell(&mut guest, Event::Init), Err(Trap::Deadline));
    assert_eq!(LOOKS.load(Ordering::Relaxed), WAITED + 2);
}
