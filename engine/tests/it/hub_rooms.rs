//! Rooms: who is told what by whom, when timers fire, what a panic costs, how a room ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use worldshard::Rooms;
use worldshard::prelude::*;

use crate::pump::Pump;

const TICK: Duration = Duration::from_millis(50);

fn app(rooms: Rooms) -> App {
    let mut app = App::new();
    app.rooms(rooms).world(WorldConfig {
        tick_interval: TICK,
        ..WorldConfig::default()
    });
    app
}

/// Connects where the room lives.
fn enter(pump: &mut Pump, path: &str) -> SessionId {
    let home = pump.room_host(path);
    pump.open(home.0, path)
}

/// The counter of the documents, which says what else it is asked.
#[derive(Default)]
struct Counter(u64);

impl Service for Counter {
    fn message(&mut self, room: &mut Room<'_>, member: SessionId, payload: &Payload) {
        match payload.as_text().unwrap() {
            "increment" => {
                self.0 += 1;
                room.send(Audience::All, format!("new value: {}", self.0));
            }
            "name" => room.send(Audience::One(member), room.name().to_owned()),
            "chance" => {
                let draws =
                    [room.chance("dice"), room.chance("dice")].map(|mut one| one.next_u64());
                room.send(Audience::One(member), format!("{draws:?}"));
            }
            "panic" => panic!("as asked"),
            other => room.send(Audience::AllBut(member), other.to_owned()),
        }
    }
}

fn texts(pump: &Pump, session: SessionId) -> Vec<&str> {
    pump.clients[&session].texts()
}

#[test]
fn a_room_has_its_own_state_and_members_and_no_others() {
    for shards in [1, 2, 8] {
        let mut app = app(Rooms::at("/ws/{room}", |_| Counter::default()));
        let mut pump = Pump::new(&mut app, shards, 1);
        let one = enter(&mut pump, "/ws/a");
        let two = enter(&mut pump, "/ws/a");
        let other = enter(&mut pump, "/ws/b");
        for session in [one, two, other, one] {
            pump.text(session, "increment");
        }
        pump.settle();
        let shared = ["new value: 1", "new value: 2", "new value: 3"];
        assert_eq!(texts(&pump, one), shared);
        assert_eq!(texts(&pump, two), shared);
        assert_eq!(texts(&pump, other), ["new value: 1"]);
    }
}

#[test]
fn a_service_knows_the_name_of_its_room_however_it_is_spelt_in_the_path() {
    let mut app = app(Rooms::at("/ws/{room}", |_| Counter::default()));
    let mut pump = Pump::new(&mut app, 2, 1);
    let plain = enter(&mut pump, "/ws/caf\u{e9}+1");
    let spelt = enter(&mut pump, "/ws/%63af%C3%A9+1");
    pump.text(plain, "name");
    pump.text(spelt, "increment");
    pump.settle();
    assert_eq!(texts(&pump, plain), ["caf\u{e9}+1", "new value: 1"]);
}

#[test]
fn chance_follows_from_seed_and_name_and_never_repeats() {
    let draws = |seed: u64, shards: u16| -> Vec<String> {
        let mut app = App::new();
        app.rooms(Rooms::at("/ws/{room}", |_| Counter::default()))
            .world(WorldConfig {
                seed,
                ..WorldConfig::default()
            });
        let mut pump = Pump::new(&mut app, shards, 9);
        let rooms = ["/ws/a", "/ws/b"];
        let sessions = rooms.map(|path| enter(&mut pump, path));
        for session in [sessions[0], sessions[1], sessions[0]] {
            pump.text(session, "chance");
        }
        pump.settle();
        let heard = sessions.map(|session| texts(&pump, session).join(" "));
        heard.to_vec()
    };
    let first = draws(1, 1);
    assert_eq!(first, draws(1, 8), "the same inputs draw the same");
    assert_ne!(first, draws(2, 1));
    let all: BTreeSet<&str> = first
        .iter()
        .flat_map(|text| text.split(['[', ',', ' ', ']']))
        .collect();
    assert_eq!(all.iter().filter(|draw| !draw.is_empty()).count(), 6);
}

/// What happened to it and when: names and ticks.
type Trace = Arc<Mutex<Vec<(String, u64)>>>;

struct Timed(Trace);

impl Timed {
    fn note(&self, what: impl Into<String>, room: &Room<'_>) {
        self.0.lock().unwrap().push((what.into(), room.tick().0));
    }
}

