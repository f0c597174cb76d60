//! Lets all shards of a world do again what they did, in one thread, tick by tick. Never reads a file.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};

use worldshard_protocol::Tick;
use worldshard_shard::{Call, Envelope, Shard};

use super::error::DurableError;
use crate::panic::panic_text;

/// A world that does again what it did.
pub struct Replay {
    shards: Vec<Shard>,
    /// What was said to each shard and is not said again yet.
    calls: Vec<VecDeque<Call>>,
    tick: Tick,
}

impl Replay {
    /// A world as it was after `tick`, and what was said to each of its shards after that.
    ///
    /// # Panics
    /// When there are not as many lists as shards.
    #[must_use]
    pub fn new(shards: Vec<Shard>, calls: Vec<VecDeque<Call>>, tick: Tick) -> Self {
        assert_eq!(shards.len(), calls.len(), "every shard has its calls");
        Self {
            shards,
            calls,
            tick,
        }
    }

    /// The last tick that is whole.
    #[must_use]
    pub fn tick(&self) -> Tick {
        self.tick
    }

    /// The shards after [`tick`](Self::tick).
    #[must_use]
    pub fn shards(&self) -> &[Shard] {
        &self.shards
    }

    /// The digest of all entities.
    #[must_use]
    pub fn digest(&self) -> u128 {
        let digests = self.shards.iter().map(Shard::digest);
        digests.fold(0, u128::wrapping_add)
    }

    /// One tick. False when it was not said to every shard: then nothing happened.
    ///
    /// # Errors
    /// When a shard panics: then this world leads no further.
    pub fn step(&mut self) -> Result<bool, DurableError> {
        let tick = self.tick.next();
        let advances = |call: &Call| matches!(call, Call::Advance(of) if *of == tick);
        if !self.calls.iter().all(|calls| calls.iter().any(advances)) {
            return Ok(false);
        }
        let mut inboxes: Vec<Vec<Envelope>> = self.shards.iter().map(|_| Vec::new()).collect();
        for (shard, calls) in self.shards.iter_mut().zip(&mut self.calls) {
            let envelopes = guarded(shard, tick, |shard| {
                say(shard, calls, advances);
                shard.advance(tick)
            })?;
            for envelope in envelopes {
                inboxes[usize::from(envelope.to.0)].push(envelope);
            }
        }
        for ((shard, calls), inbox) in self
            .shards
            .iter_mut()
            .zip(&mut self.calls)
            .zip(&mut inboxes)
        {
            // What was said before the second half of the last tick may not have been written any more.
            let absorbs = |call: &Call| matches!(call, Call::Absorb(of, _) if *of == tick);
            guarded(shard, tick, |shard| {
                if calls.iter().any(absorbs) {
                    say(shard, calls, absorbs);
                }
                shard.absorb(tick, inbox);
            })?;
        }
        self.tick = tick;
        Ok(true)
    }

    /// What the shards are made of.
    #[must_use]
    pub fn into_shards(self) -> Vec<Shard> {
        self.shards
    }
}

/// Says all calls up to the half of a tick, which is taken off too.
fn say(shard: &mut Shard, calls: &mut VecDeque<Call>, is_half: impl Fn(&Call) -> bool) {
    while let Some(call) = calls.pop_front() {
        if is_half(&call) {
            return;
        }
        shard.say_again(call);
    }
}

/// Has a shard do a half of a tick. Its panic says which code it was, and stays here.
fn guarded<R>(
    shard: &mut Shard,
    tick: Tick,
    half: impl FnOnce(&mut Shard) -> R,
) -> Result<R, DurableError> {
    // A shard that panicked is dropped with its world.
    let done = catch_unwind(AssertUnwindSafe(|| half(shard)));
    done.map_err(|panic| DurableError::Panicked {
        tick,
        shard: shard.own(),
        system: shard.blamed().map(|(_, name)| name),
        text: panic_text(&*panic).to_owned(),
    })
}
