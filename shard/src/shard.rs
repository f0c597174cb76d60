//! One shard: its share of the world and the two halves of its tick.
//!
//! All control flow of a tick is in [`Shard::advance`] and [`Shard::absorb`]; each phase is a file of its
//! own. No clock, no socket, no channel, no thread: drivers differ around it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use worldshard_protocol::{EntityId, SessionId, Tick};
use worldshard_spatial::{Border, CellMap, Point, ShardId};

use crate::audit::{Account, Audit, Tally};
use crate::calls::{Call, Calls, Keep};
use crate::checkpoint::Frozen;
use crate::command::{Acknowledgement, Command, CommandBody};
use crate::config::ConfigError;
use crate::digest::world_digest;
use crate::ghost::GhostSet;
use crate::letter::{AreaMessage, Birth, Envelope, Spare};
use crate::phases::{Phase, apply, genesis, index, observe, publish, receive, release, simulate};
use crate::published::{Notice, Published};
use crate::quarantine::Quarantine;
use crate::recipe::Recipe;
use crate::resources::Resources;
use crate::roster::Roster;
use crate::stats::{ShardStats, ViewerStats};
use crate::view::View;
use crate::viewer::{Sought, Undelivered, Viewer, Viewpoint};
use crate::world::World;
use crate::zone::Crossing;

/// One core's share of the world. Built on the thread that will own it.
pub struct Shard {
    pub(crate) own: ShardId,
    pub(crate) recipe: Arc<Recipe>,
    pub(crate) cell_map: Arc<CellMap>,
    pub(crate) border: Border,
    pub(crate) world: World,
    pub(crate) ghosts: GhostSet,
    pub(crate) view: View,
    pub(crate) resources: Resources,
    pub(crate) viewers: BTreeMap<SessionId, Box<Viewer>>,
    /// Which sessions look through an avatar of this shard.
    pub(crate) watchers: BTreeMap<EntityId, Vec<SessionId>>,
    pub(crate) joins: Vec<Command>,
    /// Sessions whose commands are due in the running tick; empty between ticks, for its memory.
    pub(crate) waiting: Vec<SessionId>,
    pub(crate) undelivered: Undelivered,
    /// What is looked for in the running tick.
    pub(crate) sought: Sought,
    pub(crate) said: Vec<AreaMessage>,
    /// Births of the running tick that this shard began.
    pub(crate) births: Vec<Birth>,
    /// Ghosts of entities that this shard gave away in the running tick and still sees.
    pub(crate) strays: GhostSet,
    /// Emptied, by the shard that sent it; for its memory.
    pub(crate) spare: BTreeMap<ShardId, Spare>,
    /// For its memory.
    pub(crate) abroad: release::Abroad,
    /// Of the last tick, by entities that are owned here now; for the systems of the next.
    pub(crate) crossings: Vec<Crossing>,
    pub(crate) account: Account,
    pub(crate) held: Tally,
    pub(crate) next_entity: EntityId,
    pub(crate) audit: Audit,
    pub(crate) stats: ShardStats,
    pub(crate) published: Published,
    pub(crate) roster: Roster,
    pub(crate) sights: observe::Sights,
    pub(crate) news: publish::News,
    /// What was said to it since they were last taken.
    pub(crate) calls: Calls,
    /// The system that runs, to be blamed.
    pub(crate) running: Cell<Option<u16>>,
    /// Systems that do not run any more.
    pub(crate) quarantine: Quarantine,
    witness: Option<Box<dyn FnMut(Option<Phase>)>>,
    pub(crate) tick: Tick,
    half: Half,
}

/// Which half of a tick comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Half {
    Advance,
    Absorb,
}

impl Shard {
    /// The shard as it stands at tick 0, its neighbours' ghosts included.
    ///
    /// # Errors
    /// When the recipe's configuration is not one of a world.
    ///
    /// # Panics
    /// When `own` has no territory in `cell_map`, or a draft carries an unregistered component.
    pub fn new(
        own: ShardId,
        recipe: Arc<Recipe>,
        cell_map: Arc<CellMap>,
    ) -> Result<Self, ConfigError> {
        let mut shard = Self::empty(own, recipe, cell_map)?;
        genesis::populate(&mut shard);
        index::index(&mut shard);
        Ok(shard)
    }

