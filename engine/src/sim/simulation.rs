//! The simulation: chooses what happens next among all that may, and carries it out.
//!
//! Owns hubs, mail and clients. Never judges what comes of it: that is for checkers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use worldshard_protocol::{EntityId, SessionId, Tick};
use worldshard_shard::Chance;
use worldshard_spatial::ShardId;

use crate::app::{AppRecipe, Framing};
use crate::error::{Error, Result};
use crate::hub::{Commons, Hub, Opening};
use crate::message::CloseReason;
use crate::sim::berth::Berth;
use crate::sim::client::{Heard, SimClient};
use crate::sim::faults::{
    FaultCounts, Faults, LATE_TICKS_MAX, LATE_TURNS_MAX, STALL_TURNS_MAX, strikes, up_to,
};
use crate::sim::live::{Circumstances, Deed, Mind};
use crate::sim::mail::{Mail, Way};
use crate::sim::script::ClientScript;
use crate::sim::stopwatch::Stopwatch;

/// How a world is simulated.
#[derive(Clone, Debug)]
pub struct SimOptions {
    /// How many shards, at least 1.
    pub shards: u16,
    /// The order of events, the faults and what live clients do come from it.
    pub seed: u64,
    /// Who connects.
    pub clients: SimClients,
    /// What goes wrong.
    pub faults: Faults,
}

/// The clients of a simulation.
#[derive(Clone, Debug)]
pub enum SimClients {
    /// They do what the world's script says, which must be this one: the world does not depend on the seed.
    Scripted(Arc<ClientScript>),
    /// So many that speak for themselves: the world depends on when they are heard.
    Live(u32),
}

impl Default for SimOptions {
    fn default() -> Self {
        Self {
            shards: 1,
            seed: 0,
            clients: SimClients::Live(0),
            faults: Faults::NONE,
        }
    }
}

/// A world in virtual time: all its shards and clients, on the caller's thread.
pub struct Simulation {
    recipe: Arc<AppRecipe>,
    berths: Vec<Berth>,
    mail: Mail,
    clients: Vec<SimClient>,
    /// Of live clients.
    minds: Vec<Mind>,
    /// The tick in which each live client acted last.
    acted: Vec<Tick>,
    script: Option<Arc<ClientScript>>,
    /// Whose session is whose.
    numbers: BTreeMap<SessionId, usize>,
    faults: Faults,
    counts: FaultCounts,
    chance: Chance,
    /// Every shard has absorbed it.
    tick: Tick,
    turn: u64,
    /// What may happen in this turn. Kept for its memory.
    may: Vec<Action>,
    stopwatch: Stopwatch,
}

/// One thing that may happen next.
#[derive(Clone, Copy, Debug)]
enum Action {
    Advance(usize),
    Absorb(usize),
    Handle(usize),
    Envelope(Way),
    Letter(Way),
    Client(usize),
}

impl Simulation {
    /// A world at tick 0. Scripted clients are connected; live ones come with the first tick.
    ///
    /// # Errors
    /// When there is no shard or too many for this world, or a shard cannot be built.
    pub fn new(recipe: &Arc<AppRecipe>, options: SimOptions) -> Result<Self> {
        let shards = options.shards;
        if shards == 0 {
            let detail = "0; a world has at least one".to_owned();
            let name = "shards";
            return Err(Error::Option { name, detail });
        }
        let commons = Commons::new(recipe, shards)?;
        let berth = |own| {
            let hub = Hub::new(ShardId(own), recipe.clone(), commons.clone())?;
            Ok(Berth::new(ShardId(own), hub, shards))
        };
        let (clients, script) = match options.clients {
            SimClients::Scripted(script) => (script.clients(), Some(script)),
            SimClients::Live(clients) => (clients, None),
        };
        let count = clients as usize;
        let mut simulation = Self {
            recipe: recipe.clone(),
            berths: (0..shards).map(berth).collect::<Result<_>>()?,
            mail: Mail::default(),
            clients: (0..clients).map(SimClient::new).collect(),
            minds: (0..count).map(|_| Mind::default()).collect(),
            acted: vec![Tick(0); count],
            script,
            numbers: BTreeMap::new(),
            faults: options.faults,
            counts: FaultCounts::default(),
            chance: Chance::new(options.seed, EntityId(0), Tick(0), "simulation"),
            tick: Tick(0),
            turn: 0,
            may: Vec::new(),
            stopwatch: Stopwatch::default(),
        };
        for number in 0..count {
            if let Some(script) = simulation.script.clone() {
                let session = simulation.open(number, script.home(number as u32));
                assert_eq!(session, script.session(number as u32), "homes number alike");
            }
        }
        for at in 0..simulation.berths.len() {
            simulation.collect(at);
        }
        Ok(simulation)
    }

