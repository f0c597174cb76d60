//! An agent, a user and a model server, with a network that cuts when chance has it, in virtual time. Whatever happens,
//! the five rules hold, the trace is of the grammar, and everything said has one end.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::chance::Chance;
use crate::signal::MessageId;

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
    heard_app: bool,
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
}

#[derive(Default)]
struct Server {
    sessions: u64,
    /// The session that waits to be resumed, and by which token.
    detached: Option<(u64, String)>,
    tokens: u64,
    /// The last command taken, of the newest session; none before its first.
    taken: Option<u32>,
}

/// Checks what is told against what was said.
#[derive(Default)]
struct User {
    trace: Vec<&'static str>,
    /// Whether a `Live` was taken and not its end.
    live: bool,
    open_requests: BTreeMap<RequestId, RequestSignal>,
    ended_requests: BTreeSet<RequestId>,
    messages: Vec<MessageSignal>,
    failed_messages: BTreeSet<MessageId>,
    commands: u32,
    dead: bool,
    lives: u32,
    /// Whether a `Live` was taken and could not be answered yet.
    owes_hello: bool,
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
            user: User::default(),
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
        let session = resumed.unwrap_or(self.server.sessions + 1);
        if resumed.is_none() {
            self.server.sessions += 1;
            self.server.taken = None;
        }
        self.server.tokens += 1;
        self.connection.session = Some(session);
        let token = format!("t{}", self.server.tokens);
        let taken = self.server.taken.unwrap_or(0);
        self.down(greeting(session, Some((&token, taken))), Duration::ZERO);
        // Sooner or later it ends.
        let at = self.now + self.ms(20_000);
        let end = if self.often(0.7) {
            Coming::Cut
        } else {
            Coming::Close(1001, "stopping")
        };
        self.schedule(at, end);
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
        // Each says for which connection it was said, and the first greets.
        let (number, is_hello): (u64, bool) = envelope.data_as().unwrap();
        assert_eq!(number, self.agent_number(), "said for another connection");
        let is_first = !std::mem::replace(&mut self.connection.heard_app, true);
        assert_eq!(is_hello, is_first, "what is said on Live comes first");
        if let Some(seq) = envelope.seq {
            let answer = |rest: &str| format!(r#"{{"v":1,"svc":"app","seq":{seq},{rest}}}"#);
            let answer = match self.chance.next() % 4 {
                0 => answer(r#""type":"response","data":true"#),
                1 => answer(r#""type":"ack""#),
                2 => answer(r#""type":"reject","data":{"code":"NOT_ALLOWED","msg":""}"#),
                _ => return,
            };
            let after = self.ms(3000);
            self.down(answer, after);
        } else if self.often(0.3) {
            self.down(
                r#"{"v":1,"svc":"app","type":"message","data":"hi"}"#.to_owned(),
                Duration::ZERO,
            );
        }
    }

    fn agent_number(&self) -> u64 {
        self.agent.connection
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
                self.check(report);
            }
        } else {
            self.say();
        }
    }

    fn say(&mut self) {
        let hello = self.user.live && self.user.owes_hello;
        let number = self.agent.reports.live().unwrap_or(u64::MAX);
        let payload = Payload::json(&(number, hello)).unwrap();
        let dice = if hello { 0.0 } else { self.chance.share() };
        if dice < 0.4 {
            match self.agent.send(&payload) {
                Ok(signal) => {
                    let fails_at_once = !self.user.live;
                    assert!(!fails_at_once || signal.status() == MessageStatus::Failed);
                    self.user.messages.push(signal);
                    self.user.owes_hello &= !hello;
                }
                Err(error) => self.expect_refusal(error),
            }
        } else if dice < 0.8 {
            let patience = self.ms(4000);
            match self.agent.request(&payload, patience, self.now) {
                Ok(signal) => {
                    let fails_at_once = !self.user.live;
                    assert!(!fails_at_once || signal.status() == RequestStatus::SendFailed);
                    self.user.open_requests.insert(signal.id(), signal);
                }
                Err(error) => self.expect_refusal(error),
            }
        } else {
            let steer = ClientMessage::Steer {
                direction: [1.0, 0.0, 0.0],
            };
            match self.agent.say(&steer) {
                Ok(sequence) => {
                    self.user.commands += 1;
                    assert_eq!(sequence, self.user.commands);
                    assert!(self.user.live);
                }
                Err(SendError::NotLive) => {}
                Err(error) => self.expect_refusal(error),
            }
        }
    }

    fn expect_refusal(&self, error: SendError) {
        let expected = match error {
            SendError::Dead => self.agent.state() == State::Dead,
            SendError::Full => self.agent.is_full() || self.user.open_requests.len() >= 64,
            SendError::NotLive | SendError::NotLanes | SendError::NotJson => false,
        };
        assert!(expected, "{error}");
    }

    fn check(&mut self, report: Report) {
        assert!(!self.user.dead, "{report:?} after the last");
        let user = &mut self.user;
        match &report {
            Report::Live(_) => {
                // Rule 1.
                assert!(user.open_requests.is_empty(), "{:?}", user.open_requests);
                user.live = true;
                user.owes_hello = true;
                user.lives += 1;
            }
            Report::Dead { .. } => user.dead = true,
            Report::Disconnected(_) | Report::ClosedByServer { .. } | Report::ClosedBySelf => {
                user.live = false;
            }
            Report::Response { request, .. } => user.end(*request, RequestStatus::Responded),
            Report::Ack { request } => user.end(*request, RequestStatus::Acknowledged),
            Report::Reject { request, .. } => user.end(*request, RequestStatus::Rejected),
            Report::TimedOut { request } => user.end(*request, RequestStatus::TimedOut),
            Report::SendFailed { request } => {
                // Rule 5.
                assert!(!user.live, "a failure while live");
                user.end(*request, RequestStatus::SendFailed);
            }
            Report::ResponseLost { request } => {
                assert!(!user.live, "a failure while live");
                user.end(*request, RequestStatus::ResponseLost);
            }
            Report::MessageFailed { message } => {
                assert!(!user.live, "a failure while live");
                assert!(user.failed_messages.insert(*message), "failed twice");
            }
            Report::Connecting { .. } | Report::Opened | Report::Message(_) => {}
            Report::Delta(_)
            | Report::Overview(_)
            | Report::Joined { .. }
            | Report::Left
            | Report::AvatarLost { .. }
            | Report::Refused(_)
            | Report::Kicked { .. }
            | Report::Gap { .. }
            | Report::Other(_) => panic!("{report:?}"),
        }
        user.trace.extend(sign(&report));
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
                self.check(report);
            }
            if self.user.dead {
                break;
            }
            self.step();
        }
        assert!(self.user.dead, "{:?}", self.agent);
        assert!(self.agent.next_report().is_none() && self.agent.next_action().is_none());
        assert!(
            self.user.open_requests.is_empty(),
            "{:?}",
            self.user.open_requests
        );
        for message in &self.user.messages {
            let failed = self.user.failed_messages.contains(&message.id());
            let status = if failed {
                MessageStatus::Failed
            } else {
                MessageStatus::Sent
            };
            assert_eq!(message.status(), status, "{message:?}");
        }
        assert_grammar(&self.user.trace);
    }
}

