//! One shard's sessions, services and letters around its world. Sans-IO: what drivers drive.
//!
//! No clock, no socket, no channel, no thread: calls come in, [`Output`] goes out. A driver calls, in any order,
//! [`open`](Hub::open), [`message`](Hub::message), [`written`](Hub::written), [`closed`](Hub::closed) and
//! [`letter`](Hub::letter) as things happen, [`handle`](Hub::handle) after each batch of them and after each half of a
//! tick, and [`advance`](Hub::advance) and [`absorb`](Hub::absorb) in turn; after each call it takes the output.

mod application;
mod binary_commands;
mod blame;
mod blocks;
mod closes;
mod commons;
mod convoy;
mod delivery;
mod desk;
mod detached;
mod draining;
mod egress;
mod fanout;
mod greeting;
mod held;
mod ingress;
mod inspection;
mod life;
mod overview;
mod person;
mod policed;
mod requests;
mod rooms;
mod routing;
mod said;
mod screening;
mod session;
mod status;
mod text_commands;
mod token;
mod traffic;
mod unsent;
mod user_code;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use worldshard_protocol::{SessionId, Tick};
use worldshard_shard::{Call, Envelope, Frozen, Keep, Phase, RestoreError, Shard};
use worldshard_spatial::ShardId;
use worldshard_transport::{MessageKind, close_code};

pub(crate) use blocks::STATE_BYTES_MAX;
pub(crate) use closes::CloseKind;
pub use commons::Commons;
pub(crate) use commons::PROCESSES_MAX;
pub use detached::Returning;
pub use egress::FRAME_OVERHEAD_BYTES;
pub use fanout::Post;
pub use ingress::CUSTOM_PAYLOAD_BYTES_MAX;
pub(crate) use inspection::{SessionFilter, SessionInfo};
pub use person::{NotOpened, Visitor};
pub(crate) use person::{TENANT_FULL, banned_text, unproven};
#[doc(hidden)]
pub use policed::DebugMeter;
pub(crate) use policed::{Heard, Judged};
pub use status::{SLOWEST_MAX, ShardStatus, SlowSession};
pub use traffic::LaneTraffic;

pub(crate) use desk::Desk;
pub use rooms::{
    ListedRoom, Membership, MembershipChange, NotSent, ROOM_OUTSIDE_BYTES_MAX, RoomMail, RoomSender,
};
pub(crate) use rooms::{RoomState, Wish, Word};

use crate::app::{AppRecipe, Framing};
use crate::error::{Error, Result};
use crate::identity::Identity;
use crate::letter::Letter;
use crate::message::{CloseReason, Event, Payload, Text};
use crate::policy::{TenantIndex, Verdict};
use blame::Blame;
use held::Held;
use overview::OverviewDesk;
use policed::Judge;
use rooms::RoomDesk;
use said::Said;

/// One shard's sessions, services and letters around its world.
pub struct Hub {
    recipe: Arc<AppRecipe>,
    shard: Shard,
    desk: Desk,
    overview: OverviewDesk,
    held: Held,
    rooms: RoomDesk,
    events: Vec<Event>,
    /// With the tenant of each, which may have left when it is run.
    said: Vec<(SessionId, TenantIndex, Said)>,
    /// The tenant that user code is run for, where it is run for one session.
    runs_for: TenantIndex,
    /// A tick has passed since the systems ran.
    ticked: bool,
    blame: Blame,
}

/// A connection whose upgrade was answered.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The path it asked for.
    pub path: String,
    /// What it speaks: `AppRecipe::framing` of the path.
    pub framing: Framing,
}

