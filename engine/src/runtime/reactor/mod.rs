//! One shard's half of the runtime that both drivers share: connections, mail, ticks, deadlines.
//!
//! Synchronous: the driver brings bytes, readiness and the time, and asks what to wait for. Never waits itself.

mod admission;
mod alarms;
mod batch;
mod closing;
mod commit;
mod connection;
mod deciding;
mod guard;
mod id_map;
mod input;
mod mending;
mod output;
mod pacing;
mod proving;
mod reporting;
mod resuming;
mod rooming;
mod sealing;
mod slots;
mod stopping;
mod ticks;
mod tls;
mod window;

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use worldshard_shard::Envelope;
use worldshard_spatial::ShardId;
use worldshard_transport::RequestHead;

use super::bell::Bell;
use super::clock;
use super::control::Stop;
use super::door::Door;
use super::in_process::{InProcess, InProcessClient};
use super::keeping::OwnKeeping;
use super::mailbox::Mailbox;
use super::metrics::{RecentTimes, Tally};
use super::pacing::Pacer;
use super::phase_times::PhaseWatch;
use super::process::{Mail, Process};
use super::punctuality::Punctuality;
use super::sockets::Readiness;
#[cfg(target_os = "linux")]
use super::submission::Ring;
use super::unpaced::Observer;
use crate::app::Framing;
use crate::hub::{Hub, Opening, Output};
use crate::lockstep::Lockstep;
use alarms::Alarms;
use batch::Batch;
use commit::Uncommitted;
use connection::Connection;
use deciding::Deciding;
use guard::Guard;
use id_map::SessionMap;
use sealing::Sealing;
use slots::Slots;
use stopping::Stopping;
use window::Window;

pub(crate) use connection::Interest;
pub(crate) use slots::Slot;
pub(crate) use tls::Tls;

/// One shard's connections, mailbox and ticks around its hub.
pub(crate) struct Reactor {
    own: ShardId,
    process: Arc<Process>,
    mailbox: Mailbox<Envelope, Mail>,
    bell: Arc<Bell>,
    hub: Guard,
    /// Its part in keeping the world on disk.
    keeping: Option<OwnKeeping>,
    /// How often the shard was made again.
    rebuilds: u64,
    ticks_rebuilt: u64,
    /// The next first half is to panic.
    killed: bool,
    slots: Slots,
    /// Open sessions of sockets.
    sessions: SessionMap<Slot>,
    in_process: InProcess,
    alarms: Alarms,
    lockstep: Lockstep,
    schedule: Schedule,
    /// Of the last tick.
    halves: Halves,
    punctuality: Punctuality,
    tally: Tally,
    steps: RecentTimes,
    /// Of a paced run: who observes an unpaced one times it.
    phases: Option<PhaseWatch>,
    outbox: Outbox,
    /// Connections that have something new to write.
    to_write: Vec<Slot>,
    batch: Batch,
    /// Connections that used their turn and have more to say, first come first served.
    waiting: VecDeque<Slot>,
    sealing: Sealing,
    deciding: Deciding,
    changed: Vec<Slot>,
    arrivals: Vec<(OwnedFd, Arrival)>,
    moved: Vec<OwnedFd>,
    door: Option<Arc<Door>>,
    output: Output,
    /// Since the start.
    writes: u64,
    window: Window,
    uncommitted: Uncommitted,
    /// Of the rules that the hub and the connections have.
    rules_edition: u64,
    coalesce_bytes_max: usize,
    spoken: Spoken,
    /// Something happened that the Update systems have not seen.
    unheard: bool,
    more_mail: bool,
    /// Connections that the end does not wait for.
    late: usize,
    /// Since a stop was asked for.
    stopping: Option<Stopping>,
    /// Since sessions are closed for it: when patience with connections ends.
    draining: Option<Instant>,
    status_due: Instant,
    /// The edition of the list of bans by which all who are here may be.
    bans_seen: u64,
}

/// Which messages were read since this was last asked.
#[derive(Clone, Copy, Debug, Default)]
struct Spoken {
    /// Of sessions on lanes: commands and acknowledgements, which wait for the next tick.
    lanes: bool,
    /// Of others, which are handled at once.
    raw: bool,
}

/// When ticks run.
pub(crate) enum Schedule {
    /// In real time.
    Paced(Pacer),
    /// As fast as they can, up to so many.
    Unpaced {
        /// Ticks to run; then the shard ends.
        ticks: u64,
    },
}

/// How long the halves of one tick took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Halves {
    pub(crate) advance: Duration,
    pub(crate) absorb: Duration,
}

/// How a connection came to this shard.
pub(crate) enum Arrival {
    /// From the acceptor.
    Accepted,
    /// From a shard that read its head.
    Adopted {
        /// What it asked for.
        head: RequestHead,
        /// What it sent behind its head.
        leftover: Vec<u8>,
        /// Its TLS, if it is encrypted.
        tls: Option<Box<Tls>>,
    },
}

