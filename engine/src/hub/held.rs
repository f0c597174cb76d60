//! What ticks have for sessions that may not be told yet: a crash would take the tick back.
//!
//! Holds only. Says nothing before it is told that the tick is durable.

use bytes::Bytes;
use worldshard_protocol::Tick;
use worldshard_spatial::ShardId;

use crate::hub::Hub;
use crate::letter::Delivery;

/// What waits for its tick to be durable. Bounded by the ticks that a driver lets a world be ahead of its journal.
#[derive(Default)]
pub(crate) struct Held {
    /// Up to here all may be told; none when nothing is held back at all.
    durable: Option<Tick>,
    deliveries: Vec<(ShardId, Delivery)>,
    overviews: Vec<(ShardId, Tick, bool, Bytes)>,
}

impl Held {
    /// Everything after `tick` waits.
    pub(crate) fn from(&mut self, tick: Tick) {
        self.durable = Some(tick);
    }

    fn holds(&self, tick: Tick) -> bool {
        self.durable.is_some_and(|durable| tick > durable)
    }

    /// The tick that newcomers may be told of.
    pub(crate) fn told(&self, tick: Tick) -> Tick {
        self.durable.map_or(tick, |durable| durable.min(tick))
    }
}

impl Hub {
    /// Takes in what an owner has for sessions of this home, now or when its tick is durable.
    pub(crate) fn deliver_when_durable(&mut self, from: ShardId, delivery: &mut Delivery) {
        if self.held.holds(delivery.tick) {
            let next = Delivery::new(delivery.tick);
            let delivery = std::mem::replace(delivery, next);
            self.held.deliveries.push((from, delivery));
        } else {
            self.deliver(from, delivery);
        }
    }

    /// Takes in the newest part of the overview, now or when its tick is durable.
    pub(crate) fn show_overview_when_durable(
        &mut self,
        from: ShardId,
        tick: Tick,
        ghosts: bool,
        frame: Bytes,
    ) {
        if self.held.holds(tick) {
            self.held.overviews.push((from, tick, ghosts, frame));
        } else {
            self.show_overview(from, ghosts, frame);
        }
    }

    pub(crate) fn release_held(&mut self, durable: Tick) {
        let Some(before) = self.held.durable else {
            return;
        };
        self.held.durable = Some(before.max(durable));
        let due = |(_, delivery): &mut (ShardId, Delivery)| delivery.tick <= durable;
        let due: Vec<_> = self.held.deliveries.extract_if(.., due).collect();
        for (from, mut delivery) in due {
            self.deliver(from, &mut delivery);
        }
        let due = |(_, tick, ..): &mut (ShardId, Tick, bool, Bytes)| *tick <= durable;
        let due: Vec<_> = self.held.overviews.extract_if(.., due).collect();
        for (from, _, ghosts, frame) in due {
            self.show_overview(from, ghosts, frame);
        }
    }
}
