//! Scripted clients: what each does at each tick, known beforehand, the same on every driver and number of shards.
//!
//! Everything is a function of seed, client and tick. Owns no state of a running world.

use std::sync::Arc;

use worldshard_protocol::{EntityId, SessionId, Tick, ViewpointMode};
use worldshard_shard::{Chance, CommandBody, Interest, Join, Script, ScriptedCommand, WorldConfig};
use worldshard_spatial::{Point, ShardId};

use crate::runtime::{ClientFactory, InProcessClient};
use crate::sim::client::SimClient;

/// Clients that join, steer, look, change their interest, leave and come again, each at its own ticks.
///
/// It is the world's script and, on a real driver, the factory of the clients that read what the world says.
#[derive(Clone, Debug)]
pub struct ClientScript {
    config: WorldConfig,
    shards: u16,
    clients: u32,
    seed: u64,
}

impl ClientScript {
    /// `clients` clients of a world on `shards` shards, at least 1; their homes take turns.
    #[must_use]
    pub fn new(config: WorldConfig, shards: u16, clients: u32, seed: u64) -> Arc<Self> {
        Arc::new(Self {
            config,
            shards,
            clients,
            seed,
        })
    }

    /// How many there are.
    #[must_use]
    pub fn clients(&self) -> u32 {
        self.clients
    }

    /// The home of a client.
    #[must_use]
    pub fn home(&self, client: u32) -> ShardId {
        ShardId((client % u32::from(self.shards)) as u16)
    }

    /// The session that a client has when each home opens its clients first, in ascending order.
    #[must_use]
    pub fn session(&self, client: u32) -> SessionId {
        let opened_before = u64::from(client / u32::from(self.shards));
        SessionId::new(self.home(client).0, opened_before + 1)
    }

    /// Whether a client leaves its frames unread in this tick.
    #[must_use]
    pub fn is_stalled(&self, client: u32, tick: Tick) -> bool {
        let (period, at) = (tick.0 / STALL_PERIOD_TICKS, tick.0 % STALL_PERIOD_TICKS);
        let mut chance = self.chance(client, period, "stall");
        chance.next_u64().is_multiple_of(STALLS_ONE_IN)
            && at < chance.next_u64() % STALL_PERIOD_TICKS
    }

    /// What a client is told of before it asks for anything.
    fn first_interest(&self) -> Interest {
        Interest::Radius(self.config.interest_radius_m)
    }

    fn mode(client: u32) -> ViewpointMode {
        if client % CAMERAS_ONE_IN == CAMERAS_ONE_IN - 1 {
            ViewpointMode::Camera
        } else {
            ViewpointMode::Avatar
        }
    }

    /// What a client does at a tick of its life.
    fn deed(&self, client: u32, tick: Tick) -> Option<CommandBody> {
        let mut life = self.chance(client, 0, "life");
        let born = 1 + life.next_u64() % FIRST_JOIN_TICKS;
        let lives = LIFE_TICKS_MIN + life.next_u64() % LIFE_TICKS_MIN;
        let since = tick.0.checked_sub(born)?;
        let (round, at) = (since / (lives + PAUSE_TICKS), since % (lives + PAUSE_TICKS));
        if at == 0 {
            return Some(CommandBody::Join(Join {
                mode: Self::mode(client),
                at: self.place(client, round, 0),
                interest: self.interest(client, round),
                full: false,
                author: u64::from(client) + 1,
                generation: 0,
            }));
        }
        if at == lives {
            return Some(CommandBody::Leave);
        }
        if at > lives {
            return None;
        }
        match Self::mode(client) {
            ViewpointMode::Avatar => self.walk(client, tick, round, at),
            ViewpointMode::Camera => Some(self.look(client, tick, round, at)),
        }
    }

    fn walk(&self, client: u32, tick: Tick, round: u64, at: u64) -> Option<CommandBody> {
        let mut chance = self.chance(client, tick.0, "walk");
        let direction = chance.unit_vector(self.config.metric);
        if at == 1 {
            // Where it stands is known now and never again.
            let step_m = self.config.avatar_speed_max_m_s * self.config.dt() * chance.next_f32();
            let to = self.place(client, round, 0) + direction * step_m;
            return Some(CommandBody::Move(self.config.bounds.clamp(to)));
        }
        match at % WALK_PERIOD_TICKS {
            2 => Some(CommandBody::Steer(direction * chance.range(0.25, 1.0))),
            11 => Some(CommandBody::Interest(self.interest(client, tick.0))),
            // Too far for all but the luckiest: a refusal is part of the world's life too.
            19 => Some(CommandBody::Move(self.place(client, round, at))),
            _ => None,
        }
    }

