//! Members that come, go, are sent away, moved, closed and cut off in any way and order that a seed says: what services were
//! told, what homes know and what lists say is the same in the end, and nobody is heard in a room that it is not in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use worldshard::Rooms;
use worldshard::prelude::*;
use worldshard_protocol::{ClientMessage, Greeting, InterestWish, ViewpointMode};

use crate::pump::Pump;

type Members = BTreeMap<String, BTreeSet<SessionId>>;

/// What services saw.
#[derive(Default)]
struct Seen {
    inside: Members,
    /// What must not have happened. A service that panicked over it would be caught.
    wrong: Vec<String>,
}

/// Knows its members by what it was told alone.
struct Witness {
    name: String,
    seen: Arc<Mutex<Seen>>,
}

impl Witness {
    fn note(
        &self,
        room: &Room<'_>,
        what: &str,
        is_right: impl FnOnce(&mut BTreeSet<SessionId>) -> bool,
    ) {
        let mut seen = self.seen.lock().unwrap();
        let inside = seen.inside.entry(self.name.clone()).or_default();
        let is_right = is_right(inside);
        let is_same = room.members().eq(inside.iter().copied());
        if !is_right || (!is_same && what != "came") {
            seen.wrong.push(format!("{}: {what}", self.name));
        }
    }
}

impl Service for Witness {
    fn connect(&mut self, room: &mut Room<'_>, member: SessionId) {
        self.note(room, "came", |inside| inside.insert(member));
    }

    fn message(&mut self, room: &mut Room<'_>, member: SessionId, payload: &Payload) {
        self.note(room, "said", |inside| inside.contains(&member));
        let text = payload.as_text().unwrap().trim_matches('"');
        match text {
            "away" => room.remove(member, "as asked"),
            "kick" => room.kick(member, 4000, "as asked"),
            "panic" => panic!("as asked"),
            to => room.move_to(member, "hall", to, ""),
        }
    }

    fn disconnect(&mut self, room: &mut Room<'_>, member: SessionId) {
        self.note(room, "went", |inside| inside.remove(&member));
    }

    fn tick(&mut self, room: &mut Room<'_>) {
        self.note(room, "ticked", |inside| !inside.is_empty());
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        if let Ok(mut seen) = self.seen.lock() {
            seen.inside.remove(&self.name);
        }
    }
}

struct Chaos {
    pump: Pump,
    seen: Arc<Mutex<Seen>>,
    /// Which rooms each home says that its sessions are in.
    seats: Arc<Mutex<Members>>,
    all: Arc<Mutex<Vec<SessionId>>>,
    open: Vec<SessionId>,
    /// Who was cut off, and by which token it goes on.
    cut: Vec<(SessionId, String)>,
}

impl Chaos {
    fn new(seed: u64, shards: u16) -> Self {
        let (seen, seats) = (
            Arc::<Mutex<Seen>>::default(),
            Arc::<Mutex<Members>>::default(),
        );
        let all = Arc::<Mutex<Vec<SessionId>>>::default();
        let (of_rooms, of_homes, known) = (seen.clone(), seats.clone(), all.clone());
        let rooms = Rooms::named("hall", move |name| Witness {
            name: name.to_owned(),
            seen: of_rooms.clone(),
        });
        let mut app = App::new();
        app.rooms(rooms.joinable().members_max(6))
            .options(|options| {
                options.limits.resume_grace = Duration::from_secs(1);
                options.limits.rooms_per_session_max = 3;
            })
            .lanes("/app")
            .raw("/ws")
            .text_command("/seats", move |cx, _, _| {
                let mut seats = of_homes.lock().unwrap();
                for session in &*known.lock().unwrap() {
                    for (_, name) in cx.rooms_of(*session) {
                        seats.entry(name.to_owned()).or_default().insert(*session);
                    }
                }
            });
        Self {
            pump: Pump::new(&mut app, shards, seed),
            seen,
            seats,
            all,
            open: Vec::new(),
            cut: Vec::new(),
        }
    }

    /// A session with a viewpoint, so that it is waited for.
    fn open(&mut self) {
        let home = self.pump.draw(self.pump.shards().into()) as u16;
        let session = self.pump.open(home, "/app");
        let mut bytes = Vec::new();
        let join = ClientMessage::Join {
            mode: ViewpointMode::Camera,
            at: None,
            interest: InterestWish::Default,
            full: false,
            acks: false,
        };
        join.encode(Some(1), None, &mut bytes);
        self.pump.binary(session, &bytes);
        self.all.lock().unwrap().push(session);
        self.open.push(session);
    }

    fn any(&mut self) -> Option<SessionId> {
        let nth = self.pump.draw(self.open.len() as u64) as usize;
        self.open.get(nth).copied()
    }

