//! Sessions that come, speak and go in any way and order that a seed says, and what is left of them: nothing.
//!
//! A model that knows only what was said in which order says who is in which room under which name, and how each is. The
//! line that replays a failure is printed.

use std::collections::{BTreeMap, BTreeSet};

use worldshard::prelude::*;
use worldshard_plugins::{
    ChatPlugin, HeartbeatPlugin, LobbyPlugin, PresencePlugin, RateLimitAction, RateLimitPlugin,
};

use crate::pump::Pump;
use crate::{SHARDS, app, heard, say, seconds, ticks};

/// A client, as it should be by what it has said.
struct Guest {
    nick: String,
    /// In the order in which they were joined or asked for again, with its name in each.
    rooms: Vec<(usize, String)>,
    status: &'static str,
    /// It says nothing any more, until it is closed for that.
    is_silent: bool,
}

/// A client that stays, in one room, and keeps up with who is there by notices alone.
struct Watcher {
    session: SessionId,
    others: BTreeSet<String>,
    /// What it was told of everybody's presence.
    presence: BTreeMap<String, String>,
}

struct Chaos {
    pump: Pump,
    guests: BTreeMap<SessionId, Guest>,
    watchers: Vec<Watcher>,
    nicks: u64,
}

/// Says how to do it again, if it failed.
struct Replay(u64, u16);

impl Drop for Replay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self(seed, shards) = self;
            eprintln!(
                "replay: WORLDSHARD_SEED={seed} WORLDSHARD_SHARDS={shards} cargo test -p worldshard-plugins --test it chaos"
            );
        }
    }
}

#[test]
fn after_any_chaos_lists_and_presence_are_as_they_should_and_nobodys_ghost_is_left() {
    let wish = |name: &str| {
        std::env::var(name)
            .ok()
            .and_then(|wish| wish.parse::<u64>().ok())
    };
    let seeds = wish("WORLDSHARD_SEED").map_or(1..=16, |seed| seed..=seed);
    for seed in seeds {
        for shards in SHARDS {
            if wish("WORLDSHARD_SHARDS").is_none_or(|wish| wish == u64::from(shards)) {
                let _replay = Replay(seed, shards);
                let mut chaos = Chaos::new(seed, shards);
                for _ in 0..600 {
                    chaos.happen();
                    chaos.reap();
                }
                chaos.come_to_rest();
                chaos.check_rooms();
                chaos.check_lobbies();
                chaos.check_presence();
                chaos.check_that_nothing_is_left();
            }
        }
    }
}

impl Chaos {
    fn new(seed: u64, shards: u16) -> Self {
        let plugins = (
            HeartbeatPlugin::new()
                .interval(seconds(1))
                .timeout(seconds(3)),
            RateLimitPlugin::new()
                .messages(40, 80)
                .action(RateLimitAction::Disconnect),
            ChatPlugin::new(),
            LobbyPlugin::new(),
            PresencePlugin::new().away_after(seconds(2)),
        );
        let mut pump = Pump::new(&mut app(plugins), shards, seed);
        let watchers = (0..ROOMS).map(|room| {
            let session = pump.open(room as u16 % shards, "/ws");
            say(&mut pump, session, &format!("/join r{room}"));
            Watcher {
                session,
                others: BTreeSet::new(),
                presence: BTreeMap::new(),
            }
        });
        let watchers = watchers.collect();
        Self {
            pump,
            guests: BTreeMap::new(),
            watchers,
            nicks: 0,
        }
    }

    fn draw(&mut self, below: usize) -> usize {
        self.pump.draw(below as u64) as usize
    }

    /// A guest that still speaks.
    fn any(&mut self) -> Option<SessionId> {
        let speak = self.guests.iter().filter(|(_, guest)| !guest.is_silent);
        let speak: Vec<_> = speak.map(|(session, _)| *session).collect();
        let nth = self.draw(speak.len());
        speak.get(nth).copied()
    }

