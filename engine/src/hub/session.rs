//! One session as its home knows it: its connection, what waits to be written, its standing in the world.
//!
//! Holds state only. Never decides what a session may do: that is `ingress`.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use worldshard_protocol::{EntityId, Tick};
use worldshard_shard::CommandBody;
use worldshard_spatial::ShardId;

use crate::app::Framing;
use crate::hub::convoy::Place;
use crate::identity::{Identity, TraceId};
use crate::letter::DeltaFrame;
use crate::policy::{self, TenantIndex};
use crate::unsent::UnsentCause;

/// One session. It outlives its connection until the world has let go of its viewpoint.
pub(crate) struct Session {
    pub(crate) path: Box<str>,
    pub(crate) framing: Framing,
    /// When it opened, in the order of `Moments`.
    pub(crate) moment: u64,
    /// The same in the world's time.
    pub(crate) opened: Tick,
    /// The name of the connection that it was opened over; none of one that came back from disk.
    pub(crate) trace: Option<TraceId>,
    pub(crate) connection: Connection,
    pub(crate) egress: Egress,
    /// Only sessions that speak lanes have one.
    pub(crate) standing: Option<Box<Standing>>,
    /// Whose it is; none when nothing is known of that.
    pub(crate) identity: Option<Box<Identity>>,
    /// Among the sessions of its tenant. None of one that came back from disk, and of one that has ended.
    pub(crate) place: Option<policy::Place>,
    /// Where its connection comes from, or came from.
    pub(crate) address: Option<IpAddr>,
}

/// Whether anything can still be said.
pub(crate) enum Connection {
    Open,
    /// A close was asked for: nothing more goes in or out.
    Closing(u16, Cow<'static, str>),
    /// It broke, and the session waits for another one. Nothing goes out, and nobody says anything.
    Detached,
    /// The session has ended.
    Gone,
}

/// The frames given to the driver that the kernel has not taken.
#[derive(Default)]
pub(crate) struct Egress {
    pub(crate) queued: VecDeque<Queued>,
    /// Bytes of the reliable ones, overhead included.
    pub(crate) reliable_bytes: usize,
    /// How much it has got of what leaves together.
    pub(crate) place: Place,
}

/// One frame on its way, or several laid out as one.
#[derive(Clone, Copy)]
pub(crate) enum Queued {
    /// Messages: so many bytes, overhead included.
    Reliable(usize),
    /// The delta with this sequence.
    Delta(u32),
    /// The overview part of this shard.
    Overview(ShardId),
}

/// A session's relation to the world.
pub(crate) struct Standing {
    pub(crate) state: State,
    /// The shard that owns its viewpoint, as far as the home knows, and since when.
    pub(crate) owner: ShardId,
    pub(crate) owner_since: Tick,
    /// The sequence of the last command.
    pub(crate) sequence: u32,
    /// Whether it acknowledges deltas itself.
    pub(crate) acks: bool,
    pub(crate) rate: CommandRate,
    /// Commands that wait for the viewpoint to exist, with the client's numbers.
    pub(crate) waiting: Vec<(u32, CommandBody)>,
    pub(crate) deltas: DeltaOrder,
    pub(crate) overview: Subscription,
    /// The avatar, as far as the client was told.
    pub(crate) entity: Option<EntityId>,
    pub(crate) resumption: Resumption,
    /// The last number of a message to the application; none before the first that had one.
    pub(crate) heard: Option<u32>,
}

/// How often a session was resumed, and what its client need not say again.
#[derive(Default)]
pub(crate) struct Resumption {
    /// Counts resumptions. Only a token of this generation, or a later one, resumes it.
    pub(crate) generation: u32,
    /// As its viewpoint was told, with the join or a refresh.
    pub(crate) told: u32,
    /// The viewpoint was asked to tell all anew and has not done so yet: what it told before is late word.
    pub(crate) refreshing: bool,
    /// The highest of the client's own numbers that a command was taken with.
    pub(crate) taken: u32,
    /// What is said with a number up to this was taken before the connection broke.
    pub(crate) repeated: u32,
}

/// Whether a session has a viewpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    Out,
    /// A join is on its way; with `leave`, the viewpoint is to be given up as soon as it exists.
    Joining {
        leave: bool,
    },
    In,
    Leaving,
}

/// Counts the commands of one tick.
#[derive(Default)]
pub(crate) struct CommandRate {
    tick: Tick,
    count: u32,
    pub(crate) refused: bool,
}

/// Puts the deltas of successive owners back into order.
#[derive(Default)]
pub(crate) struct DeltaOrder {
    /// The last one given to the driver.
    pub(crate) last: u32,
    /// The highest that the owner was told of.
    pub(crate) acknowledged: u32,
    /// The first tick that this viewpoint, or the next one, can have. What is older is late word of the one before.
    since: Tick,
    /// Ahead of their turn, with their ticks. At most as many as there are credits.
    held: BTreeMap<u32, (Tick, DeltaFrame)>,
}

/// A session's part in the overview stream.
#[derive(Default)]
pub(crate) struct Subscription {
    /// Whether it wants the stream, and then with or without ghosts.
    pub(crate) ghosts: Option<bool>,
    /// By source shard; kept when the stream ends, because frames may still be on their way.
    parts: BTreeMap<ShardId, OverviewPart>,
}