/// What a hub wants done. The driver takes everything out after each call: frames first, then closes, then letters.
#[derive(Debug, Default)]
pub struct Output {
    /// Complete frames for sessions of this home, in order per session. An entry may hold several messages.
    pub frames: Vec<(SessionId, Bytes, FrameClass)>,
    /// Connections to be closed, with code and reason, behind the frames they were given. No frame follows.
    pub closes: Vec<(SessionId, u16, Cow<'static, str>)>,
    /// Letters to other hubs, in order per receiver.
    pub letters: Vec<(ShardId, Letter)>,
}

/// What a frame carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameClass {
    /// A delta or overview, bounded by credits: when it waits, newer ones are not made.
    State,
    /// A message that must arrive, bounded by `messages_queue_bytes_max`.
    Reliable,
    /// Messages to many, as reliable: they may wait to share a write, unless something else follows them.
    Fanout,
    /// The beginning of a state, whose entry follows at once: only with that is it a whole frame.
    Part,
}

impl Output {
    /// Takes all frames out, each in one piece.
    pub fn take_frames(&mut self) -> impl Iterator<Item = (SessionId, Bytes, FrameClass)> {
        let mut parts = Vec::new();
        self.frames
            .drain(..)
            .filter_map(move |(session, frame, class)| {
                if class == FrameClass::Part {
                    parts.extend_from_slice(&frame);
                    return None;
                }
                if parts.is_empty() {
                    return Some((session, frame, class));
                }
                parts.extend_from_slice(&frame);
                Some((session, std::mem::take(&mut parts).into(), class))
            })
    }
}

impl Hub {
    /// The hub of one shard, at tick 0, after its `Startup` systems.
    ///
    /// # Errors
    /// When the world cannot be built or a `Startup` system panics.
    ///
    /// # Panics
    /// When `own` is no shard of `commons`.
    pub fn new(own: ShardId, recipe: Arc<AppRecipe>, commons: Commons) -> Result<Self> {
        let shard = Shard::new(own, recipe.world.clone(), commons.cell_map.clone())?;
        Self::around(shard, recipe, commons)
    }

    /// The hub of a shard that comes from a checkpoint, after its `Startup` systems.
    ///
    /// # Errors
    /// When a `Startup` system panics.
    ///
    /// # Panics
    /// When the shard is none of `commons`.
    pub fn around(shard: Shard, recipe: Arc<AppRecipe>, commons: Commons) -> Result<Self> {
        let (own, tick) = (shard.own(), shard.tick());
        let mut hub = Self {
            overview: OverviewDesk::new(commons.shard_count(), recipe.world.config.tick_interval),
            desk: Desk::new(own, &recipe, commons),
            held: Held::default(),
            rooms: RoomDesk::default(),
            recipe,
            shard,
            events: Vec::new(),
            said: Vec::new(),
            runs_for: 0,
            ticked: false,
            blame: Blame::default(),
        };
        hub.desk.tick = tick;
        hub.desk.may_tell_of(tick);
        hub.run_systems(|recipe| &recipe.startup, &[]);
        if let Some((system, _)) = hub.blame.faults().first_key_value() {
            return Err(Error::Startup { system });
        }
        hub.desk.flush_posts();
        Ok(hub)
    }

    /// Takes in a connection whose upgrade was answered, and of which nothing more is known. On lanes, the greeting is its
    /// first frame.
    ///
    /// # Panics
    /// When the first tenant has as many sessions as allowed.
    pub fn open(&mut self, opening: Opening) -> SessionId {
        let opened = self.open_as(opening, Identity::default(), None);
        opened.expect("nobody's sessions have no limit where no tenants are named")
    }

    /// Takes a whole message of a session. Nothing in it can panic; a text that is not UTF-8 closes with 1007.
    pub fn message(&mut self, session: SessionId, kind: MessageKind, bytes: &[u8]) {
        self.judged_message(session, kind, bytes, &mut || Verdict::Pass);
    }

    /// Takes a message on a raw path.
    fn raw(
        &mut self,
        session: SessionId,
        kind: MessageKind,
        bytes: &[u8],
        judge: Judge<'_>,
    ) -> Judged {
        match self.desk.obey(session, judge(), None, None) {
            Heard::Now => self.take_raw(session, kind, bytes),
            Heard::Never => {}
            Heard::At(moment) => return Judged::Later(moment),
        }
        Judged::Done
    }