    /// One thing happens.
    fn happen(&mut self) {
        match self.draw(30) {
            0..4 if self.guests.len() < 24 => self.open(),
            0..6 => {
                let shard = self.draw(usize::from(self.pump.shards()));
                self.pump.handle(ShardId(shard as u16));
            }
            6..12 => {
                for _ in 0..self.draw(12) {
                    self.pump.deliver_one();
                }
            }
            12..14 => self.tick(),
            what => {
                if let Some(session) = self.any() {
                    self.speak(session, what);
                }
            }
        }
    }

    fn tick(&mut self) {
        for watcher in &self.watchers {
            self.pump.text(watcher.session, "pong");
        }
        self.pump.step();
    }

    fn open(&mut self) {
        let home = self.draw(usize::from(self.pump.shards()));
        let session = self.pump.open(home as u16, "/ws");
        let guest = Guest {
            nick: format!("User {session}"),
            rooms: Vec::new(),
            status: "online",
            is_silent: false,
        };
        self.guests.insert(session, guest);
    }

    fn speak(&mut self, session: SessionId, what: usize) {
        let (room, lobby) = (self.draw(ROOMS), self.draw(3));
        let others: Vec<_> = self.guests.keys().copied().collect();
        let other = others[self.draw(others.len())];
        let said = match what {
            14..17 => self.join(session, room),
            17..19 => self.leave(session, room),
            19 => self.call(session),
            20 => "hello".to_owned(),
            21 => format!("/lobby create l{lobby} {}", 2 + self.draw(4)),
            22..24 => format!("/lobby join l{lobby}"),
            24 => "/lobby leave".to_owned(),
            25 => format!("/lobby {} {other}", ["kick", "transfer"][room % 2]),
            26 => {
                let status = ["online", "away", "busy"][self.draw(3)];
                self.guest(session).status = status;
                format!("/status {status}")
            }
            27 => return self.guest(session).is_silent = true,
            28 if room == 0 => return self.flood(session),
            _ => {
                let reasons = [
                    CloseReason::Lost,
                    CloseReason::Timeout,
                    CloseReason::Client { code: 1000 },
                ];
                self.pump.close(session, reasons[lobby].clone());
                self.guests.remove(&session);
                return;
            }
        };
        self.pump.text(session, &said);
    }

    fn guest(&mut self, session: SessionId) -> &mut Guest {
        self.guests.get_mut(&session).unwrap()
    }

    fn join(&mut self, session: SessionId, room: usize) -> String {
        let guest = self.guest(session);
        let was_in = guest.rooms.iter().position(|(of, _)| *of == room);
        let seat = match was_in {
            Some(at) => guest.rooms.remove(at),
            None => (room, guest.nick.clone()),
        };
        guest.rooms.push(seat);
        format!("/join r{room}")
    }

    fn leave(&mut self, session: SessionId, room: usize) -> String {
        let rooms = &mut self.guest(session).rooms;
        if room.is_multiple_of(2) {
            rooms.pop();
            return "/leave".to_owned();
        }
        rooms.retain(|(of, _)| *of != room);
        format!("/leave r{room}")
    }

    /// A new name, which nobody else has.
    fn call(&mut self, session: SessionId) -> String {
        self.nicks += 1;
        let nick = format!("g{}", self.nicks);
        let guest = self.guest(session);
        guest.nick.clone_from(&nick);
        if let Some((_, name)) = guest.rooms.last_mut() {
            name.clone_from(&nick);
        }
        format!("/nick {nick}")
    }

    fn flood(&mut self, session: SessionId) {
        for _ in 0..100 {
            self.pump.text(session, "much");
        }
    }

    /// Connections that the server has closed are gone.
    fn reap(&mut self) {
        let is_closed = |session: &SessionId| self.pump.clients[session].closed.is_some();
        let closed: Vec<_> = self.guests.keys().copied().filter(is_closed).collect();
        for session in closed {
            self.pump.close(session, CloseReason::Lost);
            self.guests.remove(&session);
        }
    }

