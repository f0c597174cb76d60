//! An agent, a user and a model server, with a network that cuts when chance has it, in virtual time. Whatever happens,
//! the five rules hold, the trace is of the grammar, and everything said has one end.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde::Serialize;

use super::rules::{Application, Kind, Said, User, json};
use super::*;
use crate::chance::Chance;

/// Something that will happen to a connection.
#[derive(Debug)]
enum Coming {
    Tell(Happened),
    /// The server gets a message.
    Arrive(Message),
    /// The network breaks the connection.
    Cut,
    /// The server closes it.
    Close(u16, &'static str),
}

/// The network's and the server's end of one connection.
#[derive(Default)]
struct Connection {
    number: u64,
    token: Option<String>,
    sent: u64,
    up_last: Duration,
    down_last: Duration,
    /// The session behind it, once greeted.
    session: Option<u64>,
    closing: bool,
}

struct Scene {
    chance: Chance,
    now: Duration,
    agent: Agent,
    order: u64,
    coming: BTreeMap<(Duration, u64), (u64, Coming)>,
    connection: Connection,
    connections: u64,
    server: Server,
    user: User,
    commands: u32,
}

#[derive(Default)]
struct Server {
    sessions: u64,
    /// What its application heard and said.
    application: Application,
    /// The session that is open, with a connection or without.
    open: Option<u64>,
    /// The session that waits to be resumed, and by which token.
    detached: Option<(u64, String)>,
    tokens: u64,
    /// The last command taken, of the newest session; none before its first.
    taken: Option<u32>,
}

impl Scene {
    fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let mut options = Options::new("ws://h/world").unwrap();
        options.environment = if chance.share() < 0.3 {
            Environment::Browser
        } else {
            Environment::Native
        };
        options.resume = chance.share() < 0.7;
        options.reconnect.on_close = chance.share() < 0.7;
        options.reconnect.on_drop = chance.share() < 0.9;
        options.patience.ping_after = SECOND * 3;
        options.patience.silence = SECOND * 3;
        if chance.share() < 0.2 {
            options.limits.reports_max = 16;
        }
        if chance.share() < 0.2 {
            options.reconnect.attempts_max = Some(6);
        }
        Self {
            agent: Agent::new(options, chance.next()).unwrap(),
            chance,
            now: Duration::ZERO,
            order: 0,
            coming: BTreeMap::new(),
            connection: Connection::default(),
            connections: 0,
            server: Server::default(),
            user: User::new(1),
            commands: 0,
        }
    }

    fn often(&mut self, share: f64) -> bool {
        self.chance.share() < share
    }

    fn ms(&mut self, most: u64) -> Duration {
        Duration::from_millis(self.chance.next() % (most + 1))
    }

    fn schedule(&mut self, at: Duration, what: Coming) {
        self.order += 1;
        let number = self.connection.number;
        self.coming.insert((at, self.order), (number, what));
    }

    /// What the server says arrives in order.
    fn down(&mut self, text: String, after: Duration) {
        let at = (self.now + after + self.ms(100)).max(self.connection.down_last);
        self.connection.down_last = at;
        self.schedule(at, Coming::Tell(Happened::Heard(Message::Text(text))));
    }

    fn act(&mut self) {
        while let Some(action) = self.agent.next_action() {
            match action {
                Action::Connect(target) => self.connect(&target),
                Action::Send(message) => {
                    self.connection.sent += 1;
                    let sent = self.connection.sent;
                    let written_at = self.now + self.ms(50);
                    let at = (written_at + self.ms(100)).max(self.connection.up_last);
                    self.connection.up_last = at;
                    self.schedule(written_at, Coming::Tell(Happened::Written(sent)));
                    self.schedule(at, Coming::Arrive(message));
                }
                Action::Ping => {
                    if self.often(0.9) {
                        let at = self.now + self.ms(200);
                        self.schedule(at, Coming::Tell(Happened::Pong));
                    }
                }
                Action::Close { .. } => {
                    self.connection.closing = true;
                    if self.often(0.7) {
                        let at = (self.now + self.ms(200)).max(self.connection.up_last);
                        self.schedule(at, Coming::Close(1000, ""));
                    }
                }
                Action::Abandon => self.leave(true),
                Action::Renew { .. } => {
                    let credential = self.often(0.5).then(|| Credential::new("new"));
                    self.agent.renew(credential, self.now).unwrap();
                }
            }
        }
    }

