//! Clients that keep themselves connected, through a proxy that cuts TCP anywhere: within a frame, the handshake or an answer,
//! one way only, by a reset, or after a stall. The five rules of `worldshard_client::Agent` hold, and the application, which
//! answers from another thread too, hears each session open and close once.
//!
//! WORLDSHARD_FULL=1 cuts for ten minutes in all, WORLDSHARD_CUTS_SECONDS=N for so long in each case; WORLDSHARD_CUTS_SEED=N
//! has the cuts of that seed.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use socket2::SockRef;
use worldshard::Runtime;
use worldshard::prelude::*;
use worldshard_client::protocol::{ClientMessage, InterestWish, ViewpointMode};
use worldshard_client::{Link, Options, Refused, Report};

use crate::rules::{Kind, User};
use crate::sim_cuts::{Log, answer_late, expect, moody, payload};
use crate::socket::{PATIENCE, end, eventually, now, on_each_runtime, serve};

#[test]
fn the_rules_hold_on_one_shard_wherever_connections_are_cut() {
    on_each_runtime(|runtime| cut(runtime, 1));
}

#[test]
fn the_rules_hold_on_two_shards_wherever_connections_are_cut() {
    on_each_runtime(|runtime| cut(runtime, 2));
}

#[test]
fn the_rules_hold_on_eight_shards_wherever_connections_are_cut() {
    on_each_runtime(|runtime| cut(runtime, 8));
}

/// What happened how often, by name.
type Counts = BTreeMap<&'static str, u64>;

/// Says how to have the same cuts again when a case fails.
struct Replay {
    seed: u64,
    runtime: Runtime,
    shards: &'static str,
}

impl Drop for Replay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "again: WORLDSHARD_CUTS_SEED={} WORLDSHARD_RUNTIME={} cargo test -p worldshard --test it \
                 net_cuts::the_rules_hold_on_{}",
                self.seed, self.runtime, self.shards
            );
        }
    }
}

/// One case: some clients for some time.
fn cut(runtime: Runtime, shards: u16) {
    let seed = number("WORLDSHARD_CUTS_SEED").unwrap_or(7);
    let _replay = Replay {
        seed,
        runtime,
        shards: match shards {
            1 => "one",
            2 => "two",
            _ => "eight",
        },
    };
    let (kept, listens) = sync_channel(1000);
    let worker = spawn(move || work(&listens, seed));
    let log = Log::default();
    // When too many are kept, one more is dropped, and so rejected.
    let mut app = moody(&log, move |request| drop(kept.try_send(request)));
    let (running, address) = serve(settle(&mut app, runtime, shards));
    // The worker ends with the last system that could give it something.
    drop(app);
    let proxy = Proxy::start(address, seed);
    let until = now() + time();
    let players: Vec<_> = (0..PLAYERS)
        .map(|player| {
            let (log, through) = (log.clone(), proxy.address);
            spawn(move || play(player, seed, through, until, &log))
        })
        .collect();
    let users: Vec<User> = players.into_iter().flat_map(join).collect();
    eventually(PATIENCE, "every session is closed", || {
        log.lock().unwrap().is_quiet()
    });
    end(running);
    join(worker);
    let mut counts = proxy.stop();
    let log = log.lock().unwrap();
    for user in &users {
        log.finish(user);
        *counts.entry("lives").or_default() += u64::from(user.lives());
        *counts.entry("resumed").or_default() += u64::from(user.resumed());
        let closed = user.trace().matches('s').count();
        *counts.entry("closed by the server").or_default() += closed as u64;
        for (end, count) in user.ends() {
            *counts.entry(end).or_default() += count;
        }
    }
    let sessions = log.sessions();
    println!("{runtime}, {shards} shards, seed {seed}: {sessions} sessions, {counts:?}");
    for name in [
        "cuts",
        "lives",
        "resumed",
        "responded",
        "response lost",
        "sent",
    ] {
        let is_seen = counts.get(name).is_some_and(|count| *count > 0);
        assert!(is_seen, "no {name}: {counts:?}");
    }
}