impl Service for Timed {
    fn init(&mut self, room: &mut Room<'_>) {
        self.note("init", room);
    }

    fn message(&mut self, room: &mut Room<'_>, _: SessionId, payload: &Payload) {
        let text = payload.as_text().unwrap();
        let (wish, rest) = text.split_once(' ').unwrap();
        let (name, ms) = rest.split_once(' ').unwrap_or((rest, "0"));
        let after = Duration::from_millis(ms.parse().unwrap());
        match wish {
            "set" => assert!(room.set_timer(name, after)),
            "every" => assert!(room.set_interval(name, after)),
            "cancel" => assert!(room.cancel_timer(name)),
            "many" => {
                let set = (0..300).filter(|n| room.set_timer(&format!("{name}{n}"), after));
                let set = set.count();
                self.note(format!("set {set}"), room);
            }
            other => panic!("{other}"),
        }
    }

    fn timer(&mut self, room: &mut Room<'_>, name: &str) {
        assert_eq!(room.time(), TICK * room.tick().0 as u32);
        self.note(name, room);
        if name == "first" {
            room.cancel_timer("second");
        }
    }
}

fn timed(trace: &Trace) -> App {
    let trace = Arc::clone(trace);
    app(Rooms::at("/t/{room}", move |_| Timed(Arc::clone(&trace))))
}

#[test]
fn timers_fire_to_the_tick_and_cancelled_or_replaced_ones_never() {
    for shards in [1, 2, 8] {
        let trace = Trace::default();
        let mut app = timed(&trace);
        let mut pump = Pump::new(&mut app, shards, 2);
        let session = enter(&mut pump, "/t/x");
        pump.run(3);
        for wish in [
            "set later 1000",
            "set now 0",
            "set half 25",
            "set gone 500",
            "cancel gone",
            "set moved 100",
            "set moved 300",
            "every beat 150",
            "set first 200",
            "set second 200",
        ] {
            pump.text(session, wish);
        }
        pump.settle();
        pump.run(20);
        pump.text(session, "cancel beat");
        pump.run(20);
        let trace = trace.lock().unwrap();
        let mut fired: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        for (name, tick) in trace.iter() {
            fired.entry(name).or_default().push(*tick);
        }
        let expected = [
            ("beat", vec![6, 9, 12, 15, 18, 21]),
            ("first", vec![7]),
            ("half", vec![4]),
            ("init", vec![1]),
            ("later", vec![23]),
            ("moved", vec![9]),
            ("now", vec![4]),
        ];
        assert_eq!(fired, BTreeMap::from(expected));
    }
}

#[test]
fn a_room_has_no_more_timers_than_it_may_have() {
    let trace = Trace::default();
    let mut app = timed(&trace);
    let mut pump = Pump::new(&mut app, 1, 2);
    let session = enter(&mut pump, "/t/x");
    pump.text(session, "many t 50");
    pump.run(2);
    let trace = trace.lock().unwrap();
    assert!(trace.contains(&("set 256".to_owned(), 1)), "{trace:?}");
    assert_eq!(trace.len(), 2 + 256);
}

/// Tells all who comes and goes, so that a restart can be seen.
#[derive(Default)]
struct Porter {
    known: Vec<SessionId>,
    ticks: u64,
}

impl Service for Porter {
    fn connect(&mut self, room: &mut Room<'_>, member: SessionId) {
        assert!(room.members().any(|one| one == member));
        self.known.push(member);
        if room.name() == "cursed" && self.known.len() > 1 {
            panic!("cursed");
        }
        room.send(Audience::All, format!("hello {}", self.known.len()));
    }

    fn message(&mut self, room: &mut Room<'_>, member: SessionId, payload: &Payload) {
        match payload.as_text().unwrap() {
            "panic" => panic!("as asked"),
            "ticks" => room.send(Audience::One(member), format!("ticks {}", self.ticks)),
            "kick" => room.kick(member, 4000, "as asked"),
            _ => room.send(Audience::All, payload.clone()),
        }
    }

    fn disconnect(&mut self, room: &mut Room<'_>, member: SessionId) {
        assert!(self.known.contains(&member));
        self.known.retain(|known| *known != member);
        room.send(Audience::All, format!("bye {}", self.known.len()));
    }