    /// The connection is no more; nothing that was to come of it comes.
    fn leave(&mut self, may_resume: bool) {
        if let Some(session) = self.connection.session
            && may_resume
            && !self.connection.closing
        {
            let token = format!("t{}", self.server.tokens);
            self.server.detached = Some((session, token));
        }
        self.connections += 1;
        self.connection = Connection {
            number: self.connections,
            ..Connection::default()
        };
    }

    fn connect(&mut self, target: &Target) {
        self.leave(true);
        let token = target
            .protocols
            .iter()
            .find_map(|name| name.strip_prefix("worldshard.resume."));
        self.connection.token = token.map(str::to_owned);
        let at = self.now + self.ms(300);
        let refused = |status, retry_after| Happened::Refused {
            status,
            retry_after,
            reason: String::new(),
        };
        let dice = self.chance.share();
        let known = self
            .server
            .detached
            .as_ref()
            .is_some_and(|(_, waits)| Some(waits.as_str()) == token);
        let is_page = self.agent.options.environment == Environment::Browser;
        let happened = if dice < 0.25 {
            Happened::Failed("unreachable".to_owned())
        } else if dice < 0.3 && !is_page {
            refused(503, Some(SECOND))
        } else if dice < 0.33 {
            // Nobody answers.
            return;
        } else if token.is_some() && !known {
            if is_page {
                Happened::Failed(String::new())
            } else {
                refused(410, None)
            }
        } else {
            Happened::Opened
        };
        self.schedule(at, Coming::Tell(happened));
    }

    /// The agent is told, and the server does what goes with it.
    fn tell(&mut self, happened: Happened) {
        let opened = matches!(happened, Happened::Opened);
        self.agent.happened(happened, self.now);
        if !opened {
            return;
        }
        if self.often(0.1) {
            let reason = if self.often(0.5) {
                "AUTH_FAILED: expired"
            } else {
                "TOO_MANY_SESSIONS: 1"
            };
            self.schedule(self.now, Coming::Close(1008, reason));
            return;
        }
        let resumed = match (&self.connection.token, &self.server.detached) {
            (Some(token), Some((session, waits))) if token == waits => Some(*session),
            _ => None,
        };
        self.server.detached = None;
        if resumed.is_none() {
            self.end_session();
            self.server.sessions += 1;
            self.server.open = Some(self.server.sessions);
            self.server.taken = None;
        }
        let session = self.server.open.expect("it opened, or is resumed");
        self.server.tokens += 1;
        self.connection.session = Some(session);
        let token = format!("t{}", self.server.tokens);
        let taken = self.server.taken.unwrap_or(0);
        self.down(greeting(session, Some((&token, taken))), Duration::ZERO);
        if resumed.is_none() {
            let state = self.server.application.opened(session);
            self.push(&state);
        }
        // Sooner or later it ends.
        let at = self.now + self.ms(20_000);
        let end = if self.often(0.7) {
            Coming::Cut
        } else {
            Coming::Close(1001, "stopping")
        };
        self.schedule(at, end);
    }

    /// The server's session is over, if there is one.
    fn end_session(&mut self) {
        self.server.detached = None;
        if let Some(session) = self.server.open.take() {
            self.server.application.closed(session);
        }
    }