fn settle(app: &mut App, runtime: Runtime, shards: u16) -> &mut App {
    app.bind("127.0.0.1:0")
        .runtime(runtime)
        .shards(shards)
        .options(|options| {
            let limits = &mut options.limits;
            limits.resume_grace = Duration::from_millis(400);
            limits.request_max = Duration::from_millis(300);
            limits.requests_open_max = 1000;
            limits.ping_interval = Duration::from_millis(300);
            limits.silence_max = Duration::from_millis(700);
            limits.close_deadline = Duration::from_millis(500);
        })
}

/// Answers requests in an order of its own: soon, when the server has given them up, or never.
fn work(listens: &Receiver<Request>, seed: u64) {
    let mut chance = Chance::new(seed, EntityId(1), Tick(0), "work");
    let mut kept: Vec<(Instant, Request)> = Vec::new();
    loop {
        match listens.recv_timeout(Duration::from_millis(5)) {
            Ok(request) => {
                let wait = [5, 50, 600, 3000][(chance.next_u64() % 4) as usize];
                let wait = Duration::from_millis(chance.next_u64() % wait);
                kept.push((now() + wait, request));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let due = now();
        for (_, request) in kept.extract_if(.., |(at, _)| *at <= due) {
            answer_late(request, chance.next_u64());
        }
    }
}

/// One client after another, until the time is over: each until it is dead.
fn play(player: u32, seed: u64, through: SocketAddr, until: Instant, log: &Log) -> Vec<User> {
    let mut users = Vec::new();
    while now() < until {
        let client = player * 100_000 + users.len() as u32;
        let mut one = Player::new(client, seed, through);
        while now() < until && !one.user.is_dead() {
            assert!(!log.is_poisoned(), "the application found something");
            one.turn();
        }
        one.finish();
        users.push(one.user);
    }
    users
}

struct Player {
    link: Link,
    user: User,
    chance: Chance,
    /// It asked for an avatar in this session.
    joins: bool,
    /// Its requests are never given up by itself.
    is_patient: bool,
}

impl Player {
    fn new(client: u32, seed: u64, through: SocketAddr) -> Self {
        let mut chance = Chance::new(seed, EntityId(client.into()), Tick(0), "player");
        let mut options = Options::new(&format!("ws://{through}/world")).unwrap();
        let mut one_in = |so_many| chance.next_u64().is_multiple_of(so_many);
        options.resume = !one_in(3);
        options.reconnect.on_close = !one_in(4);
        options.reconnect.on_drop = !one_in(8);
        let is_patient = one_in(2);
        options.reconnect.base = Duration::from_millis(20);
        options.reconnect.cap = Duration::from_millis(100);
        options.reconnect.steady_after = Duration::from_millis(100);
        options.patience.connect = Duration::from_secs(1);
        options.patience.close = Duration::from_millis(500);
        options.patience.ping_after = Duration::from_millis(300);
        options.patience.silence = Duration::from_millis(300);
        Self {
            link: Link::new(options).unwrap(),
            user: User::new(client),
            chance,
            joins: false,
            is_patient,
        }
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.chance.next_u64() % below
    }

    /// Takes some of what is told, and says something, or nothing.
    fn turn(&mut self) {
        let most = self.draw(8);
        let wait = Duration::from_millis(self.draw(12));
        let mut report = self.link.wait(wait);
        for _ in 0..most {
            let Some(taken) = report.take() else {
                break;
            };
            self.take(&taken);
            report = self.link.poll();
        }
        if let Some(last) = report {
            self.take(&last);
        }
        for _ in 0..self.draw(4) {
            self.say();
        }
    }

    fn take(&mut self, report: &Report) {
        self.user.told(report, self.link.late_answers());
        // One that stalled for long may read why it was left.
        let is_left = |refused: &Refused| refused.code == ErrorCode::Timeout;
        let is_wrong = matches!(report, Report::Refused(refused) if !is_left(refused));
        assert!(!is_wrong, "{report:?}");
        if let Report::Live(live) = report {
            // Either may be first: one is for the world.
            let joins_first = self.draw(2) == 0;
            if !joins_first {
                self.say();
            }
            if !live.resumed {
                self.join();
            }
            if joins_first {
                self.say();
            }
        }
    }

    fn join(&mut self) {
        let at = [self.draw(1000) as f32, self.draw(1000) as f32, 0.0];
        let mode = ViewpointMode::Avatar;
        let said = self.link.join(mode, Some(at), InterestWish::Default);
        self.joins = said.is_ok();
        expect(&self.link, &self.user, said.err(), true);
    }

    fn say(&mut self) {
        let sides = if self.joins { 10 } else { 9 };
        let dice = if self.user.owes_hello() {
            0
        } else {
            self.draw(sides)
        };
        let patience = if self.is_patient {
            PATIENCE
        } else {
            Duration::from_millis(self.draw(400))
        };
        let (filler, on_hot) = (self.filler(), self.draw(2) == 0);
        let (link, user) = (&mut self.link, &mut self.user);
        let error = if dice < 5 {
            let said = user.next(Kind::Message, filler);
            let sent = link.send(payload(&said, on_hot));
            sent.map(|signal| user.sent(said, signal)).err()
        } else if dice < 9 {
            let said = user.next(Kind::Request, filler);
            let asked = link.request(payload(&said, on_hot), patience);
            asked.map(|signal| user.asked(said, signal)).err()
        } else {
            let direction = [0.6, 0.0, 0.0];
            link.say(&ClientMessage::Steer { direction }).err()
        };
        expect(&self.link, &self.user, error, dice == 9);
    }

    /// Few are long, so that cuts fall into them.
    fn filler(&mut self) -> String {
        let most = match self.draw(100) {
            0..4 => 40_000,
            4..14 => 5000,
            _ => 50,
        };
        "x".repeat(self.draw(most) as usize)
    }

    fn finish(&mut self) {
        self.link.close();
        let deadline = now() + PATIENCE;
        while !self.user.is_dead() {
            assert!(now() < deadline, "it does not end: {:?}", self.link);
            if let Some(report) = self.link.wait(Duration::from_millis(50)) {
                self.take(&report);
            }
        }
    }
}

/// Between clients and a server.
struct Proxy {
    address: SocketAddr,
    stops: Arc<AtomicBool>,
    counts: Arc<Mutex<Counts>>,
    accepts: JoinHandle<()>,
}

/// What becomes of one direction after so many bytes.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Cut,
    Reset,
    /// This direction ends, the other goes on.
    HalfClose,
    /// Nothing for so long, and then the same again.
    Stall(Duration),
}

impl Proxy {
    fn start(server: SocketAddr, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // Little waits in the proxy, so that who writes during a stall soon finds the kernel full.
        let room = SockRef::from(&listener).set_recv_buffer_size(PROXY_BYTES);
        room.unwrap();
        let address = listener.local_addr().unwrap();
        let (stops, counts) = (Arc::<AtomicBool>::default(), Arc::default());
        let accepts = {
            let (stops, counts) = (stops.clone(), Arc::clone(&counts));
            spawn(move || accept(&listener, server, seed, &stops, &counts))
        };
        Self {
            address,
            stops,
            counts,
            accepts,
        }
    }

    /// Once nobody is connected any more.
    fn stop(self) -> Counts {
        self.stops.store(true, Ordering::Relaxed);
        // It waits for somebody.
        drop(TcpStream::connect(self.address).unwrap());
        join(self.accepts);
        let counts = self.counts.lock().unwrap();
        counts.clone()
    }
}

fn accept(
    listener: &TcpListener,
    server: SocketAddr,
    seed: u64,
    stops: &AtomicBool,
    counts: &Arc<Mutex<Counts>>,
) {
    let mut copying: Vec<JoinHandle<()>> = Vec::new();
    for number in 0.. {
        let (client, _) = listener.accept().unwrap();
        if stops.load(Ordering::Relaxed) {
            break;
        }
        let server = TcpStream::connect(server).unwrap();
        for socket in [&client, &server] {
            socket.set_nodelay(true).unwrap();
            let socket = SockRef::from(socket);
            socket.set_recv_buffer_size(PROXY_BYTES).unwrap();
        }
        let (client, server) = (Arc::new(client), Arc::new(server));
        for (way, from, to) in [(0, &client, &server), (1, &server, &client)] {
            let (from, to, counts) = (from.clone(), to.clone(), counts.clone());
            let chance = Chance::new(seed, EntityId(number), Tick(way), "proxy");
            copying.push(spawn(move || copy(&from, &to, chance, &counts)));
        }
        for ended in copying.extract_if(.., |one| one.is_finished()) {
            join(ended);
        }
    }
    copying.into_iter().for_each(join);
}

/// Copies one direction, as its fate has it.
fn copy(from: &TcpStream, to: &TcpStream, mut chance: Chance, counts: &Mutex<Counts>) {
    let (mut left, mut fate) = fate(&mut chance);
    let mut buffer = [0; 16 * 1024];
    let count = |what| *counts.lock().unwrap().entry(what).or_default() += 1;
    let both = |how| [from, to].map(|socket| drop(socket.shutdown(how)));
    loop {
        let most = buffer.len().min(left);
        let read = { from }.read(&mut buffer[..most]).unwrap_or(0);
        if read == 0 || { to }.write_all(&buffer[..read]).is_err() {
            // Where one end is gone, it is gone for the other too.
            both(Shutdown::Both);
            return;
        }
        left -= read;
        if left > 0 {
            continue;
        }
        match fate {
            Fate::Cut => {
                count("cuts");
                both(Shutdown::Both);
                return;
            }
            Fate::Reset => {
                count("resets");
                for socket in [from, to] {
                    // Takes effect with the shutdown, where the peer is not gone already.
                    let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
                }
                both(Shutdown::Both);
                return;
            }
            Fate::HalfClose => {
                count("half closes");
                drop(to.shutdown(Shutdown::Write));
                drop(from.shutdown(Shutdown::Read));
                return;
            }
            Fate::Stall(time) => {
                count("stalls");
                std::thread::park_timeout(time);
                (left, fate) = self::fate(&mut chance);
            }
        }
    }
}

/// After how many bytes what happens: often in the handshake, often soon, sometimes late.
fn fate(chance: &mut Chance) -> (usize, Fate) {
    let mut draw = |below| chance.next_u64() % below;
    let most = [400, 4000, 4000, 40_000, 400_000][draw(5) as usize];
    let bytes = 1 + draw(most) as usize;
    let fate = match draw(8) {
        0..3 => Fate::Cut,
        3 => Fate::Reset,
        4 | 5 => Fate::HalfClose,
        _ => Fate::Stall(Duration::from_millis(draw(900))),
    };
    (bytes, fate)
}

fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    std::thread::Builder::new().spawn(work).unwrap()
}

fn join<T>(thread: JoinHandle<T>) -> T {
    let ended = thread.join();
    ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// How long each case takes.
fn time() -> Duration {
    let full = std::env::var("WORLDSHARD_FULL").is_ok_and(|full| full == "1");
    // Six cases: two runtimes, three numbers of shards.
    let seconds = if full { 600 / 6 } else { 3 };
    Duration::from_secs(number("WORLDSHARD_CUTS_SECONDS").unwrap_or(seconds))
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok();
    text.map(|text| text.parse().unwrap())
}

const PLAYERS: u32 = 8;

/// Bytes that wait in the proxy for one direction.
const PROXY_BYTES: usize = 8 * 1024;
