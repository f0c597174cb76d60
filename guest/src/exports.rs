//! What the exports of a module do, for the macro that makes them. A module has one service, in the one thread that it runs in.

use std::cell::RefCell;
use std::panic;
use std::thread::LocalKey;

use crate::imports::{self, EVENT, Outside, TEXT};
use crate::room::{Host, Payload, Room};
use crate::service::Service;

/// Where a module keeps its service: none before its room begins.
pub type Slot<S> = LocalKey<RefCell<Option<S>>>;

/// The room begins.
pub fn init<S: Service>(slot: &'static Slot<S>) {
    begin(slot);
    with(slot, |service, room| service.init(room));
}

/// The room goes on from a saved state.
pub fn load<S: Service>(slot: &'static Slot<S>, _bytes: u32) {
    begin(slot);
    let state = imports::input(EVENT);
    with(slot, |service, room| service.load(room, &state));
}

/// A session has become a member.
pub fn connect<S: Service>(slot: &'static Slot<S>, member: u32) {
    with(slot, |service, room| service.connect(room, member));
}

/// A member said something.
pub fn message<S: Service>(slot: &'static Slot<S>, member: u32, kind: u32, _bytes: u32) {
    let payload = match kind {
        TEXT => Payload::Text(event_text()),
        _ => Payload::Binary(imports::input(EVENT)),
    };
    with(slot, |service, room| {
        service.message(room, member, &payload)
    });
}

/// A session is no member any more.
pub fn disconnect<S: Service>(slot: &'static Slot<S>, member: u32) {
    with(slot, |service, room| service.disconnect(room, member));
}

/// A timer is due.
pub fn timer<S: Service>(slot: &'static Slot<S>, _bytes: u32) {
    let name = event_text();
    with(slot, |service, room| service.timer(room, &name));
}

/// A tick of the world has passed.
pub fn tick<S: Service>(slot: &'static Slot<S>, number: u64) {
    with(slot, |service, room| service.tick(room, number));
}

/// Another module wants to go on.
pub fn save<S: Service>(slot: &'static Slot<S>) {
    with(slot, |service, _| {
        if let Some(state) = service.save() {
            imports::give(&state);
        }
    });
}

/// A panic in a module is a trap, which says nothing: so what it says goes to the log before.
fn begin<S: Service>(slot: &'static Slot<S>) {
    panic::set_hook(Box::new(|panic| Outside.log(&panic.to_string())));
    slot.replace(Some(S::default()));
}

/// A host tells a module nothing before its room begins; one that did would find the service as it begins.
fn with<S: Service>(slot: &'static Slot<S>, told: impl FnOnce(&mut S, &mut Room<'_>)) {
    slot.with_borrow_mut(|service| {
        told(
            service.get_or_insert_default(),
            &mut Room::new(&mut Outside),
        )
    });
}

/// The host has looked that it is UTF-8.
fn event_text() -> String {
    String::from_utf8_lossy(&imports::input(EVENT)).into_owned()
}
