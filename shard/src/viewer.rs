//! One session's eyes in the world: viewpoint, visible set, credits and waiting commands.
//!
//! Belongs to the shard that owns the viewpoint and travels with it. Never knows a connection.
//! Invariant: the client's visible set is `visible` as of `built`, because what is built is delivered in order.

mod codec;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use worldshard_protocol::{EntityId, SessionId, Tick};
use worldshard_spatial::Point;

use crate::command::{Command, CommandBody, Interest, Join};
use crate::config::Limits;
use crate::letter::SpawnKey;
use crate::slots::Visible;

/// A session's viewpoint and what it has been told.
#[derive(Clone, Debug)]
pub(crate) struct Viewer {
    pub(crate) session: SessionId,
    pub(crate) viewpoint: Viewpoint,
    pub(crate) interest: Interest,
    pub(crate) full: bool,
    /// The visible set as of the last delta that was built.
    pub(crate) visible: Visible,
    /// Up to which tick the client's state is complete; none before the first delta.
    pub(crate) built: Option<Tick>,
    /// Tick of the last delta that was sent.
    pub(crate) sent: Option<Tick>,
    pub(crate) credits: Credits,
    pub(crate) inputs: Inputs,
    /// Of its session, as of the join or the last refresh.
    pub(crate) generation: u32,
}

/// Where a session looks from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Viewpoint {
    Avatar(EntityId),
    /// An avatar that is not numbered yet; at this point.
    Birth(SpawnKey, Point),
    Camera(Point),
}

impl Viewer {
    pub(crate) fn new(
        session: SessionId,
        join: &Join,
        viewpoint: Viewpoint,
        limits: &Limits,
    ) -> Self {
        Self {
            session,
            viewpoint,
            interest: join.interest,
            full: join.full,
            visible: Visible::default(),
            built: None,
            sent: None,
            credits: Credits::new(limits.credits_max),
            inputs: Inputs::default(),
            generation: join.generation,
        }
    }

    /// Forgets what the client was told and what is on its way to it: the next delta is whole, and the first.
    pub(crate) fn refresh(&mut self, generation: u32) {
        self.visible = Visible::default();
        self.built = None;
        self.sent = None;
        self.credits.restart();
        self.generation = generation;
    }

    /// Takes what was said for it elsewhere, or before it was here.
    pub(crate) fn take_letters(&mut self, letters: &Letters, pending_max: usize, now: Tick) {
        for &delta_sequence in &letters.acknowledged {
            self.credits.restore(delta_sequence, now);
        }
        for command in &letters.commands {
            self.inputs.push(command.clone(), pending_max);
        }
    }

    /// Whose eyes it has, with its session.
    pub(crate) fn avatar(&self) -> Option<(SessionId, EntityId)> {
        match self.viewpoint {
            Viewpoint::Avatar(entity) => Some((self.session, entity)),
            Viewpoint::Birth(..) | Viewpoint::Camera(_) => None,
        }
    }
}

/// How many more deltas may be built for a session. No credit, no delta: the newest state waits instead.
#[derive(Clone, Debug)]
pub(crate) struct Credits {
    /// Number of the last delta built; the first is 1.
    sequence: u32,
    /// Deltas on their way, with the ticks in which they were built.
    in_flight: VecDeque<(u32, Tick)>,
    /// How many may be on their way.
    window: u32,
    window_max: u32,
    /// Ticks in which nothing was built for want of a credit.
    pub(crate) starved_ticks: u64,
}

impl Credits {
    fn new(window_max: u32) -> Self {
        Self {
            sequence: 0,
            in_flight: VecDeque::new(),
            window: WINDOW_MIN,
            window_max,
            starved_ticks: 0,
        }
    }

    /// Nothing is on its way any more, and numbers start again.
    fn restart(&mut self) {
        self.sequence = 0;
        self.in_flight.clear();
        self.window = WINDOW_MIN;
    }

    pub(crate) fn available(&self) -> bool {
        (self.in_flight.len() as u32) < self.window
    }

    /// Takes a credit for the delta of `tick` and numbers it.
    pub(crate) fn spend(&mut self, tick: Tick) -> u32 {
        assert!(self.available(), "a delta was built without a credit");
        self.sequence = self.sequence.wrapping_add(1);
        self.in_flight.push_back((self.sequence, tick));
        self.sequence
    }

    /// The client has every delta up to `sequence`. A number that was never sent counts for nothing.
    pub(crate) fn restore(&mut self, sequence: u32, now: Tick) {
        let Some(at) = self
            .in_flight
            .iter()
            .position(|&(sent, _)| sent == sequence)
        else {
            return;
        };
        let (_, built) = self.in_flight[at];
        let round_trip_ticks = u32::try_from(now.since(built)).unwrap_or(u32::MAX);
        self.window = WINDOW_MIN
            .saturating_add(round_trip_ticks)
            .min(self.window_max);
        self.in_flight.drain(..=at);
    }

    /// Number of the last delta built; 0 before the first.
    pub(crate) fn sequence(&self) -> u32 {
        self.sequence
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }
}