    /// Without an entity, before tick 1.
    pub(crate) fn empty(
        own: ShardId,
        recipe: Arc<Recipe>,
        cell_map: Arc<CellMap>,
    ) -> Result<Self, ConfigError> {
        recipe.config.validate()?;
        assert!(
            own.0 < cell_map.shard_count(),
            "shard {own} has no territory"
        );
        let config = &recipe.config;
        let border = Border::new(&cell_map, own, config.border_width_m());
        let view = View::new(config, &recipe.registry)?;
        let mut resources = Resources::new();
        for make in &recipe.resources {
            make(&mut resources);
        }
        Ok(Self {
            own,
            border,
            world: World::new(),
            ghosts: GhostSet::new(&recipe.registry),
            view,
            resources,
            viewers: BTreeMap::new(),
            watchers: BTreeMap::new(),
            joins: Vec::new(),
            waiting: Vec::new(),
            undelivered: Undelivered::default(),
            sought: Sought::default(),
            said: Vec::new(),
            births: Vec::new(),
            strays: GhostSet::new(&recipe.registry),
            spare: BTreeMap::new(),
            abroad: release::Abroad::default(),
            crossings: Vec::new(),
            account: Account::default(),
            held: Tally::default(),
            next_entity: EntityId(1),
            audit: Audit::default(),
            stats: ShardStats::default(),
            published: Published::default(),
            roster: Roster::default(),
            sights: observe::Sights::default(),
            news: publish::News::default(),
            calls: Calls::default(),
            running: Cell::new(None),
            quarantine: Quarantine::default(),
            witness: None,
            tick: Tick(0),
            half: Half::Advance,
            recipe,
            cell_map,
        })
    }

    /// First half: compute, up to what the neighbours must know. One envelope per other shard, ascending.
    ///
    /// # Panics
    /// When the halves are called out of order, or a system panics: the shard must then be discarded.
    pub fn advance(&mut self, tick: Tick) -> Vec<Envelope> {
        assert_eq!(
            self.half,
            Half::Advance,
            "shard {}: advance before absorb of {}",
            self.own,
            self.tick
        );
        assert_eq!(
            tick,
            self.tick.next(),
            "shard {}: ticks have no gaps",
            self.own
        );
        self.calls.keep(|| Call::Advance(tick));
        self.published.clear();
        self.account = Account {
            held: self.held,
            removed: Tally::default(),
        };
        self.begin(Phase::Apply);
        apply::apply(self, tick);
        self.begin(Phase::Simulate);
        simulate::simulate(self, tick);
        self.begin(Phase::Release);
        let envelopes = release::release(self, tick);
        self.end();
        self.tick = tick;
        self.half = Half::Absorb;
        envelopes
    }

    /// Second half: take in what the neighbours said, then tell the sessions. `inbox` holds one envelope of
    /// this tick from every other shard, in any order; it is sorted here and left empty of content.
    ///
    /// # Panics
    /// When an envelope is missing, doubled, of another tick or for another shard.
    pub fn absorb(&mut self, tick: Tick, inbox: &mut [Envelope]) -> &mut Published {
        assert_eq!(
            self.half,
            Half::Absorb,
            "shard {}: absorb before advance",
            self.own
        );
        assert_eq!(
            tick, self.tick,
            "shard {}: absorbs another tick than it advanced to",
            self.own
        );
        self.half = Half::Advance;
        self.calls.keep_absorb(tick, inbox);
        self.begin(Phase::Receive);
        receive::receive(self, tick, inbox);
        self.begin(Phase::Index);
        index::index(self);
        self.begin(Phase::Observe);
        observe::observe(self);
        self.begin(Phase::Publish);
        publish::publish(self, tick);
        self.end();
        self.invariants();
        &mut self.published
    }

    /// From now on what is said to it is kept until [`Shard::take_calls`]; `Keep::All` with the envelopes too.
    pub fn keep_calls(&mut self, keep: Keep) {
        self.calls.set(keep);
    }

    /// What was said to it since this was last asked, in order.
    pub fn take_calls(&mut self) -> Vec<Call> {
        self.calls.take()
    }

    /// A copy of all that later ticks depend on, for a checkpoint.
    ///
    /// # Panics
    /// Within a tick: then a part of the world may be in an envelope.
    #[must_use]
    pub fn freeze(&self) -> Frozen {
        assert_eq!(
            self.half,
            Half::Advance,
            "shard {}: frozen within tick {}",
            self.own,
            self.tick
        );
        Frozen::of(self, self.encode_rest())
    }

