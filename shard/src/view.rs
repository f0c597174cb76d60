//! What systems and interest see: own entities and ghosts alike, as of the last absorb.
//!
//! The order (global cell, then id) is the same for any number of shards and any kind of index.
//! Never changes between two ticks, and never changes an entity.

use std::ops::Range;

use worldshard_protocol::{EntityId, RECORD_BYTES, Record, Tick};
use worldshard_spatial::{Bounds, Index, Near, Point, ShardId, SpaceError};

use crate::around::{Around, Spare};
use crate::column::Columns;
use crate::component::{Appearance, Component, Position};
use crate::config::WorldConfig;
use crate::ghost::GhostSet;
use crate::registry::{Registry, replicated_parts};
use crate::world::{Laid, Rank, World};

/// All entities that one shard knows of. An entity's place in it is its rank.
pub struct View {
    own: ShardId,
    /// How many of the entities are owned.
    owned: usize,
    index: Index,
    columns: Columns,
    rows: Rows,
    points: Vec<Point>,
    spare: Spare,
}

/// What is copied of each entity beside its position and its columns, in the order in which entities were taken in:
/// the own ones in the order of their storage, then the ghosts. Copied there, nothing waits for a place in the cache.
#[derive(Default)]
pub(crate) struct Rows {
    pub(crate) ids: Vec<u64>,
    /// The entity's place in the view.
    pub(crate) ranks: Vec<u32>,
    pub(crate) records: Vec<[u8; RECORD_BYTES]>,
    pub(crate) told: Vec<Told>,
    extra_bytes: Vec<u8>,
}

/// What is known of an entity's record and of its replicated components.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) changed_tick: Tick,
    pub(crate) extra_changed_tick: Tick,
    extra: Range<u32>,
    owner: ShardId,
}

/// An entity near a point.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct Neighbour {
    /// Its place in the view.
    pub rank: u32,
    /// Which entity.
    pub id: EntityId,
    /// Where it is, in metres.
    pub position: Point,
    /// Square metres, over the axes that count.
    pub distance_squared: f32,
}

impl View {
    /// A view without entities.
    ///
    /// # Errors
    /// When the index cannot cover the world's bounds with cells of its edge.
    pub fn new(config: &WorldConfig, registry: &Registry) -> Result<Self, SpaceError> {
        Ok(Self {
            own: ShardId(0),
            owned: 0,
            index: Index::new(
                config.index,
                config.bounds,
                config.metric,
                config.index_edge_m,
            )?,
            columns: Columns::empty_like(registry),
            rows: Rows::default(),
            points: Vec::new(),
            spare: Spare::default(),
        })
    }

    /// Takes in the owned entities as they are laid out, and the ghosts. Tells each owned entity its rank.
    pub(crate) fn rebuild(&mut self, world: &mut World, ghosts: &GhostSet, own: ShardId) {
        self.own = own;
        self.owned = world.len();
        self.order(world, ghosts);
        self.take_rows(world, ghosts);
        self.columns.reset(self.index.len());
        self.columns.scatter_from_world(world.ecs());
        let ranks = &self.rows.ranks[world.len()..];
        self.columns.scatter_from_columns(&ghosts.columns, ranks);
    }

