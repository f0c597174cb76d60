//! What rooms give their guests and take from them, without sockets: numbers, settings, chance, timers, the log.

use std::io::Write;
use std::sync::{Arc, Mutex};

use tracing_subscriber::fmt::MakeWriter;
use worldshard::prelude::*;
use worldshard::{ROOM_TIMERS_MAX, Rooms, WhenEmpty};
use worldshard_wasm::{Guests, Limits};

use crate::guests::everything;
use crate::pump::Pump;
use crate::{host, module, own};

pub(crate) fn app(guests: &Guests, seed: u64) -> App {
    let mut app = App::new();
    app.rooms(Rooms::at("/ws/{room}", guests.make()).when_empty(WhenEmpty::Keep))
        .world(WorldConfig {
            seed,
            ..WorldConfig::default()
        });
    app
}

/// Connects where the room lives.
pub(crate) fn enter(pump: &mut Pump, room: &str) -> SessionId {
    let path = format!("/ws/{room}");
    let home = pump.room_host(&path);
    pump.open(home.0, &path)
}

/// Says all this, and what was heard since.
pub(crate) fn asked(pump: &mut Pump, session: SessionId, texts: &[&str]) -> Vec<String> {
    let before = pump.clients[&session].received.len();
    for text in texts {
        pump.text(session, text);
    }
    pump.settle();
    let heard = pump.clients[&session].texts();
    heard[before..]
        .iter()
        .map(|text| (*text).to_owned())
        .collect()
}

pub(crate) fn guests_of(text: &str) -> Guests {
    Guests::new(module(&host(), text).unwrap())
}

#[test]
fn a_guest_is_given_its_rooms_name_its_config_and_the_members_numbers() {
    for shards in [1, 2, 8] {
        let guests = guests_of(&everything()).config("{\"stake\": 5}");
        let mut pump = Pump::new(&mut app(&guests, 1), shards, 1);
        for room in ["a", "caf\u{e9}"] {
            let first = enter(&mut pump, room);
            let heard = asked(&mut pump, first, &["name", "config", "member"]);
            assert_eq!(heard, [room, "{\"stake\": 5}", "1"]);
            let second = enter(&mut pump, room);
            assert_eq!(asked(&mut pump, second, &["member"]), ["2"]);
            pump.close(second, CloseReason::Lost);
            assert_eq!(asked(&mut pump, first, &[]), ["bye"]);
            let third = enter(&mut pump, room);
            assert_eq!(
                asked(&mut pump, third, &["member"]),
                ["3"],
                "none comes again"
            );
        }
    }
}

#[test]
fn the_same_seed_draws_the_same_in_every_room_and_no_two_rooms_do() {
    let draws = |seed: u64, shards: u16| -> Vec<Vec<String>> {
        let mut pump = Pump::new(&mut app(&guests_of(&everything()), seed), shards, 9);
        let rooms = ["a", "b"].map(|room| enter(&mut pump, room));
        rooms
            .iter()
            // The second half comes of a guest that begins again.
            .map(|room| asked(&mut pump, *room, &["random", "random", "trap", "random"]))
            .collect()
    };
    let first = draws(1, 1);
    assert_eq!(first, draws(1, 8), "the same inputs draw the same");
    let mut all: Vec<String> = first.into_iter().chain(draws(2, 1)).flatten().collect();
    assert_eq!(all.len(), 12);
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 12, "{all:?}");
}

#[test]
fn a_timer_of_a_guest_is_due_by_ticks_and_gone_with_its_guest() {
    let mut pump = Pump::new(&mut app(&guests_of(&everything()), 1), 1, 1);
    let member = enter(&mut pump, "a");
    assert_eq!(asked(&mut pump, member, &["wait"]), [""; 0]);
    pump.run(1);
    assert_eq!(pump.clients[&member].texts(), ["woken"]);
    asked(&mut pump, member, &["wait", "trap"]);
    pump.run(3);
    assert_eq!(pump.clients[&member].texts(), ["woken"]);
}