    /// From place to place in straight lines, over whatever borders lie between.
    fn look(&self, client: u32, tick: Tick, round: u64, at: u64) -> CommandBody {
        if at.is_multiple_of(WALK_PERIOD_TICKS) {
            return CommandBody::Interest(self.interest(client, tick.0));
        }
        let (leg, done) = (at / LEG_TICKS, at % LEG_TICKS);
        let from = self.place(client, round, leg);
        let to = self.place(client, round, leg + 1);
        let share = done as f32 / LEG_TICKS as f32;
        CommandBody::Look(self.config.bounds.clamp(from + (to - from) * share))
    }

    fn place(&self, client: u32, round: u64, number: u64) -> Point {
        let mut chance = self.chance(client, round << 32 | number, "place");
        let (min, extent) = (self.config.bounds.min, self.config.bounds.extent());
        let mut axis = |min: f32, extent: f32| min + extent * chance.next_f32();
        let at = Point::new(
            axis(min.x, extent.x),
            axis(min.y, extent.y),
            axis(min.z, extent.z),
        );
        self.config.bounds.clamp(at)
    }

    fn interest(&self, client: u32, number: u64) -> Interest {
        let mut chance = self.chance(client, number, "interest");
        let reach_m = self.config.interest_radius_max_m * chance.range(0.3, 1.0);
        match chance.next_u64() % 4 {
            0 => self.first_interest(),
            1 => {
                // The diagonal of a cube is under twice its edge.
                let half_m = reach_m / 2.0;
                Interest::Box(Point::new(half_m, half_m, half_m))
            }
            2 => {
                let most = u64::from(self.config.limits.nearest_max.min(NEAREST_MAX));
                Interest::Nearest {
                    k: 1 + (chance.next_u64() % most) as u16,
                    radius_m: reach_m,
                }
            }
            _ => Interest::Radius(reach_m),
        }
    }

    fn chance(&self, client: u32, number: u64, stream: &'static str) -> Chance {
        Chance::new(
            self.seed,
            EntityId(u64::from(client) + 1),
            Tick(number),
            stream,
        )
    }
}

impl Script for ClientScript {
    fn commands(&self, tick: Tick, out: &mut Vec<ScriptedCommand>) {
        for client in 0..self.clients {
            if let Some(body) = self.deed(client, tick) {
                out.push(ScriptedCommand {
                    session: self.session(client),
                    client_sequence: u32::try_from(tick.0).unwrap_or(u32::MAX),
                    body,
                });
            }
        }
    }
}

impl ClientFactory for ClientScript {
    fn clients(&self, shard: ShardId) -> Vec<Box<dyn InProcessClient>> {
        let here = (0..self.clients).filter(|&client| self.home(client) == shard);
        let reader = |number| {
            let mut client = SimClient::new(number);
            client.opened(self.session(number), false, self.first_interest());
            let script = self.clone();
            ScriptedReader { client, script }
        };
        here.map(|client| Box::new(reader(client)) as Box<dyn InProcessClient>)
            .collect()
    }
}

/// A scripted client on a real driver: it reads, and the script speaks for it.
struct ScriptedReader {
    client: SimClient,
    script: ClientScript,
}

impl InProcessClient for ScriptedReader {
    fn frame(&mut self, payload: &[u8]) {
        self.client.read(payload);
        self.client.forget();
        let trouble = self.client.trouble();
        assert!(
            trouble.is_none(),
            "client {}: {trouble:?}",
            self.client.number()
        );
    }

    fn poll(&mut self, _: Tick, _: &mut Vec<Vec<u8>>) {}

    fn reads(&self, tick: Tick) -> bool {
        !self.script.is_stalled(self.client.number(), tick)
    }
}

/// Of so many clients one has a camera.
const CAMERAS_ONE_IN: u32 = 4;

/// All clients have joined for the first time after so many ticks.
const FIRST_JOIN_TICKS: u64 = 16;

/// A viewpoint lives so many ticks, and less than twice as many.
const LIFE_TICKS_MIN: u64 = 120;

/// Between leaving and joining again.
const PAUSE_TICKS: u64 = 7;

/// An avatar steers, and changes its interest, once in so many ticks; a camera its interest.
const WALK_PERIOD_TICKS: u64 = 23;

/// A camera's way from one place to the next.
const LEG_TICKS: u64 = 40;

/// In each period of so many ticks one client in so many stalls, for a part of it.
const STALL_PERIOD_TICKS: u64 = 64;
const STALLS_ONE_IN: u64 = 4;

/// The most entities that a client asks for by number.
const NEAREST_MAX: u16 = 64;
