//! What one client's user said and was told. Never knows what a server heard.

use std::collections::BTreeMap;

use worldshard_client::{
    Live, MessageId, MessageSignal, MessageStatus, Payload, Report, RequestId, RequestSignal,
    RequestStatus,
};

use super::{Kind, Pushed, Said, Unsent, bytes, hold, read};

#[derive(Debug)]
pub(crate) struct User {
    client: u32,
    place: Place,
    trace: String,
    /// Lives so far.
    lives: u32,
    /// Lives in a session from before.
    resumed: u32,
    /// Of the present life, or the last one.
    session: Option<u64>,
    /// Messages and requests said in this life.
    said: [u32; 2],
    /// Messages that may yet fail, or whose failure was not told.
    messages: BTreeMap<MessageId, (MessageSignal, Said)>,
    requests: BTreeMap<RequestId, (RequestSignal, Said)>,
    heard: Heard,
    timed_out: u64,
    /// How many ended how.
    ends: BTreeMap<&'static str, u64>,
    unsent: Vec<Unsent>,
}

/// What came of pushes in this session.
#[derive(Clone, Copy, Debug)]
enum Heard {
    /// The state comes first.
    Nothing,
    /// The last number before this life; what was on its way then is lost.
    Before(Option<u32>),
    /// The last number in this life.
    Number(u32),
}

/// Where in the grammar the user is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    /// There is no attempt.
    Idle,
    Connecting,
    Opened,
    Live,
    /// The client is closed by its user.
    Closed,
    Dead,
}

impl User {
    pub(crate) fn new(client: u32) -> Self {
        Self {
            client,
            place: Place::Idle,
            trace: String::new(),
            lives: 0,
            resumed: 0,
            session: None,
            said: [0; 2],
            messages: BTreeMap::new(),
            requests: BTreeMap::new(),
            heard: Heard::Nothing,
            timed_out: 0,
            ends: BTreeMap::new(),
            unsent: Vec::new(),
        }
    }

    pub(crate) fn client(&self) -> u32 {
        self.client
    }

    pub(crate) fn is_live(&self) -> bool {
        self.place == Place::Live
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.place == Place::Dead
    }

    /// Whether a `Live` was taken and nothing said since.
    pub(crate) fn owes_hello(&self) -> bool {
        self.is_live() && self.said[Kind::Message as usize] == 0
    }

    pub(crate) fn lives(&self) -> u32 {
        self.lives
    }

    pub(crate) fn resumed(&self) -> u32 {
        self.resumed
    }

    /// The reports of the grammar so far, a letter each: `c`onnecting, `o`pened, `l`ive, `d`isconnected, closed by the
    /// `s`erver, closed by itself `x`, dead `!`.
    pub(crate) fn trace(&self) -> &str {
        &self.trace
    }

