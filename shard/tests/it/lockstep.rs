//! All shards of a world on one thread, and clients that believe only what deltas tell them.

use std::collections::BTreeMap;
use std::sync::Arc;

use worldshard_protocol::world::ViewpointMode;
use worldshard_protocol::{EntityId, HotHeader, Record, SessionId, Tick, View};
use worldshard_shard::{
    Acknowledgement, Command, CommandBody, Envelope, Interest, Join, Notice, Recipe, Shard,
    WorldConfig,
};
use worldshard_spatial::{CellMap, Point, ShardId};

/// A world and its clients.
pub(crate) struct Lockstep {
    pub(crate) shards: Vec<Shard>,
    pub(crate) tick: Tick,
    pub(crate) clients: BTreeMap<SessionId, Client>,
    pub(crate) config: WorldConfig,
    pub(crate) notices: Vec<(SessionId, Notice)>,
    pub(crate) area: Vec<(SessionId, Vec<u8>)>,
}

/// What one client was told.
pub(crate) struct Client {
    pub(crate) view: View,
    pub(crate) owner: ShardId,
    pub(crate) entity: Option<EntityId>,
    pub(crate) interest: Interest,
    pub(crate) last_seq: u32,
    /// The archive of the last delta.
    pub(crate) last_delta: Vec<u8>,
    /// Where the part of it lies that others were told too.
    pub(crate) last_shared: Option<*const u8>,
    /// Brute force: what it should see, by the rule of enter and leave.
    pub(crate) expected: Vec<EntityId>,
    pub(crate) reads: bool,
    sequence: u32,
}

impl Lockstep {
    pub(crate) fn new(recipe: Recipe, shards: u16) -> Self {
        let config = recipe.config.clone();
        let recipe = Arc::new(recipe);
        let grid = config.grid().unwrap();
        let cell_map = Arc::new(CellMap::balanced(grid, shards, None).unwrap());
        let shards = cell_map
            .shards()
            .map(|own| Shard::new(own, recipe.clone(), cell_map.clone()).unwrap())
            .collect();
        Self {
            shards,
            tick: Tick(0),
            clients: BTreeMap::new(),
            config,
            notices: Vec::new(),
            area: Vec::new(),
        }
    }

    /// Joins a session through the shard that owns the point.
    pub(crate) fn join(
        &mut self,
        counter: u64,
        mode: ViewpointMode,
        at: Point,
        interest: Interest,
        full: bool,
    ) -> SessionId {
        let home = (counter % self.shards.len() as u64) as u16;
        let session = SessionId::new(home, counter);
        let owner = self.shards[0].cell_map().owner_of(at);
        let client = Client {
            view: View::new(),
            owner,
            entity: None,
            interest,
            last_seq: 0,
            last_delta: Vec::new(),
            last_shared: None,
            expected: Vec::new(),
            reads: true,
            sequence: 0,
        };
        self.clients.insert(session, client);
        let join = Join {
            mode,
            at,
            interest,
            full,
            author: counter,
            generation: 0,
        };
        self.command(session, CommandBody::Join(join));
        session
    }

    /// Sends a command to the owner the home knows.
    pub(crate) fn command(&mut self, session: SessionId, body: CommandBody) {
        let client = self.clients.get_mut(&session).unwrap();
        client.sequence += 1;
        let sequence = client.sequence;
        let command = Command {
            session,
            sequence,
            client_sequence: sequence,
            body,
        };
        self.shards[usize::from(client.owner.0)].command(command);
    }

    /// One tick of every shard, then everything they said to sessions and each other.
    pub(crate) fn step(&mut self) {
        self.tick = self.tick.next();
        let mut inboxes: Vec<Vec<Envelope>> = self.shards.iter().map(|_| Vec::new()).collect();
        for shard in self.shards.iter_mut().rev() {
            for envelope in shard.advance(self.tick) {
                inboxes[usize::from(envelope.to.0)].push(envelope);
            }
        }
        let mut deltas = Vec::new();
        for (shard, inbox) in self.shards.iter_mut().zip(&mut inboxes) {
            let published = shard.absorb(self.tick, inbox);
            deltas.append(&mut published.deltas);
            self.notices.append(&mut published.notices);
            self.area.extend(
                published
                    .area
                    .drain(..)
                    .map(|(session, payload)| (session, payload.to_vec())),
            );
        }
        for (session, notice) in &self.notices {
            let client = self.clients.get_mut(session).unwrap();
            if let Notice::Owner(owner) = notice {
                client.owner = *owner;
            }
            if let Notice::Joined { entity, .. } = notice {
                client.entity = *entity;
            }
        }
        for delta in deltas {
            let client = self.clients.get_mut(&delta.session).unwrap();
            client.last_shared = delta.shared.as_ref().map(|shared| shared.as_ptr());
            self.deliver(delta.session, &delta.message(), delta.tick);
        }
        assert!(
            self.shards
                .iter()
                .all(|shard| shard.audit().failures() == 0)
        );
    }

