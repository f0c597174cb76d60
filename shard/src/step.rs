//! What a system gets once per tick: the entities owned here, the view of their neighbours, and a place
//! for wishes.
//!
//! Entities come and go between ticks only: what a system asks for here is done after the last one ran.

use std::cell::{Ref, RefCell, RefMut};
use std::collections::BTreeMap;

use hecs::{Query, QueryBorrow};
use worldshard_protocol::{EntityId, Tick};
use worldshard_spatial::{Bounds, Metric, ShardId};

use crate::chance::Chance;
use crate::component::Component;
use crate::config::WorldConfig;
use crate::draft::Draft;
use crate::recipe::Recipe;
use crate::resources::Resources;
use crate::timers::TimerChange;
use crate::view::View;
use crate::world::World;
use crate::zone::Crossing;

/// One tick of one shard, seen from a system.
///
/// A system that is to give the same world on any number of shards changes the entities owned here only,
/// and learns of others through [`Step::view`] only.
pub struct Step<'a> {
    own: ShardId,
    tick: Tick,
    config: &'a WorldConfig,
    space: Space,
    world: &'a World,
    view: &'a View,
    resources: &'a Resources,
    news: News<'a>,
    wishes: RefCell<Wishes>,
}

/// What happened to entities owned here since the systems ran, ascending by entity.
#[derive(Copy, Clone)]
pub(crate) struct News<'a> {
    pub(crate) fired: &'a [(EntityId, u32)],
    pub(crate) crossings: &'a [Crossing],
}

/// Where entities may be, and how far is far.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct Space {
    /// Positions beyond are clamped after the systems ran.
    pub bounds: Bounds,
    /// Which axes count for distances.
    pub metric: Metric,
}

/// What systems asked for, in no order.
#[derive(Default)]
struct Wishes {
    spawns: Vec<Spawn>,
    ordinals: BTreeMap<EntityId, u32>,
    spawns_refused: u64,
    despawns: Vec<EntityId>,
    timers: Vec<TimerChange>,
}

/// An entity to be, and who asked for it.
#[derive(Debug)]
pub(crate) struct Spawn {
    pub(crate) spawner: EntityId,
    /// Counts the spawner's wishes in this tick.
    pub(crate) ordinal: u32,
    pub(crate) draft: Draft,
}

/// What systems asked for, in an order that does not depend on which entity was visited first.
#[derive(Debug)]
pub(crate) struct Effects {
    /// Ascending by (spawner, ordinal).
    pub(crate) spawns: Vec<Spawn>,
    /// Refused because of [`SPAWNS_PER_SPAWNER_MAX`].
    pub(crate) spawns_refused: u64,
    /// Ascending, each once.
    pub(crate) despawns: Vec<EntityId>,
    /// Those of one entity in the order in which they were asked for.
    pub(crate) timers: Vec<TimerChange>,
}

impl<'a> Step<'a> {
    pub(crate) fn new(
        own: ShardId,
        tick: Tick,
        recipe: &'a Recipe,
        world: &'a World,
        view: &'a View,
        resources: &'a Resources,
        news: News<'a>,
    ) -> Self {
        let config = &recipe.config;
        Self {
            own,
            tick,
            config,
            space: Space {
                bounds: config.bounds,
                metric: config.metric,
            },
            world,
            view,
            resources,
            news,
            wishes: RefCell::default(),
        }
    }

    /// The tick that is being simulated.
    #[must_use]
    pub fn tick(&self) -> Tick {
        self.tick
    }

    /// World time of one tick, in seconds.
    #[must_use]
    pub fn dt(&self) -> f32 {
        self.config.dt()
    }

    /// The shard this runs on. A world that depends on it is another one on every number of shards.
    #[must_use]
    pub fn shard(&self) -> ShardId {
        self.own
    }

    /// The world's bounds and metric.
    #[must_use]
    pub fn space(&self) -> &Space {
        &self.space
    }

