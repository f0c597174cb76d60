//! What guests of our own ABI are told and can do.

use std::time::Duration;

use worldshard_wasm::{
    Abi, Audience, Effect, Event, Guest, GuestConfig, Limits, Module, Payload, PayloadRef, Trap,
};

use crate::guests::counter;
use crate::{NOW, guest, guest_in, host, module, own, says, tell};

const READ: &str =
    r#"(import "worldshard" "input_read" (func $read (param i32 i32 i32 i32) (result i32)))"#;
const LEN: &str = r#"(import "worldshard" "input_len" (func $len (param i32) (result i32)))"#;
const SEND_ALL: &str = r#"(import "worldshard" "send_all" (func $send_all (param i32 i32 i32)))"#;
const SEND_ONE: &str =
    r#"(import "worldshard" "send_one" (func $send_one (param i32 i32 i32 i32)))"#;

#[test]
fn counter_tells_all_its_new_value() {
    let mut counter = guest(&counter());
    for value in 1..=12 {
        let told = Effect::send_all(format!("new value: {value}").as_str());
        assert_eq!(tell(&mut counter, says("increment")), Ok(vec![told]));
    }
    assert_eq!(tell(&mut counter, says("decrement")), Ok(vec![]));
}

#[test]
fn what_a_guest_does_not_export_it_is_not_told() {
    let mut deaf = guest(&own("", ""));
    let payload = PayloadRef::Binary(&[1]);
    for event in [
        Event::Init,
        Event::Load { state: &[1] },
        Event::Connect { member: 1 },
        Event::Message { member: 1, payload },
        Event::Disconnect { member: 1 },
        Event::Timer { name: "a" },
        Event::Tick { number: 1 },
    ] {
        assert_eq!(tell(&mut deaf, event), Ok(vec![]), "{event:?}");
    }
    assert_eq!(deaf.save(NOW), Ok(None));
}

#[test]
fn echo_answers_who_spoke_in_kind() {
    let echo = r#"(func (export "room_message") (param $member i32) (param $kind i32) (param $bytes i32)
        (drop (call $read (i32.const 0) (i32.const 0) (i32.const 0) (local.get $bytes)))
        (call $send_one (local.get $member) (local.get $kind) (i32.const 0) (local.get $bytes)))"#;
    let mut echo = guest(&own(&[READ, SEND_ONE].concat(), echo));
    assert_eq!(
        tell(&mut echo, says("grüße")),
        Ok(vec![Effect::send_one(7, "grüße")])
    );
    let payload = PayloadRef::Binary(&[0, 255, 1]);
    let binary = Event::Message {
        member: u32::MAX,
        payload,
    };
    assert_eq!(
        tell(&mut echo, binary),
        Ok(vec![Effect::send_one(u32::MAX, &[0, 255, 1][..])])
    );
    assert_eq!(tell(&mut echo, says("")), Ok(vec![Effect::send_one(7, "")]));
}

#[test]
fn each_event_reaches_its_own_export_with_its_numbers() {
    let told = |export: &str, params: &str, number: &str| {
        format!(
            r#"(func (export "{export}") {params} (i64.store (i32.const 0) {number})
            (call $send_all (i32.const 1) (i32.const 0) (i32.const 8)))"#
        )
    };
    let member = "(i64.extend_i32_u (local.get 0))";
    let mut guest = guest(&own(
        SEND_ALL,
        &[
            told("room_init", "", "(i64.const 100)"),
            told("room_connect", "(param i32)", member),
            told(
                "room_disconnect",
                "(param i32)",
                &format!("(i64.add (i64.const 300) {member})"),
            ),
            told(
                "room_timer",
                "(param i32)",
                &format!("(i64.add (i64.const 400) {member})"),
            ),
            told("room_tick", "(param i64)", "(local.get 0)"),
        ]
        .concat(),
    ));
    for (event, number) in [
        (Event::Init, 100_u64),
        (Event::Connect { member: 5 }, 5),
        (Event::Disconnect { member: 5 }, 305),
        (Event::Timer { name: "abc" }, 403),
        (Event::Tick { number: 1 << 40 }, 1 << 40),
    ] {
        let bytes = number.to_le_bytes();
        assert_eq!(
            tell(&mut guest, event),
            Ok(vec![Effect::send_all(&bytes[..])]),
            "{event:?}"
        );
    }
}