#[test]
fn more_timers_than_a_room_has_are_the_end_of_a_guest() {
    let text = own(
        r#"(import "worldshard" "set_timer" (func $set_timer (param i32 i32 i64)))
           (import "worldshard" "send_all" (func $send_all (param i32 i32 i32)))"#,
        r#"(func (export "room_message") (param i32 i32 i32) (local $name i32)
            (loop $next
                (i32.store8 (i32.const 0) (i32.and (local.get $name) (i32.const 127)))
                (i32.store8 (i32.const 1) (i32.shr_u (local.get $name) (i32.const 7)))
                (call $set_timer (i32.const 0) (i32.const 2) (i64.const 1000000000))
                (local.set $name (i32.add (local.get $name) (i32.const 1)))
                (br_if $next (i32.lt_u (local.get $name) (local.get 2))))
            (call $send_all (i32.const 0) (i32.const 0) (i32.const 0)))"#,
    );
    let mut pump = Pump::new(&mut app(&guests_of(&text), 1), 1, 1);
    let member = enter(&mut pump, "a");
    let timers = |count: usize| "x".repeat(count);
    assert_eq!(asked(&mut pump, member, &[&timers(ROOM_TIMERS_MAX)]), [""]);
    assert_eq!(pump.hub(ShardId(0)).status().room_panics, 0);
    assert_eq!(
        asked(&mut pump, member, &[&timers(ROOM_TIMERS_MAX + 1)]),
        [""; 0]
    );
    assert_eq!(pump.hub(ShardId(0)).status().room_panics, 1);
}

/// What was logged, in lines.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Vec<u8>>>);

impl Logged {
    /// What guests and rooms log while `work` is done.
    fn during(work: impl FnOnce()) -> String {
        let logged = Self::default();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(logged.clone())
            .without_time()
            .with_ansi(false)
            .finish();
        tracing::subscriber::with_default(subscriber, work);
        let bytes = logged.0.lock().unwrap();
        String::from_utf8(bytes.clone()).unwrap()
    }
}

impl Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Logged {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[test]
fn what_a_guest_logs_is_in_the_log_within_its_share_and_cannot_end_a_line() {
    let logged = Logged::during(|| {
        let mut pump = Pump::new(&mut app(&guests_of(&everything()), 1), 1, 1);
        let member = enter(&mut pump, "a");
        asked(&mut pump, member, &["l \u{1b}[31m\n forged"]);
        asked(&mut pump, member, &["line"; 50]);
        // Twenty ticks are a second.
        pump.run(20);
        asked(&mut pump, member, &["later"]);
        asked(&mut pump, member, &["last", "trap"]);
    });
    let lines = |what: &str| logged.lines().filter(|line| line.contains(what)).count();
    assert_eq!(lines("a guest logged room=\"a\" line=\"l"), 21, "{logged}");
    assert_eq!(lines("lines=32"), 1, "{logged}");
    assert_eq!(lines("line=\"last\""), 1, "{logged}");
    assert!(!logged.contains('\u{1b}'), "{logged}");
    assert_eq!(lines("a room panicked"), 1, "{logged}");
    assert_eq!(lines("unreachable"), 1, "{logged}");
}

#[test]
fn a_guest_whose_start_traps_is_heard() {
    let text = own(
        r#"(import "worldshard" "log" (func $log (param i32 i32)))"#,
        r#"(data (i32.const 0) "no luck")
        (func $start (call $log (i32.const 0) (i32.const 7)) unreachable) (start $start)"#,
    );
    let mut closed = None;
    let logged = Logged::during(|| {
        let mut pump = Pump::new(&mut app(&guests_of(&text), 1), 1, 1);
        let member = enter(&mut pump, "a");
        pump.settle();
        closed = pump.clients[&member].closed.clone();
    });
    assert_eq!(closed, Some((1011, "the room failed".to_owned())));
    let heard = logged.matches("line=\"no luck\"").count();
    assert_eq!(heard, 4, "once for each try: {logged}");
}

#[test]
fn more_guests_than_there_are_places_for_fail_their_own_rooms() {
    let limits = Limits {
        guests_max: 2,
        ..Limits::default()
    };
    let host = worldshard_wasm::Host::new(limits).unwrap();
    let guests = Guests::new(module(&host, &everything()).unwrap());
    let mut pump = Pump::new(&mut app(&guests, 1), 2, 1);
    let rooms = ["a", "b", "c"].map(|room| enter(&mut pump, room));
    pump.settle();
    let closed = rooms.map(|room| pump.clients[&room].closed.is_some());
    assert_eq!(closed.iter().filter(|closed| **closed).count(), 1);
    for (room, closed) in rooms.into_iter().zip(closed) {
        if !closed {
            assert_eq!(asked(&mut pump, room, &["increment"]), ["new value: 1"]);
        }
    }
}