/// A part of the overview that is on its way to a subscriber. At most one of each source is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OverviewPart {
    Newest,
    /// The source has laid out a newer one since.
    Outdated,
}

impl Session {
    /// Whose of those who share the server it is.
    pub(crate) fn tenant(&self) -> TenantIndex {
        self.identity.as_deref().map_or(0, |one| one.tenant)
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self.connection, Connection::Open)
    }

    pub(crate) fn is_gone(&self) -> bool {
        matches!(self.connection, Connection::Gone)
    }
}

impl Connection {
    /// Why nothing can be said over it; none when something can.
    pub(crate) fn takes_nothing(&self) -> Option<UnsentCause> {
        match self {
            Self::Open => None,
            Self::Closing(..) => Some(UnsentCause::Closing),
            Self::Detached => Some(UnsentCause::Detached),
            Self::Gone => Some(UnsentCause::NoSession),
        }
    }
}

impl Standing {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Out,
            owner: ShardId(0),
            owner_since: Tick(0),
            sequence: 0,
            acks: false,
            rate: CommandRate::default(),
            waiting: Vec::new(),
            deltas: DeltaOrder::default(),
            overview: Subscription::default(),
            entity: None,
            resumption: Resumption::default(),
            heard: None,
        }
    }

    /// Whether what its owner tells is for the client, in its turn.
    pub(crate) fn tells(&self) -> bool {
        self.state == State::In && !self.resumption.refreshing
    }

    /// The viewpoint began on `shard` in `tick`. It may have gone on in the same tick: then its owner's word counts.
    pub(crate) fn begun_by(&mut self, shard: ShardId, tick: Tick) {
        if tick > self.owner_since {
            self.owned_by(shard, tick);
        }
    }

    /// The viewpoint is owned by `owner` since `tick`; news of an earlier tick count for nothing.
    pub(crate) fn owned_by(&mut self, owner: ShardId, tick: Tick) {
        if tick >= self.owner_since {
            self.owner = owner;
            self.owner_since = tick;
        }
    }
}

impl CommandRate {
    /// Counts a command; false when the tick has had `max` already.
    pub(crate) fn admit(&mut self, tick: Tick, max: u32) -> bool {
        if self.tick != tick {
            *self = Self {
                tick,
                count: 0,
                refused: false,
            };
        }
        self.count = self.count.saturating_add(1);
        self.count <= max
    }
}

impl DeltaOrder {
    /// A viewpoint begins at `tick`: numbers start again, and what is older belongs to the one before.
    pub(crate) fn restart(&mut self, tick: Tick) {
        self.last = 0;
        self.acknowledged = 0;
        self.since = self.since.max(tick);
        self.held.retain(|_, (of, _)| *of >= tick);
    }

    pub(crate) fn clear(&mut self) {
        self.held.clear();
    }

    /// Nothing that was given to a connection counts any more; what comes is held until a [`restart`](Self::restart).
    pub(crate) fn forget(&mut self) {
        self.last = 0;
        self.acknowledged = 0;
        self.held.clear();
    }

    /// A viewpoint ended at `tick`: what is younger belongs to the one after.
    pub(crate) fn end(&mut self, tick: Tick) {
        self.since = self.since.max(tick.next());
        self.held.retain(|_, (of, _)| *of > tick);
    }

    /// Whether what an owner says of `tick` is late: the viewpoint that it speaks of is no more.
    pub(crate) fn is_past(&self, tick: Tick) -> bool {
        tick < self.since
    }

    /// Whether a delta's turn is now.
    pub(crate) fn is_next(&self, sequence: u32, tick: Tick) -> bool {
        self.held.is_empty() && sequence == self.last.wrapping_add(1) && !self.is_past(tick)
    }

    /// Keeps a delta until its turn. Beyond `HELD_MAX` it is dropped: no owner has so many credits.
    pub(crate) fn hold(&mut self, tick: Tick, delta: DeltaFrame) {
        let sequence = delta.sequence;
        if self.is_past(tick) {
            return;
        }
        // A late delta of the viewpoint before may have the number of one of this viewpoint.
        let known = self.held.get(&sequence);
        if known.is_none_or(|&(of, _)| of < tick) && self.held.len() < HELD_MAX {
            self.held.insert(sequence, (tick, delta));
        }
    }

    /// The delta whose turn it is.
    pub(crate) fn next(&mut self) -> Option<DeltaFrame> {
        let sequence = self.last.wrapping_add(1);
        let (_, delta) = self.held.remove(&sequence)?;
        self.last = sequence;
        Some(delta)
    }
}

impl Subscription {
    /// Whether the newest part of `source` may go out now; if not, it follows when the one before it is written.
    pub(crate) fn offer(&mut self, source: ShardId) -> bool {
        let free = !self.parts.contains_key(&source);
        let part = if free {
            OverviewPart::Newest
        } else {
            OverviewPart::Outdated
        };
        self.parts.insert(source, part);
        free
    }

    /// A part was written; true when a newer one is to follow.
    pub(crate) fn written(&mut self, source: ShardId) -> bool {
        self.parts.remove(&source) == Some(OverviewPart::Outdated) && self.ghosts.is_some()
    }
}

/// Deltas of one session that wait for an earlier one; more than any credit window.
const HELD_MAX: usize = 64;
