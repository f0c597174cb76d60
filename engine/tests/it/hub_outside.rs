//! What other threads bring into rooms: it arrives in order, in the life of the room that it is for, and not without end.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use worldshard::prelude::*;
use worldshard::{Hub, ROOM_OUTSIDE_BYTES_MAX};

use crate::pump::Pump;
use crate::socket::{PATIENCE, eventually};

/// The senders that rooms gave away, in order.
type Senders = Arc<Mutex<Vec<RoomSender>>>;

/// Gives away a sender at its beginning, and passes on what comes by it.
struct Open(Senders);

impl Service for Open {
    fn init(&mut self, room: &mut Room<'_>) {
        self.0.lock().unwrap().push(room.outside());
    }

    fn message(&mut self, _: &mut Room<'_>, _: SessionId, payload: &Payload) {
        assert_ne!(payload.as_text(), Some("panic"), "as asked");
    }

    fn outside(&mut self, room: &mut Room<'_>, payload: &Payload) {
        match payload.as_text() {
            Some("panic") => panic!("as asked"),
            Some(long) if long.len() > 100 => room.send(Audience::All, "a long one"),
            _ => room.send(Audience::All, payload.clone()),
        }
    }
}

fn pump(senders: &Senders, shards: u16) -> Pump {
    let senders = Arc::clone(senders);
    let mut app = App::new();
    app.rooms(Rooms::at("/ws/{room}", move |_| Open(Arc::clone(&senders))));
    Pump::new(&mut app, shards, 1)
}

fn enter(pump: &mut Pump, path: &str) -> SessionId {
    let home = pump.room_host(path);
    let session = pump.open(home.0, path);
    pump.settle();
    session
}

fn sender(senders: &Senders, at: usize) -> RoomSender {
    senders.lock().unwrap()[at].clone()
}

fn texts(pump: &Pump, session: SessionId) -> Vec<&str> {
    pump.clients[&session].texts()
}

#[test]
fn what_threads_bring_arrives_in_order_in_the_room_it_is_for() {
    for shards in [1, 2, 8] {
        let senders = Senders::default();
        let mut pump = pump(&senders, shards);
        let rings = Arc::new(AtomicU64::new(0));
        for hub in &mut pump.hubs {
            let rings = Arc::clone(&rings);
            hub.on_answer(move || {
                rings.fetch_add(1, Ordering::SeqCst);
            });
        }
        let one = enter(&mut pump, "/ws/a");
        let other = enter(&mut pump, "/ws/b");
        let [to_one, to_other] = [0, 1].map(|at| sender(&senders, at));
        std::thread::scope(|scope| {
            scope.spawn(|| (0..100).for_each(|n| to_one.send(format!("{n}")).unwrap()));
            scope.spawn(|| to_other.send("b").unwrap());
        });
        assert_eq!(rings.load(Ordering::SeqCst), 101);
        assert!(pump.hubs.iter().any(Hub::is_called));
        pump.settle();
        assert!(!pump.hubs.iter().any(Hub::is_called));
        let numbers: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        assert_eq!(texts(&pump, one), numbers);
        assert_eq!(texts(&pump, other), ["b"]);
    }
}

#[test]
fn a_sender_is_of_one_life_of_its_room() {
    let senders = Senders::default();
    let mut pump = pump(&senders, 2);
    let member = enter(&mut pump, "/ws/a");
    let first = sender(&senders, 0);
    first.send("panic").unwrap();
    first.send("of a life that is over").unwrap();
    assert!(first.is_open());
    pump.settle();
    assert!(!first.is_open());
    assert_eq!(first.send("late"), Err(NotSent::Gone));
    assert_eq!(first.send_waiting("late"), Err(NotSent::Gone));
    let second = sender(&senders, 1);
    second.send("of this life").unwrap();
    pump.settle();
    assert_eq!(texts(&pump, member), ["of this life"]);
    second.send("to nobody").unwrap();
    pump.close(member, CloseReason::Lost);
    pump.settle();
    assert!(!second.is_open(), "the room has ended");
    let again = enter(&mut pump, "/ws/a");
    assert_eq!(second.send("to another room"), Err(NotSent::Gone));
    pump.settle();
    assert!(texts(&pump, again).is_empty());
}

#[test]
fn what_waits_is_bounded_and_a_thread_may_wait_for_a_place_or_the_end() {
    let senders = Senders::default();
    let mut pump = pump(&senders, 1);
    let member = enter(&mut pump, "/ws/a");
    let sender = sender(&senders, 0);
    let long = "a".repeat(ROOM_OUTSIDE_BYTES_MAX / 4 - 64);
    for _ in 0..4 {
        sender.send(long.clone()).unwrap();
    }
    assert_eq!(sender.send(""), Err(NotSent::Full));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| sender.send_waiting("after them"));
        eventually(PATIENCE, "what waited for a place", || {
            pump.settle();
            texts(&pump, member).last() == Some(&"after them")
        });
        assert_eq!(waiting.join().unwrap(), Ok(()));
    });
    // One alone may be longer than all that may wait.
    sender.send("b".repeat(ROOM_OUTSIDE_BYTES_MAX + 1)).unwrap();
    assert_eq!(sender.send(""), Err(NotSent::Full));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| sender.send_waiting("never"));
        drop(pump);
        assert_eq!(waiting.join().unwrap(), Err(NotSent::Gone));
    });
}
