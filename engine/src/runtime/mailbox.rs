//! The bounded channels between shards, each with the bell that wakes whoever sleeps beside it.
//!
//! Envelopes have a channel of their own that cannot fill: lockstep bounds it. Knows nothing of what letters say.

use std::sync::Arc;

use flume::{Receiver, Sender, TrySendError};
use worldshard_spatial::ShardId;

use super::bell::Bell;
use crate::lockstep::ENVELOPES_PER_SENDER_MAX;

/// What a shard receives from: one mailbox per shard.
#[derive(Debug)]
pub(crate) struct Mailbox<E, L> {
    /// Tick envelopes, of the running tick or one ahead.
    pub(crate) envelopes: Receiver<E>,
    /// Everything else said to this shard.
    pub(crate) letters: Receiver<L>,
}

/// The sending ends of all mailboxes.
#[derive(Debug)]
pub(crate) struct Post<E, L> {
    shards: Vec<Slots<E, L>>,
}

#[derive(Debug)]
struct Slots<E, L> {
    envelopes: Sender<E>,
    letters: Sender<L>,
    bell: Arc<Bell>,
}

/// One mailbox for each of `bells`, and the post that reaches them all.
///
/// At most `letters_max` letters wait for one shard. Beyond: senders keep theirs, and stop reading from clients when
/// they keep many.
pub(crate) fn mailboxes<E, L>(
    bells: &[Arc<Bell>],
    letters_max: usize,
) -> (Post<E, L>, Vec<Mailbox<E, L>>) {
    let senders = bells.len().max(2) - 1;
    let mut shards = Vec::with_capacity(bells.len());
    let mut mailboxes = Vec::with_capacity(bells.len());
    for bell in bells {
        let (envelope_sender, envelopes) = flume::bounded(senders * ENVELOPES_PER_SENDER_MAX);
        let (letter_sender, letters) = flume::bounded(letters_max);
        shards.push(Slots {
            envelopes: envelope_sender,
            letters: letter_sender,
            bell: Arc::clone(bell),
        });
        mailboxes.push(Mailbox { envelopes, letters });
    }
    (Post { shards }, mailboxes)
}

impl<E, L> Post<E, L> {
    /// Sends a tick envelope; nothing happens when the receiver has ended, since then the process does.
    ///
    /// # Panics
    /// When the channel is full: a sender is then more than one tick ahead of its receiver.
    pub(crate) fn envelope(&self, to: ShardId, envelope: E) {
        let slots = &self.shards[usize::from(to.0)];
        match slots.envelopes.try_send(envelope) {
            Ok(()) => slots.bell.ring(),
            Err(TrySendError::Disconnected(_)) => {}
            Err(TrySendError::Full(_)) => panic!("{to:?} is more than one tick behind a neighbour"),
        }
    }

    /// Sends a letter, or gives it back when the mailbox is full; the sender keeps it and tries again.
    pub(crate) fn letter(&self, to: ShardId, letter: L) -> Result<(), L> {
        let slots = &self.shards[usize::from(to.0)];
        match slots.letters.try_send(letter) {
            Ok(()) => {
                slots.bell.ring();
                Ok(())
            }
            Err(TrySendError::Disconnected(_)) => Ok(()),
            Err(TrySendError::Full(letter)) => Err(letter),
        }
    }

    /// Wakes every shard, to look at what changed beside its mailbox.
    pub(crate) fn ring_all(&self) {
        for slots in &self.shards {
            slots.bell.ring();
        }
    }
}

#[cfg(test)]
mod tests;
