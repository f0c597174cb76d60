//! Another module takes over under rooms that run: members stay, and so does state where both modules know how.

use worldshard_wasm::{Guests, Host};

use crate::guests::{counter, everything, stateroom_counter};
use crate::pump::Pump;
use crate::rooms::{app, asked, enter};
use crate::{host, module, own};

fn pump(host: &Host, text: &str, shards: u16) -> (Guests, Pump) {
    let guests = Guests::new(module(host, text).unwrap());
    let pump = Pump::new(&mut app(&guests, 1), shards, 1);
    (guests, pump)
}

#[test]
fn state_is_handed_over_and_members_keep_their_numbers() {
    for shards in [1, 2, 8] {
        let host = host();
        let (guests, mut pump) = pump(&host, &counter(), shards);
        let rooms = ["a", "b", "c"].map(|room| enter(&mut pump, room));
        for room in rooms {
            assert_eq!(asked(&mut pump, room, &["increment"]), ["new value: 1"]);
        }
        let next = counter().replace("new value: ", "new worth: ");
        guests.replace(module(&host, &next).unwrap());
        for room in rooms {
            assert_eq!(asked(&mut pump, room, &["increment"]), ["new worth: 2"]);
            assert_eq!(pump.clients[&room].closed, None);
        }
        let late = enter(&mut pump, "d");
        assert_eq!(asked(&mut pump, late, &["increment"]), ["new worth: 1"]);
    }
}

#[test]
fn a_module_that_takes_no_state_begins_and_is_told_of_the_members() {
    let host = host();
    let (guests, mut pump) = pump(&host, &everything(), 1);
    let gone = enter(&mut pump, "a");
    let member = enter(&mut pump, "a");
    assert_eq!(asked(&mut pump, member, &["increment"]), ["new value: 1"]);
    pump.close(gone, worldshard::CloseReason::Lost);
    assert_eq!(asked(&mut pump, member, &["wait"]), ["bye"]);
    let greets = own(
        r#"(import "worldshard" "send_one" (func $send_one (param i32 i32 i32 i32)))
           (import "worldshard" "send_all" (func $send_all (param i32 i32 i32)))"#,
        r#"(data (i32.const 0) "begins tick 012345678")
        (func (export "room_init") (call $send_all (i32.const 0) (i32.const 0) (i32.const 6)))
        (func (export "room_timer") (param i32) unreachable)
        (func (export "room_connect") (param $member i32)
            (call $send_one (local.get $member) (i32.const 0)
                (i32.add (i32.const 12) (local.get $member)) (i32.const 1)))"#,
    );
    guests.replace(module(&host, &greets).unwrap());
    pump.run(3);
    let heard = &pump.clients[&member].texts()[2..];
    assert_eq!(heard, ["begins", "2"], "no timer of the old one is due");
    // And on to another ABI, in the middle of what a member says.
    guests.replace(module(&host, &stateroom_counter()).unwrap());
    let heard = asked(&mut pump, member, &["increment", "increment"]);
    assert_eq!(heard, ["new value: 1", "new value: 2"]);
}

#[test]
fn a_module_whose_guests_do_not_start_leaves_the_old_ones_running() {
    let host = host();
    for broken in [
        own("", r#"(func $start unreachable) (start $start)"#),
        own("", r#"(func (export "room_init") unreachable)"#),
        own("", r#"(func (export "room_load") (param i32) unreachable)"#),
    ] {
        let (guests, mut pump) = pump(&host, &counter(), 1);
        let member = enter(&mut pump, "a");
        asked(&mut pump, member, &["increment"]);
        guests.replace(module(&host, &broken).unwrap());
        assert_eq!(asked(&mut pump, member, &["increment"]), ["new value: 2"]);
        // And the next one has its turn.
        let next = counter().replace("new value: ", "new worth: ");
        guests.replace(module(&host, &next).unwrap());
        assert_eq!(asked(&mut pump, member, &["increment"]), ["new worth: 3"]);
        assert_eq!(pump.clients[&member].closed, None);
    }
}

#[test]
fn an_old_guest_that_dies_of_saving_is_replaced_by_one_that_begins() {
    let host = host();
    let dies = counter().replace(
        "(func (export \"room_save\")",
        "(func (export \"room_save\") unreachable",
    );
    let (guests, mut pump) = pump(&host, &dies, 1);
    let member = enter(&mut pump, "a");
    asked(&mut pump, member, &["increment"]);
    guests.replace(module(&host, &counter()).unwrap());
    assert_eq!(asked(&mut pump, member, &["increment"]), ["new value: 1"]);
}
