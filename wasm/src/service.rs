//! Rooms that run guests: what happens in a room is told its guest, what the guest wants is done by the room.
//!
//! Never bounds a guest, that is the host's matter. The trap of a guest is the panic of its room, by its words.

mod lines;
mod members;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use worldshard::{Payload, ROOM_TIMERS_MAX, Room, Service};
use worldshard_protocol::SessionId;

use crate::error::Trap;
use crate::event::{Effect, Event, Payload as Said, PayloadRef};
use crate::guest::{Guest, GuestConfig};
use crate::module::Module;
use lines::{Lines, Quota};
use members::Members;

/// What rooms make their guests of: a module, which can be replaced while they run. Copies of it are the same.
///
/// ```no_run
/// use worldshard::prelude::*;
/// use worldshard::runtime::busy;
/// use worldshard_wasm::{EPOCH, Guests, Host, Limits, Module};
///
/// # fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
/// let host = Host::counting(Limits::default(), EPOCH, busy)?;
/// let guests = Guests::new(Module::new(&host, &std::fs::read("counter.wasm")?)?);
/// App::new()
///     .plugin(WebSocketPlugin::bind("127.0.0.1:8080"))
///     .rooms(Rooms::at("/ws/{room}", guests.make()))
///     .run()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Guests {
    shared: Arc<Shared>,
    config: Arc<[u8]>,
}

/// The module of all rooms of a kind.
struct Shared {
    /// How often it was replaced.
    replaced: AtomicU64,
    module: Mutex<Module>,
    /// Lines that all of them may log.
    quota: Quota,
}

impl Guests {
    /// Guests of this module.
    #[must_use]
    pub fn new(module: Module) -> Self {
        Self {
            shared: Arc::new(Shared {
                replaced: AtomicU64::new(0),
                module: Mutex::new(module),
                quota: Quota::default(),
            }),
            config: Arc::default(),
        }
    }

    /// With settings that each guest can read, in whatever form it wants them.
    #[must_use]
    pub fn config(mut self, config: impl Into<Vec<u8>>) -> Self {
        self.config = config.into().into();
        self
    }

    /// Makes what runs in a room, for [`Rooms::at`](worldshard::Rooms::at).
    pub fn make(&self) -> impl Fn(&str) -> GuestRoom + Send + Sync + 'static {
        let guests = self.clone();
        move |_| GuestRoom {
            guests: guests.clone(),
            guest: None,
            module_seen: 0,
            members: Members::default(),
            timers: BTreeMap::new(),
            message_bytes_max: 0,
            lines: Lines::default(),
        }
    }

    /// Has all rooms go on with guests of another module, each before it is told the next thing; members stay. State is
    /// handed over where the old module saves and the new one loads. A room whose new guest does not start keeps its old
    /// one.
    pub fn replace(&self, module: Module) {
        *self.module() = module;
        self.shared.replaced.fetch_add(1, Ordering::Release);
    }

    fn module(&self) -> MutexGuard<'_, Module> {
        let locked = self.shared.module.lock();
        // A module is replaced as a whole.
        locked.unwrap_or_else(PoisonError::into_inner)
    }
}

/// The service of one room that runs a guest.
pub struct GuestRoom {
    guests: Guests,
    /// None until the room begins.
    guest: Option<Guest>,
    /// How often the module had been replaced when the room last looked.
    module_seen: u64,
    members: Members,
    /// Timers that were set and are due yet, and whether they are due again and again.
    timers: BTreeMap<String, bool>,
    /// The module's limit, at hand without its lock.
    message_bytes_max: usize,
    lines: Lines,
}

impl Service for GuestRoom {
    fn init(&mut self, room: &mut Room<'_>) {
        self.module_seen = self.guests.shared.replaced.load(Ordering::Acquire);
        let module = self.guests.module().clone();
        match self.begin(&module, room) {
            Ok(guest) => self.guest = Some(guest),
            Err(trap) => fail(&trap),
        }
        self.tell(room, Event::Init);
    }

    fn connect(&mut self, room: &mut Room<'_>, member: SessionId) {
        self.follow(room);
        let member = self.members.enter(member);
        self.tell(room, Event::Connect { member });
    }

    fn message(&mut self, room: &mut Room<'_>, member: SessionId, payload: &Payload) {
        self.follow(room);
        let bytes = payload.bytes().len();
        let max = self.message_bytes_max;
        if bytes > max {
            let reason = format!("{bytes} bytes, at most {max} are told to a guest");
            return room.kick(member, MESSAGE_TOO_BIG, reason);
        }
        let payload = match payload {
            Payload::Text(text) => PayloadRef::Text(text.as_str()),
            Payload::Binary(bytes) => PayloadRef::Binary(bytes),
        };
        if let Some(member) = self.members.number(member) {
            self.tell(room, Event::Message { member, payload });
        }
    }

    fn disconnect(&mut self, room: &mut Room<'_>, member: SessionId) {
        self.follow(room);
        if let Some(member) = self.members.leave(member) {
            self.tell(room, Event::Disconnect { member });
        }
    }