/// What a driver does after a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Looks at its sockets and takes another turn at once.
    Again,
    /// The same, but another thread has to do its part: lets it run.
    Yield,
    /// Waits for readiness, the bell or this instant.
    Wait(Instant),
    /// The shard has ended.
    End,
}

/// Letters that found a full mailbox, in order.
#[derive(Default)]
struct Outbox {
    letters: Vec<VecDeque<Mail>>,
    len: usize,
    /// So many wait that this shard no longer reads from its clients.
    over: bool,
}

impl Reactor {
    /// A shard around `hub`, before its first tick.
    pub(crate) fn new(
        own: ShardId,
        mut hub: Hub,
        process: Arc<Process>,
        mailbox: Mailbox<Envelope, Mail>,
        bell: Arc<Bell>,
        schedule: Schedule,
        keeping: Option<OwnKeeping>,
    ) -> Reactor {
        if let Some(keeping) = &keeping {
            keeping.begin(&mut hub);
        }
        let after = hub.shard().tick();
        let durable = keeping.as_ref().and_then(OwnKeeping::durable);
        let limits = &process.recipe.options().limits;
        match schedule {
            Schedule::Paced(_) => hub.coalesce(),
            // Who runs as fast as possible waits for nothing.
            Schedule::Unpaced { .. } => {}
        }
        let phases = match schedule {
            Schedule::Paced(_) => Some(PhaseWatch::over(&mut hub)),
            Schedule::Unpaced { .. } => None,
        };
        let (rung, thread) = (Arc::clone(&bell), std::thread::current().id());
        hub.on_answer(move || {
            // This thread looks before it sleeps.
            if std::thread::current().id() != thread {
                rung.ring();
            }
        });
        let letters = (0..process.shards).map(|_| VecDeque::new()).collect();
        Reactor {
            own,
            mailbox,
            deciding: Deciding::new(&bell),
            bell,
            hub: Guard::new(hub, own, Arc::clone(&process)),
            keeping,
            rebuilds: 0,
            ticks_rebuilt: 0,
            killed: false,
            slots: Slots::default(),
            sessions: SessionMap::default(),
            in_process: InProcess::default(),
            alarms: Alarms::default(),
            lockstep: Lockstep::new(process.shards, after),
            schedule,
            halves: Halves::default(),
            punctuality: Punctuality::default(),
            tally: Tally::default(),
            steps: RecentTimes::default(),
            phases,
            outbox: Outbox {
                letters,
                ..Outbox::default()
            },
            to_write: Vec::new(),
            batch: Batch::default(),
            waiting: VecDeque::new(),
            sealing: Sealing::default(),
            changed: Vec::new(),
            arrivals: Vec::new(),
            moved: Vec::new(),
            door: None,
            output: Output::default(),
            writes: 0,
            window: Window::new(limits.coalesce_max),
            uncommitted: Uncommitted::after(durable),
            // Whatever has been said of them since is taken up in the first turn.
            rules_edition: 0,
            coalesce_bytes_max: limits.coalesce_bytes_max(),
            spoken: Spoken::default(),
            unheard: true,
            more_mail: false,
            late: 0,
            stopping: None,
            draining: None,
            status_due: clock::now(),
            bans_seen: process.policies.bans.edition(),
            process,
        }
    }

    /// Has the writes of each turn submitted together.
    #[cfg(target_os = "linux")]
    pub(crate) fn write_by(&mut self, ring: Ring) {
        self.batch = Batch::with(ring);
    }

    /// One turn: what came by mail, what is due, what is to be said. Bounded by the budgets of all its parts.
    pub(crate) fn turn(&mut self, now: Instant) -> Next {
        self.process.liveness.stamp(self.own, now);
        if !self.sessions.is_empty() {
            self.process.liveness.busy(now);
        }
        self.bell.answer();
        self.take_rules(now);
        self.read_mail(now);
        self.tell_durable(now);
        self.go_on_with_handshakes(now);
        self.hear_decisions(now);
        self.resume_waiting(now);
        self.ring_alarms(now);
        self.end_banned(now);
        self.run_ticks(now);
        self.stop_if_asked(now);
        self.give_up_commits_if_due(now);
        self.hear_answers();
        if std::mem::take(&mut self.unheard) {
            self.hub.call("handle", Hub::handle);
        }
        self.hear_answers();
        self.end_window_if_due(now);
        self.deliver(now);
        self.write(now);
        self.show_status(now);
        self.next(now)
    }

    /// What answers to requests and a panic have left for the hub is something that its systems have not seen.
    fn hear_answers(&mut self) {
        self.unheard |= self.hub.call("answers", |hub| hub.is_called()) == Some(true);
    }

