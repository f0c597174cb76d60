//! What one guest has while it runs: what it is told, what it wants done, its log, time and chance. Never touches the
//! guest's memory: that is `memory`.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::{Memory, StoreLimits, StoreLimitsBuilder};

use crate::chance::Chance;
use crate::error::Trap;
use crate::event::Effect;
use crate::guest::GuestConfig;
use crate::limits::{Limits, TABLES_MAX};

/// The data of a guest's store.
pub(crate) struct Sandbox {
    pub(crate) limits: Arc<Limits>,
    /// What bounds memory and tables, in the form that wasmtime asks for.
    pub(crate) store_limits: StoreLimits,
    /// The guest's memory, once there is one.
    pub(crate) memory: Option<Memory>,
    pub(crate) room: String,
    pub(crate) config: Vec<u8>,
    /// The part of the event that is bytes: a payload, a name or a state.
    pub(crate) input: Vec<u8>,
    /// What the guest hands over.
    pub(crate) output: Option<Vec<u8>>,
    pub(crate) now: Duration,
    pub(crate) chance: Chance,
    pub(crate) log: Log,
    /// What the thread had used when the call's first epoch ended.
    pub(crate) busy_since: Option<Duration>,
    effects: Vec<Effect>,
    effect_bytes: usize,
}

impl Sandbox {
    pub(crate) fn new(limits: Arc<Limits>, config: GuestConfig) -> Self {
        let store_limits = StoreLimitsBuilder::new()
            .memory_size(limits.memory_bytes_max)
            .table_elements(limits.table_elements_max)
            .instances(1)
            .memories(1)
            .tables(TABLES_MAX as usize)
            .build();
        Self {
            limits,
            store_limits,
            memory: None,
            chance: Chance::new(config.seed, &config.room),
            room: config.room,
            config: config.config,
            input: Vec::new(),
            output: None,
            now: Duration::ZERO,
            log: Log::default(),
            busy_since: None,
            effects: Vec::new(),
            effect_bytes: 0,
        }
    }

    /// Begins a call: nothing of the last one is left but the room for it.
    pub(crate) fn begin(&mut self, now: Duration, input: &[u8]) {
        self.now = now;
        self.input.clear();
        self.input.extend_from_slice(input);
        self.output = None;
        self.effects.clear();
        self.effect_bytes = 0;
        self.log.begin();
        self.busy_since = None;
    }

    /// What the call wants done.
    pub(crate) fn drain(&mut self) -> std::vec::Drain<'_, Effect> {
        self.effects.drain(..)
    }

    /// Takes an effect, whose parts are within their own limits.
    pub(crate) fn push(&mut self, effect: Effect) -> Result<(), Trap> {
        let bytes = self.effect_bytes.saturating_add(effect.bytes());
        at_most(
            "effects_per_call_max",
            self.effects.len() + 1,
            self.limits.effects_per_call_max,
        )?;
        at_most(
            "effect_bytes_per_call_max",
            bytes,
            self.limits.effect_bytes_per_call_max,
        )?;
        self.effect_bytes = bytes;
        self.effects.push(effect);
        Ok(())
    }

    /// Adds bytes to the log.
    pub(crate) fn write_log(&mut self, bytes: &[u8]) {
        self.log.write(bytes, self.limits.log_bytes_per_call_max);
    }

    /// The time of the call in nanoseconds.
    pub(crate) fn now_ns(&self) -> u64 {
        u64::try_from(self.now.as_nanos()).unwrap_or(u64::MAX)
    }
}

/// A count that a limit bounds.
pub(crate) fn at_most(limit: &'static str, count: usize, max: usize) -> Result<(), Trap> {
    if count > max {
        return Err(Trap::Limit { limit, max });
    }
    Ok(())
}

/// What a guest logs, in lines. It outlives the guest's death, whose cause it may tell.
#[derive(Default)]
pub(crate) struct Log {
    lines: Vec<String>,
    /// The beginning of a line whose end is not written yet.
    open: Vec<u8>,
    /// Bytes of this call so far.
    bytes: usize,
    is_cut: bool,
}

impl Log {
    /// Lines that nobody took are lost: they are bounded by the call.
    fn begin(&mut self) {
        self.lines.clear();
        self.bytes = 0;
        self.is_cut = false;
    }

    /// Takes bytes up to `bytes_max` a call; a line ends with its newline or with the call.
    fn write(&mut self, bytes: &[u8], bytes_max: usize) {
        let kept = &bytes[..bytes.len().min(bytes_max - self.bytes.min(bytes_max))];
        self.bytes += kept.len();
        for piece in kept.split_inclusive(|byte| *byte == b'\n') {
            match piece.strip_suffix(b"\n") {
                Some(end) => {
                    self.open.extend_from_slice(end);
                    self.close();
                }
                None => self.open.extend_from_slice(piece),
            }
        }
        self.is_cut |= kept.len() < bytes.len();
    }

    /// Ends the call: the lines of it.
    pub(crate) fn end(&mut self) -> Vec<String> {
        if !self.open.is_empty() {
            self.close();
        }
        if std::mem::take(&mut self.is_cut) {
            self.lines
                .push("(the guest logged more, which is lost)".to_owned());
        }
        std::mem::take(&mut self.lines)
    }

    fn close(&mut self) {
        let line = std::mem::take(&mut self.open);
        self.lines.push(String::from_utf8_lossy(&line).into_owned());
    }
}
