//! What one shard keeps beside itself: its way to the keepers, and enough to make it again when it panics.

use std::collections::VecDeque;
use std::sync::Arc;

use flume::{Sender, TrySendError};
use worldshard_protocol::Tick;
use worldshard_shard::{Call, Keep};
use worldshard_spatial::ShardId;

use super::{AHEAD_MAX, Image, Kept, Shared, ToWrite};
use crate::app::Durability;
use crate::durable::{Chunk, write_chunk};
use crate::hub::Hub;

/// The ways to the keeper and the scribe.
pub(crate) type Ways = (Sender<Kept>, Sender<ToWrite>);

/// One shard's part in keeping the world.
pub(crate) struct OwnKeeping {
    shard: ShardId,
    shared: Arc<Shared>,
    durability: Durability,
    checkpoint_ticks: u64,
    digests: bool,
    /// The last tick that the hub was told of.
    told: Tick,
    /// None when it is too old for what was said since to be kept.
    image: Option<Image>,
    /// What was said since the image, or since a frozen shard that may become one.
    calls: Vec<Call>,
    /// How many of those are in the journal.
    given: usize,
    /// How many of those are older than the images that are being laid out.
    marks: VecDeque<(Tick, usize)>,
    to_keeper: Sender<Kept>,
    to_scribe: Sender<ToWrite>,
}

impl OwnKeeping {
    pub(crate) fn new(
        shard: ShardId,
        shared: Arc<Shared>,
        durability: Durability,
        checkpoint_ticks: u64,
        digests: bool,
        image: Image,
        (to_keeper, to_scribe): Ways,
    ) -> Self {
        Self {
            shard,
            durability,
            checkpoint_ticks: checkpoint_ticks.max(1),
            digests,
            told: shared.told(),
            shared,
            image: Some(image),
            calls: Vec::new(),
            given: 0,
            marks: VecDeque::new(),
            to_keeper,
            to_scribe,
        }
    }

    /// Before the first tick.
    pub(crate) fn begin(&self, hub: &mut Hub) {
        hub.keep_calls(Keep::All);
        self.try_again(hub);
        // Those of a process before: the word that they go is kept, as any other.
        if hub.recipe().options().limits.resume_grace.is_zero() {
            hub.dismiss();
        } else {
            hub.settle_sessions();
        }
        if self.holds() {
            hub.hold();
        }
    }

    /// A new process may have a build in which they are mended. Kept as any call, so that a replay does it too.
    fn try_again(&self, hub: &mut Hub) {
        let known: Vec<&str> = hub.shard().quarantined().collect();
        let unknown: Vec<&str> = hub.shard().quarantined_unknown().collect();
        for &system in &unknown {
            let shard = self.shard.0;
            tracing::warn!(
                shard,
                system,
                "a quarantined system is not in this build: it is forgotten"
            );
        }
        for &system in &known {
            tracing::warn!(
                shard = self.shard.0,
                system,
                "a quarantined system is tried again"
            );
        }
        if !known.is_empty() || !unknown.is_empty() {
            hub.run_all_systems();
        }
    }

    /// Up to here clients may be told; none when they are told at once.
    pub(crate) fn durable(&self) -> Option<Tick> {
        self.holds().then_some(self.told)
    }

    fn holds(&self) -> bool {
        self.durability == Durability::Tick || self.digests
    }

    /// Whether this tick may begin: not too far ahead of what is durable.
    pub(crate) fn may_advance(&self, tick: Tick) -> bool {
        !self.holds() || tick.since(self.shared.told()) <= AHEAD_MAX
    }

    /// Whether [`news`](Self::news) has any.
    pub(crate) fn has_news(&self) -> bool {
        self.shared.told() > self.told
    }

    /// The tick that clients may be told of, if it is a later one than before.
    pub(crate) fn news(&mut self) -> Option<Tick> {
        let told = self.shared.told();
        (told > self.told).then(|| {
            self.told = told;
            told
        })
    }

    /// The first half of a tick is done.
    pub(crate) fn advanced(&mut self, hub: &mut Hub, tick: Tick) {
        self.give(hub, tick, false);
    }

    /// The second half of a tick is done.
    pub(crate) fn absorbed(&mut self, hub: &mut Hub, tick: Tick) {
        if self.digests {
            let (shard, part) = (self.shard, hub.shard().digest());
            self.send(Kept::Digest { shard, tick, part });
        }
        if tick.0.is_multiple_of(self.checkpoint_ticks) {
            self.give(hub, tick, true);
            self.freeze(hub, tick);
        }
        self.take_image();
        self.bound(tick);
    }

