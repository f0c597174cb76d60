//! Clients of the client library at real hubs, in virtual time, over a network that cuts each connection somewhere: in the
//! upgrade, between question and answer, one way only, noticed by one end first; and processes that end. The five rules of
//! `worldshard_client::Agent` hold whatever happens, and the application hears each session open and close once.
//!
//! WORLDSHARD_NIGHTLY=1 runs more seeds; WORLDSHARD_CUTS_SEED=N runs one.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use worldshard::prelude::*;
use worldshard_client as client;
use worldshard_client::protocol::{ClientMessage, InterestWish, ViewpointMode};
use worldshard_client::{Action, Agent, Happened, Options, Report, SendError, State, Target};
use worldshard_shard::Limits;

use crate::pump::Pump;
use crate::rules::{Application, Kind, Said, User, json, read};

/// What the application of all shards heard and said.
pub(crate) type Log = Arc<Mutex<Application>>;

/// An application in an empty world that tells each session its state when it opens, says something more now and then, closes
/// few, and answers requests at once or gives them to `keep`. What it does follows from what is said to it.
pub(crate) fn moody(log: &Log, keep: impl Fn(Request) + Clone + Send + Sync + 'static) -> App {
    let log = log.clone();
    let mut app = App::new();
    app.lanes("/world")
        .world(WorldConfig {
            limits: Limits {
                // What waited while a connection stalled counts for one tick.
                commands_per_tick_max: 1024,
                ..Limits::default()
            },
            ..WorldConfig::default()
        })
        .avatar(|_, at| Draft::at(at))
        .system(Update, move |cx: &mut Context<'_>| {
            for event in cx.events() {
                match event {
                    Event::Opened(session) => {
                        let state = lock(&log).opened(session.value());
                        cx.send(Audience::One(*session), word(&json(&state)));
                    }
                    Event::Message(message) => listen(cx, &log, message),
                    Event::Closed(session, _) => lock(&log).closed(session.value()),
                }
            }
            for request in cx.requests() {
                answer(&log, request, &keep);
            }
        });
    app
}

fn listen(cx: &mut Context<'_>, log: &Log, message: &worldshard::prelude::Message) {
    let session = message.session;
    let said: Said = read(message.payload.bytes());
    let mut application = lock(log);
    application.heard(session.value(), Kind::Message, &said);
    let mood = mood(&said);
    if mood.is_multiple_of(3) {
        let pushed = application.push(session.value());
        cx.send(Audience::One(session), word(&json(&pushed)));
    }
    if mood.is_multiple_of(400) {
        cx.close(session, 4000, "enough");
    }
}

fn answer(log: &Log, request: Request, keep: &impl Fn(Request)) {
    let said: Said = read(request.payload.bytes());
    let session = request.session.value();
    lock(log).heard(session, Kind::Request, &said);
    match mood(&said) % 10 {
        0..=2 => {
            let same = request.payload.clone();
            request.respond(same);
        }
        3 => request.ack(),
        4 => request.reject(ErrorCode::NotAllowed, "not now"),
        5 => drop(request),
        _ => keep(request),
    }
}

/// A system that finds something panics, and its hub goes on: who drives it looks whether the log is poisoned.
fn lock(log: &Log) -> MutexGuard<'_, Application> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The same for the same words.
fn mood(said: &Said) -> u64 {
    let (life, number) = (u64::from(said.life), u64::from(said.number));
    Chance::new(said.client.into(), EntityId(life), Tick(number), "mood").next_u64()
}

fn word(json: &str) -> Text {
    Text::json(json).unwrap()
}

/// Something that is on its way to one end of a connection.
#[derive(Debug)]
enum Coming {
    /// The server gets the request for an upgrade.
    Upgrade(Target),
    /// The client's socket has so many messages.
    Written(u64),
    /// The server gets a message.
    Arrive(client::Message),
    /// The server gets a close.
    Close(u16),
    /// The server learns that the connection of a session is gone.
    Gone(SessionId, CloseReason),
    /// The client gets something.
    Tell(Happened),
    /// The client learns that the connection is gone.
    Lost,
    Cut(Cut),
}

/// How a connection breaks.
#[derive(Clone, Copy, Debug)]
enum Cut {
    /// Both ends learn of it at once.
    Both,
    /// The client at once, the server later.
    ClientFirst,
    /// The server at once, the client by the silence.
    ServerFirst,
    /// Nothing comes up any more; the server learns by the silence.
    Up,
    /// Nothing comes down any more; the client learns by the silence.
    Down,
}