impl User {
    fn end(&mut self, request: RequestId, status: RequestStatus) {
        let signal = self.open_requests.remove(&request);
        assert!(self.ended_requests.insert(request), "{request} ended twice");
        assert_eq!(signal.expect("it was asked").status(), status);
    }
}

/// The letters of the grammar; what is not of it has none.
fn sign(report: &Report) -> Option<&'static str> {
    match report {
        Report::Connecting { .. } => Some("c"),
        Report::Opened => Some("o"),
        Report::Live(_) => Some("l"),
        Report::Disconnected(_) => Some("d"),
        Report::ClosedByServer { .. } => Some("s"),
        Report::ClosedBySelf => Some("x"),
        Report::Dead { .. } => Some("!"),
        Report::Message(_)
        | Report::Response { .. }
        | Report::Ack { .. }
        | Report::Reject { .. }
        | Report::SendFailed { .. }
        | Report::ResponseLost { .. }
        | Report::TimedOut { .. }
        | Report::MessageFailed { .. }
        | Report::Delta(_)
        | Report::Overview(_)
        | Report::Joined { .. }
        | Report::Left
        | Report::AvatarLost { .. }
        | Report::Refused(_)
        | Report::Kicked { .. }
        | Report::Gap { .. }
        | Report::Other(_) => None,
    }
}

/// `(c o? l? (d | s | x))* x? !`, where `l` needs `o` and only one `x` stands, before the end.
fn assert_grammar(trace: &[&'static str]) {
    let text = trace.concat();
    let body = text.strip_suffix('!').expect("the last is Dead");
    assert!(!body.contains('!'));
    let mut rest = body;
    while let Some(attempt) = rest.strip_prefix('c') {
        let opened = attempt.strip_prefix('o').unwrap_or(attempt);
        let live = if opened.len() < attempt.len() {
            opened.strip_prefix('l').unwrap_or(opened)
        } else {
            opened
        };
        assert!(live.starts_with(['d', 's', 'x']), "{text}");
        rest = &live[1..];
        assert!(!live.starts_with('x') || rest.is_empty(), "{text}");
    }
    assert!(rest.is_empty() || rest == "x", "{text}");
}

fn run(seed: u64, steps: usize) -> User {
    let mut scene = Scene::new(seed);
    for _ in 0..steps {
        scene.step();
        if scene.user.dead {
            break;
        }
    }
    scene.finish();
    scene.user
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
    let users: Vec<_> = (0..200).map(|seed| run(seed, 600)).collect();
    let seen: BTreeSet<_> = users.iter().flat_map(|user| user.trace.clone()).collect();
    assert_eq!(seen.len(), 7, "{seen:?}");
    let lives: u32 = users.iter().map(|user| user.lives).sum();
    let ended: usize = users.iter().map(|user| user.ended_requests.len()).sum();
    let failed: usize = users.iter().map(|user| user.failed_messages.len()).sum();
    let commands: u32 = users.iter().map(|user| user.commands).sum();
    assert!(
        lives > 400 && ended > 2000 && failed > 1000 && commands > 500,
        "{lives} {ended} {failed} {commands}"
    );
}

#[test]
fn the_same_seed_is_the_same_run() {
    assert_eq!(run(11, 600).trace, run(11, 600).trace);
}