    /// Takes in what was said to the hub since it was last asked.
    pub(crate) fn listen(&mut self, hub: &mut Hub) {
        self.calls.append(&mut hub.take_calls());
    }

    /// What was said since the image, the last first half included.
    pub(crate) fn calls(&self) -> &[Call] {
        &self.calls
    }

    /// Takes back the last call. Those before it that are not in the journal are said again as `change` leaves them.
    pub(crate) fn take_back(&mut self, change: impl FnMut(&mut Call)) -> Option<Call> {
        let half = self.calls.pop();
        let open = self.given.min(self.calls.len());
        self.calls[open..].iter_mut().for_each(change);
        half
    }

    /// How many checkpoints of the shard were not written.
    pub(crate) fn left_out(&self) -> u64 {
        self.shared.left_out(self.shard)
    }

    /// The shard as it was before all of [`calls`](Self::calls); none when the shard cannot be made again.
    pub(crate) fn archive(&self) -> Option<Arc<Vec<u8>>> {
        self.image.as_ref().map(|image| Arc::clone(&image.archive))
    }

    fn give(&mut self, hub: &mut Hub, tick: Tick, closes: bool) {
        let shard = self.shard;
        // What a shard was told before it was made again is in its hub no longer.
        self.listen(hub);
        let calls = self.calls.split_off(self.given);
        let mut chunk = Chunk { shard, tick, calls };
        if self.durability == Durability::Tick {
            let mut piece = Vec::new();
            write_chunk(&chunk, &mut piece);
            self.send(Kept::Piece {
                shard,
                tick,
                piece,
                closes,
            });
        }
        if self.image.is_some() || !self.marks.is_empty() {
            self.calls.append(&mut chunk.calls);
        }
        self.given = self.calls.len();
    }

    fn freeze(&mut self, hub: &mut Hub, tick: Tick) {
        let (shard, frozen) = (self.shard, hub.freeze());
        match self.to_scribe.try_send(ToWrite { shard, frozen }) {
            Ok(()) => self.marks.push_back((tick, self.calls.len())),
            Err(TrySendError::Full(_)) => {
                self.shared.leave_out(shard);
                tracing::warn!(
                    shard = shard.0,
                    tick = tick.0,
                    "a checkpoint is left out: those before it are not written yet"
                );
            }
            // The scribe told why; the process ends.
            Err(TrySendError::Disconnected(_)) => {}
        }
    }

    /// What is older than a new image is not needed any more.
    fn take_image(&mut self) {
        let Some(image) = self.shared.take_image(self.shard) else {
            return;
        };
        let Some(image) = self.newer(image) else {
            return;
        };
        while let Some(&(tick, calls)) = self.marks.front()
            && tick <= image.tick
        {
            self.marks.pop_front();
            if tick == image.tick {
                self.calls.drain(..calls);
                self.given -= calls;
                self.marks.iter_mut().for_each(|(_, later)| *later -= calls);
            }
        }
        self.image = Some(image);
    }

    /// The image, if what was said since it is still here.
    fn newer(&self, image: Image) -> Option<Image> {
        let known = self.marks.iter().any(|&(tick, _)| tick == image.tick);
        known.then_some(image)
    }

    /// What was said for so long without a checkpoint is given up: from the next one on, the shard can be made again.
    fn bound(&mut self, tick: Tick) {
        let since = self.image.as_ref().map(|image| image.tick);
        let since = since.or_else(|| self.marks.front().map(|&(tick, _)| tick));
        let most = self.checkpoint_ticks.saturating_mul(INTERVALS_KEPT_MAX);
        if since.is_some_and(|since| tick.since(since) > most) {
            tracing::warn!(
                shard = self.shard.0,
                "no checkpoint for long: until there is one, a panic of this shard ends the server"
            );
            self.image = None;
            self.calls.drain(..self.given);
            self.given = 0;
            self.marks.clear();
        }
    }

    fn send(&self, kept: Kept) {
        match self.to_keeper.try_send(kept) {
            Ok(()) => {}
            // The keeper told why; the process ends.
            Err(TrySendError::Disconnected(_)) => {}
            Err(TrySendError::Full(_)) => {
                panic!(
                    "{:?} is more than {AHEAD_MAX} ticks ahead of its journal",
                    self.shard
                )
            }
        }
    }
}

/// Checkpoints that may fail in a row before what was said since the last is given up.
const INTERVALS_KEPT_MAX: u64 = 8;

#[cfg(test)]
mod tests;