    /// Runs until every shard has absorbed the next tick; says which. Some may have begun the one after it.
    ///
    /// # Panics
    /// When a system of the world panics.
    pub fn step(&mut self) -> Tick {
        let tick = self.tick.next();
        for client in &mut self.clients {
            client.take_heard();
        }
        self.stopwatch.go();
        while self.berths.iter().any(|berth| berth.absorbed < tick) {
            self.turn(tick);
        }
        self.stopwatch.halt();
        self.tick = tick;
        tick
    }

    /// The last tick that every shard has absorbed.
    #[must_use]
    pub fn tick(&self) -> Tick {
        self.tick
    }

    /// The digest of all entities after [`tick`](Self::tick).
    #[must_use]
    pub fn digest(&self) -> u128 {
        let parts = self.berths.iter().map(|berth| berth.digest);
        parts.fold(0, u128::wrapping_add)
    }

    /// The hubs, ascending by shard. Some may have begun the next tick.
    pub fn hubs(&self) -> impl Iterator<Item = &Hub> {
        self.berths.iter().map(|berth| &berth.hub)
    }

    /// The clients, by number.
    #[must_use]
    pub fn clients(&self) -> &[SimClient] {
        &self.clients
    }

    /// What each client heard in the last step, in order, by client.
    pub fn take_heard(&mut self) -> Vec<(u32, Vec<Heard>)> {
        let clients = self.clients.iter_mut();
        clients
            .map(|client| (client.number(), client.take_heard()))
            .filter(|(_, heard)| !heard.is_empty())
            .collect()
    }

    /// What went wrong so far.
    #[must_use]
    pub fn fault_counts(&self) -> &FaultCounts {
        &self.counts
    }

    /// Letters on their way between shards.
    #[must_use]
    pub fn letters_waiting(&self) -> usize {
        self.mail.letters()
    }

    pub(crate) fn berths(&self) -> &[Berth] {
        &self.berths
    }

    pub(crate) fn hubs_mut(&mut self) -> impl Iterator<Item = &mut Hub> {
        self.berths.iter_mut().map(|berth| &mut berth.hub)
    }

    /// Lends it a clock: from now on it knows how long it took.
    pub(crate) fn lend_clock(&mut self, now: fn() -> Instant) {
        self.stopwatch.lend(now);
    }

    /// The time that steps took on a clock that was lent, digests and checks not included.
    pub(crate) fn took(&self) -> Duration {
        self.stopwatch.total()
    }