    fn tick(&mut self, _: &mut Room<'_>) {
        self.ticks += 1;
    }
}

fn porters() -> App {
    app(Rooms::at("/p/{room}", |_| Porter::default()))
}

#[test]
fn a_panic_restarts_its_room_with_its_members_and_no_other() {
    for shards in [1, 2, 8] {
        let mut app = porters();
        let mut pump = Pump::new(&mut app, shards, 3);
        let one = enter(&mut pump, "/p/a");
        let two = enter(&mut pump, "/p/a");
        let other = enter(&mut pump, "/p/b");
        pump.settle();
        pump.text(one, "panic");
        pump.text(two, "still here");
        pump.text(other, "so am I");
        pump.settle();
        let again = ["hello 1", "hello 2", "still here"];
        let heard = texts(&pump, two);
        assert_eq!(heard[heard.len() - 3..], again);
        assert_eq!(texts(&pump, other), ["hello 1", "so am I"]);
        let host = pump.room_host("/p/a");
        let status = pump.hub(host).status();
        assert_eq!((status.room_panics, status.faults), (1, 0));
        assert_eq!(status.last_panic.as_deref(), Some("room a: as asked"));
    }
}

#[test]
fn a_room_that_panics_again_and_again_is_closed_for_a_minute() {
    for shards in [1, 2, 8] {
        let mut app = porters();
        let mut pump = Pump::new(&mut app, shards, 3);
        let first = enter(&mut pump, "/p/cursed");
        pump.settle();
        let second = enter(&mut pump, "/p/cursed");
        pump.settle();
        let failed = Some((1011, "the room failed".to_owned()));
        for session in [first, second] {
            assert_eq!(pump.clients[&session].closed, failed);
            pump.close(session, CloseReason::Lost);
        }
        let host = pump.room_host("/p/cursed");
        let refusal = pump.hub(host).admits(0, "/p/cursed").unwrap_err();
        assert_eq!(refusal.status, 503);
        let status = pump.hub(host).status();
        assert_eq!((status.rooms, status.rooms_failed), (0, 1));
        pump.run(1201);
        assert!(pump.hub(host).admits(0, "/p/cursed").is_ok());
        assert_eq!(pump.hub(host).status().rooms_failed, 0);
    }
}

#[test]
fn members_leave_once_whatever_ended_them_and_only_a_room_with_members_ticks() {
    for shards in [1, 2, 8] {
        let mut app = porters();
        let mut pump = Pump::new(&mut app, shards, 4);
        let stays = enter(&mut pump, "/p/a");
        let ends = [
            CloseReason::Lost,
            CloseReason::Client { code: 1000 },
            CloseReason::Timeout,
        ];
        for end in ends {
            let leaves = enter(&mut pump, "/p/a");
            pump.settle();
            pump.close(leaves, end.clone());
            pump.close(leaves, end);
            pump.settle();
        }
        let kicked = enter(&mut pump, "/p/a");
        pump.settle();
        pump.text(kicked, "kick");
        pump.settle();
        let closed = pump.clients[&kicked].closed.clone();
        assert_eq!(closed, Some((4000, "as asked".to_owned())));
        pump.close(kicked, CloseReason::Lost);
        // It comes and goes before anybody is told.
        let hasty = enter(&mut pump, "/p/a");
        pump.close(hasty, CloseReason::Lost);
        pump.run(5);
        pump.text(stays, "ticks");
        pump.settle();
        let mut expected = vec!["hello 1"];
        for _ in 0..5 {
            expected.extend(["hello 2", "bye 1"]);
        }
        expected.push("ticks 5");
        assert_eq!(texts(&pump, stays), expected);
    }
}

#[test]
fn an_empty_room_ends_or_stays_as_its_kind_says_and_a_newcomer_cancels_its_end() {
    let value_after = |when_empty: WhenEmpty, ticks_away: u64| -> String {
        let rooms = Rooms::at("/ws/{room}", |_| Counter::default()).when_empty(when_empty);
        let mut app = app(rooms);
        let mut pump = Pump::new(&mut app, 2, 5);
        for _ in 0..3 {
            let session = enter(&mut pump, "/ws/a");
            pump.text(session, "increment");
            pump.settle();
            pump.close(session, CloseReason::Lost);
            pump.settle();
            pump.run(ticks_away);
        }
        let last = enter(&mut pump, "/ws/a");
        pump.text(last, "increment");
        pump.settle();
        texts(&pump, last).join(" ")
    };
    let after = WhenEmpty::EndAfter(Duration::from_secs(1));
    assert_eq!(value_after(WhenEmpty::Keep, 100), "new value: 4");
    assert_eq!(value_after(WhenEmpty::End, 0), "new value: 1");
    assert_eq!(value_after(after, 19), "new value: 4");
    assert_eq!(value_after(after, 21), "new value: 1");
}

