//! How to build a world: the same recipe makes every shard of it, on the thread that will own it.
//!
//! Owns what an application registered. Never holds state of a running world.

use std::collections::BTreeMap;
use std::sync::Arc;

use worldshard_protocol::{EntityId, SessionId, Tick};
use worldshard_spatial::{CellGrid, Point};

use crate::chance::Chance;
use crate::command::{CommandBody, Refusal};
use crate::config::WorldConfig;
use crate::draft::Draft;
use crate::registry::Registry;
use crate::resources::Resources;
use crate::step::Step;
use crate::view::View;
use crate::world::World;
use crate::zone::ZoneOf;

/// A world in the making. Cheap to share: shards hold it behind an `Arc`.
pub struct Recipe {
    /// Space, time, reaches and limits.
    pub config: WorldConfig,
    /// Every component that entities may carry.
    pub registry: Registry,
    /// The entities of tick 0.
    pub population: Option<Population>,
    /// Which zones there are; without, nobody crosses one.
    pub zones: Option<ZoneOf>,
    /// What moves the world, in order, once per tick.
    pub systems: Vec<NamedSystem>,
    /// What a session that joins with an avatar gets.
    pub avatar: Option<AvatarDraft>,
    /// Handlers of custom commands, by opcode.
    pub commands: BTreeMap<u8, CommandHandler>,
    /// Custom interests, by index.
    pub predicates: Vec<Predicate>,
    /// Makers of the values that each shard has for itself, whether it is new or comes from a checkpoint.
    pub resources: Vec<ResourceMaker>,
    /// Commands that carry their tick.
    pub script: Option<Arc<dyn Script>>,
    /// Nothing moves, and nobody joins but with a camera: a world to look at.
    pub still: bool,
}

impl Recipe {
    /// An empty world: no entity, no system.
    #[must_use]
    pub fn new(config: WorldConfig) -> Self {
        Self {
            config,
            registry: Registry::new(),
            population: None,
            zones: None,
            systems: Vec::new(),
            avatar: None,
            commands: BTreeMap::new(),
            predicates: Vec::new(),
            resources: Vec::new(),
            script: None,
            still: false,
        }
    }

    /// How many entities of tick 0 stand in each cell; `None` when there are none. Drafts them all.
    #[must_use]
    pub fn population_by_cell(&self, grid: &CellGrid) -> Option<Vec<u32>> {
        let population = self.population.as_ref().filter(|all| all.count > 0)?;
        let genesis = Genesis {
            config: &self.config,
        };
        let mut counts = vec![0u32; grid.cell_count()];
        for entity in (1..=population.count).map(EntityId) {
            let draft = (population.draft)(&genesis, entity);
            let at = self.config.bounds.clamp(draft.position());
            let count = &mut counts[grid.cell_of(at).0 as usize];
            *count = count.saturating_add(1);
        }
        Some(counts)
    }
}

/// Runs once per tick on every shard, over the entities it owns.
pub type System = Arc<dyn Fn(&mut Step<'_>) + Send + Sync>;

/// A system and the name it is blamed by.
#[derive(Clone)]
pub struct NamedSystem {
    /// For logs and faults.
    pub name: &'static str,
    /// What runs.
    pub run: System,
}

/// The entities of tick 0. Every shard drafts them all and keeps its own.
#[derive(Clone)]
pub struct Population {
    /// How many; they get the ids 1 to `count`.
    pub count: u64,
    /// Drafts the entity with this id: a pure function.
    pub draft: EntityDraft,
}

/// Drafts one entity of tick 0: a pure function.
pub type EntityDraft = Arc<dyn Fn(&Genesis<'_>, EntityId) -> Draft + Send + Sync>;

/// Drafts the avatar of a session that joins at a point: a pure function.
pub type AvatarDraft = Arc<dyn Fn(&Genesis<'_>, Point) -> Draft + Send + Sync>;

/// Applies a custom command to the avatar of the session that sent it.
pub type CommandHandler = Arc<dyn Fn(&mut Subject<'_>, &[u8]) -> Result<(), Refusal> + Send + Sync>;

/// Decides whether a viewpoint sees an entity (its rank in the view) that is within reach.
pub type Predicate = Arc<dyn Fn(&View, Point, u32) -> bool + Send + Sync>;

/// Makes one shard's value of a type.
pub type ResourceMaker = Arc<dyn Fn(&mut Resources) + Send + Sync>;

/// What a draft may depend on.
pub struct Genesis<'a> {
    /// The world.
    pub config: &'a WorldConfig,
}

impl Genesis<'_> {
    /// Random numbers of one entity of tick 0.
    #[must_use]
    pub fn chance(&self, entity: EntityId, stream: &'static str) -> Chance {
        Chance::new(self.config.seed, entity, Tick(0), stream)
    }
}

/// The one entity that a custom command may change.
pub struct Subject<'a> {
    pub(crate) entity: EntityId,
    pub(crate) world: &'a World,
    pub(crate) tick: Tick,
    pub(crate) config: &'a WorldConfig,
}

impl Subject<'_> {
    /// The avatar.
    #[must_use]
    pub fn entity(&self) -> EntityId {
        self.entity
    }

    /// The tick that is about to be simulated.
    #[must_use]
    pub fn tick(&self) -> Tick {
        self.tick
    }

    /// The world's configuration.
    #[must_use]
    pub fn config(&self) -> &WorldConfig {
        self.config
    }

    /// Changes a component of the avatar in place; false when it has none of this type.
    pub fn change<C: crate::component::Component>(&mut self, change: impl FnOnce(&mut C)) -> bool {
        match self.world.get_mut::<C>(self.entity) {
            Some(mut component) => {
                change(&mut component);
                true
            }
            None => false,
        }
    }
}

/// Commands known beforehand: simulations, replays, digest tests. Every shard holds the same script and
/// applies what concerns it exactly at its tick.
pub trait Script: Send + Sync {
    /// Appends the commands of one tick, in ascending (author, ordinal) order. A pure function.
    fn commands(&self, tick: Tick, out: &mut Vec<ScriptedCommand>);
}

/// A command that applies at the tick it was asked for.
#[derive(Clone, Debug)]
pub struct ScriptedCommand {
    /// The session whose viewpoint it is about.
    pub session: SessionId,
    /// Echoed to the client; 0 for none.
    pub client_sequence: u32,
    /// What.
    pub body: CommandBody,
}
