//! One guest: the service of one room, in a sandbox of its own. Told one thing at a time; dead after its first trap.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use std::vec::Drain;

use wasmtime::{Instance, Memory, Store, TypedFunc, WasmParams};

use crate::abi::{Abi, own, stateroom};
use crate::error::Trap;
use crate::event::{Effect, Event};
use crate::host::Place;
use crate::memory::Span;
use crate::module::{INITIALIZER, Module};
use crate::sandbox::Sandbox;

/// What a guest is given as it is made.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct GuestConfig {
    /// The room's name, which the guest can read.
    pub room: String,
    /// What else it can read: its settings, in whatever form it wants them.
    pub config: Vec<u8>,
    /// What its random numbers follow from, together with the room's name.
    pub seed: u64,
}

/// The service of one room.
pub struct Guest {
    /// None after a trap: a dead guest keeps no memory.
    running: Option<Running>,
    logged: Vec<String>,
}

impl Guest {
    /// Makes a guest: its start function runs and its language's library is initialised, within the bounds of one call. It
    /// is told [`Event::Init`] or [`Event::Load`] next.
    ///
    /// # Errors
    /// When its start traps, or there is no place or no memory for it.
    pub fn new(module: &Module, config: GuestConfig, now: Duration) -> Result<Self, Trap> {
        let mut lines = Vec::new();
        let guest = Self::new_heard(module, config, now, &mut lines);
        guest.map(|guest| Self {
            logged: lines,
            ..guest
        })
    }

    /// The same, and adds what the guest logs as it starts to `lines`, also if its start traps.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn new_heard(
        module: &Module,
        config: GuestConfig,
        now: Duration,
        lines: &mut Vec<String>,
    ) -> Result<Self, Trap> {
        let place = module.host.place()?;
        let mut sandbox = Sandbox::new(Arc::clone(&module.host.limits), config);
        sandbox.begin(now, &[]);
        let mut store = Store::new(&module.host.engine, sandbox);
        store.limiter(|sandbox| &mut sandbox.store_limits);
        if let Some(epochs) = module.host.epochs {
            epochs.watch(&mut store);
        }
        let exports = Self::start(module, &mut store);
        lines.extend(store.data_mut().log.end());
        let running = Running {
            exports: exports?,
            is_watched: module.host.epochs.is_some(),
            store,
            _place: place,
        };
        Ok(Self {
            running: Some(running),
            logged: Vec::new(),
        })
    }

    fn start(module: &Module, store: &mut Store<Sandbox>) -> Result<Exports, Trap> {
        wind_up(store, module.host.epochs.is_some())?;
        let instance = module.prepared.instantiate(&mut *store)?;
        let no_memory = || Trap::Host("it has no memory".to_owned());
        let memory = instance
            .get_memory(&mut *store, "memory")
            .ok_or_else(no_memory)?;
        store.data_mut().memory = Some(memory);
        if let Some(initializer) = optional::<()>(&instance, store, INITIALIZER)? {
            initializer.call(&mut *store, ())?;
        }
        Ok(match module.abi() {
            Abi::Worldshard => Exports::Own(Box::new(OwnExports::new(&instance, store)?)),
            Abi::Stateroom => {
                let exports = StateroomExports::new(&instance, store, memory)?;
                Exports::Stateroom(Box::new(exports))
            }
        })
    }

    /// Tells the guest something at a time of its room, and gives what it wants done, in order.
    ///
    /// # Errors
    /// When it traps, then and ever after.
    pub fn call(&mut self, event: Event<'_>, now: Duration) -> Result<Drain<'_, Effect>, Trap> {
        self.run(now, Some(&event), |running| running.tell(&event))?;
        let running = self.running.as_mut().ok_or(Trap::Dead)?;
        Ok(running.store.data_mut().drain())
    }

    /// Has the guest hand over its state, for [`Event::Load`] of another. `None` when it has none to hand over, or does not
    /// know how. What it wants done meanwhile is not done.
    ///
    /// # Errors
    /// When it traps, then and ever after.
    pub fn save(&mut self, now: Duration) -> Result<Option<Vec<u8>>, Trap> {
        self.run(now, None, Running::save)?;
        let running = self.running.as_mut().ok_or(Trap::Dead)?;
        Ok(running.store.data_mut().output.take())
    }

    /// The lines that the guest logged in its last call, also if it died of it, or as it was made. They are lost with the next.
    pub fn drain_log(&mut self) -> Drain<'_, String> {
        self.logged.drain(..)
    }

    /// Whether it has trapped.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.running.is_none()
    }

    fn run(
        &mut self,
        now: Duration,
        event: Option<&Event<'_>>,
        call: impl FnOnce(&mut Running) -> wasmtime::Result<()>,
    ) -> Result<(), Trap> {
        let running = self.running.as_mut().ok_or(Trap::Dead)?;
        let input = event
            .map(|event| running.exports.input(event))
            .unwrap_or_default();
        running.store.data_mut().begin(now, input);
        let done = wind_up(&mut running.store, running.is_watched).and_then(|()| call(running));
        self.logged = running.store.data_mut().log.end();
        done.map_err(|error| {
            self.running = None;
            Trap::from(error)
        })
    }
}

impl fmt::Debug for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guest")
            .field("dead", &self.is_dead())
            .finish_non_exhaustive()
    }
}

/// A guest that lives.
struct Running {
    store: Store<Sandbox>,
    exports: Exports,
    /// Whether it is asked at each epoch's end what it has taken.
    is_watched: bool,
    _place: Place,
}