    /// The entities owned here that have the components of `Q`, which may include `&EntityId`.
    ///
    /// Their order is arbitrary: what a system does to one must not depend on what it did to another.
    ///
    /// # Panics
    /// Iterating panics while another query borrows the same components, one of them mutably.
    #[must_use]
    pub fn query<Q: Query>(&self) -> QueryBorrow<'_, Q> {
        self.world.ecs().query()
    }

    /// One component of an entity; `None` when it lacks it or is not owned here.
    ///
    /// # Panics
    /// While the component is borrowed mutably.
    #[must_use]
    pub fn component<C: Component>(&self, id: EntityId) -> Option<hecs::Ref<'_, C>> {
        self.world.get(id)
    }

    /// One component of an entity, to change it; `None` when it lacks it or is not owned here.
    ///
    /// # Panics
    /// While the component is borrowed.
    #[must_use]
    pub fn component_mut<C: Component>(&self, id: EntityId) -> Option<hecs::RefMut<'_, C>> {
        self.world.get_mut(id)
    }

    /// Whether the entity is owned here.
    #[must_use]
    pub fn owns(&self, id: EntityId) -> bool {
        self.world.owns(id)
    }

    /// Own entities and those of neighbours within the perception radius, as the last tick left them.
    #[must_use]
    pub fn view(&self) -> &'a View {
        self.view
    }

    /// Random numbers for one entity in this tick. Each use needs a stream name of its own.
    #[must_use]
    pub fn chance(&self, entity: EntityId, stream: &'static str) -> Chance {
        Chance::new(self.config.seed, entity, self.tick, stream)
    }

    /// Asks for a new entity on behalf of one owned here; it exists from the end of this tick.
    ///
    /// One entity's wish beyond [`SPAWNS_PER_SPAWNER_MAX`] in a tick is refused and counted.
    ///
    /// # Panics
    /// When the spawner is not owned here: two shards would number its wishes.
    pub fn spawn(&self, spawner: EntityId, draft: Draft) {
        self.assert_owned(spawner, "spawn for");
        let mut wishes = self.wishes.borrow_mut();
        let wishes = &mut *wishes;
        let count = wishes.ordinals.entry(spawner).or_default();
        if *count == SPAWNS_PER_SPAWNER_MAX {
            wishes.spawns_refused += 1;
            return;
        }
        let ordinal = *count;
        *count += 1;
        wishes.spawns.push(Spawn {
            spawner,
            ordinal,
            draft,
        });
    }

    /// Asks for the removal of an entity after the last system of this tick.
    ///
    /// # Panics
    /// When it is not owned here: only its owner may change an entity.
    pub fn despawn(&self, entity: EntityId) {
        self.assert_owned(entity, "despawn");
        self.wishes.borrow_mut().despawns.push(entity);
    }

    /// Starts a timer, in place of one with the same key: it fires after so many ticks, at least one.
    ///
    /// Of one entity's timers beyond [`TIMERS_MAX`](crate::timers::TIMERS_MAX), the one due last is dropped.
    ///
    /// # Panics
    /// When the entity is not owned here.
    pub fn timer(&self, entity: EntityId, key: u32, after_ticks: u64) {
        let due = Tick(self.tick.0.saturating_add(after_ticks.max(1)));
        self.change_timer(entity, key, Some(due));
    }

    /// Stops the timer with this key, if it runs.
    ///
    /// # Panics
    /// When the entity is not owned here.
    pub fn cancel_timer(&self, entity: EntityId, key: u32) {
        self.change_timer(entity, key, None);
    }

    fn change_timer(&self, entity: EntityId, key: u32, due: Option<Tick>) {
        self.assert_owned(entity, "set a timer of");
        let change = TimerChange { entity, key, due };
        self.wishes.borrow_mut().timers.push(change);
    }

    fn assert_owned(&self, entity: EntityId, wish: &str) {
        assert!(
            self.world.owns(entity),
            "a system asked to {wish} entity {entity}, which shard {} does not own",
            self.own.0
        );
    }

    /// The timers of entities owned here that fire in this tick: (entity, key), ascending.
    #[must_use]
    pub fn fired(&self) -> &'a [(EntityId, u32)] {
        self.news.fired
    }

    /// Who ended the last tick in another zone than the one before, ascending; every crossing is told once, to the
    /// shard that owns the entity now. Without `App::zones` there are none.
    ///
    /// An entity on the line between two zones crosses as often as it moves over it; one that is born in a zone
    /// crosses nothing, and of one that has left the world nothing is told any more.
    #[must_use]
    pub fn crossings(&self) -> &'a [Crossing] {
        self.news.crossings
    }

    /// A value that belongs to this shard.
    ///
    /// # Panics
    /// When there is none of this type, and while it is borrowed mutably.
    #[must_use]
    pub fn resource<T: 'static>(&self) -> Ref<'_, T> {
        self.resources.expect()
    }

    /// A value that belongs to this shard, to change it.
    ///
    /// # Panics
    /// When there is none of this type, and while it is borrowed.
    #[must_use]
    pub fn resource_mut<T: 'static>(&self) -> RefMut<'_, T> {
        self.resources.expect_mut()
    }

    /// What the systems asked for. Called after the last one.
    pub(crate) fn into_effects(self) -> Effects {
        let mut wishes = self.wishes.into_inner();
        wishes
            .spawns
            .sort_unstable_by_key(|s| (s.spawner, s.ordinal));
        wishes.despawns.sort_unstable();
        wishes.despawns.dedup();
        Effects {
            spawns: wishes.spawns,
            spawns_refused: wishes.spawns_refused,
            despawns: wishes.despawns,
            timers: wishes.timers,
        }
    }
}

/// Entities that one entity may bring into the world in one tick; more are refused.
pub const SPAWNS_PER_SPAWNER_MAX: u32 = 4096;

#[cfg(test)]
mod tests;