    /// Who is silent is closed for it, everybody else says that it is there, and all that follows happens.
    fn come_to_rest(&mut self) {
        for _ in 0..8 {
            for session in self
                .guests
                .iter()
                .filter(|(_, one)| !one.is_silent)
                .map(|(one, _)| *one)
            {
                self.pump.text(session, "pong");
            }
            for _ in 0..ticks(seconds(1)) / 2 {
                self.tick();
                self.pump.settle();
            }
            self.reap();
        }
        self.pump.settle();
        assert!(self.guests.values().all(|guest| !guest.is_silent));
        for nth in 0..ROOMS {
            let session = self.watchers[nth].session;
            assert_eq!(self.pump.client(session).closed, None);
            let heard = heard(&mut self.pump, session);
            self.watchers[nth].follow(&heard);
        }
    }

    /// Has a client say something, and gives what it is answered; what else it hears is not lost.
    fn ask(&mut self, session: SessionId, said: &str) -> String {
        let mut texts = heard(&mut self.pump, session);
        say(&mut self.pump, session, said);
        let answers = heard(&mut self.pump, session);
        let answer = answers.iter().rfind(|text| text.starts_with('['));
        let answer = answer
            .cloned()
            .unwrap_or_else(|| panic!("no answer: {said}, {answers:?}"));
        texts.extend(answers);
        let mut watchers = self.watchers.iter_mut();
        if let Some(watcher) = watchers.find(|one| one.session == session) {
            watcher.follow(&texts);
        }
        answer
    }

    fn members(&self, room: usize) -> BTreeSet<String> {
        let all = self.guests.values().flat_map(|guest| &guest.rooms);
        all.filter(|(of, _)| *of == room)
            .map(|(_, name)| name.clone())
            .collect()
    }

    fn check_rooms(&mut self) {
        let mut list = "[System] Active Rooms:".to_owned();
        for room in 0..ROOMS {
            let members = self.members(room);
            list += &format!("\n  - r{room} ({} users)", members.len() + 1);
            let watcher = &self.watchers[room];
            assert_eq!(watcher.others, members, "what was told of r{room}");
            let session = watcher.session;
            let answer = self.ask(session, "/who");
            let mut names: Vec<_> = answer
                .lines()
                .skip(1)
                .map(|line| line[4..].to_owned())
                .collect();
            let own = format!("User {session}");
            names.retain(|name| *name != own);
            assert_eq!(names.len(), members.len(), "nobody twice in r{room}");
            assert_eq!(BTreeSet::from_iter(names), members, "the list of r{room}");
        }
        let session = self.watchers[0].session;
        assert_eq!(self.ask(session, "/list"), list);
    }

    /// Members of each lobby agree who is in it, the list counts them, and nobody is in two or is gone.
    fn check_lobbies(&mut self) {
        let asks = self.watchers[0].session;
        let list = self.ask(asks, "/lobby list");
        let mut in_one = BTreeSet::new();
        for line in list.lines().skip(1).filter(|line| *line != "  (none)") {
            let name = line.trim().split(' ').next().unwrap();
            let mut members = Vec::new();
            let mut says = BTreeSet::new();
            for session in self.guests.keys().copied().collect::<Vec<_>>() {
                let answer = self.ask(session, &format!("/lobby info {name}"));
                if answer.contains('\n') {
                    members.push(session.to_string());
                    says.insert(answer);
                }
                self.pump.run(1);
            }
            assert_eq!(says.len(), 1, "{name}: {says:?}, and the list says {line}");
            let says = says.pop_first().unwrap();
            let mut said: Vec<_> = says
                .lines()
                .skip(1)
                .map(|line| line.trim().split(' ').next().unwrap().to_owned())
                .collect();
            said.sort();
            members.sort();
            assert_eq!(said, members, "{name}");
            assert_eq!(says.matches("  owner").count(), 1, "{says}");
            assert!(
                line.contains(&format!(" ({}/", members.len())),
                "{line}: {members:?}"
            );
            for member in members {
                assert!(in_one.insert(member), "in two lobbies");
            }
        }
        for session in self.guests.keys().copied().collect::<Vec<_>>() {
            let answer = self.ask(session, "/lobby leave");
            let was_in = in_one.contains(&session.to_string());
            assert_eq!(answer.contains("Left"), was_in, "{session}: {answer}");
        }
        let list = self.ask(asks, "/lobby list");
        assert_eq!(
            list,
            "[Lobby] Public lobbies:
  (none)"
        );
    }

