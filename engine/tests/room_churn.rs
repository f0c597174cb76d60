//! What rooms take of memory, and that they give it back: after a million random joins no room is left and no byte of one.
//!
//! A binary of its own: the allocator counts for the whole process. WORLDSHARD_FULL=1 makes it a million joins, else 200 000.

#![expect(
    clippy::unwrap_used,
    reason = "a test may panic: the permission for tests does not reach their helpers"
)]
#![expect(
    unsafe_code,
    reason = "an allocator that counts is one, and hands every call on to the system's as it came"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use worldshard::hub::{Commons, Hub, Opening, Output};
use worldshard::prelude::*;
use worldshard::{AppRecipe, Letter, Rooms};
use worldshard_shard::Envelope;
use worldshard_transport::MessageKind;

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator with the arguments it came with; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        LIVE.fetch_add(size, Ordering::Relaxed);
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What is allocated now, by all of the process: one test at a time has the count.
fn live() -> usize {
    LIVE.load(Ordering::Relaxed)
}

fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Remembers who spoke, wakes up now and then, and lets go whoever asks for it.
#[derive(Default)]
struct Talk {
    heard: Vec<SessionId>,
}

impl Service for Talk {
    fn connect(&mut self, room: &mut Room<'_>, member: SessionId) {
        room.set_interval("beat", TICK * 3);
        room.set_timer(&format!("greet {member}"), TICK * 2);
        room.send(Audience::AllBut(member), "somebody came");
    }

    fn message(&mut self, room: &mut Room<'_>, member: SessionId, payload: &Payload) {
        self.heard.push(member);
        match payload.as_text() {
            Some("leave") => room.kick(member, 4000, "as asked"),
            _ => room.send(Audience::All, payload.clone()),
        }
    }

    fn disconnect(&mut self, room: &mut Room<'_>, _: SessionId) {
        room.send(Audience::All, "somebody left");
    }

    fn timer(&mut self, room: &mut Room<'_>, name: &str) {
        room.send(Audience::All, name.to_owned());
    }
}

/// Who is in rooms.
#[derive(Clone, Copy)]
enum Guest {
    /// The connection came for a room.
    OfRoom(SessionId),
    /// It came for none, and asked for some.
    OfLobby(SessionId),
}

impl Guest {
    fn session(self) -> SessionId {
        match self {
            Self::OfRoom(session) | Self::OfLobby(session) => session,
        }
    }
}

fn join(cx: &mut Context<'_>, session: SessionId, wish: &str) {
    let (kind, name) = wish.split_once(' ').unwrap();
    cx.join(session, kind, name, "");
}

fn leave(cx: &mut Context<'_>, session: SessionId, _: &str) {
    let rooms = cx.rooms_of(session);
    let rooms: Vec<(String, String)> = rooms
        .map(|(kind, name)| (kind.to_owned(), name.to_owned()))
        .collect();
    for (kind, name) in rooms {
        assert!(cx.leave(session, &kind, &name));
    }
}

/// Says how many rooms are listed.
fn list(cx: &mut Context<'_>, _: SessionId, _: &str) {
    let listed = KINDS.map(|kind| cx.list_rooms(kind, None, usize::MAX).len());
    LISTED.store(listed.iter().sum(), Ordering::Relaxed);
}

static LISTED: AtomicUsize = AtomicUsize::new(0);

/// Needs nothing.
struct Silent;

impl Service for Silent {}

/// Hubs in one thread, whose clients read everything at once.
struct Hubs {
    hubs: Vec<Hub>,
    recipe: Arc<AppRecipe>,
    tick: Tick,
    chance: u64,
    output: Output,
}

impl Hubs {
    fn new(app: &mut App, shards: u16) -> Self {
        let recipe = app.build().unwrap();
        let commons = Commons::new(&recipe, shards).unwrap();
        let hub = |own| Hub::new(ShardId(own), recipe.clone(), commons.clone()).unwrap();
        Self {
            hubs: (0..shards).map(hub).collect(),
            recipe: recipe.clone(),
            tick: Tick(0),
            chance: 0x9e37_79b9_7f4a_7c15,
            output: Output::default(),
        }
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        self.chance.wrapping_mul(0x2545_f491_4f6c_dd1d) % below
    }