    /// Takes from another shard the application's own values that no recipe makes: systems may need them, and they are
    /// not in a checkpoint.
    pub fn borrow_resources(&mut self, from: &mut Shard) {
        self.resources.take_missing(&mut from.resources);
    }

    /// Puts the application's own values of another shard in place of these, with those that were borrowed from it.
    pub fn adopt_resources(&mut self, from: &mut Shard) {
        std::mem::swap(&mut self.resources, &mut from.resources);
        self.resources.take_missing(&mut from.resources);
    }

    /// Calls `witness` when a phase begins, and with none when a half ends: drivers time phases with it.
    pub fn watch_phases(&mut self, witness: impl FnMut(Option<Phase>) + 'static) {
        self.witness = Some(Box::new(witness));
    }

    fn begin(&mut self, phase: Phase) {
        if let Some(witness) = &mut self.witness {
            witness(Some(phase));
        }
    }

    fn end(&mut self) {
        if let Some(witness) = &mut self.witness {
            witness(None);
        }
    }

    /// Takes a command for a session whose viewpoint is here, is coming, or was here.
    pub fn command(&mut self, command: Command) {
        self.calls.keep(|| Call::Command(command.clone()));
        let pending_max = self.recipe.config.limits.commands_pending_max;
        if let Some(viewer) = self.viewers.get_mut(&command.session) {
            viewer.inputs.push(command, pending_max);
            return;
        }
        // Its home says so only when the session has no viewpoint.
        if matches!(command.body, CommandBody::Join(_)) {
            self.joins.push(command);
            return;
        }
        let sessions_max = self.recipe.config.limits.undelivered_sessions_max;
        let letters = self.undelivered.letters(command.session, sessions_max);
        if letters.commands.len() < pending_max {
            letters.commands.push(command);
        }
    }

    /// Takes a session's word that it has a delta.
    pub fn acknowledge(&mut self, acknowledgement: Acknowledgement) {
        self.calls.keep(|| Call::Acknowledge(acknowledgement));
        let Acknowledgement {
            session,
            delta_sequence,
        } = acknowledgement;
        if let Some(viewer) = self.viewers.get_mut(&session) {
            viewer.credits.restore(delta_sequence, self.tick);
            return;
        }
        let sessions_max = self.recipe.config.limits.undelivered_sessions_max;
        let letters = self.undelivered.letters(session, sessions_max);
        letters.acknowledge(delta_sequence);
    }

    /// Takes a message for an area; it leaves with the next tick. False when too many wait already.
    pub fn say(&mut self, message: AreaMessage) -> bool {
        self.calls.keep(|| Call::Say(message.clone()));
        let room = self.said.len() < self.recipe.config.limits.area_messages_max;
        if room {
            self.said.push(message);
        }
        room
    }

    /// What must hold between ticks; cheap enough to stay on.
    fn invariants(&self) {
        assert_eq!(
            self.world.len() as u64,
            self.held.count,
            "shard {}: the books disagree with the world",
            self.own
        );
        assert!(
            self.births.is_empty(),
            "shard {}: a birth was not numbered",
            self.own
        );
        assert_eq!(
            self.view.len(),
            self.world.len() + self.ghosts.len(),
            "shard {}: the view is not complete",
            self.own
        );
    }

    /// Whole-world picture of this shard's part, for subscribers of the overview: an archive, no header.
    #[must_use]
    pub fn overview(&self, ghosts: bool) -> Bytes {
        publish::overview(self, ghosts)
    }

    /// Order-free hash of the entities owned here: shards' digests add up to the world's.
    #[must_use]
    pub fn digest(&self) -> u128 {
        world_digest(&self.world, &self.recipe.registry)
    }

    /// This shard's number.
    #[must_use]
    pub fn own(&self) -> ShardId {
        self.own
    }

    /// The last tick that was advanced to.
    #[must_use]
    pub fn tick(&self) -> Tick {
        self.tick
    }

    /// The recipe it was built from.
    #[must_use]
    pub fn recipe(&self) -> &Arc<Recipe> {
        &self.recipe
    }