    fn push(&mut self, pushed: &impl Serialize) {
        let data = json(pushed);
        self.down(
            format!(r#"{{"v":1,"svc":"app","type":"message","data":{data}}}"#),
            Duration::ZERO,
        );
    }

    /// The server hears a message of the present connection.
    fn arrive(&mut self, message: Message) {
        let text = match message {
            Message::Binary(bytes) => return self.take_command(&bytes),
            Message::Text(text) => text,
        };
        let envelope = worldshard_protocol::ExtEnvelope::parse(&text).unwrap();
        if envelope.kind == "auth" {
            return;
        }
        if envelope.svc == "sys" {
            assert_eq!(envelope.kind, "ping");
            return self.down(
                r#"{"v":1,"svc":"sys","type":"pong"}"#.to_owned(),
                Duration::ZERO,
            );
        }
        let session = self.connection.session.expect("it was greeted");
        let said: Said = envelope.data_as().unwrap();
        let kind = if envelope.seq.is_some() {
            Kind::Request
        } else {
            Kind::Message
        };
        self.server.application.heard(session, kind, &said);
        if let Some(seq) = envelope.seq {
            let answer = |rest: &str| format!(r#"{{"v":1,"svc":"app","seq":{seq},{rest}}}"#);
            let answer = match self.chance.next() % 4 {
                0 => answer(&format!(r#""type":"response","data":{}"#, json(&said))),
                1 => answer(r#""type":"ack""#),
                2 => answer(r#""type":"reject","data":{"code":"NOT_ALLOWED","msg":""}"#),
                _ => return,
            };
            let after = self.ms(3000);
            self.down(answer, after);
        } else if self.often(0.3) {
            let pushed = self.server.application.push(session);
            self.push(&pushed);
        }
    }

    /// No command of a session is lost, and none is done twice.
    fn take_command(&mut self, bytes: &[u8]) {
        let (header, _) = worldshard_protocol::HotHeader::parse(bytes).unwrap();
        let seq = header.seq.expect("commands are numbered");
        match self.server.taken {
            Some(taken) if seq <= taken => {}
            Some(taken) => {
                assert_eq!(seq, taken + 1, "a command was lost");
                self.server.taken = Some(seq);
            }
            None => self.server.taken = Some(seq),
        }
    }

    fn step(&mut self) {
        self.act();
        if self.often(0.5) {
            self.use_it();
            return;
        }
        let next = self.coming.first_key_value().map(|(key, _)| *key);
        let wake_at = self.agent.wake_at();
        let woken = match (next, wake_at) {
            (Some((at, _)), Some(wake_at)) => wake_at < at,
            (None, Some(_)) => true,
            (_, None) => false,
        };
        if woken {
            self.now = self.now.max(wake_at.unwrap());
            self.agent.elapse(self.now);
        } else if let Some(key) = next {
            let (number, what) = self.coming.remove(&key).unwrap();
            self.now = self.now.max(key.0);
            if number == self.connection.number {
                self.come(what);
            }
            if self.often(0.5) {
                self.agent.elapse(self.now);
            }
        }
    }

    fn come(&mut self, what: Coming) {
        match what {
            Coming::Tell(happened) => self.tell(happened),
            Coming::Arrive(message) => self.arrive(message),
            Coming::Cut => {
                self.leave(true);
                let lost = Happened::Closed {
                    code: close::LOST,
                    reason: String::new(),
                };
                self.agent.happened(lost, self.now);
            }
            Coming::Close(code, reason) => {
                self.end_session();
                self.leave(false);
                let closed = Happened::Closed {
                    code,
                    reason: reason.to_owned(),
                };
                self.agent.happened(closed, self.now);
            }
        }
    }

    /// The user takes a report, or says something.
    fn use_it(&mut self) {
        if self.often(0.6) {
            if let Some(report) = self.agent.next_report() {
                self.take(&report);
            }
        } else {
            self.say();
        }
    }

    fn say(&mut self) {
        let dice = if self.user.owes_hello() {
            0.0
        } else {
            self.chance.share()
        };
        if dice < 0.4 {
            let said = self.user.next(Kind::Message, String::new());
            match self.agent.send(&Payload::json(&said).unwrap()) {
                Ok(signal) => self.user.sent(said, signal),
                Err(error) => self.expect_refusal(error),
            }
        } else if dice < 0.8 {
            let patience = self.ms(4000);
            let said = self.user.next(Kind::Request, String::new());
            let payload = Payload::json(&said).unwrap();
            match self.agent.request(&payload, patience, self.now) {
                Ok(signal) => self.user.asked(said, signal),
                Err(error) => self.expect_refusal(error),
            }
        } else {
            let steer = ClientMessage::Steer {
                direction: [1.0, 0.0, 0.0],
            };
            match self.agent.say(&steer) {
                Ok(sequence) => {
                    self.commands += 1;
                    assert_eq!(sequence, self.commands);
                    assert!(self.user.is_live());
                }
                Err(SendError::NotLive) => {}
                Err(error) => self.expect_refusal(error),
            }
        }
    }

    fn expect_refusal(&self, error: SendError) {
        let expected = match error {
            SendError::Dead => self.agent.state() == State::Dead,
            SendError::Full => self.agent.is_full() || self.user.open_requests() >= 64,
            SendError::NotLive | SendError::NotLanes | SendError::NotJson => false,
        };
        assert!(expected, "{error}");
    }

    fn take(&mut self, report: &Report) {
        self.user.told(report, self.agent.late_answers());
        assert!(!matches!(report, Report::Refused(_)), "{report:?}");
        if matches!(report, Report::Live(_)) {
            self.say();
        }
    }

    /// The user closes, and takes all that is left.
    fn finish(&mut self) {
        self.agent.close(self.now);
        for _ in 0..10_000 {
            self.act();
            while let Some(report) = self.agent.next_report() {
                self.take(&report);
            }
            if self.user.is_dead() {
                break;
            }
            self.step();
        }
        assert!(self.user.is_dead(), "{:?}", self.agent);
        assert!(self.agent.next_report().is_none() && self.agent.next_action().is_none());
        self.end_session();
        let application = &self.server.application;
        application.finish(&self.user);
        assert_eq!(application.sessions() as u64, self.server.sessions);
    }
}

fn run(seed: u64, steps: usize) -> Scene {
    let mut scene = Scene::new(seed);
    for _ in 0..steps {
        scene.step();
        if scene.user.is_dead() {
            break;
        }
    }
    scene.finish();
    scene
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn whatever_is_cut_the_rules_hold_and_everything_has_one_end(seed in any::<u64>()) {
        run(seed, 600);
    }
}

#[test]
fn the_runs_see_all_of_life() {
    let scenes: Vec<_> = (0..200).map(|seed| run(seed, 600)).collect();
    let users = || scenes.iter().map(|scene| &scene.user);
    let seen: BTreeSet<char> = users().flat_map(|user| user.trace().chars()).collect();
    assert_eq!(seen.len(), 7, "{seen:?}");
    let lives: u32 = users().map(User::lives).sum();
    let resumed: u32 = users().map(User::resumed).sum();
    let commands: u32 = scenes.iter().map(|scene| scene.commands).sum();
    assert!(
        lives > 400 && resumed > 100 && commands > 500,
        "{lives} {resumed} {commands}"
    );
    let mut ends = BTreeMap::<_, u64>::new();
    for (end, count) in users().flat_map(User::ends) {
        *ends.entry(*end).or_default() += count;
    }
    // Six of requests, two of messages.
    assert_eq!(ends.len(), 8, "{ends:?}");
    assert!(ends.values().all(|count| *count > 100), "{ends:?}");
}

#[test]
fn the_same_seed_is_the_same_run() {
    assert_eq!(run(11, 600).user.trace(), run(11, 600).user.trace());
}
