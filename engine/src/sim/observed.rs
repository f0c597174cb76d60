//! What a checker may know: the whole world right after one tick, as plain data.
//!
//! Copied out of hubs and clients, never judged here. Shards interleave, so a shard's part is taken when it has
//! absorbed the tick, and the parts are put together when the last one has.

use std::sync::Arc;
use std::time::Duration;

use worldshard_protocol::digest::entity_digest as shown_digest;
use worldshard_protocol::{EntityId, Record, SessionId, Tick, View};
use worldshard_shard::{
    Appearance, AuditFailure, Interest, Position, Shard, ShardStats, ViewerStats, WorldConfig,
    entity_digest, replicated_parts,
};
use worldshard_spatial::{CellMap, Point, ShardId};

use crate::hub::Hub;

mod tap;

pub use tap::{EventKind, EventSeen, EventTap};

/// The whole world, and what everybody believes of it, right after all shards absorbed one tick.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The tick that all shards have absorbed.
    pub tick: Tick,
    /// Space, reaches and limits.
    pub config: Arc<WorldConfig>,
    /// Who owns which cell.
    pub cell_map: Arc<CellMap>,
    /// Ascending by shard; each as it was right after it absorbed `tick`.
    pub shards: Vec<ShardSeen>,
    /// Ascending by number; as they are when the last shard has absorbed `tick`.
    pub clients: Vec<ClientSeen>,
    /// What the services were told since the last one of these, over all hubs, in order per hub.
    pub events: Vec<EventSeen>,
    /// Every mailbox, when the last shard has absorbed `tick`.
    pub mailboxes: Vec<MailboxSeen>,
    /// Ascending by shard, where there is a clock: what shards have made of it when the last one has absorbed `tick`.
    pub paces: Vec<PaceSeen>,
    /// What processes before left to this one.
    pub inherited: Inherited,
}

/// What a process of a world cannot know from what it sees, because it happened before it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inherited {
    /// Commands that shards count and no home of this process admitted: those of processes before, and the end of their
    /// sessions.
    pub commands: u64,
    /// The last number that was given to an entity.
    pub last_entity: u64,
}

/// A world that came back after its process had ended.
#[derive(Clone, Debug, Default)]
pub struct CameBack {
    /// The last tick that came back.
    pub tick: Tick,
    /// The last tick that any client was told of.
    pub told: Tick,
    /// The digest of each shard after `tick`.
    pub digests: Vec<u128>,
    /// The same after every tick that is kept, if all of them were done again.
    pub replayed: Vec<(Tick, Vec<u128>)>,
    /// The entities that came back.
    pub entities: Vec<EntityId>,
    /// The last number that was given to an entity by then.
    pub last_entity: u64,
}

/// One shard.
#[derive(Clone, Debug)]
pub struct ShardSeen {
    /// Which.
    pub shard: ShardId,
    /// The entities it owns, ascending.
    pub entities: Vec<EntitySeen>,
    /// The ghosts it holds, ascending by entity.
    pub ghosts: Vec<GhostSeen>,
    /// The viewpoints that live there, ascending by session.
    pub viewers: Vec<ViewerSeen>,
    /// Ticks in which its audit compared.
    pub audit_checks: u64,
    /// Ticks in which it found a difference.
    pub audit_failures: u64,
    /// The first of them.
    pub audit_first_failure: Option<AuditFailure>,
    /// Its counters.
    pub stats: ShardStats,
    /// The hub around it.
    pub hub: HubSeen,
}

/// An entity as its owner has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EntitySeen {
    /// Which.
    pub id: EntityId,
    /// Where, by its component.
    pub at: Point,
    /// What it is, by its component.
    pub kind: u8,
    /// Hash of all its components.
    pub digest: u128,
    /// Hash of its shared components, which ghosts carry.
    pub shared: u128,
    /// Hash of what clients are told of it.
    pub shown: u128,
}

/// A ghost as a neighbour has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GhostSeen {
    /// Of which entity.
    pub id: EntityId,
    /// Who owns that, by the ghost.
    pub owner: ShardId,
    /// Where.
    pub at: Point,
    /// Hash of its shared components.
    pub shared: u128,
    /// Hash of what clients are told of it.
    pub shown: u128,
}

/// A viewpoint as its owner has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ViewerSeen {
    /// Whose.
    pub session: SessionId,
    /// All that a shard says of it.
    pub stats: ViewerStats,
}