    /// Opens a session for each of these clients, which need no socket, and lets `observer` see every tick.
    pub(crate) fn host(&mut self, clients: Vec<Box<dyn InProcessClient>>, observer: Observer) {
        for client in clients {
            let opening = Opening {
                path: IN_PROCESS_PATH.to_owned(),
                framing: Framing::Lanes,
            };
            if let Some(session) = self.hub.call("open", |hub| hub.open(opening)) {
                self.in_process.insert(session, client);
            }
        }
        self.in_process.watch(observer);
    }

    /// Whether messages were read since the last call, and none of them can be answered before the next tick.
    pub(crate) fn heard_only_commands(&mut self) -> bool {
        let spoken = std::mem::take(&mut self.spoken);
        spoken.lanes && !spoken.raw
    }

    /// Bytes that the driver may read from a connection in a turn.
    pub(crate) fn turn_bytes_max(&self) -> usize {
        self.process.recipe.options().limits.turn_bytes_max
    }

    /// Connections that the driver is to attach.
    pub(crate) fn take_arrivals(&mut self) -> Vec<(OwnedFd, Arrival)> {
        std::mem::take(&mut self.arrivals)
    }

    /// Where the driver is to accept connections, once.
    pub(crate) fn take_door(&mut self) -> Option<Arc<Door>> {
        self.door.take()
    }

    /// Counts a connection that this shard accepts itself; false when there is no room for it.
    pub(crate) fn make_room(&mut self) -> bool {
        let Process {
            liveness, recipe, ..
        } = &*self.process;
        let has_room = liveness.connection_admitted(recipe.options().limits.connections_max);
        if has_room {
            liveness.connection_given(self.own);
        }
        has_room
    }

    /// Takes back the room: nobody came.
    pub(crate) fn give_room_back(&mut self) {
        self.process.liveness.connection_gone(self.own);
        self.process.liveness.connection_ended();
    }

    /// Sockets of connections that moved to other shards, for the driver to forget.
    pub(crate) fn take_moved(&mut self) -> Vec<OwnedFd> {
        std::mem::take(&mut self.moved)
    }

    /// Slots whose interest may have changed since the last call.
    pub(crate) fn take_changed(&mut self) -> Vec<Slot> {
        std::mem::take(&mut self.changed)
    }

    /// Gives back the list of [`Reactor::take_changed`], for its memory.
    pub(crate) fn recycle_changed(&mut self, mut list: Vec<Slot>) {
        list.clear();
        if self.changed.is_empty() {
            self.changed = list;
        }
    }

    /// Takes a connection in.
    pub(crate) fn attach(&mut self, socket: OwnedFd, arrival: Arrival, now: Instant) -> Slot {
        let until = now + self.process.recipe.options().limits.head_deadline;
        let mut connection = Box::new(Connection::new(socket, now, until));
        connection.late = self.stopping.is_some();
        self.late += usize::from(connection.late);
        let (tls, adopted) = match arrival {
            Arrival::Accepted => (self.begin_tls(), None),
            Arrival::Adopted {
                head,
                leftover,
                tls,
            } => (tls, Some((head, leftover))),
        };
        connection.tls = tls;
        let slot = self.slots.insert(connection);
        self.set_alarm(slot);
        match adopted {
            Some((head, mut leftover)) => {
                self.open(slot, &head, &mut leftover, now);
                self.after_plaintext(slot, now);
            }
            None => self.refuse_fast_tls(slot, now),
        }
        slot
    }

    /// What readiness the driver is to wait for; `None` when the connection is gone.
    pub(crate) fn interest(&self, slot: Slot) -> Option<Interest> {
        let connection = self.slots.find(slot)?;
        let mut interest = connection.interest();
        interest.read &= !self.outbox.over;
        Some(interest)
    }

    /// The connection whose slot has this index, and what is known of its readiness.
    pub(crate) fn readiness_at(&mut self, index: usize) -> Option<(Slot, &mut Readiness)> {
        let (slot, connection) = self.slots.at(index)?;
        Some((slot, &mut connection.readiness))
    }

    /// What is known of a connection's readiness.
    pub(crate) fn readiness(&mut self, slot: Slot) -> Option<&mut Readiness> {
        Some(&mut self.slots.find_mut(slot)?.readiness)
    }

    /// A connection's socket and what is known of its readiness.
    pub(crate) fn socket(&mut self, slot: Slot) -> Option<(&OwnedFd, &mut Readiness)> {
        let connection = self.slots.find_mut(slot)?;
        Some((&connection.socket, &mut connection.readiness))
    }