/// Commands of one session on their way into the world, in the order the home gave them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inputs {
    /// The last sequence that was applied or given up.
    done: u32,
    /// Ascending by sequence, each once. Keeps its memory: most hold one command, and that not for long.
    pending: VecDeque<Command>,
    /// The client's own number of the last command applied.
    pub(crate) client_sequence: u32,
    /// The number that the client was last told of.
    pub(crate) client_sequence_told: u32,
    /// Commands that never arrived and were given up.
    pub(crate) skipped: u64,
}

impl Inputs {
    /// The join that made this viewpoint had this sequence; what follows it is due.
    pub(crate) fn begin(&mut self, join_sequence: u32) {
        self.done = self.done.max(join_sequence);
    }

    /// Keeps a command until its turn. One that had its turn is a repetition and is dropped.
    pub(crate) fn push(&mut self, command: Command, pending_max: usize) {
        if command.sequence <= self.done {
            return;
        }
        let sequence = command.sequence;
        let place = self.pending.partition_point(|one| one.sequence < sequence);
        match self.pending.get_mut(place) {
            Some(same) if same.sequence == sequence => *same = command,
            _ => self.pending.insert(place, command),
        }
        if self.pending.len() > pending_max
            && let Some(first) = self.pending.front()
        {
            self.skipped += u64::from(first.sequence - self.done - 1);
            self.done = first.sequence - 1;
        }
    }

    /// The next command whose turn it is; none while one before it is missing.
    pub(crate) fn next(&mut self) -> Option<Command> {
        let first = self.pending.front()?;
        if first.sequence != self.done + 1 {
            return None;
        }
        self.done += 1;
        self.pending.pop_front()
    }

    /// Nothing follows but the end of the viewpoint.
    pub(crate) fn end(&mut self, session: SessionId) {
        self.pending.clear();
        let leave = Command {
            session,
            sequence: self.done + 1,
            client_sequence: 0,
            body: CommandBody::Leave,
        };
        self.pending.push_back(leave);
    }

    /// Gives up what waits for its turn: nobody remembers what was said before it.
    pub(crate) fn forget(&mut self) {
        self.pending.clear();
    }

    /// The last sequence that was applied or given up.
    pub(crate) fn done(&self) -> u32 {
        self.done
    }

    pub(crate) fn pending(&self) -> usize {
        self.pending.len()
    }
}

/// Letters for viewpoints that are not here: they leave with the next tick's envelopes, for whoever has the viewpoint
/// then. Bounded: the oldest session is forgotten first.
#[derive(Debug, Default)]
pub(crate) struct Undelivered {
    waiting: BTreeMap<SessionId, Letters>,
    arrivals: VecDeque<SessionId>,
    pub(crate) forgotten: u64,
}

/// Letters on their way to whoever has their viewpoints, ascending by session; one list for all envelopes of a tick.
pub(crate) type Sought = Arc<[(SessionId, Letters)]>;

/// What was said for one viewpoint.
#[derive(Debug, Default)]
pub(crate) struct Letters {
    pub(crate) commands: Vec<Command>,
    /// In the order in which they came, which need not be that in which they were said.
    acknowledged: VecDeque<u32>,
}

impl Letters {
    /// Keeps an acknowledgement. All of them, because none can be told to be the newest: a session that joins again
    /// counts from one again. Beyond [`UNDELIVERED_ACKNOWLEDGEMENTS_MAX`] the first is dropped.
    pub(crate) fn acknowledge(&mut self, delta_sequence: u32) {
        if self.acknowledged.len() == UNDELIVERED_ACKNOWLEDGEMENTS_MAX {
            self.acknowledged.pop_front();
        }
        self.acknowledged.push_back(delta_sequence);
    }
}

impl Undelivered {
    pub(crate) fn letters(&mut self, session: SessionId, sessions_max: usize) -> &mut Letters {
        if !self.waiting.contains_key(&session) {
            self.arrivals.push_back(session);
            if self.arrivals.len() > sessions_max
                && let Some(oldest) = self.arrivals.pop_front()
                && self.waiting.remove(&oldest).is_some()
            {
                self.forgotten += 1;
            }
        }
        self.waiting.entry(session).or_default()
    }

    pub(crate) fn take(&mut self, session: SessionId) -> Option<Letters> {
        let letters = self.waiting.remove(&session)?;
        self.arrivals.retain(|&arrived| arrived != session);
        Some(letters)
    }

    /// All that waits, ascending by session.
    pub(crate) fn take_all(&mut self) -> Sought {
        self.arrivals.clear();
        if self.waiting.is_empty() {
            return Sought::default();
        }
        std::mem::take(&mut self.waiting).into_iter().collect()
    }

    /// Forgets all that waits.
    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
        self.arrivals.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }
}

/// Acknowledgements of one session that wait for its viewpoint; more than are said before a window is used up.
const UNDELIVERED_ACKNOWLEDGEMENTS_MAX: usize = 32;

/// Two deltas may always be on their way: one being written, one being read.
const WINDOW_MIN: u32 = 2;