    /// Who owns which cell.
    #[must_use]
    pub fn cell_map(&self) -> &Arc<CellMap> {
        &self.cell_map
    }

    /// The entities owned here.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Own entities and ghosts, as of the last absorb.
    #[must_use]
    pub fn view(&self) -> &View {
        &self.view
    }

    /// Per-shard values of the application.
    pub fn resources_mut(&mut self) -> &mut Resources {
        &mut self.resources
    }

    /// Ids of the entities owned here, ascending.
    #[must_use]
    pub fn entities(&self) -> Vec<EntityId> {
        self.world.ids()
    }

    /// Where an entity owned here is.
    #[must_use]
    pub fn position(&self, entity: EntityId) -> Option<Point> {
        self.world.position(entity)
    }

    /// The running check that no entity is lost or doubled.
    #[must_use]
    pub fn audit(&self) -> &Audit {
        &self.audit
    }

    /// Counters since the start, and gauges of now.
    #[must_use]
    pub fn stats(&self) -> ShardStats {
        let mut stats = self.stats.clone();
        stats.entities = self.world.len() as u64;
        stats.ghosts = self.ghosts.len() as u64;
        stats.viewers = self.viewers.len() as u64;
        stats.credits_out = self
            .viewers
            .values()
            .map(|viewer| viewer.credits.in_flight() as u64)
            .sum();
        stats.commands_pending = self
            .viewers
            .values()
            .map(|viewer| viewer.inputs.pending() as u64)
            .sum();
        stats.undelivered_sessions = self.undelivered.len() as u64;
        stats.undelivered_forgotten = self.undelivered.forgotten;
        stats
    }

    /// What a checker may know of a session whose viewpoint is here.
    #[must_use]
    pub fn viewer(&self, session: SessionId) -> Option<ViewerStats> {
        let viewer = self.viewers.get(&session)?;
        Some(ViewerStats {
            at: self.viewpoint_at(viewer),
            avatar: match viewer.viewpoint {
                Viewpoint::Avatar(entity) => Some(entity),
                Viewpoint::Birth(..) | Viewpoint::Camera(_) => None,
            },
            interest: viewer.interest,
            visible: viewer.visible.len(),
            starved_ticks: viewer.credits.starved_ticks,
            in_flight: viewer.credits.in_flight(),
            delta_sequence: viewer.credits.sequence(),
            built: viewer.built,
            commands_done: viewer.inputs.done(),
            commands_pending: viewer.inputs.pending(),
            commands_skipped: viewer.inputs.skipped,
            client_sequence: viewer.inputs.client_sequence,
            generation: viewer.generation,
        })
    }

    /// Sessions whose viewpoint is here, ascending.
    pub fn sessions(&self) -> impl Iterator<Item = SessionId> {
        self.viewers.keys().copied()
    }

    /// Takes an entity out of the world. Sessions that looked through it look on from where it was.
    pub(crate) fn remove_entity(&mut self, entity: EntityId, leaving: Option<SessionId>) {
        let Some(at) = self.world.position(entity) else {
            return;
        };
        for session in self.watchers.remove(&entity).unwrap_or_default() {
            let viewer = self
                .viewers
                .get_mut(&session)
                .expect("a watcher's viewer lives beside its avatar");
            viewer.viewpoint = Viewpoint::Camera(at);
            if leaving != Some(session) {
                self.published
                    .notices
                    .push((session, Notice::AvatarLost(entity)));
            }
        }
        self.world.remove(entity);
        self.held = self.held - Tally::of(entity);
        self.account.removed = self.account.removed + Tally::of(entity);
        self.stats.removals += 1;
    }

    /// Whether a shard sees a point as part of its border or its own ground.
    pub(crate) fn within_border(&self, shard: ShardId, at: Point) -> bool {
        self.cell_map.distance_squared(shard, at) <= self.border_squared()
    }

    pub(crate) fn border_squared(&self) -> f32 {
        let width_m = self.recipe.config.border_width_m();
        width_m * width_m
    }

    pub(crate) fn viewpoint_at(&self, viewer: &Viewer) -> Point {
        match viewer.viewpoint {
            Viewpoint::Avatar(entity) => self
                .world
                .position(entity)
                .expect("a viewpoint lives where its avatar lives"),
            Viewpoint::Birth(_, at) | Viewpoint::Camera(at) => at,
        }
    }
}