    fn check_presence(&mut self) {
        // What was said last: a newcomer must see all, and who was here all the time must know the same.
        let sessions: Vec<_> = self.guests.keys().copied().collect();
        for session in sessions
            .into_iter()
            .chain(self.watchers.iter().map(|one| one.session))
        {
            say(&mut self.pump, session, "pong");
        }
        let mut expected: BTreeMap<_, _> = self
            .guests
            .iter()
            .map(|(session, guest)| (session.to_string(), guest.status.to_owned()))
            .collect();
        for watcher in &self.watchers {
            expected.insert(watcher.session.to_string(), "online".to_owned());
        }
        let mut watcher = self.watchers.remove(0);
        watcher.follow(&heard(&mut self.pump, watcher.session));
        assert_eq!(watcher.presence, expected);
        let newcomer = self.pump.open(0, "/ws");
        self.pump.settle();
        let mut snapshot = Watcher {
            session: newcomer,
            others: BTreeSet::new(),
            presence: BTreeMap::new(),
        };
        snapshot.follow(&heard(&mut self.pump, newcomer));
        let own = snapshot.presence.remove(&newcomer.to_string());
        assert_eq!(
            (own.as_deref(), snapshot.presence),
            (Some("online"), expected)
        );
        self.pump.close(newcomer, CloseReason::Lost);
        self.watchers.insert(0, watcher);
    }

    fn check_that_nothing_is_left(&mut self) {
        let guests = std::mem::take(&mut self.guests);
        let watchers = std::mem::take(&mut self.watchers);
        let watchers = watchers.into_iter().map(|watcher| watcher.session);
        for session in guests.into_keys().chain(watchers) {
            self.pump.close(session, CloseReason::Lost);
        }
        self.pump.run(2);
        let rooms: usize = self.pump.hubs.iter().map(|hub| hub.status().rooms).sum();
        assert_eq!(rooms, 0);
        let session = self.pump.open(0, "/ws");
        say(&mut self.pump, session, "/list");
        let none = "[System] Active Rooms:\n  No active rooms right now.".to_owned();
        assert_eq!(
            heard(&mut self.pump, session),
            [none, format!("{session} online")]
        );
    }
}

impl Watcher {
    /// Learns from what it is told; who comes was not there, who goes was.
    fn follow(&mut self, texts: &[String]) {
        for line in texts.iter().flat_map(|text| text.lines()) {
            let notice = line.strip_prefix("[System] ");
            if let Some(name) = notice.and_then(|notice| notice.strip_suffix(" has joined.")) {
                assert!(self.others.insert(name.to_owned()), "{name} came twice");
            } else if let Some(name) = notice.and_then(|notice| notice.strip_suffix(" has left.")) {
                assert!(self.others.remove(name), "{name} went twice");
            } else if let Some(names) = notice.and_then(|notice| notice.strip_suffix('.'))
                && let Some((from, name)) = names.split_once(" is now ")
            {
                assert!(
                    self.others.remove(from),
                    "{from} is called anew and was not there"
                );
                assert!(self.others.insert(name.to_owned()), "{name} is two");
            } else if let Some((of, status)) = line.split_once(' ')
                && !of.is_empty()
                && of.bytes().all(|byte| byte.is_ascii_digit())
            {
                match status {
                    "offline" => {
                        let before = self.presence.remove(of);
                        assert!(before.is_some(), "{of} went offline twice");
                    }
                    status => {
                        let before = self.presence.insert(of.to_owned(), status.to_owned());
                        assert_ne!(
                            before.as_deref(),
                            Some(status),
                            "{of} is told {status} twice"
                        );
                    }
                }
            }
        }
    }
}

/// Rooms of the chat that guests know.
const ROOMS: usize = 6;