    /// How many requests and messages ended how.
    pub(crate) fn ends(&self) -> &BTreeMap<&'static str, u64> {
        &self.ends
    }

    pub(super) fn unsent(&self) -> &[Unsent] {
        &self.unsent
    }

    pub(crate) fn open_requests(&self) -> usize {
        self.requests.len()
    }

    /// What to say next, if it can be said.
    pub(crate) fn next(&self, kind: Kind, filler: String) -> Said {
        Said {
            client: self.client,
            life: self.lives,
            session: self.session.filter(|_| self.is_live()),
            number: self.said[kind as usize],
            filler,
        }
    }

    /// That was said, as a message.
    pub(crate) fn sent(&mut self, said: Said, signal: MessageSignal) {
        let fails = signal.status() == MessageStatus::Failed;
        self.say(Kind::Message, fails);
        let before = self.messages.insert(signal.id(), (signal, said));
        hold("grammar", before.is_none(), || {
            "a number of a message came twice".to_owned()
        });
    }

    /// That was said, as a request.
    pub(crate) fn asked(&mut self, said: Said, signal: RequestSignal) {
        let fails = signal.status() == RequestStatus::SendFailed;
        self.say(Kind::Request, fails);
        let before = self.requests.insert(signal.id(), (signal, said));
        hold("grammar", before.is_none(), || {
            "a number of a request came twice".to_owned()
        });
    }

    fn say(&mut self, kind: Kind, fails: bool) {
        hold("rule 2", self.is_live() || fails, || {
            format!("a {kind:?} does not fail before Live is taken")
        });
        self.said[kind as usize] += u32::from(self.is_live());
    }

    /// A report was taken; so many answers were late by then.
    pub(crate) fn told(&mut self, report: &Report, late_answers: u64) {
        hold("grammar", !self.is_dead(), || {
            format!("{report:?} after the last")
        });
        match report {
            Report::Connecting { .. } => self.step('c', &[Place::Idle], Place::Connecting),
            Report::Opened => self.step('o', &[Place::Connecting], Place::Opened),
            Report::Live(live) => {
                self.step('l', &[Place::Opened], Place::Live);
                self.begin(live);
            }
            Report::Disconnected(_) => self.step('d', ATTEMPT, Place::Idle),
            Report::ClosedByServer { .. } => self.step('s', ATTEMPT, Place::Idle),
            Report::ClosedBySelf => self.step('x', NOT_CLOSED, Place::Closed),
            Report::Dead { unsent, .. } => {
                self.step('!', &[Place::Idle, Place::Closed], Place::Dead);
                self.die(unsent);
            }
            Report::Message(payload) => self.hear(payload),
            Report::Response { request, payload } => self.respond(*request, payload),
            Report::Ack { request } => drop(self.answered(*request, RequestStatus::Acknowledged)),
            Report::Reject { request, .. } => {
                drop(self.answered(*request, RequestStatus::Rejected));
            }
            Report::TimedOut { request } => {
                self.timed_out += 1;
                self.in_life(report);
                self.end(*request, RequestStatus::TimedOut);
            }
            Report::SendFailed { request } => {
                self.fail(report);
                let said = self.end(*request, RequestStatus::SendFailed);
                self.note_unsent(Kind::Request, &said);
            }
            Report::ResponseLost { request } => {
                self.fail(report);
                self.end(*request, RequestStatus::ResponseLost);
            }
            Report::MessageFailed { message } => {
                self.fail(report);
                self.message_failed(*message);
            }
            Report::Delta(_)
            | Report::Overview(_)
            | Report::Joined { .. }
            | Report::Left
            | Report::AvatarLost { .. }
            | Report::Refused(_) => self.in_life(report),
            Report::Kicked { .. } | Report::Gap { .. } | Report::Other(_) => {
                hold("grammar", false, || format!("{report:?}"));
            }
        }
        self.count_late(late_answers);
    }

    /// An answer that nobody waits for came too late for its request, or is another connection's, or a second one.
    fn count_late(&self, late_answers: u64) {
        // The agent is ahead of what its user was told.
        let open = self.requests.values().map(|(signal, _)| signal.status());
        let untold = open.filter(|status| *status == RequestStatus::TimedOut);
        let timed_out = self.timed_out + untold.count() as u64;
        hold("rule 3", late_answers <= timed_out, || {
            format!("{late_answers} late answers to {timed_out} requests")
        });
    }

    /// `(c o? l? (d | s | x))* x? !`, where `l` needs `o`, and after the one `x` there is only the end.
    fn step(&mut self, letter: char, from: &[Place], to: Place) {
        let trace = &self.trace;
        hold("grammar", from.contains(&self.place), || {
            format!("{letter} after {trace}")
        });
        self.trace.push(letter);
        self.place = to;
    }

    fn in_life(&self, report: &Report) {
        hold("grammar", self.is_live(), || {
            format!("{report:?} when there is no life")
        });
    }

    fn begin(&mut self, live: &Live) {
        self.settle();
        let greeting = live.greeting.as_ref().expect("lanes have one");
        let before = self.session.replace(greeting.session);
        let is_same = before == self.session;
        hold("grammar", live.resumed == is_same, || {
            format!(
                "resumed: {}, {before:?} is {:?}",
                live.resumed, self.session
            )
        });
        self.heard = match self.heard {
            _ if !live.resumed => Heard::Nothing,
            Heard::Nothing => Heard::Before(None),
            Heard::Before(number) => Heard::Before(number),
            Heard::Number(number) => Heard::Before(Some(number)),
        };
        self.lives += 1;
        self.resumed += u32::from(live.resumed);
        self.said = [0; 2];
    }

    fn die(&mut self, unsent: &[worldshard_client::Unsent]) {
        let failed = |one: &worldshard_client::Unsent| match one {
            worldshard_client::Unsent::Message(id) => !self.messages.contains_key(id),
            worldshard_client::Unsent::Request(id) => !self.requests.contains_key(id),
        };
        hold("status", unsent.iter().all(failed), || {
            format!("not told to have failed, and among {unsent:?}")
        });
        self.settle();
    }

    /// Everything that was said has its end, and was told of.
    fn settle(&mut self) {
        hold("rule 1", self.requests.is_empty(), || {
            format!("without an end: {:?}", self.requests)
        });
        let mut messages = self.messages.values();
        let untold = messages.find(|(signal, _)| signal.status() != MessageStatus::Sent);
        hold("rule 1", untold.is_none(), || {
            format!("nothing was told of {untold:?}")
        });
        *self.ends.entry("sent").or_default() += self.messages.len() as u64;
        self.messages.clear();
    }

    fn hear(&mut self, payload: &Payload) {
        let pushed: Pushed = read(bytes(payload));
        let is_own = self.is_live() && self.session == Some(pushed.session);
        hold("rule 3", is_own, || {
            format!(
                "{pushed:?} in {:?} of session {:?}",
                self.place, self.session
            )
        });
        let (number, heard) = (pushed.number, self.heard);
        let (rule, follows) = match heard {
            Heard::Nothing => ("state first", number == 0),
            Heard::Before(before) => ("order", before.is_none_or(|before| number > before)),
            Heard::Number(before) => ("order", number == before + 1),
        };
        hold(rule, follows, || format!("{pushed:?} after {heard:?}"));
        self.heard = Heard::Number(number);
    }

    fn respond(&mut self, request: RequestId, payload: &Payload) {
        let said = self.answered(request, RequestStatus::Responded);
        let answer: Said = read(bytes(payload));
        hold("rule 3", answer == said, || {
            format!("{answer:?} answers {said:?}")
        });
    }

    fn answered(&mut self, request: RequestId, status: RequestStatus) -> Said {
        hold("rule 3", self.is_live(), || {
            format!("{request} is answered when there is no life")
        });
        let said = self.end(request, status);
        let is_own = said.life == self.lives && said.session == self.session;
        hold("rule 3", is_own, || {
            format!("{said:?} is answered in life {}", self.lives)
        });
        hold("state first", !matches!(self.heard, Heard::Nothing), || {
            format!("an answer to {said:?} before it")
        });
        said
    }

    fn fail(&self, report: &Report) {
        hold("rule 5", !self.is_live(), || {
            format!("{report:?} while live")
        });
    }

    fn end(&mut self, request: RequestId, status: RequestStatus) -> Said {
        let open = self.requests.remove(&request);
        hold("one end", open.is_some(), || {
            format!("{request} has ended already, or nobody asked it")
        });
        let (signal, said) = open.expect("it is open");
        hold("status", signal.status() == status, || {
            format!("{signal:?} is told to be {status:?}")
        });
        *self.ends.entry(name(status)).or_default() += 1;
        said
    }

    fn message_failed(&mut self, message: MessageId) {
        let failed = self.messages.remove(&message);
        hold("one end", failed.is_some(), || {
            format!("message {message} has failed already, or nobody said it")
        });
        let (signal, said) = failed.expect("it was said");
        hold("status", signal.status() == MessageStatus::Failed, || {
            format!("{signal:?} is told to have failed")
        });
        *self.ends.entry("failed").or_default() += 1;
        self.note_unsent(Kind::Message, &said);
    }

    fn note_unsent(&mut self, kind: Kind, said: &Said) {
        // What was said outside of a life bears no session, so its being heard is found at once.
        if said.session.is_some() {
            self.unsent.push(Unsent {
                kind,
                life: said.life,
                number: said.number,
            });
        }
    }
}

fn name(status: RequestStatus) -> &'static str {
    match status {
        RequestStatus::Sending | RequestStatus::Waiting => "open",
        RequestStatus::Responded => "responded",
        RequestStatus::Acknowledged => "acknowledged",
        RequestStatus::Rejected => "rejected",
        RequestStatus::SendFailed => "send failed",
        RequestStatus::ResponseLost => "response lost",
        RequestStatus::TimedOut => "timed out",
    }
}

const ATTEMPT: &[Place] = &[Place::Connecting, Place::Opened, Place::Live];
const NOT_CLOSED: &[Place] = &[Place::Idle, Place::Connecting, Place::Opened, Place::Live];