#[test]
fn rooms_end_and_leave_nothing_behind() {
    let mut app = porters();
    let mut pump = Pump::new(&mut app, 2, 6);
    for round in 0..5_000 {
        let session = enter(&mut pump, &format!("/p/room {round}"));
        pump.text(session, "hello");
        pump.close(session, CloseReason::Lost);
        if round % 100 == 0 {
            pump.settle();
        }
    }
    pump.run(1);
    for hub in &pump.hubs {
        assert_eq!(hub.status().rooms, 0);
    }
}

#[test]
fn a_room_that_was_created_waits_a_minute_for_somebody() {
    let rooms = Rooms::at("/ws/{room}", |_| Counter::default()).creation(Creation::Explicit);
    let mut app = app(rooms);
    let mut pump = Pump::new(&mut app, 2, 5);
    let host = pump.room_host("/ws/a");
    let status = |pump: &mut Pump| {
        pump.hub(host)
            .admits(0, "/ws/a")
            .err()
            .map(|one| one.status)
    };
    assert_eq!(status(&mut pump), Some(404));
    pump.hub(host).create_room(0, "/ws/a").unwrap();
    let again = pump.hub(host).create_room(0, "/ws/a").unwrap_err();
    assert_eq!(again.status, 409);
    pump.run(1199);
    assert_eq!(status(&mut pump), None);
    pump.run(2);
    assert_eq!(status(&mut pump), Some(404));
    pump.hub(host).create_room(0, "/ws/a").unwrap();
    let session = enter(&mut pump, "/ws/a");
    pump.run(1300);
    assert_eq!(status(&mut pump), None, "somebody is in it");
    pump.close(session, CloseReason::Lost);
    pump.settle();
    assert_eq!(status(&mut pump), Some(404));
}

#[test]
fn bounds_of_members_rooms_and_names_hold_with_their_consequence() {
    let rooms = Rooms::at("/ws/{room}", |_| Counter::default()).members_max(2);
    let mut app = app(rooms);
    app.options(|options| options.limits.rooms_max = 3);
    let mut pump = Pump::new(&mut app, 2, 5);
    let status = |pump: &mut Pump, path: &str| {
        let host = pump.room_host(path);
        pump.hub(host).admits(0, path).err().map(|one| one.status)
    };
    let first = enter(&mut pump, "/ws/a");
    enter(&mut pump, "/ws/a");
    assert_eq!(status(&mut pump, "/ws/a"), Some(503));
    // Between its request and its session the room became full.
    let late = enter(&mut pump, "/ws/a");
    pump.settle();
    let closed = pump.clients[&late].closed.clone();
    assert_eq!(
        closed,
        Some((1008, "no room: the room is full: 2 members".to_owned()))
    );
    pump.close(first, CloseReason::Lost);
    pump.settle();
    assert_eq!(status(&mut pump, "/ws/a"), None);
    enter(&mut pump, "/ws/b");
    enter(&mut pump, "/ws/c");
    assert_eq!(status(&mut pump, "/ws/d"), Some(503));
    assert_eq!(status(&mut pump, "/ws/a"), None);
    for name in ["", "a%2Fb", "a%0Ab", "%FF", &"x".repeat(129)] {
        let path = format!("/ws/{name}");
        let refused = pump.hubs[0].admits(0, &path).unwrap_err();
        assert_eq!(refused.status, 400, "{name:?}");
    }
    assert!(pump.hubs[0].admits(0, "/elsewhere").is_ok());
}