    /// One thing happens; or, when nothing may, time passes until something may.
    fn turn(&mut self, tick: Tick) {
        self.turn += 1;
        self.list_actions(tick);
        if self.may.is_empty() {
            self.turn = self.next_turn();
            return;
        }
        let at = (self.chance.next_u64() % self.may.len() as u64) as usize;
        match self.may[at] {
            Action::Advance(at) => self.advance(at),
            Action::Absorb(at) => self.absorb(at),
            Action::Handle(at) => {
                self.berths[at].unheard = false;
                self.berths[at].hub.handle();
                self.collect(at);
            }
            Action::Envelope(way) => {
                let envelope = self.mail.take_envelope(way);
                let lockstep = &mut self.berths[usize::from(way.to.0)].lockstep;
                lockstep.receive(envelope.expect("a way that was listed has one"));
            }
            Action::Letter(way) => {
                let letter = self.mail.take_letter(way);
                let at = usize::from(way.to.0);
                let letter = letter.expect("a way that was listed has one");
                self.berths[at].hub.letter(way.from, letter);
                self.berths[at].unheard = true;
                self.collect(at);
            }
            Action::Client(number) => self.act(number, tick),
        }
    }

    /// Everything that may happen now.
    fn list_actions(&mut self, tick: Tick) {
        self.may.clear();
        for (at, berth) in self.berths.iter().enumerate() {
            if berth.stalled_until > self.turn {
                continue;
            }
            if berth.may_advance(tick) {
                self.may.push(Action::Advance(at));
            }
            if berth.lockstep.is_complete() {
                self.may.push(Action::Absorb(at));
            }
            if berth.unheard {
                self.may.push(Action::Handle(at));
            }
        }
        let berths = &self.berths;
        let awake = |way: &Way| berths[usize::from(way.to.0)].stalled_until <= self.turn;
        let envelopes = self.mail.envelopes_due(self.turn).filter(awake);
        self.may.extend(envelopes.map(Action::Envelope));
        let letters = self.mail.letters_due(tick).filter(awake);
        self.may.extend(letters.map(Action::Letter));
        for (number, client) in self.clients.iter().enumerate() {
            let acts = match &self.script {
                Some(script) => client.unread() > 0 && !script.is_stalled(number as u32, tick),
                None => self.acted[number] < tick,
            };
            if acts {
                self.may.push(Action::Client(number));
            }
        }
    }

    /// When the first shard wakes or the first envelope arrives.
    fn next_turn(&self) -> u64 {
        let stalls = self.berths.iter().map(|berth| berth.stalled_until);
        let turns = stalls.chain(self.mail.next_envelope_turn());
        let next = turns.filter(|&turn| turn > self.turn).min();
        next.expect("a world whose shards are awake and whose mail has arrived goes on")
    }

    fn advance(&mut self, at: usize) {
        let berth = &mut self.berths[at];
        let tick = berth.lockstep.tick();
        let envelopes = berth.hub.advance(tick);
        berth.lockstep.advanced();
        if strikes(
            self.faults.shard_stalls,
            &mut self.counts.shard_stalls,
            &mut self.chance,
        ) {
            berth.stalled_until = self.turn + up_to(STALL_TURNS_MAX, &mut self.chance);
        }
        for envelope in envelopes {
            let late = strikes(
                self.faults.late_envelopes,
                &mut self.counts.late_envelopes,
                &mut self.chance,
            );
            let turns = if late {
                up_to(LATE_TURNS_MAX, &mut self.chance)
            } else {
                0
            };
            self.mail.send_envelope(envelope, self.turn + turns);
        }
        self.collect(at);
    }

    fn absorb(&mut self, at: usize) {
        let berth = &mut self.berths[at];
        let tick = berth.lockstep.tick();
        let inbox = berth.lockstep.inbox().expect("it was listed as complete");
        berth.hub.absorb(tick, inbox);
        berth.lockstep.absorbed();
        berth.absorbed = tick;
        berth.unheard = true;
        self.stopwatch.halt();
        berth.digest = berth.hub.shard().digest();
        berth.stats = berth.hub.shard().stats();
        self.stopwatch.go();
        self.collect(at);
    }