#[test]
fn a_guest_reads_its_room_its_config_and_an_event_piece_by_piece() {
    let parts = r#"(func $whole (param $input i32) (local $bytes i32)
            (local.set $bytes (call $len (local.get $input)))
            (drop (call $read (local.get $input) (i32.const 0) (i32.const 0) (local.get $bytes)))
            (call $send_all (i32.const 0) (i32.const 0) (local.get $bytes)))
        (func (export "room_init") (call $whole (i32.const 1)) (call $whole (i32.const 2)))
        (func (export "room_timer") (param $bytes i32)
            ;; Two bytes from the second on; then more than there are, of which the last comes; then from behind the end.
            (call $send_all (i32.const 0) (i32.const 0)
                (call $read (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 2)))
            (call $send_all (i32.const 0) (i32.const 0)
                (call $read (i32.const 0) (i32.sub (local.get $bytes) (i32.const 1)) (i32.const 0) (i32.const 99)))
            (call $send_all (i32.const 0) (i32.const 0)
                (call $read (i32.const 0) (i32.const -1) (i32.const 0) (i32.const 99))))"#;
    let text = own(&[READ, LEN, SEND_ALL].concat(), parts);
    let mut guest = guest_in("chess-☃", 1, Limits::default(), &text);
    let told = [Effect::send_all("chess-☃"), Effect::send_all("{}")];
    assert_eq!(tell(&mut guest, Event::Init), Ok(told.to_vec()));
    let told = ["im", "r", ""].map(Effect::send_all);
    assert_eq!(
        tell(&mut guest, Event::Timer { name: "timer" }),
        Ok(told.to_vec())
    );
}

#[test]
fn messages_go_to_the_audience_that_was_named() {
    let imports = [
        SEND_ALL,
        SEND_ONE,
        r#"(import "worldshard" "send_all_but" (func $all_but (param i32 i32 i32 i32)))
        (import "worldshard" "send_group" (func $group (param i32 i32 i32 i32 i32)))
        (import "worldshard" "send_all_but_group" (func $all_but_group (param i32 i32 i32 i32 i32)))"#,
    ];
    let parts = r#"(data (i32.const 0) "\01\00\00\00\00\01\00\00hi")
        (func (export "room_init")
            (call $send_all (i32.const 0) (i32.const 8) (i32.const 2))
            (call $send_one (i32.const 3) (i32.const 1) (i32.const 8) (i32.const 2))
            (call $all_but (i32.const 3) (i32.const 0) (i32.const 8) (i32.const 2))
            (call $group (i32.const 0) (i32.const 2) (i32.const 0) (i32.const 8) (i32.const 2))
            (call $all_but_group (i32.const 4) (i32.const 1) (i32.const 0) (i32.const 8) (i32.const 2))
            (call $group (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 8) (i32.const 2)))"#;
    let mut guest = guest(&own(&imports.concat(), parts));
    let text = |to| Effect::Send {
        to,
        payload: Payload::from("hi"),
    };
    let told = vec![
        text(Audience::All),
        Effect::send_one(3, &b"hi"[..]),
        text(Audience::AllBut(3)),
        text(Audience::Group(vec![1, 256])),
        text(Audience::AllButGroup(vec![256])),
        text(Audience::Group(vec![])),
    ];
    assert_eq!(tell(&mut guest, Event::Init), Ok(told));
}

#[test]
fn timers_kicks_and_logs_are_handed_on_in_order() {
    let imports = r#"(import "worldshard" "set_timer" (func $timer (param i32 i32 i64)))
        (import "worldshard" "set_interval" (func $interval (param i32 i32 i64)))
        (import "worldshard" "cancel_timer" (func $cancel (param i32 i32)))
        (import "worldshard" "kick" (func $kick (param i32 i32 i32 i32)))
        (import "worldshard" "log" (func $log (param i32 i32)))"#;
    let parts = r#"(data (i32.const 0) "dawn")
        (func (export "room_init")
            (call $timer (i32.const 0) (i32.const 4) (i64.const 1500000000))
            (call $interval (i32.const 0) (i32.const 3) (i64.const -1))
            (call $cancel (i32.const 0) (i32.const 2))
            (call $kick (i32.const 9) (i32.const 4001) (i32.const 1) (i32.const 3))
            (call $log (i32.const 0) (i32.const 4))
            (call $log (i32.const 0) (i32.const 0)))"#;
    let mut guest = guest(&own(imports, parts));
    let timer = |name: &str, nanos, repeats| Effect::SetTimer {
        name: name.to_owned(),
        after: Duration::from_nanos(nanos),
        repeats,
    };
    let reason = "awn".to_owned();
    let told = vec![
        timer("dawn", 1_500_000_000, false),
        timer("daw", u64::MAX, true),
        Effect::CancelTimer {
            name: "da".to_owned(),
        },
        Effect::Kick {
            member: 9,
            code: 4_001,
            reason,
        },
    ];
    assert_eq!(tell(&mut guest, Event::Init), Ok(told));
    assert_eq!(guest.drain_log().collect::<Vec<_>>(), ["dawn", ""]);
    tell(&mut guest, Event::Connect { member: 1 }).unwrap();
    assert_eq!(guest.drain_log().len(), 0, "lines are told once");
}

