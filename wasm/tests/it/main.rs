//! Tests of guests through the crate's public interface, in one binary. Guests are WebAssembly as text, `guests.rs` has
//! those that are services; the others are beside what they show.

#![expect(
    clippy::unwrap_used,
    reason = "a test may panic: the permission for tests does not reach their helpers"
)]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test waits for one event and fails by any other"
)]

#[path = "../../../engine/tests/it/pump.rs"]
#[expect(dead_code, reason = "it drives more than guests")]
mod pump;
#[path = "../../../engine/tests/it/runtimes.rs"]
mod runtimes;
#[path = "../../../engine/tests/it/socket.rs"]
#[expect(dead_code, reason = "it says more than guests are told")]
mod socket;

mod documents;
mod guests;
mod hostile;
mod language;
mod modules;
mod net;
mod pace;
mod replaced;
mod rooms;
mod sandbox;
mod services;
mod stateroom;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use guests::own;
use worldshard_wasm::{
    Effect, Event, Guest, GuestConfig, Host, Limits, Module, ModuleError, PayloadRef, Trap,
};

/// A moment at which nothing is due.
const NOW: Duration = Duration::from_secs(3);

fn host() -> Host {
    Host::new(Limits::default()).unwrap()
}

/// The module of a text.
fn module(host: &Host, text: &str) -> Result<Module, ModuleError> {
    Module::new(host, &wat::parse_str(text).unwrap())
}

/// A guest of a text, by these bounds, in a room of that name.
fn guest_in(room: &str, seed: u64, limits: Limits, text: &str) -> Guest {
    let host = Host::new(limits).unwrap();
    let room = room.to_owned();
    let config = b"{}".to_vec();
    Guest::new(
        &module(&host, text).unwrap(),
        GuestConfig { room, config, seed },
        NOW,
    )
    .unwrap()
}

fn guest(text: &str) -> Guest {
    guest_in("lobby", 1, Limits::default(), text)
}

/// What a guest wants done when it is told something.
fn tell(guest: &mut Guest, event: Event<'_>) -> Result<Vec<Effect>, Trap> {
    guest.call(event, NOW).map(Iterator::collect)
}

/// What member 7 may say.
fn says(text: &str) -> Event<'_> {
    let payload = PayloadRef::Text(text);
    Event::Message { member: 7, payload }
}

/// How a guest of our own ABI dies of being told that its room begins, by these bounds.
fn death_within(limits: Limits, imports: &str, init: &str) -> Trap {
    let text = own(imports, &format!(r#"(func (export "room_init") {init})"#));
    let mut guest = guest_in("lobby", 1, limits, &text);
    let trap = tell(&mut guest, Event::Init).unwrap_err();
    assert!(guest.is_dead());
    assert_eq!(
        tell(&mut guest, Event::Init),
        Err(Trap::Dead),
        "after {trap}"
    );
    assert_eq!(guest.save(NOW), Err(Trap::Dead), "after {trap}");
    trap
}

fn death(imports: &str, init: &str) -> Trap {
    death_within(Limits::default(), imports, init)
}

/// Does something while another thread ticks the epoch.
fn with_epochs<T>(host: &Host, work: impl FnOnce() -> T) -> T {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                host.tick_epoch();
                std::thread::yield_now();
            }
        });
        // The other thread ends also when the work panics.
        let _done = Done(&done);
        work()
    })
}

struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