    fn hub(&mut self, session: SessionId) -> &mut Hub {
        &mut self.hubs[usize::from(session.home())]
    }

    /// Somebody joins a room of either kind: by its path, from anywhere, or who is in others already. Few names come again
    /// and again, most never.
    fn join(&mut self, there: &mut Vec<Guest>) {
        let kind = ["now", "later"][self.draw(2) as usize];
        let names = [100, u64::MAX][self.draw(2) as usize];
        let name = self.draw(names);
        let how = self.draw(3);
        if how == 0 {
            let path = format!("/{kind}/{name}");
            let home = self.recipe.room_host(0, &path, SHARDS).unwrap();
            let session = self.open(home, path);
            self.say(session, "hello");
            return there.push(Guest::OfRoom(session));
        }
        if how == 1 || there.is_empty() {
            let home = ShardId(self.draw(SHARDS.into()) as u16);
            let session = self.open(home, "/lobby".to_owned());
            there.push(Guest::OfLobby(session));
        }
        let at = there.len() - 1 - self.draw(there.len().min(8) as u64) as usize;
        self.say(
            there[at].session(),
            &format!("/join /{kind}/{{room}} {name}"),
        );
    }

    /// Somebody leaves, one way or another.
    fn leave(&mut self, guest: Guest) {
        match (guest, self.draw(2)) {
            (Guest::OfRoom(session), 0) => self.say(session, "leave"),
            (Guest::OfLobby(session), 0) => {
                self.say(session, "/leave");
                self.settle();
                self.lose(session);
            }
            (guest, _) => self.lose(guest.session()),
        }
    }

    fn open(&mut self, home: ShardId, path: String) -> SessionId {
        let framing = self.recipe.framing(&path).unwrap();
        self.hubs[usize::from(home.0)].open(Opening { path, framing })
    }

    fn say(&mut self, session: SessionId, text: &str) {
        self.hub(session)
            .message(session, MessageKind::Text, text.as_bytes());
    }

    fn lose(&mut self, session: SessionId) {
        self.hub(session).closed(session, CloseReason::Lost);
    }

    /// Does what a driver does with what hubs have for it, until they have nothing.
    fn settle(&mut self) {
        let mut letters: Vec<(ShardId, ShardId, Letter)> = Vec::new();
        loop {
            let mut quiet = true;
            for (own, hub) in (0..).zip(&mut self.hubs) {
                hub.handle();
                std::mem::swap(hub.output(), &mut self.output);
                for (session, _, _) in self.output.frames.drain(..) {
                    hub.written(session, 1);
                }
                for (session, code, reason) in self.output.closes.drain(..) {
                    quiet = false;
                    hub.closed(session, CloseReason::Server { code, reason });
                }
                let from = ShardId(own);
                let sent = self.output.letters.drain(..);
                letters.extend(sent.map(|(to, letter)| (to, from, letter)));
                quiet &= !hub.is_told();
            }
            for (to, from, letter) in letters.drain(..) {
                quiet = false;
                self.hubs[usize::from(to.0)].letter(from, letter);
            }
            if quiet {
                return;
            }
        }
    }

    fn step(&mut self) {
        self.tick = self.tick.next();
        let tick = self.tick;
        let mut inboxes: Vec<Vec<Envelope>> = self.hubs.iter().map(|_| Vec::new()).collect();
        for hub in &mut self.hubs {
            for envelope in hub.advance(tick) {
                inboxes[usize::from(envelope.to.0)].push(envelope);
            }
        }
        for (hub, inbox) in self.hubs.iter_mut().zip(&mut inboxes) {
            hub.absorb(tick, inbox);
        }
        self.settle();
    }

    fn rooms(&self) -> usize {
        self.hubs.iter().map(|hub| hub.status().rooms).sum()
    }

    /// How many rooms are listed, as who asks is told.
    fn listed(&mut self) -> usize {
        let who = self.open(ShardId(0), "/lobby".to_owned());
        self.say(who, "/list");
        self.settle();
        self.lose(who);
        self.settle();
        LISTED.load(Ordering::Relaxed)
    }