    /// Lets a client do what it does in this tick.
    fn act(&mut self, number: usize, tick: Tick) {
        self.acted[number] = tick;
        if self.script.is_some() {
            let unread = self.clients[number].unread();
            return self.read(number, unread);
        }
        let around = Circumstances {
            config: &self.recipe.world().config,
            shards: self.berths.len() as u16,
            tick,
            faults: &self.faults,
        };
        let client = &mut self.clients[number];
        let deeds = self.minds[number].act(client, &around, &mut self.counts, &mut self.chance);
        for deed in deeds {
            self.carry_out(number, deed);
        }
    }

    fn carry_out(&mut self, number: usize, deed: Deed) {
        match deed {
            Deed::Open(home) => {
                self.open(number, ShardId(home));
            }
            Deed::Read(frames) => {
                self.read(number, frames);
                let acknowledgement =
                    self.minds[number].acknowledge(&self.clients[number], &mut self.chance);
                if let Some(acknowledgement) = acknowledgement {
                    self.carry_out(number, acknowledgement);
                }
            }
            // The engine may have closed the connection meanwhile: then there is nobody to say it to.
            Deed::Say(kind, bytes) => self.tell(number, |hub, session| {
                hub.message(session, kind, &bytes);
            }),
            Deed::Break => {
                self.tell(number, |hub, session| {
                    hub.closed(session, CloseReason::Lost);
                });
                self.lose(number, None);
            }
        }
    }

    fn open(&mut self, number: usize, home: ShardId) -> SessionId {
        let at = usize::from(home.0);
        let session = self.berths[at].hub.open(Opening {
            path: PATH.to_owned(),
            framing: Framing::Lanes,
        });
        self.berths[at].unheard = true;
        self.numbers.insert(session, number);
        self.clients[number].opened(session);
        self.collect(at);
        session
    }

    /// A client reads so many frames; its home learns that they are written.
    fn read(&mut self, number: usize, frames: usize) {
        let client = &mut self.clients[number];
        let read = (0..frames).take_while(|_| client.read_one()).count();
        if read > 0 {
            let frames = u32::try_from(read).expect("a client's queue is bounded");
            self.tell(number, |hub, session| hub.written(session, frames));
        }
    }

    /// Does something at the home of a client that is connected.
    fn tell(&mut self, number: usize, tell: impl FnOnce(&mut Hub, SessionId)) {
        if let Some(session) = self.clients[number].session() {
            let home = usize::from(session.home());
            tell(&mut self.berths[home].hub, session);
            self.berths[home].unheard = true;
            self.collect(home);
        }
    }

    fn lose(&mut self, number: usize, code: Option<u16>) {
        if let Some(session) = self.clients[number].session() {
            self.numbers.remove(&session);
            self.clients[number].closed(code);
        }
    }

    /// Takes what a hub wants done: frames first, then closes, then letters.
    fn collect(&mut self, at: usize) {
        let mut output = std::mem::take(self.berths[at].hub.output());
        for (session, frame, _) in output.frames.drain(..) {
            let number = self.numbers.get(&session);
            let number = *number.expect("frames are for sessions that are open");
            self.clients[number].receive(frame);
        }
        for (session, code, reason) in output.closes.drain(..) {
            let number = self.numbers.get(&session).copied();
            let reason = CloseReason::Server { code, reason };
            self.berths[at].hub.closed(session, reason);
            self.berths[at].unheard = true;
            self.lose(number.expect("a session is closed once"), Some(code));
        }
        let from = self.berths[at].own;
        // What the ends of sessions say goes behind what was said before.
        output
            .letters
            .append(&mut self.berths[at].hub.output().letters);
        for (to, letter) in output.letters.drain(..) {
            let late = strikes(
                self.faults.late_letters,
                &mut self.counts.late_letters,
                &mut self.chance,
            );
            let ticks = if late {
                up_to(LATE_TICKS_MAX, &mut self.chance)
            } else {
                0
            };
            self.mail
                .send_letter(Way { to, from }, letter, self.tick + ticks);
        }
    }
}

/// The path of sessions in a simulation: no client outside can ask for it.
const PATH: &str = "in a simulation";