    fn timer(&mut self, room: &mut Room<'_>, name: &str) {
        self.follow(room);
        match self.timers.get(name) {
            // A guest that took the place of another knows none of its timers.
            None => return,
            Some(false) => drop(self.timers.remove(name)),
            Some(true) => {}
        }
        self.tell(room, Event::Timer { name });
    }

    fn tick(&mut self, room: &mut Room<'_>) {
        self.follow(room);
        let number = room.tick().0;
        self.tell(room, Event::Tick { number });
    }
}

impl GuestRoom {
    /// Makes a guest; it was told nothing yet.
    fn begin(&mut self, module: &Module, room: &mut Room<'_>) -> Result<Guest, Trap> {
        let config = GuestConfig {
            room: room.name().to_owned(),
            config: self.guests.config.to_vec(),
            seed: room.chance("guest").next_u64(),
        };
        self.message_bytes_max = module.host.limits.message_bytes_max;
        let mut heard = Vec::new();
        let guest = Guest::new_heard(module, config, room.time(), &mut heard);
        self.say(room, heard);
        guest
    }

    /// Tells the guest, and does what it wants.
    fn tell(&mut self, room: &mut Room<'_>, event: Event<'_>) {
        let Some(mut guest) = self.guest.take() else {
            return;
        };
        let done = guest.call(event, room.time()).and_then(|mut effects| {
            // Nothing that a guest wants is done when it dies, and what a room cannot do is its death.
            effects.try_for_each(|effect| self.apply(room, effect))
        });
        self.say(room, guest.drain_log());
        self.guest = Some(guest);
        if let Err(trap) = done {
            fail(&trap);
        }
    }

    fn apply(&mut self, room: &mut Room<'_>, effect: Effect) -> Result<(), Trap> {
        match effect {
            Effect::Send { to, payload } => {
                let audience = self.members.audience(to);
                match payload {
                    Said::Text(text) => room.send(audience, text),
                    Said::Binary(bytes) => room.send(audience, Payload::Binary(bytes.into())),
                }
            }
            Effect::SetTimer {
                name,
                after,
                repeats,
            } => return self.set_timer(room, name, after, repeats),
            Effect::CancelTimer { name } => {
                self.timers.remove(&name);
                room.cancel_timer(&name);
            }
            Effect::Kick {
                member,
                code,
                reason,
            } => {
                if let Some(session) = self.members.session(member) {
                    room.kick(session, code, reason);
                }
            }
        }
        Ok(())
    }

    fn set_timer(
        &mut self,
        room: &mut Room<'_>,
        name: String,
        after: Duration,
        repeats: bool,
    ) -> Result<(), Trap> {
        let is_set = match repeats {
            true => room.set_interval(&name, after),
            false => room.set_timer(&name, after),
        };
        if !is_set {
            return Err(Trap::Limit {
                limit: "ROOM_TIMERS_MAX",
                max: ROOM_TIMERS_MAX,
            });
        }
        self.timers.insert(name, repeats);
        Ok(())
    }

    /// Goes on with a guest of the module that took the old one's place, if one did and its guest starts.
    fn follow(&mut self, room: &mut Room<'_>) {
        let replaced = self.guests.shared.replaced.load(Ordering::Acquire);
        if replaced == self.module_seen {
            return;
        }
        self.module_seen = replaced;
        if let Err(trap) = self.go_on(room) {
            let trap = trap.to_string();
            tracing::error!(
                room = room.name(),
                trap,
                "a new guest does not start: the old one goes on"
            );
        }
    }

    fn go_on(&mut self, room: &mut Room<'_>) -> Result<(), Trap> {
        let module = self.guests.module().clone();
        let now = room.time();
        let saved = match self.guest.as_mut().filter(|_| module.loads()) {
            Some(old) => old.save(now).unwrap_or_default(),
            None => None,
        };
        let mut guest = self.begin(&module, room)?;
        let event = match &saved {
            Some(state) => Event::Load { state },
            None => Event::Init,
        };
        let begun = guest.call(event, now).map(Iterator::collect::<Vec<_>>);
        self.say(room, guest.drain_log());
        let effects = begun?;
        self.guest = Some(guest);
        if saved.is_none() {
            // Whoever begins knows no timer and no member.
            for name in std::mem::take(&mut self.timers).keys() {
                room.cancel_timer(name);
            }
        }
        for effect in effects {
            self.apply(room, effect).unwrap_or_else(|trap| fail(&trap));
        }
        if saved.is_none() {
            for member in self.members.numbers() {
                self.tell(room, Event::Connect { member });
            }
        }
        Ok(())
    }

    /// Logs what the guest did.
    fn say(&mut self, room: &Room<'_>, heard: impl IntoIterator<Item = String>) {
        let quota = &self.guests.shared.quota;
        for line in heard {
            self.lines.say(quota, room.name(), room.time(), &line);
        }
    }
}

/// Ends the room's service as a panic does, but for the message of one: the fault is none of this program's.
fn fail(trap: &Trap) -> ! {
    resume_unwind(Box::new(trap.to_string()))
}

/// How long an epoch is where nothing else is wanted: a call takes its shard's thread for three milliseconds at most, a small
/// part of a tick.
pub const EPOCH: Duration = Duration::from_millis(1);

/// The close code of a message that is too long.
const MESSAGE_TOO_BIG: u16 = 1009;