/// Both ends of one connection.
#[derive(Default)]
struct Wire {
    /// Of all connections of its player.
    number: u64,
    session: Option<SessionId>,
    /// How many of the messages to the session are on their way down.
    read: usize,
    sent: u64,
    written_last: Duration,
    up_last: Duration,
    down_last: Duration,
    up_is_cut: bool,
    down_is_cut: bool,
    /// The server's close is on its way.
    is_closed: bool,
}

struct Player {
    agent: Agent,
    user: User,
    /// A page is not told why an upgrade failed.
    is_page: bool,
    /// It asked for an avatar in this session.
    joins: bool,
    wire: Wire,
}

struct Scene {
    chance: Chance,
    now: Duration,
    pump: Pump,
    log: Log,
    kept: Arc<Mutex<Vec<Request>>>,
    players: Vec<Player>,
    clients: u32,
    /// No client follows one that is dead.
    is_over: bool,
    /// By time and order; for which player, over which of its connections.
    coming: BTreeMap<(Duration, u64), (usize, u64, Coming)>,
    order: u64,
    /// Which connection a session has, as the server knows.
    connected: BTreeMap<SessionId, (usize, u64)>,
    ended: Vec<User>,
    counts: Totals,
}

impl Scene {
    fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed, EntityId(0), Tick(0), "cuts");
        let (log, kept) = (Log::default(), Arc::<Mutex<Vec<Request>>>::default());
        let keep = {
            let kept = kept.clone();
            move |request| kept.lock().unwrap().push(request)
        };
        let mut app = moody(&log, keep);
        app.options(|options| {
            options.limits.resume_grace = Duration::from_secs(2);
            options.limits.request_max = Duration::from_millis(1500);
            options.limits.requests_open_max = 1000;
        });
        let shards = [1, 2, 2, 8][(chance.next_u64() % 4) as usize];
        let mut scene = Self {
            pump: Pump::new(&mut app, shards, seed + 1),
            chance,
            now: Duration::ZERO,
            log,
            kept,
            players: Vec::new(),
            clients: 0,
            is_over: false,
            coming: BTreeMap::new(),
            order: 0,
            connected: BTreeMap::new(),
            ended: Vec::new(),
            counts: Totals::new(),
        };
        if scene.one_in(2) {
            scene.pump.coalesce();
        }
        for _ in 0..PLAYERS {
            scene.clients += 1;
            let player = scene.player(scene.clients);
            scene.players.push(player);
        }
        scene
    }

    fn player(&mut self, client: u32) -> Player {
        let mut options = Options::new("ws://h/world").unwrap();
        let is_page = self.one_in(4);
        options.environment = if is_page {
            client::Environment::Browser
        } else {
            client::Environment::Native
        };
        options.resume = !self.one_in(3);
        options.reconnect.on_close = !self.one_in(4);
        options.reconnect.base = Duration::from_millis(100);
        options.reconnect.cap = Duration::from_millis(400);
        options.patience.connect = Duration::from_millis(800);
        options.patience.ping_after = Duration::from_millis(400);
        options.patience.silence = Duration::from_millis(400);
        if self.one_in(4) {
            options.limits.reports_max = 16;
        }
        Player {
            agent: Agent::new(options, self.chance.next_u64()).unwrap(),
            user: User::new(client),
            is_page,
            joins: false,
            wire: Wire::default(),
        }
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.chance.next_u64() % below
    }

    fn one_in(&mut self, so_many: u64) -> bool {
        self.draw(so_many) == 0
    }

    fn ms(&mut self, most: u64) -> Duration {
        Duration::from_millis(self.draw(most + 1))
    }

    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    fn schedule(&mut self, at: Duration, player: usize, what: Coming) {
        self.order += 1;
        let number = self.players[player].wire.number;
        self.coming.insert((at, self.order), (player, number, what));
    }

    /// Something goes down, behind all that is on its way.
    fn down(&mut self, player: usize, what: Happened) {
        let at = self.now + self.ms(40);
        let wire = &mut self.players[player].wire;
        wire.down_last = wire.down_last.max(at);
        let at = wire.down_last;
        self.schedule(at, player, Coming::Tell(what));
    }

    /// Something goes up, behind all that is on its way, and from so much later on.
    fn up(&mut self, player: usize, from: Duration, what: Coming) {
        let at = from + self.ms(40);
        let wire = &mut self.players[player].wire;
        wire.up_last = wire.up_last.max(at);
        let at = wire.up_last;
        self.schedule(at, player, what);
    }

    /// A few milliseconds of everything, and a tick when it is time.
    fn step(&mut self) {
        assert!(!self.log.is_poisoned(), "the application found something");
        self.now += STEP;
        while let Some((&key, _)) = self.coming.first_key_value()
            && key.0 <= self.now
        {
            let (player, number, what) = self.coming.remove(&key).expect("it is the first");
            let is_present = self.players[player].wire.number == number;
            match what {
                Coming::Gone(session, reason) => self.gone(player, number, session, reason),
                what if is_present => self.come(player, what),
                _ => {}
            }
            self.act(player);
            self.collect();
        }
        for player in 0..self.players.len() {
            let now = self.now;
            self.players[player].agent.elapse(now);
            self.act(player);
            if self.one_in(3) {
                self.use_it(player);
            }
        }
        if self.now.as_millis().is_multiple_of(TICK.as_millis()) {
            self.tick();
        }
        self.collect();
    }

    /// Does what the agent asks for.
    fn act(&mut self, player: usize) {
        while let Some(action) = self.players[player].agent.next_action() {
            match action {
                Action::Connect(target) => self.connect(player, target),
                Action::Send(message) => {
                    let written_at = self.now + self.ms(30);
                    let wire = &mut self.players[player].wire;
                    wire.sent += 1;
                    wire.written_last = wire.written_last.max(written_at);
                    let (sent, written_at) = (wire.sent, wire.written_last);
                    self.schedule(written_at, player, Coming::Written(sent));
                    self.up(player, written_at, Coming::Arrive(message));
                }
                Action::Ping => {
                    let wire = &self.players[player].wire;
                    if !wire.up_is_cut && !wire.down_is_cut {
                        self.down(player, Happened::Pong);
                    }
                }
                Action::Close { code, .. } => self.up(player, self.now, Coming::Close(code)),
                Action::Abandon => self.hang_up(player, 1000),
                Action::Renew { .. } => panic!("nobody was asked for a credential"),
            }
        }
    }

    fn connect(&mut self, player: usize, target: Target) {
        self.hang_up(player, 1000);
        self.up(player, self.now, Coming::Upgrade(target));
        let within = [120, 120, 600, 3000][self.draw(4) as usize];
        let cuts = [
            Cut::Both,
            Cut::ClientFirst,
            Cut::ServerFirst,
            Cut::Up,
            Cut::Down,
        ];
        let cut = cuts[self.draw(5) as usize];
        let at = self.now + self.ms(within);
        self.schedule(at, player, Coming::Cut(cut));
    }

    /// The client's end of its connection is no more, of which the server learns within so long.
    fn hang_up(&mut self, player: usize, within_ms: u64) {
        let wire = &self.players[player].wire;
        let number = wire.number;
        if let Some(session) = wire.session {
            let at = self.now + self.ms(within_ms);
            let reason = CloseReason::Lost;
            self.schedule(at, player, Coming::Gone(session, reason));
        }
        self.players[player].wire = Wire {
            number: number + 1,
            ..Wire::default()
        };
    }

    /// Something reaches an end of the present connection.
    fn come(&mut self, player: usize, what: Coming) {
        let now = self.now;
        let Player { agent, wire, .. } = &mut self.players[player];
        let (up_is_cut, down_is_cut) = (wire.up_is_cut, wire.down_is_cut);
        match what {
            Coming::Written(sent) => agent.happened(Happened::Written(sent), now),
            Coming::Tell(happened) if !down_is_cut => {
                let is_last = !matches!(
                    happened,
                    Happened::Opened | Happened::Heard(_) | Happened::Pong
                );
                agent.happened(happened, now);
                if is_last {
                    self.hang_up(player, 0);
                }
            }
            Coming::Upgrade(target) if !up_is_cut => self.upgrade(player, &target),
            Coming::Arrive(message) if !up_is_cut => self.arrive(player, message),
            Coming::Close(code) if !up_is_cut => {
                if let Some(session) = wire.session {
                    let number = wire.number;
                    self.gone(player, number, session, CloseReason::Client { code });
                    let reason = String::new();
                    self.down(player, Happened::Closed { code, reason });
                }
            }
            Coming::Lost => self.lose(player),
            Coming::Cut(cut) => self.cut(player, cut),
            // It was cut before.
            _ => {}
        }
    }

    /// The client learns that its connection is gone.
    fn lose(&mut self, player: usize) {
        let now = self.now;
        let lost = Happened::Closed {
            code: client::LOST,
            reason: String::new(),
        };
        self.players[player].agent.happened(lost, now);
        self.hang_up(player, 1500);
    }

    fn cut(&mut self, player: usize, cut: Cut) {
        self.count("cuts");
        let wire = &mut self.players[player].wire;
        let (number, session) = (wire.number, wire.session);
        wire.up_is_cut |= matches!(cut, Cut::ServerFirst | Cut::Up);
        wire.down_is_cut |= matches!(cut, Cut::ServerFirst | Cut::Down);
        let within = self.ms(1500);
        match (cut, session) {
            (Cut::Both | Cut::ServerFirst, Some(session)) => {
                self.gone(player, number, session, CloseReason::Lost);
            }
            (Cut::Up, Some(session)) => {
                let gone = Coming::Gone(session, CloseReason::Timeout);
                self.schedule(self.now + within, player, gone);
                self.schedule(self.now + within, player, Coming::Lost);
            }
            _ => {}
        }
        if matches!(cut, Cut::Both | Cut::ClientFirst) {
            self.lose(player);
        }
    }

    /// The server learns that a connection is gone; that counts for nothing when it is not its session's any more.
    fn gone(&mut self, player: usize, number: u64, session: SessionId, reason: CloseReason) {
        if self.connected.get(&session) == Some(&(player, number)) {
            self.connected.remove(&session);
            self.pump.close(session, reason);
        }
    }

    fn upgrade(&mut self, player: usize, target: &Target) {
        let refused = |status, retry_after| Happened::Refused {
            status,
            retry_after,
            reason: String::new(),
        };
        let token = target.protocols.iter();
        let token = token
            .filter_map(|name| name.strip_prefix("worldshard.resume."))
            .next();
        let opened = if self.one_in(12) {
            Err(503)
        } else if let Some(token) = token {
            self.pump.resume(token, "/world")
        } else {
            let home = self.draw(self.pump.shards().into()) as u16;
            Ok(self.pump.open(home, "/world"))
        };
        let is_page = self.players[player].is_page;
        match opened {
            Ok(session) => {
                let wire = &mut self.players[player].wire;
                wire.session = Some(session);
                let connection = (player, wire.number);
                self.connected.insert(session, connection);
                self.count(if token.is_some() {
                    "sessions resumed"
                } else {
                    "sessions opened"
                });
                self.down(player, Happened::Opened);
            }
            Err(_) if is_page => self.down(player, Happened::Failed(String::new())),
            Err(status) => {
                let wait = (status == 503).then(|| Duration::from_millis(200));
                self.down(player, refused(status, wait));
            }
        }
    }

    fn arrive(&mut self, player: usize, message: client::Message) {
        let wire = &self.players[player].wire;
        let Some(session) = wire.session else {
            return;
        };
        if self.connected.get(&session) != Some(&(player, wire.number)) {
            return;
        }
        match message {
            client::Message::Text(text) => self.pump.text(session, &text),
            client::Message::Binary(bytes) => self.pump.binary(session, &bytes),
        }
        if self.one_in(2) {
            self.pump.handle(ShardId(session.home()));
        }
    }

    /// What the server says is on its way.
    fn collect(&mut self) {
        for player in 0..self.players.len() {
            let wire = &mut self.players[player].wire;
            let Some(session) = wire.session else {
                continue;
            };
            if self.connected.get(&session) != Some(&(player, wire.number)) {
                continue;
            }
            let told = self.pump.client(session);
            let heard: Vec<_> = told.received[wire.read..].iter().map(travelling).collect();
            wire.read += heard.len();
            let closed = told.closed.clone().filter(|_| !wire.is_closed);
            wire.is_closed |= closed.is_some();
            for message in heard {
                self.down(player, Happened::Heard(message));
            }
            if let Some((code, reason)) = closed {
                let told = CloseReason::Server {
                    code,
                    reason: reason.clone().into(),
                };
                self.down(player, Happened::Closed { code, reason });
                let at = self.now + self.ms(100);
                self.schedule(at, player, Coming::Gone(session, told));
            }
        }
    }

    /// A tick of all shards, in which letters are late, and those who answer requests take their time.
    fn tick(&mut self) {
        self.pump.step();
        for _ in 0..self.draw(24) {
            self.pump.deliver_one();
        }
        for shard in 0..self.pump.shards() {
            if !self.one_in(4) {
                self.pump.handle(ShardId(shard));
            }
        }
        if self.one_in(8) {
            self.pump.settle();
        }
        while !self.one_in(3) {
            let Some(request) = self.take_kept() else {
                break;
            };
            let draw = self.draw(4);
            answer_late(request, draw);
        }
        if self.one_in(CRASHES_ONE_IN) {
            self.crash();
        }
    }

    fn take_kept(&mut self) -> Option<Request> {
        let waiting = self.kept.lock().unwrap().len();
        let at = self.draw(waiting.max(1) as u64) as usize;
        let mut kept = self.kept.lock().unwrap();
        (at < kept.len()).then(|| kept.swap_remove(at))
    }

    /// The process ends, and with it all connections; whoever answers requests has them still.
    fn crash(&mut self) {
        self.count("processes ended");
        self.log.lock().unwrap().lost();
        self.pump.crash();
        self.connected.clear();
        for player in 0..self.players.len() {
            let wire = &mut self.players[player].wire;
            (wire.up_is_cut, wire.down_is_cut) = (true, true);
            wire.session = None;
            let at = self.now + self.ms(100);
            self.schedule(at, player, Coming::Lost);
        }
    }

    /// The user takes a report or some, or says something.
    fn use_it(&mut self, player: usize) {
        if self.one_in(2) {
            self.say(player);
        } else {
            for _ in 0..=self.draw(6) {
                self.take(player);
            }
        }
        self.act(player);
    }

    fn take(&mut self, player: usize) {
        let Player { agent, user, .. } = &mut self.players[player];
        let Some(report) = agent.next_report() else {
            return;
        };
        user.told(&report, agent.late_answers());
        match report {
            Report::Live(live) => {
                // Either may be first: one is for the world.
                let joins_first = self.one_in(2);
                if !joins_first {
                    self.say(player);
                }
                if !live.resumed {
                    self.join(player);
                }
                if joins_first {
                    self.say(player);
                }
            }
            Report::Refused(refused) => panic!("{refused:?}"),
            Report::Dead { .. } if !self.is_over => {
                self.hang_up(player, 1000);
                self.clients += 1;
                let mut another = self.player(self.clients);
                let one = &mut self.players[player];
                std::mem::swap(&mut another.wire, &mut one.wire);
                another.wire.number += 1;
                let before = std::mem::replace(one, another);
                self.ended.push(before.user);
            }
            _ => {}
        }
    }

    fn join(&mut self, player: usize) {
        let at = [self.draw(1000) as f32, self.draw(1000) as f32, 0.0];
        let Player {
            agent, joins, user, ..
        } = &mut self.players[player];
        let said = agent.join(ViewpointMode::Avatar, Some(at), InterestWish::Default);
        *joins = said.is_ok();
        expect(agent, user, said.err(), true);
    }

    fn say(&mut self, player: usize) {
        let owes_hello = self.players[player].user.owes_hello();
        let sides = if self.players[player].joins { 10 } else { 9 };
        let dice = if owes_hello { 0 } else { self.draw(sides) };
        let (patience, on_hot) = (self.ms(3000), self.one_in(2));
        let now = self.now;
        let Player { agent, user, .. } = &mut self.players[player];
        let error = if dice < 5 {
            let said = user.next(Kind::Message, String::new());
            let sent = agent.send(&payload(&said, on_hot));
            sent.map(|signal| user.sent(said, signal)).err()
        } else if dice < 9 {
            let said = user.next(Kind::Request, String::new());
            let asked = agent.request(&payload(&said, on_hot), patience, now);
            asked.map(|signal| user.asked(said, signal)).err()
        } else {
            let direction = [0.6, 0.0, 0.0];
            agent.say(&ClientMessage::Steer { direction }).err()
        };
        expect(agent, user, error, dice == 9);
    }

    /// All clients close, those who wait are waited for, and what was heard is held against what was told.
    fn finish(mut self) -> Totals {
        self.is_over = true;
        for player in 0..self.players.len() {
            let now = self.now;
            self.players[player].agent.close(now);
        }
        let deadline = self.now + Duration::from_secs(20);
        let is_done = |scene: &Self| {
            let mut players = scene.players.iter();
            players.all(|player| player.user.is_dead()) && scene.log.lock().unwrap().is_quiet()
        };
        while !is_done(&self) {
            assert!(self.now < deadline, "somebody does not end");
            self.step();
        }
        let players = std::mem::take(&mut self.players);
        self.ended
            .extend(players.into_iter().map(|player| player.user));
        let log = self.log.lock().unwrap();
        for user in &self.ended {
            log.finish(user);
            *self.counts.entry("lives").or_default() += u64::from(user.lives());
            *self.counts.entry("lives resumed").or_default() += u64::from(user.resumed());
            let closed = user.trace().matches('s').count();
            *self.counts.entry("closed by the server").or_default() += closed as u64;
            for (end, count) in user.ends() {
                *self.counts.entry(end).or_default() += count;
            }
        }
        self.counts
    }
}