/// A hub's gauges and counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HubSeen {
    /// Connections now.
    pub sessions: u64,
    /// Sessions that it keeps anything of.
    pub sessions_known: usize,
    /// Sessions opened.
    pub opened: u64,
    /// Sessions closed.
    pub closed: u64,
    /// Commands admitted to the world.
    pub commands: u64,
    /// Bytes in the fullest message queue.
    pub queue_bytes_largest: usize,
    /// Its bound.
    pub queue_bytes_max: usize,
    /// Panics of systems.
    pub faults: u64,
}

/// The letters on their way to one shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MailboxSeen {
    /// Whose mailbox.
    pub to: ShardId,
    /// Letters in it.
    pub letters: usize,
    /// Its bound.
    pub letters_max: usize,
    /// Tick envelopes in it.
    pub envelopes: usize,
    /// Their bound.
    pub envelopes_max: usize,
}

/// What one shard has made of its clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaceSeen {
    /// Which shard.
    pub shard: ShardId,
    /// Between two ticks.
    pub interval: Duration,
    /// More are not made up for at once.
    pub catch_up_ticks_max: u32,
    /// Ticks that it has begun.
    pub begun: u64,
    /// Ticks that it left out because it lagged too far, and in how many times.
    pub lag_ticks: u64,
    /// See `lag_ticks`.
    pub lag_times: u64,
    /// When the next tick is due, since the first one was.
    pub due: Duration,
    /// Ticks that began before they were due.
    pub early: u64,
    /// The longest time that was still to be made up for behind a tick that began.
    pub behind_most: Duration,
}

/// One client: what it asked for, and what it believes.
#[derive(Clone, Debug)]
pub struct ClientSeen {
    /// Among the run's clients.
    pub number: u32,
    /// Its session.
    pub session: SessionId,
    /// It was told that it has a viewpoint, has not asked to leave, and its home has not been told that it is gone.
    pub is_in: bool,
    /// It obeys the protocol, at a pace below the limits: all its commands must be granted or refused.
    pub honest: bool,
    /// It reads, and acknowledges what it reads, at once.
    pub reads: bool,
    /// The avatar that it was told of; none with a camera.
    pub avatar: Option<EntityId>,
    /// The avatar was lost, which it was told.
    pub avatar_lost: bool,
    /// What it asked to see last, and its number for that command (0: its join).
    pub interest: (u32, Interest),
    /// Where it asked its camera to be last, and its number for that command; none with an avatar.
    pub camera: Option<(u32, Point)>,
    /// Its view's tick; 0 before the first delta.
    pub view_tick: Tick,
    /// What its view shows, ascending.
    pub seen: Vec<SeenByClient>,
    /// Number of the last delta that it read; 0 before the first.
    pub delta_sequence: u32,
    /// Every delta that it read since the last observation, in order.
    pub deltas: Vec<DeltaSeen>,
    /// Its number of the last command that it sent; 0 before the first.
    pub command_sent: u32,
    /// Its number of its last join, which being in answers.
    pub join_sent: u32,
    /// Its number of the last command that its view contains.
    pub command_told: u32,
    /// Its numbers of commands that were refused, since the last observation.
    pub refused: Vec<u32>,
    /// Why its view refused a delta, or another breach of the protocol by the server.
    pub trouble: Option<String>,
}

/// An entity as a client sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SeenByClient {
    /// Which.
    pub id: EntityId,
    /// Where.
    pub at: Point,
    /// Hash of all that it was told of it.
    pub shown: u128,
}

/// A delta that a client read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeltaSeen {
    /// Its number.
    pub sequence: u32,
    /// The tick whose state it brings.
    pub tick: Tick,
    /// The client's last command that this state contains.
    pub command_sequence: u32,
    /// Entities that came into view.
    pub entered: u32,
    /// Entities that went out of view.
    pub left: u32,
}

impl Observed {
    /// Every entity with its owner, ascending by entity; one with two owners is there twice.
    #[must_use]
    pub fn entities(&self) -> Vec<(EntitySeen, ShardId)> {
        let of = |shard: &ShardSeen| {
            let owner = shard.shard;
            shard
                .entities
                .iter()
                .map(move |&one| (one, owner))
                .collect::<Vec<_>>()
        };
        let mut all: Vec<_> = self.shards.iter().flat_map(of).collect();
        all.sort_by_key(|(one, owner)| (one.id, *owner));
        all
    }

    /// A session's viewpoint and the shard where it lives.
    #[must_use]
    pub fn viewer(&self, session: SessionId) -> Option<(&ViewerSeen, ShardId)> {
        self.shards.iter().find_map(|shard| {
            let at = shard
                .viewers
                .binary_search_by_key(&session, |one| one.session)
                .ok()?;
            Some((&shard.viewers[at], shard.shard))
        })
    }
}