/// A guest that sends eight bytes, the answer of a function of the host.
fn of_function(name: &str) -> String {
    let import = format!(r#"(import "worldshard" "{name}" (func $asked (result i64)))"#);
    own(
        &[&import, SEND_ALL].concat(),
        r#"(func (export "room_tick") (param i64)
            (i64.store (i32.const 0) (call $asked))
            (call $send_all (i32.const 1) (i32.const 0) (i32.const 8)))"#,
    )
}

#[test]
fn time_is_as_it_is_given() {
    let mut clock = guest(&of_function("now"));
    for (now, nanos) in [
        (
            Duration::from_nanos(1_234_567_890_123),
            1_234_567_890_123_u64,
        ),
        (Duration::ZERO, 0),
        (Duration::MAX, u64::MAX),
    ] {
        let told: Vec<Effect> = clock
            .call(Event::Tick { number: 0 }, now)
            .unwrap()
            .collect();
        assert_eq!(told, [Effect::send_all(&nanos.to_le_bytes()[..])]);
    }
}

#[test]
fn chance_follows_from_seed_and_room() {
    let draws = |room: &str, seed| {
        let mut guest = guest_in(room, seed, Limits::default(), &of_function("random"));
        let draw = |_| tell(&mut guest, Event::Tick { number: 0 }).unwrap();
        (0..16).map(draw).collect::<Vec<_>>()
    };
    let first = draws("a", 1);
    assert_eq!(first, draws("a", 1), "the same seed is the same stream");
    let others = [draws("b", 1), draws("a", 2), draws("", 1), draws("a\0", 1)];
    for (index, other) in others.iter().enumerate() {
        let shared = first.iter().filter(|draw| other.contains(draw)).count();
        assert_eq!(shared, 0, "stream {index}");
    }
    let twice = first
        .iter()
        .any(|draw| first.iter().filter(|other| *other == draw).count() > 1);
    assert!(!twice, "a stream goes on");
}

#[test]
fn a_guest_goes_on_from_what_another_saved() {
    let host = host();
    let counter = module(&host, &counter()).unwrap();
    assert!(counter.saves() && counter.loads());
    let new = || Guest::new(&counter, GuestConfig::default(), NOW).unwrap();
    let mut old = new();
    for _ in 0..41 {
        tell(&mut old, says("increment")).unwrap();
    }
    let state = old.save(NOW).unwrap().unwrap();
    let mut heir = new();
    assert_eq!(tell(&mut heir, Event::Load { state: &state }), Ok(vec![]));
    assert_eq!(
        tell(&mut heir, says("increment")),
        Ok(vec![Effect::send_all("new value: 42")])
    );
    assert_eq!(
        old.save(NOW),
        Ok(Some(state)),
        "a guest that saved lives on"
    );
    let deaf = module(&host, &own("", "")).unwrap();
    assert!(!deaf.saves() && !deaf.loads());
}

#[test]
fn one_module_serves_rooms_on_any_thread_apart_from_each_other() {
    let host = host();
    let counter = module(&host, &counter()).unwrap();
    assert_eq!(counter.abi(), Abi::Worldshard);
    std::thread::scope(|scope| {
        let rooms = [3, 5, 8].map(|count| {
            let counter: Module = counter.clone();
            scope.spawn(move || {
                let mut guest = Guest::new(&counter, GuestConfig::default(), NOW).unwrap();
                let counted = (0..count).map(|_| tell(&mut guest, says("increment")).unwrap());
                assert_eq!(
                    counted.last(),
                    Some(vec![Effect::send_all(
                        format!("new value: {count}").as_str()
                    )])
                );
            })
        });
        for room in rooms {
            room.join().unwrap();
        }
    });
}

#[test]
fn what_a_trapped_call_wanted_is_not_done_but_what_it_logged_is_told() {
    let imports = [
        SEND_ALL,
        r#"(import "worldshard" "log" (func $log (param i32 i32)))"#,
    ]
    .concat();
    let parts = r#"(data (i32.const 0) "about to fail")
        (func $fails (export "room_init")
            (call $send_all (i32.const 0) (i32.const 0) (i32.const 5))
            (call $log (i32.const 0) (i32.const 13))
            unreachable)"#;
    let mut guest = guest(&own(&imports, parts));
    let trap = tell(&mut guest, Event::Init).unwrap_err();
    assert!(
        matches!(&trap, Trap::Fault(cause) if cause.contains("unreachable") && cause.contains("fails")),
        "{trap}"
    );
    assert_eq!(guest.drain_log().collect::<Vec<_>>(), ["about to fail"]);
}