    /// Gives every entity its rank.
    fn order(&mut self, world: &mut World, ghosts: &GhostSet) {
        let Rows { ids, ranks, .. } = &mut self.rows;
        ids.clear();
        self.points.clear();
        for (id, position, _, _) in world.ecs_mut().query_mut::<Owned<'_>>() {
            ids.push(id.0);
            self.points.push(position.0);
        }
        assert_eq!(ids.len(), world.len(), "every owned entity is complete");
        for ghost in &ghosts.entries {
            debug_assert!(!world.owns(ghost.id), "{} is owned and a ghost", ghost.id);
            ids.push(ghost.id.0);
            self.points.push(ghost.position());
        }
        self.index.rebuild(ids, &self.points);
        ranks.clear();
        ranks.resize(ids.len(), 0);
        for (rank, &row) in (0u32..).zip(self.index.order()) {
            ranks[row as usize] = rank;
        }
    }

    /// Nothing was spawned since the ids were gathered: the order of storage is the same.
    fn take_rows(&mut self, world: &mut World, ghosts: &GhostSet) {
        let Rows {
            ids,
            ranks,
            records,
            told,
            extra_bytes,
        } = &mut self.rows;
        records.clear();
        told.clear();
        extra_bytes.clear();
        let owned = world.ecs_mut().query_mut::<Owned<'_>>();
        for ((id, _, laid, place), row) in owned.into_iter().zip(0u32..) {
            debug_assert_eq!(ids[row as usize], id.0, "the order of storage changed");
            let rank = ranks[row as usize];
            *place = Rank { rank, row };
            records.push(laid.record);
            told.push(Told {
                changed_tick: laid.changed_tick,
                extra_changed_tick: laid.extra_changed_tick,
                extra: append(extra_bytes, &laid.extra),
                owner: self.own,
            });
        }
        for ghost in &ghosts.entries {
            let extra = &ghosts.extra_bytes[ghost.extra.start as usize..ghost.extra.end as usize];
            records.push(ghost.record);
            told.push(Told {
                changed_tick: ghost.changed_tick,
                extra_changed_tick: ghost.extra_changed_tick,
                extra: append(extra_bytes, extra),
                owner: ghost.owner,
            });
        }
    }

    /// What was taken in, in its order.
    pub(crate) fn rows(&self) -> &Rows {
        &self.rows
    }

    /// The number of entities: ranks go from zero to below it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether no entity is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Visits the entities within `radius_m` of a point, by ascending rank.
    ///
    /// Systems may rely on no more than the perception radius: beyond it some entities are not known.
    pub fn within(&self, centre: Point, radius_m: f32, mut visit: impl FnMut(Neighbour)) {
        self.index
            .within(centre, radius_m, |rank, distance_squared| {
                visit(self.neighbour(rank, distance_squared));
            });
    }

    /// Visits runs of ranks, ascending, that hold all within `radius_m` of a point and some more.
    pub(crate) fn runs_near(&self, centre: Point, radius_m: f32, visit: impl FnMut(Range<u32>)) {
        self.index.runs_near(centre, radius_m, visit);
    }

    /// Where the entities of a run of ranks are.
    pub(crate) fn points(&self) -> &[Point] {
        self.index.points()
    }

    /// Looks around every entity owned here: `look` gets its rank and all others within `radius_m` of it, by
    /// ascending rank. What it makes of them is kept for each.
    ///
    /// Several times cheaper than [`View::within`] for each, as neighbours are visited together. Like all of the
    /// view it shows the last absorb: an entity that a command moved since is looked at where it was.
    #[must_use]
    pub fn around_each<T: Clone + Default + 'static>(
        &self,
        radius_m: f32,
        mut look: impl FnMut(u32, &[Near]) -> T,
    ) -> Around<'_, T> {
        let mut around = Around::sized(self.owned, &self.spare);
        let rows = self.index.order();
        self.index.neighbourhoods(
            radius_m,
            // The owned were given to the index first.
            |rank| (rows[rank as usize] as usize) < self.owned,
            |rank, near| around.put(rows[rank as usize], look(rank, near)),
        );
        around
    }

    /// Makes every pair of entities within `radius_m` of each other meet once: `meet` gets the ranks of both, the lower
    /// one first, the square of their distance, and what each has seen so far. What the owned ones have seen is kept.
    ///
    /// For about half of what [`View::around_each`] costs. Each entity meets the others by ascending rank, so that sums
    /// are the same to the last bit. Pairs of ghosts may be left out.
    #[must_use]
    pub fn around_pairs<T: Clone + Default + 'static>(
        &self,
        radius_m: f32,
        mut meet: impl FnMut([u32; 2], f32, [&mut T; 2]),
    ) -> Around<'_, T> {
        let mut around = Around::sized(self.owned, &self.spare);
        let mut seen: Vec<T> = self.spare.take();
        seen.resize(self.len(), T::default());
        let rows = self.index.order();
        let owned = |rank: u32| (rows[rank as usize] as usize) < self.owned;
        self.index.pairs(radius_m, owned, |rank, near| {
            // Who is of lower rank has met it before; whoever it meets now is of higher rank.
            let (lower, higher) = seen.split_at_mut(rank as usize + 1);
            let own = &mut lower[rank as usize];
            for other in near {
                let met = &mut higher[(other.rank - rank - 1) as usize];
                meet([rank, other.rank], other.distance_squared, [own, met]);
            }
        });
        // Afterwards, in one go: between two ranks each of these stores would be waited for.
        for (&row, seen) in rows.iter().zip(&mut seen) {
            if (row as usize) < self.owned {
                around.put(row, std::mem::take(seen));
            }
        }
        self.spare.keep(seen);
        around
    }

    /// Visits the entities inside or on a face of a box, by ascending rank.
    pub fn within_box(&self, area: Bounds, visit: impl FnMut(u32)) {
        self.index.within_box(area, visit);
    }

    /// Replaces `out` by the `k` nearest entities within `radius_m`: (square metres, rank), by distance,
    /// then id.
    pub fn nearest(&self, centre: Point, k: usize, radius_m: f32, out: &mut Vec<(f32, u32)>) {
        self.index.nearest(centre, k, radius_m, out);
    }

    /// What [`View::within`] says of the entity at a rank that [`View::nearest`] found.
    #[must_use]
    pub fn neighbour(&self, rank: u32, distance_squared: f32) -> Neighbour {
        Neighbour {
            rank,
            id: self.id(rank),
            position: self.position(rank),
            distance_squared,
        }
    }

    /// Which entity is at a rank. This and the other look-ups panic when there is no such rank.
    #[must_use]
    pub fn id(&self, rank: u32) -> EntityId {
        EntityId(self.index.id(rank))
    }

    /// Where the entity is, in metres.
    #[must_use]
    pub fn position(&self, rank: u32) -> Point {
        self.index.point(rank)
    }

    /// What the entity looks like to clients.
    #[must_use]
    pub fn appearance(&self, rank: u32) -> Appearance {
        let Record { kind, heading, .. } = Record::from_bytes(self.record(rank));
        Appearance { kind, heading }
    }

    /// Which shard owns the entity.
    #[must_use]
    pub fn owner(&self, rank: u32) -> ShardId {
        self.told(rank).owner
    }

    /// Whether the entity is owned here; else it is a ghost.
    #[must_use]
    pub fn is_owned(&self, rank: u32) -> bool {
        self.owner(rank) == self.own
    }

    /// A shared component of the entity.
    ///
    /// # Panics
    /// When the type is not registered as shared or replicated.
    #[must_use]
    pub fn component<C: Component>(&self, rank: u32) -> Option<&C> {
        self.columns.get(rank as usize)
    }

    /// A shared component of all entities, in the order of their ranks: cheaper than one by one.
    ///
    /// # Panics
    /// When the type is not registered as shared or replicated.
    #[must_use]
    pub fn column<C: Component>(&self) -> &[Option<C>] {
        self.columns.slice()
    }

    /// Appends the shared components of the entity at a rank: for each registered one a byte that says whether
    /// there is one, then its canonical bytes.
    pub fn encode_shared(&self, rank: u32, out: &mut Vec<u8>) {
        self.columns.encode_row(rank as usize, out);
    }

    /// The entity's wire record.
    #[must_use]
    pub fn record(&self, rank: u32) -> &[u8; RECORD_BYTES] {
        &self.rows.records[self.row(rank)]
    }

    /// The tick in which the record last changed.
    #[must_use]
    pub fn changed_tick(&self, rank: u32) -> Tick {
        self.told(rank).changed_tick
    }

    /// The tick in which the replicated components last changed.
    #[must_use]
    pub fn extra_changed_tick(&self, rank: u32) -> Tick {
        self.told(rank).extra_changed_tick
    }

    /// The replicated components: number on the wire and canonical bytes.
    pub fn extras(&self, rank: u32) -> impl Iterator<Item = (u16, &[u8])> {
        let extras = self.rows.extras(self.row(rank));
        extras.filter_map(|(number, value)| Some((number, value?)))
    }

    fn row(&self, rank: u32) -> usize {
        self.index.order()[rank as usize] as usize
    }

    fn told(&self, rank: u32) -> &Told {
        &self.rows.told[self.row(rank)]
    }
}

impl Rows {
    /// Whether anything has replicated components.
    pub(crate) fn has_extras(&self) -> bool {
        !self.extra_bytes.is_empty()
    }

    /// The replicated components in a row: number on the wire, and canonical bytes unless it is left out.
    pub(crate) fn extras(&self, row: usize) -> impl Iterator<Item = (u16, Option<&[u8]>)> {
        let Range { start, end } = self.told[row].extra;
        replicated_parts(&self.extra_bytes[start as usize..end as usize])
    }
}

/// Satisfied by every owned entity.
type Owned<'q> = (&'q EntityId, &'q Position, &'q Laid, &'q mut Rank);

fn append(bytes: &mut Vec<u8>, extra: &[u8]) -> Range<u32> {
    let offset = |length| u32::try_from(length).expect("the extras of a view are less than 4 GiB");
    let start = offset(bytes.len());
    bytes.extend_from_slice(extra);
    start..offset(bytes.len())
}

#[cfg(test)]
mod tests;
