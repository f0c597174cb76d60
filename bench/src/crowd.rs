//! A world with clients on the calling thread: its hubs in lockstep, what they say to each other, and who is told.
//!
//! No other thread, no clock, no mailbox, no socket: what a tick costs is the work of its phases, the same on every run.

use std::rc::Rc;
use std::sync::Arc;

use worldshard::prelude::{Bytes, Point, SessionId, ShardId, Tick};
use worldshard::runtime::Phase;
use worldshard::{AppRecipe, Commons, Envelope, Framing, Hub, Letter, Opening, Result};
use worldshard_client::protocol::{ClientMessage, InterestWish, ViewpointMode};
use worldshard_client::transport::MessageKind;

/// Clients that join before the first tick and stay, each told of the world's default interest.
pub struct Crowd {
    recipe: Arc<AppRecipe>,
    joins: Vec<Join>,
    witness: Witness,
    hubs: Vec<Hub>,
    /// Of the running tick, by receiver.
    inboxes: Vec<Vec<Envelope>>,
    letters: Vec<(ShardId, ShardId, Letter)>,
    tick: Tick,
}

/// How one client joins.
#[derive(Clone, Copy, Debug)]
pub struct Join {
    /// With an avatar, or with a camera.
    pub mode: ViewpointMode,
    /// Where.
    pub at: Point,
    /// What it wants to see.
    pub interest: InterestWish,
}

impl Join {
    /// What the client says, without WebSocket header.
    #[must_use]
    pub fn message(&self) -> Vec<u8> {
        let message = ClientMessage::Join {
            mode: self.mode,
            at: Some(self.at.to_array()),
            interest: self.interest,
            full: false,
            acks: false,
        };
        let mut bytes = Vec::new();
        message.encode(Some(1), None, &mut bytes);
        bytes
    }
}

/// Called when a phase of some shard begins, and with none when a half of its tick ends.
pub type Witness = Rc<dyn Fn(Option<Phase>)>;

impl Crowd {
    /// A world at tick 0, on as many shards as the recipe says; the clients' homes are spread over them.
    ///
    /// # Errors
    /// When the world cannot be built.
    pub fn new(recipe: Arc<AppRecipe>, joins: Vec<Join>, witness: Witness) -> Result<Self> {
        let mut crowd = Self {
            recipe,
            joins,
            witness,
            hubs: Vec::new(),
            inboxes: Vec::new(),
            letters: Vec::new(),
            tick: Tick(0),
        };
        crowd.begin()?;
        Ok(crowd)
    }

    /// Warms a new world up, and begins one anew that has run for [`LIFE_TICKS`]: what is measured afterwards depends
    /// neither on first touches nor on how long was measured before.
    ///
    /// # Errors
    /// When the world cannot be built.
    pub fn renew(&mut self) -> Result<()> {
        if self.tick.0 >= WARM_UP_TICKS + LIFE_TICKS {
            self.begin()?;
        }
        while self.tick.0 < WARM_UP_TICKS {
            self.tick(&mut |_, _| {});
        }
        Ok(())
    }

    /// What the shards have counted since the world began, ascending by shard.
    pub fn hubs(&self) -> impl Iterator<Item = &Hub> {
        self.hubs.iter()
    }

    /// Runs one tick and shows each frame to `read` as if its client had taken it.
    ///
    /// # Panics
    /// When an entity was lost or doubled.
    pub fn tick(&mut self, read: &mut dyn FnMut(SessionId, &Bytes)) {
        let tick = self.tick.next();
        for hub in &mut self.hubs {
            for envelope in hub.advance(tick) {
                self.inboxes[usize::from(envelope.to.0)].push(envelope);
            }
        }
        for (hub, inbox) in self.hubs.iter_mut().zip(&mut self.inboxes) {
            hub.absorb(tick, inbox);
            inbox.clear();
            hub.handle();
            assert_eq!(
                hub.shard().audit().failures(),
                0,
                "all entities are there once"
            );
        }
        self.tick = tick;
        while self.deliver(read) {}
    }

    fn begin(&mut self) -> Result<()> {
        let shards = self.recipe.options().shards;
        let commons = Commons::new(&self.recipe, shards)?;
        self.tick = Tick(0);
        self.hubs.clear();
        for own in 0..shards {
            let mut hub = Hub::new(ShardId(own), self.recipe.clone(), commons.clone())?;
            let witness = Rc::clone(&self.witness);
            hub.watch_phases(move |phase| witness(phase));
            self.hubs.push(hub);
        }
        self.inboxes.resize_with(self.hubs.len(), Vec::new);
        for (join, home) in self.joins.iter().zip((0..usize::from(shards)).cycle()) {
            let session = self.hubs[home].open(Opening {
                path: "/".to_owned(),
                framing: Framing::Lanes,
            });
            self.hubs[home].message(session, MessageKind::Binary, &join.message());
        }
        Ok(())
    }

    /// Shows what is for clients, passes on what is for other hubs; false when there was nothing.
    fn deliver(&mut self, read: &mut dyn FnMut(SessionId, &Bytes)) -> bool {
        let mut is_any = false;
        for hub in &mut self.hubs {
            let own = hub.shard().own();
            let letters = hub.output().letters.drain(..);
            self.letters
                .extend(letters.map(|(to, letter)| (own, to, letter)));
            let frames = std::mem::take(&mut hub.output().frames);
            is_any |= !frames.is_empty();
            for (session, frame, _) in frames {
                read(session, &frame);
                hub.written(session, 1);
            }
        }
        is_any |= !self.letters.is_empty();
        for (from, to, letter) in self.letters.drain(..) {
            self.hubs[usize::from(to.0)].letter(from, letter);
        }
        is_any
    }
}

/// Joining, first snapshots and first touches of memory are over by then.
pub const WARM_UP_TICKS: u64 = 10;

/// Ticks after which a world that is measured begins anew: flocks gather, and cost more as they do.
pub const LIFE_TICKS: u64 = 40;