/// Random joins, leaves and words: each word is heard by who is in the room then, once, and by nobody else.
#[test]
fn what_is_said_in_a_room_stays_there_whoever_comes_and_goes() {
    for shards in [1, 2, 8] {
        for seed in 1..=20 {
            let mut app = app(Rooms::at("/r/{room}", |_| Counter::default()));
            let mut pump = Pump::new(&mut app, shards, seed);
            let mut rooms: BTreeMap<SessionId, u64> = BTreeMap::new();
            let mut expected: BTreeMap<SessionId, Vec<String>> = BTreeMap::new();
            for turn in 0..200 {
                let some = pump.draw(rooms.len() as u64) as usize;
                let someone = rooms.keys().nth(some).copied();
                match (pump.draw(4), someone) {
                    (0, _) | (_, None) => {
                        let room = pump.draw(5);
                        let session = enter(&mut pump, &format!("/r/{room}"));
                        rooms.insert(session, room);
                        expected.insert(session, Vec::new());
                    }
                    (1, Some(session)) => {
                        rooms.remove(&session);
                        pump.close(session, CloseReason::Lost);
                    }
                    (_, Some(speaker)) => {
                        let word = format!("word {turn}");
                        pump.text(speaker, &word);
                        let room = rooms[&speaker];
                        for (session, of) in &rooms {
                            if *of == room && *session != speaker {
                                expected.get_mut(session).unwrap().push(word.clone());
                            }
                        }
                    }
                }
                pump.settle();
            }
            for (session, words) in expected {
                assert_eq!(texts(&pump, session), words, "seed {seed}, {shards} shards");
            }
        }
    }
}

#[test]
fn a_kind_of_rooms_with_a_mistake_is_named_at_start() {
    let detail = |rooms: Rooms| {
        let mut app = App::new();
        app.rooms(rooms);
        app.build().err().map(|error| error.to_string())
    };
    let rooms = |pattern: &str| Rooms::at(pattern, |_| Counter::default());
    for (wrong, part) in [
        (rooms("/ws"), "/ws"),
        (rooms("ws/{room}"), "ws/{room}"),
        (
            rooms("/ws/{room}").creation(Creation::Short(2)),
            "2 letters",
        ),
        (rooms("/ws/{room}").default_room("a/b"), "a/b"),
    ] {
        let said = detail(wrong).unwrap();
        assert!(said.contains("rooms") && said.contains(part), "{said}");
    }
    assert_eq!(detail(rooms("/ws/{room}")), None);
    let mut app = App::new();
    app.rooms(rooms("/ws/{room}")).rooms(rooms("/ws/{room}"));
    assert!(app.build().is_err());
}

/// Counts how often it was told something, under names of its own and one too many.
struct Teller;

impl Service for Teller {
    fn message(&mut self, room: &mut Room<'_>, _: SessionId, _: &Payload) {
        room.log("told");
        room.count("told", 1);
        for name in NAMES {
            room.count(name, 2);
        }
    }
}

const NAMES: [&str; 64] = {
    const LETTERS: &str = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnop";
    let mut names = [""; 64];
    let mut at = 0;
    while at < 64 {
        names[at] = LETTERS.split_at(at).1;
        at += 1;
    }
    names
};

#[test]
fn what_services_count_is_in_the_status_of_their_shard_and_bounded() {
    for shards in [1, 2, 8] {
        let mut app = app(Rooms::at("/t/{room}", |_| Teller));
        let mut pump = Pump::new(&mut app, shards, 1);
        for name in ["a", "b", "c"] {
            let session = enter(&mut pump, &format!("/t/{name}"));
            pump.text(session, "hello");
            pump.settle();
            pump.close(session, CloseReason::Lost);
            pump.settle();
        }
        let mut told = 0;
        for hub in &mut pump.hubs {
            let totals = hub.status().room_totals;
            told += totals.get("told").copied().unwrap_or(0);
            assert!(totals.is_empty() || totals.len() == worldshard::ROOM_TOTALS_MAX);
            assert!(!totals.contains_key(NAMES[63]), "one name too many");
        }
        assert_eq!(told, 3);
    }
}

/// Never begins.
struct Stillborn;

impl Service for Stillborn {
    fn init(&mut self, _: &mut Room<'_>) {
        panic!("as always");
    }
}

#[test]
fn who_comes_for_a_room_that_cannot_begin_is_told_that_it_failed() {
    for shards in [1, 2, 8] {
        let mut app = app(Rooms::at("/ws/{room}", |_| Stillborn));
        let mut pump = Pump::new(&mut app, shards, 1);
        let session = enter(&mut pump, "/ws/a");
        pump.settle();
        let failed = Some((1011, "the room failed".to_owned()));
        assert_eq!(pump.clients[&session].closed, failed);
    }
}
