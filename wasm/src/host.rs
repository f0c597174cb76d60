//! What all modules and guests of a process share: the compiler, its settings, and the epoch. Never runs a guest.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::Thread;
use std::time::Duration;

use wasmtime::{Config, Engine, OptLevel};

use crate::epochs::{self, Epochs};
use crate::error::{ModuleError, Trap};
use crate::limits::Limits;

/// Compiles modules and counts epochs. Copies of it are the same host.
#[derive(Clone)]
pub struct Host {
    pub(crate) engine: Engine,
    pub(crate) limits: Arc<Limits>,
    /// Guests that live.
    guests: Arc<AtomicUsize>,
    /// How calls are bounded by the time that they take of their thread; without, epochs alone bound them.
    pub(crate) epochs: Option<Epochs>,
    /// The thread that counts epochs, which rests while no guest lives.
    counting: Option<Thread>,
}

impl Host {
    /// A host whose guests have these bounds.
    ///
    /// # Errors
    /// When the limits contradict each other, or guests cannot run on this machine.
    pub fn new(limits: Limits) -> Result<Self, ModuleError> {
        Self::over(limits, None)
    }

    /// The same with a thread that begins an epoch `every` so often, for as long as the host is there. What counts is the
    /// time that a call takes of its thread, which `busy` tells: a guest that the machine lets wait is not stopped for that.
    ///
    /// # Errors
    /// As [`new`](Self::new), and when there is no thread for it.
    pub fn counting(
        limits: Limits,
        every: Duration,
        busy: fn() -> Duration,
    ) -> Result<Self, ModuleError> {
        let epochs = Epochs::new(&limits, every, busy);
        let mut host = Self::over(limits, Some(epochs))?;
        let thread = epochs::count(&host.engine, &host.guests, every)
            .map_err(|error| ModuleError::Host(format!("no thread counts epochs: {error}")))?;
        host.counting = Some(thread);
        Ok(host)
    }

    fn over(limits: Limits, epochs: Option<Epochs>) -> Result<Self, ModuleError> {
        if limits.epochs_per_call_max < 2 {
            let cause = "epochs_per_call_max is at least 2: with 1 a call that begins late in an epoch has no time";
            return Err(ModuleError::Host(cause.to_owned()));
        }
        if limits.epochs_per_call_max > EPOCHS_MAX {
            let cause = format!("epochs_per_call_max is at most {EPOCHS_MAX}");
            return Err(ModuleError::Host(cause));
        }
        let engine = Engine::new(&config(&limits))
            .map_err(|error| ModuleError::Host(format!("{error:#}")))?;
        let limits = Arc::new(limits);
        let guests = Arc::new(AtomicUsize::new(0));
        Ok(Self {
            engine,
            limits,
            guests,
            epochs,
            counting: None,
        })
    }

    /// Begins another epoch. Whoever drives guests does this from another thread than theirs, evenly: a guest that runs on
    /// is stopped by nothing else. Costs one atomic addition.
    pub fn tick_epoch(&self) {
        self.engine.increment_epoch();
    }

    /// The bounds of its guests.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// A place for one more guest, on any thread.
    pub(crate) fn place(&self) -> Result<Place, Trap> {
        let max = self.limits.guests_max;
        let one_more = |guests: usize| (guests < max).then_some(guests + 1);
        let counted = self
            .guests
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        let limit = "guests_max";
        let before = counted.map_err(|_| Trap::Limit { limit, max })?;
        if let Some(thread) = self.counting.as_ref().filter(|_| before == 0) {
            thread.unpark();
        }
        Ok(Place(Arc::clone(&self.guests)))
    }
}

/// One guest among those that live; given back when it is dropped.
pub(crate) struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Guests that are told the same do the same, on any machine: so numbers that are none have one form, and what is left to
/// the machine is switched off.
fn config(limits: &Limits) -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .consume_fuel(limits.fuel_per_call_max.is_some())
        .max_wasm_stack(limits.stack_bytes_max)
        .cranelift_opt_level(OptLevel::Speed)
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .wasm_memory64(false)
        .wasm_multi_memory(false);
    config
}

/// No deadline is further away, so that adding one to an epoch never overflows.
const EPOCHS_MAX: u64 = 1 << 32;