/// Expects that what could not be said could not: the connection may be gone already, of which the user has not heard.
pub(crate) fn expect(agent: &Agent, user: &User, error: Option<SendError>, is_command: bool) {
    let is_expected = match error {
        None => true,
        Some(SendError::Full) => agent.is_full() || user.open_requests() >= 64,
        Some(SendError::Dead) => agent.state() == State::Dead,
        Some(SendError::NotLive) => is_command,
        Some(SendError::NotLanes | SendError::NotJson) => false,
    };
    assert!(is_expected, "{error:?}");
}

/// What an engine's payload is to a client.
fn travelling(payload: &Payload) -> client::Message {
    match payload {
        Payload::Text(text) => client::Message::Text(text.as_str().to_owned()),
        Payload::Binary(bytes) => client::Message::Binary(bytes.clone()),
    }
}

/// Answers a request that was kept, as the draw has it.
pub(crate) fn answer_late(request: Request, draw: u64) {
    match draw % 4 {
        0 => request.ack(),
        1 => request.reject(ErrorCode::RateLimited, "later"),
        2 => drop(request),
        _ => {
            let same = request.payload.clone();
            request.respond(same);
        }
    }
}

/// Of either lane.
pub(crate) fn payload(said: &Said, on_hot: bool) -> client::Payload {
    let json = json(said);
    if on_hot {
        client::Payload::Binary(json.into())
    } else {
        client::Payload::Json(json)
    }
}

