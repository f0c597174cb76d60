//! Which half of which tick a shard is in, and the envelopes that have come for it. Never runs a half.

use worldshard_protocol::Tick;
use worldshard_shard::Envelope;

/// The exchange of one shard.
#[derive(Debug)]
pub(crate) struct Lockstep {
    neighbours: usize,
    /// The tick that runs, or is next.
    tick: Tick,
    advanced: bool,
    inbox: Vec<Envelope>,
    /// From neighbours that are one tick ahead.
    stash: Vec<Envelope>,
}

impl Lockstep {
    /// Before the tick that follows `after` in a world of `shards` shards.
    pub(crate) fn new(shards: u16, after: Tick) -> Lockstep {
        Lockstep {
            neighbours: usize::from(shards) - 1,
            tick: after.next(),
            advanced: false,
            inbox: Vec::new(),
            stash: Vec::new(),
        }
    }

    /// The tick that runs, or is next.
    pub(crate) fn tick(&self) -> Tick {
        self.tick
    }

    /// Whether the first half is done and the second is not.
    pub(crate) fn is_exchanging(&self) -> bool {
        self.advanced
    }

    /// Keeps an envelope of this tick or the next.
    ///
    /// # Panics
    /// When it is of any other tick: a shard's state would be wrong.
    pub(crate) fn receive(&mut self, envelope: Envelope) {
        if envelope.tick == self.tick {
            self.inbox.push(envelope);
        } else {
            assert_eq!(
                envelope.tick,
                self.tick.next(),
                "lockstep broken by {:?}",
                envelope.from
            );
            self.stash.push(envelope);
        }
    }

    /// Takes note that the first half is done.
    pub(crate) fn advanced(&mut self) {
        assert!(!self.advanced, "{:?} advanced twice", self.tick);
        self.advanced = true;
    }

    /// Whether the second half can run.
    pub(crate) fn is_complete(&self) -> bool {
        self.advanced && self.inbox.len() == self.neighbours
    }

    /// The inbox of the second half, once all neighbours have written.
    pub(crate) fn inbox(&mut self) -> Option<&mut Vec<Envelope>> {
        self.is_complete().then_some(&mut self.inbox)
    }

    /// Takes note that the second half is done.
    pub(crate) fn absorbed(&mut self) {
        assert!(self.advanced, "{:?} absorbed before it advanced", self.tick);
        self.advanced = false;
        self.tick = self.tick.next();
        self.inbox.clear();
        std::mem::swap(&mut self.inbox, &mut self.stash);
    }
}

/// A neighbour may be one tick ahead, never two: it waits for our envelope of the tick between.
pub(crate) const ENVELOPES_PER_SENDER_MAX: usize = 2;