/// Gives a guest the time of one call.
fn wind_up(store: &mut Store<Sandbox>, is_watched: bool) -> wasmtime::Result<()> {
    let limits = &store.data().limits;
    let (epochs, fuel) = (limits.epochs_per_call_max, limits.fuel_per_call_max);
    store.set_epoch_deadline(if is_watched { 1 } else { epochs });
    match fuel {
        Some(fuel) => store.set_fuel(fuel),
        None => Ok(()),
    }
}

impl Running {
    fn tell(&mut self, event: &Event<'_>) -> wasmtime::Result<()> {
        match &mut self.exports {
            Exports::Own(exports) => exports.tell(&mut self.store, event),
            Exports::Stateroom(exports) => exports.tell(&mut self.store, event),
        }
    }

    fn save(&mut self) -> wasmtime::Result<()> {
        match &self.exports {
            Exports::Own(exports) => call(exports.save.as_ref(), &mut self.store, ()),
            Exports::Stateroom(_) => Ok(()),
        }
    }
}

/// How a guest is called.
enum Exports {
    Own(Box<OwnExports>),
    Stateroom(Box<StateroomExports>),
}

impl Exports {
    /// The bytes of an event that the guest reads while it is told: one of Stateroom's is handed all of them before.
    fn input<'a>(&self, event: &Event<'a>) -> &'a [u8] {
        match self {
            Self::Own(_) => own::input(event),
            Self::Stateroom(_) => &[],
        }
    }
}

/// The exports of our own ABI, none of which a guest must have.
struct OwnExports {
    init: Option<TypedFunc<(), ()>>,
    load: Option<TypedFunc<u32, ()>>,
    save: Option<TypedFunc<(), ()>>,
    connect: Option<TypedFunc<u32, ()>>,
    message: Option<TypedFunc<(u32, u32, u32), ()>>,
    disconnect: Option<TypedFunc<u32, ()>>,
    timer: Option<TypedFunc<u32, ()>>,
    tick: Option<TypedFunc<u64, ()>>,
}

impl OwnExports {
    fn new(instance: &Instance, store: &mut Store<Sandbox>) -> Result<Self, Trap> {
        Ok(Self {
            init: optional(instance, store, own::INIT)?,
            load: optional(instance, store, own::LOAD)?,
            save: optional(instance, store, own::SAVE)?,
            connect: optional(instance, store, own::CONNECT)?,
            message: optional(instance, store, own::MESSAGE)?,
            disconnect: optional(instance, store, own::DISCONNECT)?,
            timer: optional(instance, store, own::TIMER)?,
            tick: optional(instance, store, own::TICK)?,
        })
    }

    fn tell(&self, store: &mut Store<Sandbox>, event: &Event<'_>) -> wasmtime::Result<()> {
        let length = length(own::input(event))?;
        match *event {
            Event::Init => call(self.init.as_ref(), store, ()),
            Event::Load { .. } => call(self.load.as_ref(), store, length),
            Event::Connect { member } => call(self.connect.as_ref(), store, member),
            Event::Message { member, payload } => call(
                self.message.as_ref(),
                store,
                (member, own::kind(payload), length),
            ),
            Event::Disconnect { member } => call(self.disconnect.as_ref(), store, member),
            Event::Timer { .. } => call(self.timer.as_ref(), store, length),
            Event::Tick { number } => call(self.tick.as_ref(), store, number),
        }
    }
}

/// The exports of Stateroom's ABI, which a guest has all of.
struct StateroomExports {
    memory: Memory,
    malloc: TypedFunc<u32, u32>,
    recv: TypedFunc<(u32, u32), ()>,
    free: TypedFunc<(u32, u32), ()>,
    /// The event as the guest reads it.
    message: Vec<u8>,
}

impl StateroomExports {
    fn new(instance: &Instance, store: &mut Store<Sandbox>, memory: Memory) -> Result<Self, Trap> {
        Ok(Self {
            memory,
            malloc: instance.get_typed_func(&mut *store, stateroom::MALLOC)?,
            recv: instance.get_typed_func(&mut *store, stateroom::RECV)?,
            free: instance.get_typed_func(&mut *store, stateroom::FREE)?,
            message: Vec::new(),
        })
    }

    /// The guest borrows the message while it is told: the host frees it.
    fn tell(&mut self, store: &mut Store<Sandbox>, event: &Event<'_>) -> wasmtime::Result<()> {
        if !stateroom::encode(event, &mut self.message) {
            return Ok(());
        }
        let bytes = length(&self.message)?;
        let address = self.malloc.call(&mut *store, bytes)?;
        if address == 0 {
            let max = store.data().limits.memory_bytes_max;
            return Err(Trap::Limit {
                limit: "memory_bytes_max",
                max,
            }
            .into());
        }
        let target = Span::new(address, bytes).write(self.memory.data_mut(&mut *store))?;
        target.copy_from_slice(&self.message);
        self.recv.call(&mut *store, (address, bytes))?;
        self.free.call(store, (address, bytes))
    }
}

/// An export that a guest may lack.
fn optional<P: WasmParams>(
    instance: &Instance,
    store: &mut Store<Sandbox>,
    name: &str,
) -> Result<Option<TypedFunc<P, ()>>, Trap> {
    let function = instance.get_func(&mut *store, name);
    Ok(function
        .map(|function| function.typed(&*store))
        .transpose()?)
}

/// A guest that lacks the function does not care about what it would be told.
fn call<P: WasmParams>(
    function: Option<&TypedFunc<P, ()>>,
    store: &mut Store<Sandbox>,
    params: P,
) -> wasmtime::Result<()> {
    match function {
        Some(function) => function.call(store, params),
        None => Ok(()),
    }
}

fn length(bytes: &[u8]) -> Result<u32, Trap> {
    u32::try_from(bytes.len()).map_err(|_| Trap::Host("an event of 4 GiB or more".to_owned()))
}
