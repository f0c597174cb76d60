//! The mailboxes between the shards of a simulation: in order from one sender to one receiver, in any order otherwise.
//!
//! Never chooses what is delivered: that is the schedule.

use std::collections::{BTreeMap, VecDeque};

use worldshard_protocol::Tick;
use worldshard_shard::Envelope;
use worldshard_spatial::ShardId;

use crate::letter::Letter;

/// Everything on its way between shards.
#[derive(Debug, Default)]
pub(crate) struct Mail {
    /// Each with the turn from which it may arrive.
    envelopes: Ways<(u64, Envelope)>,
    /// Each with the tick from which it may arrive.
    letters: Ways<(Tick, Letter)>,
}

/// By receiver and sender.
type Ways<T> = BTreeMap<Way, VecDeque<T>>;

/// From whom to whom.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Way {
    pub(crate) to: ShardId,
    pub(crate) from: ShardId,
}

impl Mail {
    pub(crate) fn send_envelope(&mut self, envelope: Envelope, from_turn: u64) {
        let way = Way {
            to: envelope.to,
            from: envelope.from,
        };
        let queue = self.envelopes.entry(way).or_default();
        queue.push_back((from_turn, envelope));
    }

    pub(crate) fn send_letter(&mut self, way: Way, letter: Letter, from_tick: Tick) {
        let queue = self.letters.entry(way).or_default();
        queue.push_back((from_tick, letter));
    }

    /// The ways whose first envelope may arrive now.
    pub(crate) fn envelopes_due(&self, turn: u64) -> impl Iterator<Item = Way> {
        let due = move |queue: &VecDeque<(u64, Envelope)>| {
            queue
                .front()
                .is_some_and(|&(from_turn, _)| from_turn <= turn)
        };
        let ways = self.envelopes.iter();
        ways.filter(move |(_, queue)| due(queue))
            .map(|(way, _)| *way)
    }

    /// The ways whose first letter may arrive now.
    pub(crate) fn letters_due(&self, tick: Tick) -> impl Iterator<Item = Way> {
        let due = move |queue: &VecDeque<(Tick, Letter)>| {
            queue
                .front()
                .is_some_and(|&(from_tick, _)| from_tick <= tick)
        };
        let ways = self.letters.iter();
        ways.filter(move |(_, queue)| due(queue))
            .map(|(way, _)| *way)
    }

    /// The first turn in which an envelope may arrive.
    pub(crate) fn next_envelope_turn(&self) -> Option<u64> {
        let first = self.envelopes.values().filter_map(VecDeque::front);
        first.map(|&(from_turn, _)| from_turn).min()
    }

    pub(crate) fn take_envelope(&mut self, way: Way) -> Option<Envelope> {
        let queue = self.envelopes.get_mut(&way)?;
        queue.pop_front().map(|(_, envelope)| envelope)
    }

    pub(crate) fn take_letter(&mut self, way: Way) -> Option<Letter> {
        let queue = self.letters.get_mut(&way)?;
        queue.pop_front().map(|(_, letter)| letter)
    }

    /// Letters on their way to a shard.
    pub(crate) fn letters_to(&self, to: ShardId) -> usize {
        count(&self.letters, to)
    }

    /// Envelopes on their way to a shard.
    pub(crate) fn envelopes_to(&self, to: ShardId) -> usize {
        count(&self.envelopes, to)
    }

    /// A way on which letters are, due or not.
    pub(crate) fn any_letter(&self) -> Option<Way> {
        let mut waiting = self.letters.iter().filter(|(_, queue)| !queue.is_empty());
        waiting.next().map(|(way, _)| *way)
    }
}

fn count<T>(ways: &Ways<T>, to: ShardId) -> usize {
    let to = ways.iter().filter(|(way, _)| way.to == to);
    to.map(|(_, queue)| queue.len()).sum()
}