    /// So many joins, between which others leave, so that never more than so many are there. Then all leave, and the
    /// rooms that wait a while for somebody have waited. Says how many rooms there were at most.
    fn churn(&mut self, joins: u32, members_max: u64) -> usize {
        let mut there: Vec<Guest> = Vec::new();
        let mut rooms_most = 0;
        for join in 0..joins {
            self.join(&mut there);
            let free = members_max - there.len() as u64;
            if self.draw(members_max) >= free {
                let at = self.draw(there.len() as u64) as usize;
                let guest = there.swap_remove(at);
                self.leave(guest);
            }
            if join % 64 == 0 {
                self.step();
                rooms_most = rooms_most.max(self.rooms());
                assert_eq!(self.listed(), self.rooms());
            }
        }
        there.iter().for_each(|guest| self.lose(guest.session()));
        self.settle();
        for _ in 0..=LINGER_TICKS {
            self.step();
        }
        rooms_most
    }
}

#[test]
fn random_joins_leave_memory_flat_and_the_list_of_rooms_empty() {
    let _alone = alone();
    let full = std::env::var("WORLDSHARD_FULL").is_ok_and(|full| full == "1");
    let joins = if full { 1_000_000 } else { 200_000 };
    let mut app = App::new();
    let [now, later] = KINDS;
    app.rooms(Rooms::at(now, |_| Talk::default()));
    let lingering = WhenEmpty::EndAfter(TICK * LINGER_TICKS);
    app.rooms(Rooms::at(later, |_| Talk::default()).when_empty(lingering));
    app.raw("/lobby");
    app.text_command("/join", join);
    app.text_command("/leave", leave);
    app.text_command("/list", list);
    app.world(WorldConfig {
        tick_interval: TICK,
        ..WorldConfig::default()
    });
    let mut hubs = Hubs::new(&mut app, SHARDS);
    // Buffers become as long as they get, and longer.
    hubs.churn(20_000, 3 * MEMBERS_MAX);
    let before = live();
    for part in 1..=PARTS {
        let rooms_most = hubs.churn(joins / PARTS, MEMBERS_MAX);
        assert!(rooms_most > 100, "{rooms_most} rooms are no churn");
        assert_eq!((hubs.rooms(), hubs.listed()), (0, 0), "rooms are left");
        let known: usize = hubs.hubs.iter().map(Hub::sessions_known).sum();
        assert_eq!(known, 0, "sessions are left");
        let left = live();
        println!(
            "{} joins, {rooms_most} rooms at most: {left} bytes are left",
            part * (joins / PARTS)
        );
        let more = left.saturating_sub(before);
        assert!(more <= LEFT_BYTES_MAX, "{more} bytes more than before");
    }
}

/// What so many sessions take, with all that they are in.
fn taken(sessions: usize, path: impl Fn(usize) -> String) -> usize {
    let mut app = App::new();
    app.raw("/nobody's room");
    app.rooms(Rooms::at("/ws/{room}", |_| Silent));
    let mut hubs = Hubs::new(&mut app, 8);
    let before = live();
    for session in 0..sessions {
        let path = path(session);
        let home = hubs.recipe.room_host(0, &path, 8);
        let home = home.unwrap_or(ShardId((session % 8) as u16));
        hubs.open(home, path);
        if session % 100 == 0 {
            hubs.settle();
        }
    }
    hubs.settle();
    live() - before
}

#[test]
fn a_room_of_five_takes_little_beyond_its_sessions() {
    let _alone = alone();
    let plain = taken(50_000, |_| "/nobody's room".to_owned());
    let in_rooms = taken(50_000, |session| {
        format!("/ws/room {:05}", session % 10_000)
    });
    let room = (in_rooms - plain) / 10_000;
    let session = plain / 50_000;
    println!("{session} bytes a session, {room} more for a room of five of them");
    assert!(room <= ROOM_BYTES_MAX, "{room} bytes for a room");
}

const KINDS: [&str; 2] = ["/now/{room}", "/later/{room}"];
const TICK: Duration = Duration::from_millis(50);
const SHARDS: u16 = 4;
const PARTS: u32 = 10;

/// Who is in a room at any time, at most.
const MEMBERS_MAX: u64 = 1000;

/// So long rooms of one kind wait for somebody.
const LINGER_TICKS: u32 = 5;

/// Its name, its place in the lists of its shard, its state, and five members that it and their homes know.
const ROOM_BYTES_MAX: usize = 2048;

/// Buffers that happen to grow once more. A byte for each join of the short run is three times as much.
const LEFT_BYTES_MAX: usize = 64 * 1024;