    fn read_mail(&mut self, now: Instant) {
        while let Ok(envelope) = self.mailbox.envelopes.try_recv() {
            self.lockstep.receive(envelope);
        }
        self.more_mail = true;
        for _ in 0..LETTERS_PER_TURN {
            let Ok(mail) = self.mailbox.letters.try_recv() else {
                self.more_mail = false;
                break;
            };
            self.take_mail(mail, now);
        }
        self.empty_outbox();
    }

    fn take_mail(&mut self, mail: Mail, now: Instant) {
        match mail {
            Mail::Accepted(socket) => self.arrivals.push((socket, Arrival::Accepted)),
            Mail::Door(door) => self.door = Some(door),
            Mail::Adopt(adopt) => {
                let arrival = Arrival::Adopted {
                    head: adopt.head,
                    leftover: adopt.leftover,
                    tls: adopt.tls,
                };
                self.arrivals.push((adopt.socket, arrival));
            }
            Mail::Letter { from, letter } => {
                self.unheard = true;
                self.hub.call("letter", |hub| hub.letter(from, letter));
            }
            Mail::Errand(errand) => {
                self.unheard = true;
                self.hub.call("errand", errand);
            }
            Mail::Kill => self.killed = true,
            Mail::Freeze(duration) => {
                tracing::warn!(shard = self.own.0, ?duration, "frozen on request");
                clock::stand_still(now + duration);
            }
        }
    }

    /// Sends mail, behind what already waits for the same shard.
    fn send(&mut self, to: ShardId, mail: Mail) {
        let waiting = &mut self.outbox.letters[usize::from(to.0)];
        let refused = if waiting.is_empty() {
            self.process.post.letter(to, mail).err()
        } else {
            Some(mail)
        };
        if let Some(mail) = refused {
            waiting.push_back(mail);
            self.outbox.len += 1;
            if self.outbox.len > OUTBOX_LETTERS_MAX && !self.outbox.over {
                tracing::warn!(
                    shard = self.own.0,
                    "mailboxes are full; clients are not read"
                );
                self.outbox.over = true;
            }
        }
    }

    fn empty_outbox(&mut self) {
        if self.outbox.len == 0 {
            return;
        }
        for (to, waiting) in (0..).map(ShardId).zip(&mut self.outbox.letters) {
            while let Some(mail) = waiting.pop_front() {
                if let Err(mail) = self.process.post.letter(to, mail) {
                    waiting.push_front(mail);
                    break;
                }
                self.outbox.len -= 1;
            }
        }
        if self.outbox.over && self.outbox.len <= OUTBOX_LETTERS_MAX / 2 {
            self.outbox.over = false;
            let all = self.slots.all();
            for slot in &all {
                self.wait_for_turn(*slot);
            }
            self.changed.extend(all);
        }
    }

    fn next(&self, now: Instant) -> Next {
        let stop = self.process.control.stop();
        if self.hub.failed() || stop == Stop::Force || self.has_ended(now) {
            return Next::End;
        }
        let waiting = !self.waiting.is_empty() || self.sealing.waits();
        if self.unheard || self.more_mail || waiting || !self.arrivals.is_empty() {
            return Next::Again;
        }
        let mut until = now + TURN_AT_LEAST_EVERY;
        if self.draining.is_none() {
            match self.tick_due(now) {
                TickDue::Now => return Next::Again,
                TickDue::Neighbours => return Next::Yield,
                TickDue::At(due) => until = until.min(due),
            }
        }
        if self.outbox.len > 0 {
            until = until.min(now + OUTBOX_RETRY_AFTER);
        }
        let alarms = self.alarms.next().into_iter();
        let stop = self.draining.or(self.linger_until());
        let alarms = alarms.chain(stop).chain(self.window.due());
        let alarms = alarms.chain(self.uncommitted.due());
        Next::Wait(alarms.fold(until, Instant::min))
    }

    /// Recomputes when the connection is due.
    fn set_alarm(&mut self, slot: Slot) {
        if let Some(connection) = self.slots.find_mut(slot) {
            let due = connection.due(&self.process.recipe.options().limits);
            self.alarms.set(slot, connection, due);
        }
    }
}

/// When the next half of a tick can run.
enum TickDue {
    Now,
    /// When the neighbours have written.
    Neighbours,
    At(Instant),
}

/// Letters taken from the mailbox in one turn; the rest waits for the next.
const LETTERS_PER_TURN: usize = 256;

/// Letters that this shard keeps for full mailboxes. Beyond: it stops reading from its clients until half are gone.
const OUTBOX_LETTERS_MAX: usize = 1024;

/// When to try a full mailbox again: it has no bell for room.
const OUTBOX_RETRY_AFTER: Duration = Duration::from_millis(1);

/// A shard shows that it lives at least so often.
const TURN_AT_LEAST_EVERY: Duration = Duration::from_millis(200);

/// The path of sessions without a socket: no client can ask for it.
const IN_PROCESS_PATH: &str = "in process";