    fn deliver(&mut self, session: SessionId, bytes: &[u8], tick: Tick) {
        let (header, archive) = HotHeader::parse(bytes).unwrap();
        let sequence = header.seq.unwrap();
        let client = self.clients.get_mut(&session).unwrap();
        assert_eq!(
            sequence,
            client.last_seq + 1,
            "deltas of {session} are numbered without gaps"
        );
        client.last_seq = sequence;
        client.last_delta = archive.to_vec();
        let applied = client.view.apply(archive).unwrap();
        assert_eq!(applied.tick, tick);
        if client.reads {
            self.acknowledge(session);
        }
    }

    pub(crate) fn acknowledge(&mut self, session: SessionId) {
        let client = &self.clients[&session];
        let acknowledgement = Acknowledgement {
            session,
            delta_sequence: client.last_seq,
        };
        self.shards[usize::from(client.owner.0)].acknowledge(acknowledgement);
    }

    /// Every entity and where it is, by its owner; two owners are a failure.
    pub(crate) fn entities(&self) -> BTreeMap<EntityId, (Point, ShardId)> {
        let mut all = BTreeMap::new();
        for shard in &self.shards {
            for entity in shard.entities() {
                let at = shard.position(entity).unwrap();
                assert!(
                    all.insert(entity, (at, shard.own())).is_none(),
                    "{entity} has two owners"
                );
            }
        }
        all
    }

    pub(crate) fn digest(&self) -> u128 {
        self.shards
            .iter()
            .fold(0u128, |sum, shard| sum.wrapping_add(shard.digest()))
    }

    /// Compares each client that is up to date with brute force over the whole world; returns checks made.
    pub(crate) fn check_interest(&mut self) -> u64 {
        let all = self.entities();
        let mut checks = 0;
        for (&session, client) in &mut self.clients {
            let Some(stats) = self.shards.iter().find_map(|shard| shard.viewer(session)) else {
                continue;
            };
            if client.view.tick() != self.tick
                && client.reads
                && stats.in_flight == 0
                && client.last_seq > 0
            {
                // Nothing to tell: the set must be what it was.
            } else if client.view.tick() != self.tick {
                continue;
            }
            client.expected = brute_force(
                &self.config,
                stats.at,
                &client.interest,
                &all,
                &client.expected,
            );
            let seen: Vec<EntityId> = client.view.ids().collect();
            assert_eq!(
                seen, client.expected,
                "{session} at {:?}, tick {}",
                stats.at, self.tick
            );
            for (id, seen) in client.view.iter() {
                let Record { x, y, z, .. } = seen.record;
                assert_eq!(
                    Point::new(x, y, z),
                    all[&id].0,
                    "{session} sees {id} elsewhere"
                );
            }
            checks += 1;
        }
        checks
    }
}

/// The rule of enter and leave, over everything.
pub(crate) fn brute_force(
    config: &WorldConfig,
    at: Point,
    interest: &Interest,
    all: &BTreeMap<EntityId, (Point, ShardId)>,
    known: &[EntityId],
) -> Vec<EntityId> {
    let squared = |point: Point| config.metric.distance_squared(at, point);
    let mut near: Vec<(f32, EntityId)> = all
        .iter()
        .map(|(&id, &(point, _))| (squared(point), id))
        .collect();
    let hysteresis = config.interest_hysteresis_m;
    let mut seen: Vec<EntityId> = match *interest {
        Interest::Radius(radius) => {
            let (inner, outer) = (
                radius * radius,
                (radius + hysteresis) * (radius + hysteresis),
            );
            near.retain(|&(d, id)| d <= inner || (d <= outer && known.contains(&id)));
            near.into_iter().map(|(_, id)| id).collect()
        }
        Interest::Nearest { k, radius_m } => {
            near.retain(|&(d, _)| d <= radius_m * radius_m);
            near.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            near.truncate(usize::from(k));
            near.into_iter().map(|(_, id)| id).collect()
        }
        Interest::Box(half) => {
            let axes = config.metric.axes();
            let beyond = |point: Point| {
                let over = |counts: bool, p: f32, c: f32, h: f32| {
                    if counts {
                        (p - (c + h)).max((c - h) - p).max(0.0)
                    } else {
                        0.0
                    }
                };
                let (x, y, z) = (
                    over(axes[0], point.x, at.x, half.x),
                    over(axes[1], point.y, at.y, half.y),
                    over(axes[2], point.z, at.z, half.z),
                );
                x * x + y * y + z * z
            };
            all.iter()
                .filter(|(id, (point, _))| {
                    let beyond = beyond(*point);
                    beyond <= 0.0 || (beyond <= hysteresis * hysteresis && known.contains(id))
                })
                .map(|(&id, _)| id)
                .collect()
        }
        Interest::Custom { .. } => unreachable!("these tests register no predicate"),
    };
    seen.sort_unstable();
    seen
}
