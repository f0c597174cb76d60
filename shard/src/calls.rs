//! What is said to a shard, in order: said again to a shard in the same state, it does the same again.
//!
//! Owns the types and their bytes. Never says anything to a shard by itself: see [`Shard::say_again`].

use worldshard_protocol::Tick;

use crate::command::{Acknowledgement, Command};
use crate::component::Codec;
use crate::letter::{AreaMessage, Envelope};
use crate::published::Published;
use crate::quarantine::SystemName;
use crate::shard::Shard;

/// One thing said to a shard.
#[derive(Clone, Debug)]
pub enum Call {
    /// [`Shard::command`].
    Command(Command),
    /// [`Shard::acknowledge`].
    Acknowledge(Acknowledgement),
    /// [`Shard::say`].
    Say(AreaMessage),
    /// [`Shard::advance`].
    Advance(Tick),
    /// [`Shard::quarantine`].
    Quarantine(SystemName),
    /// [`Shard::run_all_systems`].
    RunAllSystems,
    /// [`Shard::dismiss`].
    Dismiss,
    /// [`Shard::settle_sessions`].
    Settle,
    /// [`Shard::absorb`]; with the inbox, if envelopes are kept.
    Absorb(Tick, Vec<Envelope>),
}

/// What a shard keeps of what is said to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// Nothing.
    #[default]
    Nothing,
    /// All but the inboxes: enough when all shards of the world do it again together.
    Words,
    /// Inboxes too: enough to do it again alone.
    All,
}

/// The calls that a shard keeps.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    keep: Keep,
    list: Vec<Call>,
}

impl Calls {
    pub(crate) fn set(&mut self, keep: Keep) {
        self.keep = keep;
        if keep == Keep::Nothing {
            self.list = Vec::new();
        }
    }

    pub(crate) fn keep(&mut self, call: impl FnOnce() -> Call) {
        if self.keep != Keep::Nothing {
            self.list.push(call());
        }
    }

    pub(crate) fn keep_absorb(&mut self, tick: Tick, inbox: &[Envelope]) {
        let inbox = match self.keep {
            Keep::Nothing => return,
            Keep::Words => Vec::new(),
            Keep::All => inbox.to_vec(),
        };
        self.list.push(Call::Absorb(tick, inbox));
    }

    pub(crate) fn take(&mut self) -> Vec<Call> {
        std::mem::take(&mut self.list)
    }
}

impl Shard {
    /// Lets go of what sessions wanted and did not get: their homes remember nothing of it. Viewpoints stay as they are.
    pub fn settle_sessions(&mut self) {
        self.calls.keep(|| Call::Settle);
        self.joins.clear();
        self.undelivered.clear();
        self.said.clear();
        for viewer in self.viewers.values_mut() {
            viewer.inputs.forget();
        }
    }

    /// Lets go of all sessions, because their process is no more: viewpoints leave with the next tick, and what waits for
    /// any of them is dropped.
    pub fn dismiss(&mut self) {
        self.calls.keep(|| Call::Dismiss);
        self.joins.clear();
        self.undelivered.clear();
        self.said.clear();
        for (&session, viewer) in &mut self.viewers {
            viewer.inputs.end(session);
        }
    }

    /// Does again what a call made it do: the envelopes that it wrote or what it had for sessions is dropped, because it
    /// was sent the first time.
    ///
    /// # Panics
    /// As the calls do.
    pub fn say_again(&mut self, call: Call) {
        match call {
            Call::Command(command) => self.command(command),
            Call::Acknowledge(acknowledgement) => self.acknowledge(acknowledgement),
            Call::Say(message) => {
                self.say(message);
            }
            Call::Quarantine(system) => self.quarantine_named(system),
            Call::RunAllSystems => self.run_all_systems(),
            Call::Dismiss => self.dismiss(),
            Call::Settle => self.settle_sessions(),
            Call::Advance(tick) => drop(self.advance(tick)),
            Call::Absorb(tick, mut inbox) => {
                let published: &mut Published = self.absorb(tick, &mut inbox);
                published.deltas.clear();
            }
        }
    }
}

/// Inboxes are left out: they come again when all shards do their calls again.
impl Codec for Call {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Command(command) => {
                out.push(0);
                command.encode(out);
            }
            Self::Acknowledge(acknowledgement) => {
                out.push(1);
                acknowledgement.encode(out);
            }
            Self::Say(message) => {
                out.push(2);
                message.encode(out);
            }
            Self::Advance(tick) => (3u8, *tick).encode(out),
            Self::Quarantine(system) => {
                out.push(5);
                system.encode(out);
            }
            Self::Absorb(tick, _) => (4u8, *tick).encode(out),
            Self::Dismiss => out.push(6),
            Self::Settle => out.push(7),
            Self::RunAllSystems => out.push(8),
        }
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        Some(match u8::decode(bytes)? {
            0 => Self::Command(Command::decode(bytes)?),
            1 => Self::Acknowledge(Acknowledgement::decode(bytes)?),
            2 => Self::Say(AreaMessage::decode(bytes)?),
            3 => Self::Advance(Tick::decode(bytes)?),
            4 => Self::Absorb(Tick::decode(bytes)?, Vec::new()),
            5 => Self::Quarantine(SystemName::decode(bytes)?),
            6 => Self::Dismiss,
            7 => Self::Settle,
            8 => Self::RunAllSystems,
            _ => return None,
        })
    }
}