    fn take_raw(&mut self, session: SessionId, kind: MessageKind, bytes: &[u8]) {
        let bytes = self.desk.blocks.copy(bytes);
        let payload = match kind {
            MessageKind::Binary => Payload::Binary(bytes),
            MessageKind::Text => match Text::from_utf8(bytes) {
                Some(text) => Payload::Text(text),
                None => {
                    let reason = Cow::Borrowed("text is not UTF-8");
                    return self.desk.close(session, close_code::INVALID_TEXT, reason);
                }
            },
        };
        if self.is_screened_out(session, |_| payload.clone()) {
            return;
        }
        if let Payload::Text(text) = &payload
            && self.is_line(session, text)
        {
            return self.keep_said(session, Said::Line(text.clone()));
        }
        if let Payload::Binary(bytes) = &payload
            && self.is_binary_command(session, bytes)
        {
            return self.keep_said(session, Said::Binary(bytes.clone()));
        }
        self.hear(session, None, payload, None);
    }

    /// The kernel took so many of the session's entries in [`Output::frames`], in order and each to its last byte.
    pub fn written(&mut self, session: SessionId, frames: u32) {
        let written = self.desk.written(session, frames);
        if let Some(acknowledgement) = written.acknowledgement {
            self.send_acknowledgement(acknowledgement);
        }
        for source in written.overviews {
            self.show_newest_overview(session, source);
        }
    }

    /// The connection is gone. A second report of the same session counts for nothing.
    pub fn closed(&mut self, session: SessionId, reason: CloseReason) {
        if self.desk.detach(session, &reason) {
            return self.unsubscribe(session);
        }
        if let Some(reason) = self.desk.closed(session, reason) {
            self.events.push(Event::Closed(session, reason));
            self.hear_end(session);
            self.unsubscribe(session);
            self.leave_world(session);
        }
    }

    /// Takes a letter of another hub. One sender's letters must come in the order in which it sent them.
    pub fn letter(&mut self, from: ShardId, letter: Letter) {
        match letter {
            Letter::Command(command) => self.shard.command(command),
            Letter::Acknowledgement(acknowledgement) => self.shard.acknowledge(acknowledgement),
            Letter::Delivery(mut delivery) => self.deliver_when_durable(from, &mut delivery),
            Letter::Posts { tick, posts } => {
                self.desk.may_tell_of(tick);
                self.desk.take_posts(from, &posts);
            }
            Letter::Unsent(list) => self.desk.unsent.take(&list),
            Letter::Close {
                session,
                code,
                reason,
            } => {
                self.desk.close(session, code, reason);
                self.end_detached();
            }
            Letter::Displaced(session) => self.displaced(session),
            Letter::Subscribers(counts) => self.overview.count(from, counts),
            Letter::Overview {
                tick,
                ghosts,
                frame,
            } => self.show_overview_when_durable(from, tick, ghosts, frame),
            Letter::Room { tick, mail } => self.take_room_mail(from, tick, mail),
            Letter::Driver(_) => tracing::error!(%from, "a driver's letter reached the hub"),
        }
    }

    /// Calls `ring` whenever a request of a session of this home is answered or something is brought into a room, on the
    /// thread that does it. Said once.
    pub fn on_answer(&mut self, ring: impl Fn() + Send + Sync + 'static) {
        let ring = Arc::new(ring);
        let of_rooms = Arc::clone(&ring);
        self.desk.requests.on_answer(move || ring());
        self.desk.outside.on_put(move || of_rooms());
    }

    /// Whether something waits for [`handle`](Self::handle) that no call of the driver brought: an answer to a request,
    /// requests that a system left when it panicked, what systems and rooms of this shard have for each other.
    #[must_use]
    pub fn is_called(&self) -> bool {
        let requests = &self.desk.requests;
        requests.are_answered()
            || requests.are_heard()
            || self.desk.memberships.wait()
            || self.desk.outside.waits()
    }

