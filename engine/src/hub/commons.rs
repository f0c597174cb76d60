//! What all hubs of a process share: the cell map, the order of moments, the counts of sessions and rooms, the users' seats.
//!
//! Atomics without locks, but for two: the seats', which is taken when a session opens or ends, and shared by those who
//! send to a user; and the directory's, one a shard, which is taken when somebody comes into a room or leaves it there, and
//! by whoever lists rooms.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use worldshard_spatial::{CellMap, ShardId};

use crate::app::AppRecipe;
use crate::error::Result;
use crate::hub::rooms::Directory;
use crate::hub::token::ResumeKey;
use crate::identity::Seats;
use crate::policy::{Policies, TenantStatus};

/// What all hubs of a process share. A clone shares it.
#[derive(Clone)]
pub struct Commons {
    pub(crate) cell_map: Arc<CellMap>,
    pub(crate) moments: Moments,
    pub(crate) census: Census,
    pub(crate) seats: Arc<Seats>,
    pub(crate) policies: Arc<Policies>,
    pub(crate) rooms: RoomCount,
    pub(crate) directory: Directory,
    /// Counters of sessions up to here are of processes before.
    pub(crate) sessions_before: u64,
    /// Signs resume tokens; without one, no session is resumed.
    pub(crate) key: Option<Arc<ResumeKey>>,
}

/// One order over all openings of sessions and all messages to many: a session gets only what came after it.
#[derive(Clone, Default)]
pub(crate) struct Moments {
    last: Arc<AtomicU64>,
}

/// Open sessions, by home.
#[derive(Clone)]
pub(crate) struct Census {
    counts: Arc<[AtomicU64]>,
}

/// The rooms of the process.
#[derive(Clone, Default)]
pub(crate) struct RoomCount {
    total: Arc<AtomicU64>,
}

impl Commons {
    /// What `shards` hubs of one application share; `shards` is at least 1.
    ///
    /// # Errors
    /// When the world cannot be cut into so many territories.
    pub fn new(recipe: &AppRecipe, shards: u16) -> Result<Self> {
        let grid = recipe.world.config.grid()?;
        // Once for all shards and before any of them: each gets the same map.
        let population = recipe.world.population_by_cell(&grid);
        let cell_map = CellMap::balanced(grid, shards, population.as_deref())
            .map_err(worldshard_shard::ConfigError::Space)?;
        let policies = Arc::new(Policies::new(&recipe.options));
        Ok(Self::over(Arc::new(cell_map), policies))
    }

    /// As the process with this number for its world, the first being 0: no session gets the id of one of a process
    /// before.
    #[must_use]
    pub fn of_process(mut self, number: u32) -> Self {
        self.sessions_before = u64::from(number) << SESSIONS_PER_PROCESS_BITS;
        self
    }

    /// For the hubs of the process with this number, over the same map: nothing that was counted is known to them.
    pub(crate) fn begun_anew(&self, number: u32) -> Self {
        let cell_map = Arc::clone(&self.cell_map);
        let policies = Arc::new(self.policies.begun_anew());
        Self::over(cell_map, policies).of_process(number)
    }

    fn over(cell_map: Arc<CellMap>, policies: Arc<Policies>) -> Self {
        let shards = 0..cell_map.shard_count();
        let directory = Directory::new(cell_map.shard_count());
        Self {
            moments: Moments::default(),
            census: Census {
                counts: shards.map(|_| AtomicU64::new(0)).collect(),
            },
            seats: Arc::default(),
            policies,
            rooms: RoomCount::default(),
            directory,
            sessions_before: 0,
            key: None,
            cell_map,
        }
    }

    /// With sessions that can be resumed, for as long as `resume_grace` says, by tokens that are signed with this key.
    #[must_use]
    pub fn resuming(mut self, key: [u8; 32]) -> Self {
        self.key = Some(Arc::new(ResumeKey::new(key)));
        self
    }

    /// The tenants in numbers, in the order of the options.
    #[must_use]
    pub fn tenants(&self) -> Vec<TenantStatus> {
        self.policies.rules().statuses()
    }

    /// How many hubs there are.
    #[must_use]
    pub fn shard_count(&self) -> u16 {
        self.cell_map.shard_count()
    }

    /// Which shard owns which cell.
    #[must_use]
    pub fn cell_map(&self) -> &Arc<CellMap> {
        &self.cell_map
    }

    /// Open sessions with this home.
    ///
    /// # Panics
    /// When there is no such shard.
    #[must_use]
    pub fn sessions(&self, home: ShardId) -> u64 {
        self.census.counts[usize::from(home.0)].load(Ordering::Relaxed)
    }

    /// Open sessions of the process.
    #[must_use]
    pub fn sessions_total(&self) -> u64 {
        self.census.total()
    }
}

impl Moments {
    /// The next moment. Later than every moment taken before, on whatever thread, by anyone who knows of it.
    pub(crate) fn take(&self) -> u64 {
        self.last.fetch_add(1, Ordering::AcqRel) + 1
    }
}

impl RoomCount {
    /// Counts one more, unless there are `max`.
    pub(crate) fn take(&self, max: u64) -> bool {
        let more = |count| (count < max).then_some(count + 1);
        let counted = self
            .total
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        counted.is_ok()
    }

    pub(crate) fn give_back(&self) {
        self.total.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }
}

impl Census {
    pub(crate) fn set(&self, home: ShardId, count: u64) {
        self.counts[usize::from(home.0)].store(count, Ordering::Relaxed);
    }

    pub(crate) fn total(&self) -> u64 {
        self.counts
            .iter()
            .map(|count| count.load(Ordering::Relaxed))
            .sum()
    }
}

/// Sessions of one home of one process. More would get the ids of the process after.
const SESSIONS_PER_PROCESS_BITS: u32 = 28;

/// Processes that one world can have; one more is refused.
pub(crate) const PROCESSES_MAX: u32 =
    (worldshard_protocol::ids::SESSION_COUNTER_MAX >> SESSIONS_PER_PROCESS_BITS) as u32;