/// What runs came to, by name.
type Totals = BTreeMap<&'static str, u64>;

/// Says how to run a seed again when it fails.
struct Replay(u64);

impl Drop for Replay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "again: WORLDSHARD_CUTS_SEED={} cargo test -p worldshard --test it sim_cuts::the_rules_hold_in_the_seed",
                self.0
            );
        }
    }
}

fn run(seed: u64) -> Totals {
    let _replay = Replay(seed);
    let mut scene = Scene::new(seed);
    while scene.now < TIME {
        scene.step();
    }
    scene.finish()
}

fn run_all(seeds: Range<u64>) -> Totals {
    let mut totals = Totals::new();
    for seed in seeds {
        for (name, count) in run(seed) {
            *totals.entry(name).or_default() += count;
        }
    }
    totals
}

#[test]
fn the_rules_hold_wherever_connections_are_cut_and_processes_end() {
    let totals = run_all(0..RUNS);
    println!("{totals:#?}");
    // Seven kinds of things happen, and what is said can end in eight ways.
    assert_eq!(totals.len(), 7 + 8, "{totals:?}");
    assert!(totals["cuts"] > 2000, "{totals:?}");
    assert!(totals.values().all(|count| *count >= 10), "{totals:?}");
}

#[test]
fn the_rules_hold_in_a_night_of_cuts() {
    if std::env::var_os("WORLDSHARD_NIGHTLY").is_none() {
        eprintln!("not run: set WORLDSHARD_NIGHTLY=1 for {NIGHTLY_RUNS} seeds");
        return;
    }
    println!("{:#?}", run_all(RUNS..RUNS + NIGHTLY_RUNS));
}

#[test]
fn the_rules_hold_in_the_seed_of_cuts_that_the_environment_names() {
    if let Ok(seed) = std::env::var("WORLDSHARD_CUTS_SEED") {
        println!("{:#?}", run(seed.parse().unwrap()));
    }
}

#[test]
fn the_same_seed_of_cuts_is_the_same_run() {
    assert_eq!(run(3), run(3));
}

const RUNS: u64 = 400;
const NIGHTLY_RUNS: u64 = 10_000;
/// How long each runs.
const TIME: Duration = Duration::from_secs(20);
const PLAYERS: u32 = 4;

const STEP: Duration = Duration::from_millis(5);
/// As long as the world's.
const TICK: Duration = Duration::from_millis(50);

/// The process ends after one tick in so many.
const CRASHES_ONE_IN: u64 = 200;
