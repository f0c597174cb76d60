//! Guests built for Stateroom, whose messages are laid out by hand.

use std::time::Duration;

use worldshard_wasm::{Abi, Audience, Effect, Event, ModuleError, Payload, PayloadRef, Trap};

use crate::guests::{stateroom, stateroom_counter};
use crate::{NOW, guest, host, module, says, tell};

#[test]
fn counter_tells_all_its_new_value() {
    let text = stateroom_counter();
    assert_eq!(module(&host(), &text).unwrap().abi(), Abi::Stateroom);
    let mut counter = guest(&text);
    assert_eq!(tell(&mut counter, Event::Init), Ok(vec![]));
    assert_eq!(tell(&mut counter, Event::Connect { member: 7 }), Ok(vec![]));
    for value in 1..=12 {
        let told = Effect::send_all(format!("new value: {value}").as_str());
        assert_eq!(tell(&mut counter, says("increment")), Ok(vec![told]));
    }
    let payload = PayloadRef::Binary(b"increment");
    assert_eq!(
        tell(&mut counter, Event::Message { member: 7, payload }),
        Ok(vec![])
    );
    assert_eq!(
        tell(&mut counter, Event::Tick { number: 1 }),
        Ok(vec![]),
        "not told of"
    );
    assert_eq!(counter.save(NOW), Ok(None));
}

/// A message that is told to its sender alone, or to all but the sender, is the one that came, with a recipient before it.
#[test]
fn echo_answers_who_spoke_in_kind() {
    let echo = |recipient: u8| {
        stateroom(
            1,
            0,
            &format!(
                r"(if (i32.ne (i32.load (local.get $at)) (i32.const 3)) (then (return)))
            (i32.store (i32.sub (local.get $at) (i32.const 4)) (i32.const 0))
            (i32.store (local.get $at) (i32.const {recipient}))
            (call $send (i32.sub (local.get $at) (i32.const 4)) (i32.add (local.get $len) (i32.const 4)))"
            ),
        )
    };
    let mut echo_one = guest(&echo(1));
    assert_eq!(
        tell(&mut echo_one, says("grüße")),
        Ok(vec![Effect::send_one(7, "grüße")])
    );
    let payload = PayloadRef::Binary(&[0, 255]);
    let binary = Event::Message { member: 7, payload };
    assert_eq!(
        tell(&mut echo_one, binary),
        Ok(vec![Effect::send_one(7, &[0, 255][..])])
    );
    let mut echo_others = guest(&echo(2));
    let to = Audience::AllBut(7);
    let payload = Payload::from("a");
    assert_eq!(
        tell(&mut echo_others, says("a")),
        Ok(vec![Effect::Send { to, payload }])
    );
}

#[test]
fn the_one_timer_has_no_name() {
    // A timer of 1.5 seconds; and what tells that it is due is a message too.
    let recv = r#"(i64.store (i32.const 0) (i64.const 0x000005dc_00000001))
        (if (i32.eq (i32.load (local.get $at)) (i32.const 4)) (then (call $send (i32.const 0) (i32.const 8))))"#;
    let mut guest = guest(&stateroom(1, 0, recv));
    let set = Effect::SetTimer {
        name: String::new(),
        after: Duration::from_millis(1_500),
        repeats: false,
    };
    assert_eq!(tell(&mut guest, Event::Init), Ok(vec![]));
    assert_eq!(tell(&mut guest, Event::Timer { name: "" }), Ok(vec![set]));
}

#[test]
fn another_version_or_protocol_is_refused_by_naming_both() {
    for (version, protocol) in [(0, 0), (2, 0), (1, 1), (-1, i32::MAX)] {
        let error = module(&host(), &stateroom(version, protocol, "")).unwrap_err();
        assert_eq!(error, ModuleError::StateroomVersion { version, protocol });
        let text = error.to_string();
        assert!(
            text.contains(&format!("version {version}, protocol {protocol}")),
            "{text}"
        );
        assert!(text.contains("version 1, protocol 0"), "{text}");
    }
}

#[test]
fn a_module_that_lacks_a_part_is_refused_by_its_name() {
    let whole = stateroom(1, 0, "");
    for name in [
        "stateroom_malloc",
        "stateroom_free",
        "STATEROOM_API_VERSION",
        "STATEROOM_API_PROTOCOL",
        "memory",
    ] {
        let text = whole.replace(&format!(r#"(export "{name}")"#), "");
        assert_ne!(text, whole);
        let error = module(&host(), &text).unwrap_err();
        assert!(
            matches!(&error, ModuleError::Export { name: lacking, .. } if lacking == name),
            "{name}: {error}"
        );
    }
    for (part, other) in [
        ("i32 (i32.const 200)", "i32 (i32.const -2)"),
        ("i32 (i32.const 200)", "i32 (i32.const 65533)"),
        ("i32 (i32.const 200)", "i64 (i64.const 200)"),
    ] {
        let error = module(&host(), &whole.replace(part, other)).unwrap_err();
        assert!(
            matches!(&error, ModuleError::Export { name, .. } if name == "STATEROOM_API_VERSION"),
            "{error}"
        );
    }
    // Its version would have to be read after code of it ran.
    let starts = whole.replacen(
        "(data ",
        "(func $spin (loop $on (br $on))) (start $spin) (data ",
        1,
    );
    let error = module(&host(), &starts).unwrap_err();
    assert!(error.to_string().contains("no start function"), "{error}");
}

#[test]
fn what_is_no_message_kills_the_guest() {
    let send = |address: i64, bytes: i64| {
        stateroom(
            1,
            0,
            &format!("(call $send (i32.const {address}) (i32.const {bytes}))"),
        )
    };
    let trap = |address, bytes| tell(&mut guest(&send(address, bytes)), Event::Init).unwrap_err();
    assert!(matches!(trap(0, 0), Trap::Stateroom(_)));
    assert!(matches!(trap(0, 100), Trap::Stateroom(_)));
    assert!(matches!(
        trap(65_530, 7),
        Trap::Pointer {
            address: 65_530,
            bytes: 7
        }
    ));
    assert!(matches!(
        trap(0xffff_ffff, 0xffff_ffff),
        Trap::Pointer { .. }
    ));
}

#[test]
fn a_bad_address_of_malloc_kills_the_guest() {
    let whole = stateroom(1, 0, "");
    let malloc = |address: &str| {
        let text = whole.replace(
            "(i32.const 1024))\n            (func (export \"stateroom_free\")",
            &format!("(i32.const {address}))\n            (func (export \"stateroom_free\")"),
        );
        assert_ne!(text, whole);
        tell(&mut guest(&text), Event::Connect { member: 1 }).unwrap_err()
    };
    assert!(matches!(
        malloc("0"),
        Trap::Limit {
            limit: "memory_bytes_max",
            ..
        }
    ));
    assert!(matches!(malloc("-8"), Trap::Pointer { .. }));
    assert!(matches!(
        malloc("65529"),
        Trap::Pointer {
            address: 65_529,
            bytes: 8
        }
    ));
}