    /// Whether systems have something to see before the next tick.
    #[must_use]
    pub fn is_told(&self) -> bool {
        let said = !self.events.is_empty() || !self.said.is_empty();
        said || self.desk.has_news() || self.desk.memberships.wait() || self.rooms.is_told()
    }

    /// Runs what clients said to rooms and commands, the rooms, and the `Update` and `Last` systems over what was read, if
    /// anything was or a tick has passed; says what they and other threads answered.
    ///
    /// A system that panics is blamed by name in the log and in [`faults`](Self::faults); the others run on.
    pub fn handle(&mut self) {
        self.desk.take_answers();
        if self.ticked {
            self.end_detached();
            self.desk.expire_requests();
        }
        if !self.ticked && !self.is_told() && !self.desk.outside.waits() {
            // What is said again, systems have had before.
            return self.desk.say_acks();
        }
        let ticked = std::mem::take(&mut self.ticked);
        let mut events = std::mem::take(&mut self.events);
        self.desk.begin_turn();
        self.run_said(&mut events);
        self.run_rooms(ticked);
        self.desk.memberships.show();
        self.run_systems(|recipe| &recipe.update, &events);
        self.run_systems(|recipe| &recipe.last, &events);
        self.desk.end_turn();
        self.desk.memberships.hide();
        events.clear();
        // What systems caused, such as closings, waits for the next turn.
        events.append(&mut self.events);
        self.events = events;
        self.desk.flush_posts();
        self.say();
        self.end_detached();
    }

    /// First half of a tick: one envelope per other shard, ascending.
    ///
    /// # Panics
    /// When a `FixedUpdate` system panics, or the halves are called out of order.
    pub fn advance(&mut self, tick: Tick) -> Vec<Envelope> {
        self.say();
        let envelopes = self.shard.advance(tick);
        self.desk.tick = tick;
        self.desk.may_tell_of(tick);
        envelopes
    }

    /// Second half of a tick. `inbox` holds one envelope of this tick from every other shard, in any order.
    ///
    /// # Panics
    /// When an envelope is missing, doubled, of another tick or for another shard.
    pub fn absorb(&mut self, tick: Tick, inbox: &mut [Envelope]) {
        let published = self.shard.absorb(tick, inbox);
        let desk = &mut self.desk;
        delivery::by_home(published, tick, &mut desk.deliveries, &mut desk.states);
        self.send_deliveries();
        self.lay_out_overview(tick);
        self.ticked = true;
    }

    /// From now on sessions are told of a tick only when [`durable`](Self::durable) has said that it can be had again.
    pub fn hold(&mut self) {
        self.held.from(self.desk.tick);
    }

    /// All up to this tick can be had again: sessions may be told of it.
    pub fn durable(&mut self, tick: Tick) {
        self.release_held(tick);
    }

    /// As `Shard::keep_calls`.
    pub fn keep_calls(&mut self, keep: Keep) {
        self.shard.keep_calls(keep);
    }

    /// As `Shard::take_calls`.
    pub fn take_calls(&mut self) -> Vec<Call> {
        self.shard.take_calls()
    }

    /// As `Shard::settle_sessions`.
    pub fn settle_sessions(&mut self) {
        self.shard.settle_sessions();
    }

    /// As `Shard::dismiss`.
    pub fn dismiss(&mut self) {
        self.shard.dismiss();
    }

    /// As `Shard::freeze`.
    ///
    /// # Panics
    /// Within a tick.
    #[must_use]
    pub fn freeze(&self) -> Frozen {
        self.shard.freeze()
    }

    /// The system that ran when the shard panicked: its number and its name.
    #[must_use]
    pub fn blamed(&self) -> Option<(u16, &'static str)> {
        self.shard.blamed()
    }

