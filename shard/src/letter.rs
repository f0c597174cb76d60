//! What one shard says to another in one tick: an envelope of letters.
//!
//! Owns their types. Never decides what is sent: `phases::release` writes, `phases::receive` reads.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use worldshard_protocol::{EntityId, SessionId, Tick};
use worldshard_spatial::{Point, ShardId};

use crate::audit::Account;
use crate::ghost::GhostSet;
use crate::registry::Registry;
use crate::viewer::{Sought, Viewer};
use crate::world::Laid;
use crate::zone::Crossing;

/// Everything one shard says to another in one tick. Complete: what it replaces, it replaces whole.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// Who wrote it.
    pub from: ShardId,
    /// Whom it is for.
    pub to: ShardId,
    /// The tick whose first half wrote it.
    pub tick: Tick,
    pub(crate) account: Account,
    pub(crate) handoffs: Vec<Handoff>,
    /// The components of all that are handed off, one after another: memory of their own would cost more than they do.
    pub(crate) states: Vec<u8>,
    /// The sessions that look through the eyes of entities handed off, then cameras and eyes to be born.
    #[expect(
        clippy::vec_box,
        reason = "a viewer keeps its place in memory all its life: it is moved often"
    )]
    pub(crate) viewers: Vec<Box<Viewer>>,
    pub(crate) births: Vec<Birth>,
    /// What came to the sender for viewpoints that it has no more: who has one after this tick's handoffs takes it. A
    /// viewpoint may go on in every tick, so to follow it from owner to owner might never end.
    pub(crate) sought: Sought,
    pub(crate) ghosts: GhostSet,
    pub(crate) area: Vec<AreaMessage>,
}

/// The long lists of an envelope that was read: the next one to its sender is written in their memory.
#[derive(Debug)]
pub(crate) struct Spare {
    pub(crate) handoffs: Vec<Handoff>,
    pub(crate) states: Vec<u8>,
    pub(crate) ghosts: GhostSet,
}

impl Spare {
    /// Without memory yet.
    pub(crate) fn new(registry: &Registry) -> Self {
        Self {
            handoffs: Vec::new(),
            states: Vec::new(),
            ghosts: GhostSet::new(registry),
        }
    }
}

/// An entity that changes its owner, with everything it carries.
#[derive(Clone, Debug)]
pub(crate) struct Handoff {
    pub(crate) entity: EntityId,
    /// Where all its components are in the envelope's `states`, as `Registry::encode_entity` wrote them.
    pub(crate) state: Range<usize>,
    /// What was laid out of it, with the ticks of the last changes.
    pub(crate) laid: Laid,
    /// The zone it went to in the tick of its handoff.
    pub(crate) crossing: Option<Crossing>,
}

/// An entity that comes into the world in this tick, not numbered yet.
#[derive(Clone, Debug)]
pub(crate) struct Birth {
    pub(crate) key: SpawnKey,
    pub(crate) at: Point,
    /// Its components, for the shards that own it or see it; the others only number it.
    pub(crate) state: Option<Arc<[u8]>>,
}

/// Orders the births of one tick over all shards, whatever their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SpawnKey {
    pub(crate) spawner: Spawner,
    /// Counts the births by this spawner in this tick.
    pub(crate) ordinal: u32,
}

/// Who brought an entity into the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Spawner {
    /// A system, on behalf of an entity.
    Entity(EntityId),
    /// A session that joined, by its author number.
    Author(u64),
}

/// A message for every session whose viewpoint is in an area at the end of the tick.
#[derive(Clone, Debug)]
pub struct AreaMessage {
    /// Centre of the area.
    pub centre: Point,
    /// Metres.
    pub radius_m: f32,
    /// Not to this session, even when it is inside.
    pub except: Option<SessionId>,
    /// Orders the messages of one tick: the author, then its own count.
    pub order: (u64, u32),
    /// What the homes will write.
    pub payload: Bytes,
}