impl ShardSeen {
    /// A hub and its shard as they are now: to be called right after the hub absorbed a tick.
    #[must_use]
    pub fn of(hub: &Hub) -> Self {
        let shard = hub.shard();
        let status = hub.status();
        let audit = shard.audit();
        Self {
            shard: shard.own(),
            entities: entities(shard),
            ghosts: ghosts(shard),
            viewers: viewers(shard),
            audit_checks: audit.checks(),
            audit_failures: audit.failures(),
            audit_first_failure: audit.first_failure(),
            stats: shard.stats(),
            hub: HubSeen {
                sessions: status.sessions,
                sessions_known: hub.sessions_known(),
                opened: status.opened,
                closed: status.closed,
                commands: status.commands,
                queue_bytes_largest: status.queue_bytes_largest,
                queue_bytes_max: status.queue_bytes_max,
                faults: status.faults,
            },
        }
    }
}

/// From the components alone: nothing that was laid out of them is trusted.
fn entities(shard: &Shard) -> Vec<EntitySeen> {
    let (world, registry) = (shard.world(), &shard.recipe().registry);
    let (mut all, mut shared, mut extras) = (Vec::new(), Vec::new(), Vec::new());
    let see = |id| {
        let entity = world.entity_ref(id).expect("the world listed it");
        let at = entity
            .get::<&Position>()
            .expect("every entity has a position")
            .0;
        let Appearance { kind, heading } = *entity
            .get::<&Appearance>()
            .expect("every entity has an appearance");
        all.clear();
        registry.encode_entity(&entity, &mut all);
        shared.clear();
        registry.encode_shared(&entity, &mut shared);
        extras.clear();
        registry.encode_replicated(&entity, &mut extras);
        let Point { x, y, z } = at;
        let record = Record {
            id: id.0,
            x,
            y,
            z,
            kind,
            heading,
            spare: 0,
        };
        EntitySeen {
            id,
            at,
            kind,
            digest: entity_digest(id, &all),
            shared: entity_digest(id, &shared),
            shown: shown_digest(&record.to_bytes(), parts(&extras)),
        }
    };
    world.ids().into_iter().map(see).collect()
}

/// The replicated components that clients are to be shown.
fn parts(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    replicated_parts(bytes).filter_map(|(number, value)| Some((number, value?)))
}

fn ghosts(shard: &Shard) -> Vec<GhostSeen> {
    let view = shard.view();
    let mut shared = Vec::new();
    let ranks = (0..view.len() as u32).filter(|&rank| !view.is_owned(rank));
    let mut ghosts: Vec<GhostSeen> = ranks
        .map(|rank| {
            let id = view.id(rank);
            shared.clear();
            view.encode_shared(rank, &mut shared);
            GhostSeen {
                id,
                owner: view.owner(rank),
                at: view.position(rank),
                shared: entity_digest(id, &shared),
                shown: shown_digest(view.record(rank), view.extras(rank)),
            }
        })
        .collect();
    ghosts.sort_by_key(|ghost| ghost.id);
    ghosts
}

fn viewers(shard: &Shard) -> Vec<ViewerSeen> {
    let see = |session| {
        let stats = shard.viewer(session).expect("the shard listed it");
        ViewerSeen { session, stats }
    };
    shard.sessions().map(see).collect()
}

impl ClientSeen {
    /// A client that has a session and nothing else yet.
    #[must_use]
    pub fn new(number: u32, session: SessionId, interest: Interest) -> Self {
        Self {
            number,
            session,
            is_in: false,
            honest: true,
            reads: true,
            avatar: None,
            avatar_lost: false,
            interest: (0, interest),
            camera: None,
            view_tick: Tick(0),
            seen: Vec::new(),
            delta_sequence: 0,
            deltas: Vec::new(),
            command_sent: 0,
            join_sent: 0,
            command_told: 0,
            refused: Vec::new(),
            trouble: None,
        }
    }

    /// Takes over what a client's view shows.
    pub fn believe(&mut self, view: &View) {
        self.view_tick = view.tick();
        self.command_told = view.command_sequence();
        self.seen.clear();
        self.seen.extend(view.iter().map(|(id, seen)| {
            let extras = seen
                .extras
                .iter()
                .map(|(&number, value)| (number, &value[..]));
            SeenByClient {
                id,
                at: Point::from_array(seen.record.position()),
                shown: shown_digest(&seen.record.to_bytes(), extras),
            }
        }));
    }
}