    fn happen(&mut self) {
        match self.pump.draw(20) {
            0 if self.open.len() < 16 => self.open(),
            1 if !self.cut.is_empty() => {
                let nth = self.pump.draw(self.cut.len() as u64) as usize;
                let (session, token) = self.cut.swap_remove(nth);
                // Its time may be over, or somebody has closed it.
                if self.pump.resume(&token, "/app") == Ok(session) {
                    self.open.push(session);
                }
            }
            2 => self.part(),
            3..5 => {
                let shard = self.pump.draw(self.pump.shards().into()) as u16;
                self.pump.handle(ShardId(shard));
            }
            5..8 => _ = self.pump.deliver_one(),
            8 => self.pump.step(),
            what => {
                let room = format!("r{}", self.pump.draw(5));
                let Some(session) = self.any() else {
                    return;
                };
                let (svc, kind, data) = match what {
                    9..13 => ("room", "join", ""),
                    13..15 => ("room", "leave", ""),
                    _ => {
                        let words = ["r0", "r1", "r2", "r3", "away", "away", "kick", "panic"];
                        let nth = self.pump.draw(words.len() as u64) as usize;
                        ("app", "message", words[nth])
                    }
                };
                let text = format!(
                    r#"{{"v":1,"svc":"{svc}","type":"{kind}","room":"{room}","data":"{data}"}}"#
                );
                self.pump.text(session, &text);
            }
        }
        self.reap();
    }

    /// A connection breaks or is closed.
    fn part(&mut self) {
        let Some(session) = self.any() else {
            return;
        };
        self.open.retain(|one| *one != session);
        let reasons = [CloseReason::Lost, CloseReason::Client { code: 1000 }];
        let nth = self.pump.draw(3) as usize;
        let greeting = Greeting::parse(self.pump.clients[&session].texts()[0]).unwrap();
        if nth > 0 {
            self.cut.push((session, greeting.resume.unwrap()));
        }
        let reason = reasons[usize::from(nth == 0)].clone();
        self.pump.close(session, reason);
    }

    /// Connections that a service has closed are gone.
    fn reap(&mut self) {
        let clients = &self.pump.clients;
        let is_closed = |one: &SessionId| clients[one].closed.is_some();
        let closed: Vec<_> = self.open.iter().copied().filter(is_closed).collect();
        for session in closed {
            self.open.retain(|one| *one != session);
            self.pump.close(session, CloseReason::Lost);
        }
    }

    fn check(&mut self, what: &str) {
        self.pump.settle();
        self.reap();
        self.pump.settle();
        self.seats.lock().unwrap().clear();
        for home in 0..self.pump.shards() {
            let asks = self.pump.open(home, "/ws");
            self.pump.text(asks, "/seats");
            self.pump.settle();
            self.pump.close(asks, CloseReason::Lost);
        }
        self.pump.settle();
        let seen = self.seen.lock().unwrap();
        assert_eq!(seen.wrong, Vec::<String>::new(), "{what}");
        assert_eq!(seen.inside, *self.seats.lock().unwrap(), "{what}");
        let listed = self.pump.hubs[0].list_rooms("hall", None, 100);
        let listed = listed
            .iter()
            .map(|one| (one.name.to_string(), one.members as usize));
        let inside = seen
            .inside
            .iter()
            .map(|(name, all)| (name.clone(), all.len()));
        assert!(listed.eq(inside), "{what}: lists");
        assert!(
            seen.inside.values().all(|all| all.len() <= 6),
            "{what}: full"
        );
        let rooms: usize = self.pump.hubs.iter().map(|hub| hub.status().rooms).sum();
        assert_eq!(rooms, seen.inside.len(), "{what}: rooms without members");
    }
}

#[test]
fn services_homes_and_lists_agree_whatever_happens_to_members() {
    // For a hunt: so many seeds more.
    let more = std::env::var("WORLDSHARD_ROOM_SEEDS").map_or(0, |more| more.parse().unwrap());
    for seed in 0..36 + more {
        let shards = [1, 2, 8][seed as usize % 3];
        let mut chaos = Chaos::new(seed, shards);
        for round in 0..4 {
            for _ in 0..200 {
                chaos.happen();
            }
            chaos.check(&format!("seed {seed}, round {round}"));
        }
        for session in std::mem::take(&mut chaos.open) {
            chaos
                .pump
                .close(session, CloseReason::Client { code: 1000 });
        }
        chaos.pump.run(25);
        chaos.check(&format!("seed {seed}, the end"));
        assert!(chaos.seen.lock().unwrap().inside.is_empty());
        let known: usize = chaos.pump.hubs.iter().map(|hub| hub.sessions_known()).sum();
        assert_eq!(known, 0, "seed {seed}");
    }
}