    /// As `Shard::quarantine`.
    pub fn quarantine(&mut self, system: u16) {
        self.shard.quarantine(system);
    }

    /// As `Shard::run_all_systems`.
    pub fn run_all_systems(&mut self) {
        self.shard.run_all_systems();
    }

    /// Puts a shard in place of one that panicked: as it was in `archive`, with all said again that was said since. What
    /// it had for sessions and neighbours was sent the first time. Sessions, services and their resources stay.
    ///
    /// # Errors
    /// When the archive is not one of this shard.
    ///
    /// # Panics
    /// When the shard panics again.
    pub fn rebuild(
        &mut self,
        archive: &[u8],
        calls: impl IntoIterator<Item = Call>,
        keep: Keep,
    ) -> Result<(), RestoreError> {
        let (own, world) = (self.desk.own, self.recipe.world.clone());
        let cell_map = self.desk.commons.cell_map.clone();
        let mut shard = Shard::restore(own, world, cell_map, archive)?;
        shard.borrow_resources(&mut self.shard);
        calls.into_iter().for_each(|call| shard.say_again(call));
        shard.keep_calls(keep);
        shard.adopt_resources(&mut self.shard);
        self.shard = shard;
        Ok(())
    }

    /// As `Shard::watch_phases`: drivers time phases with it.
    pub fn watch_phases(&mut self, witness: impl FnMut(Option<Phase>) + 'static) {
        self.shard.watch_phases(witness);
    }

    /// Runs the `Shutdown` systems and the plugins' clean-up, then closes every session with 1001.
    pub fn shutdown(&mut self) {
        self.run_systems(|recipe| &recipe.shutdown, &[]);
        for (name, plugin) in self.recipe.clone().plugins.iter().rev() {
            self.guarded(name, &[], |cx| plugin.cleanup(cx));
        }
        self.desk.take_answers();
        self.desk.flush_posts();
        self.desk.close_all(close_code::AWAY, "the server stops");
        self.end_detached();
    }

    /// From now on messages to many wait for [`release`](Self::release), unless something else to their session follows.
    pub fn coalesce(&mut self) {
        self.desk.convoy.waits = true;
    }

    /// Whether messages to many wait for [`release`](Self::release).
    #[must_use]
    pub fn waits(&self) -> bool {
        self.desk.convoy_waits()
    }

    /// Gives every session the messages that wait for it.
    pub fn release(&mut self) {
        self.desk.release_convoy();
    }

    /// The newest tick that the output may tell of: what systems say, they may have from it.
    #[must_use]
    pub fn tells_of(&self) -> Tick {
        self.desk.tells_of
    }

    /// Whether the path of a session of this home asks that nothing is said to it before the commit of what it tells of.
    #[must_use]
    pub fn waits_for_commits(&self, session: SessionId) -> bool {
        let path = self.desk.path(session);
        path.is_some_and(|path| self.recipe.waits_for_commits(path))
    }

    /// What is to be done since it was last taken.
    pub fn output(&mut self) -> &mut Output {
        &mut self.desk.output
    }

    /// Panics of systems and text commands, by name.
    #[must_use]
    pub fn faults(&self) -> &BTreeMap<&'static str, u64> {
        self.blame.faults()
    }

    /// The shard's world, for checkers and digests.
    #[must_use]
    pub fn shard(&self) -> &Shard {
        &self.shard
    }

    /// Sessions that it keeps anything of: the open ones, and those whose viewpoint has not left the world yet.
    #[must_use]
    pub fn sessions_known(&self) -> usize {
        self.desk.sessions.len()
    }

    /// What it was built from.
    #[must_use]
    pub fn recipe(&self) -> &Arc<AppRecipe> {
        &self.recipe
    }

    /// What it shares with the other hubs.
    #[must_use]
    pub fn commons(&self) -> &Commons {
        &self.desk.commons
    }
}
