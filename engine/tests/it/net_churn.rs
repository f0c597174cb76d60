//! Clients that come and go at random, with much of what they said still on its way: each is a session of its own, opened
//! once and closed once, with the right reason, told of in order, and nothing of it is left behind.
//!
//! WORLDSHARD_FULL=1 runs it with 100 000 of them on each runtime.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};
use worldshard::Runtime;
use worldshard::prelude::*;
use worldshard_transport::{MessageKind, masked_close, masked_frame};

use crate::child::{Child, serve_if_child};
use crate::socket::{
    Client, Heard, MASK, PATIENCE, echo_app, eventually, get, on_each_runtime, patient,
};

#[test]
fn every_session_of_random_clients_is_opened_once_and_closed_once_with_its_reason() {
    serve_if_child(|runtime| noting(runtime, 1));
    come_and_go("every_session_of_random_clients_is_opened_once_and_closed_once_with_its_reason");
}

#[test]
fn every_session_of_random_clients_on_two_shards_is_opened_once_and_closed_once() {
    serve_if_child(|runtime| noting(runtime, 2));
    come_and_go("every_session_of_random_clients_on_two_shards_is_opened_once_and_closed_once");
}

#[test]
fn every_session_of_random_clients_on_eight_shards_is_opened_once_and_closed_once() {
    serve_if_child(|runtime| noting(runtime, 8));
    come_and_go("every_session_of_random_clients_on_eight_shards_is_opened_once_and_closed_once");
}

fn come_and_go(test: &str) {
    on_each_runtime(|runtime| {
        let child = Child::start(&format!("net_churn::{test}"), runtime, 1024);
        let mut churns = [0, 1].map(|number| Churn::new(number, &child));
        // What is made on first use is made now.
        turns(&mut churns, 2 * OPEN_MAX);
        end_all(&mut churns, &child);
        let descriptors = || std::fs::read_dir(child.proc("fd")).unwrap().count();
        let descriptors_before = at_rest(descriptors);
        let full = std::env::var("WORLDSHARD_FULL").is_ok_and(|full| full == "1");
        let wanted = closed(&churns) + if full { 34_000 } else { 1000 };
        while closed(&churns) < wanted {
            turns(&mut churns, 400);
            settle(&churns, &child);
        }
        end_all(&mut churns, &child);
        eventually(PATIENCE, "descriptors are as before", || {
            descriptors() <= descriptors_before
        });
        println!(
            "{runtime}: {} came and went and said {}, {descriptors_before} descriptors before and after",
            json!(closed_by(&churns)),
            said(&churns),
        );
        child.end();
    });
}

/// What systems are told of one session.
#[derive(Default)]
struct Life {
    is_closed: bool,
    /// Who it is, as it says.
    client: Option<u64>,
    heard: u64,
    /// How many messages it had said, the one heard last and those behind it included.
    said: u64,
    /// Whether all of them must be heard before it is closed.
    in_order: bool,
}

/// What systems are told of sessions.
#[derive(Default)]
struct Ledger {
    /// By the number of each session that ever was.
    sessions: BTreeMap<u64, Life>,
    clients: BTreeMap<u64, u64>,
    messages: u64,
    closed_by: BTreeMap<&'static str, u64>,
    /// As whoever was told last knows it.
    session_count: u64,
    /// What must not be.
    faults: String,
}

impl Ledger {
    fn note(&mut self, event: &Event, home: ShardId) {
        let (Event::Opened(session)
        | Event::Message(Message { session, .. })
        | Event::Closed(session, _)) = event;
        let is_new = !self.sessions.contains_key(&session.value());
        let life = self.sessions.entry(session.value()).or_default();
        let is_opened = matches!(event, Event::Opened(_));
        let mut is_good = is_new == is_opened
            && !life.is_closed
            && session.value() < 1 << 53
            && session.home() == home.0;
        match event {
            Event::Opened(_) => {}
            Event::Message(message) => {
                self.messages += 1;
                let spoken = Spoken::parse(message.payload.as_text().unwrap());
                life.heard += 1;
                let is_first = life.heard == 1;
                is_good &= life.client.is_none_or(|client| client == spoken.client)
                    && spoken.number == life.heard
                    && spoken.number <= spoken.said
                    && life.said <= spoken.said
                    && (!is_first
                        || self
                            .clients
                            .insert(spoken.client, session.value())
                            .is_none());
                life.client = Some(spoken.client);
                life.said = spoken.said;
                life.in_order = spoken.in_order;
            }
            Event::Closed(_, reason) => {
                life.is_closed = true;
                is_good &= life.heard <= life.said && (!life.in_order || life.heard == life.said);
                let way = match reason {
                    CloseReason::Client { code } => {
                        is_good &= life.in_order && u64::from(*code) == 3000 + life.heard;
                        "close"
                    }
                    CloseReason::Server { code: 4000, reason } if reason == "as asked" => "asked",
                    CloseReason::Server { code: 1007, .. } => "broken",
                    CloseReason::Lost => "lost",
                    CloseReason::Server { .. } | CloseReason::Timeout => "other",
                };
                *self.closed_by.entry(way).or_default() += 1;
            }
        }
        if !is_good {
            writeln!(self.faults, "{event:?} on shard {home}").unwrap();
        }
    }

    fn tell(&self) -> Value {
        json!({
            "opened": self.sessions.len(),
            "open": self.sessions.values().filter(|life| !life.is_closed).count(),
            "messages": self.messages,
            "closed_by": self.closed_by,
            "session_count": self.session_count,
            "faults": self.faults,
        })
    }
}

/// An echo that notes all events, tells of them at `/ledger`, and closes who asks for it.
fn noting(runtime: Runtime, shards: u16) -> App {
    let ledger = Arc::new(Mutex::new(Ledger::default()));
    let told = Arc::clone(&ledger);
    let mut app = echo_app(runtime, shards);
    app.system(Update, move |cx: &mut Context| {
        let mut ledger = ledger.lock().unwrap();
        for event in cx.events() {
            ledger.note(event, cx.shard());
        }
        ledger.session_count = cx.session_count();
        for message in cx.messages() {
            if Spoken::parse(message.payload.as_text().unwrap()).asks_for_close {
                cx.close(message.session, 4000, "as asked");
            }
        }
    });
    app.route("/ledger", move |_| {
        Response::json(200, told.lock().unwrap().tell().to_string())
    });
    app
}

/// What a message says.
#[derive(Clone, Copy)]
struct Spoken {
    client: u64,
    /// Counted from one.
    number: u64,
    /// Messages of the client, this one and those that leave together with it included.
    said: u64,
    /// The client goes in order, or stays: all that it said is heard.
    in_order: bool,
    asks_for_close: bool,
}

impl Spoken {
    fn text(self) -> String {
        let [in_order, asks_for_close] = [self.in_order, self.asks_for_close].map(u64::from);
        let Spoken {
            client,
            number,
            said,
            ..
        } = self;
        format!("{client} {number} {said} {in_order} {asks_for_close}")
    }

    fn parse(text: &str) -> Spoken {
        let mut numbers = text.split(' ').map(|number| number.parse().unwrap());
        let mut next = || -> u64 { numbers.next().unwrap() };
        Spoken {
            client: next(),
            number: next(),
            said: next(),
            in_order: next() == 1,
            asks_for_close: next() == 1,
        }
    }
}

/// A client and what was said on both ways.
struct Talker {
    client: Client,
    number: u64,
    said: u64,
    /// Echoes that have not been read.
    unread: VecDeque<String>,
}

impl Talker {
    /// Frames of `count` more messages, to be written at once.
    fn speak(&mut self, count: u64, in_order: bool, asks_for_close: bool) -> Vec<u8> {
        let said = self.said + count;
        let mut frames = Vec::new();
        while self.said < said {
            self.said += 1;
            let text = Spoken {
                client: self.number,
                number: self.said,
                said,
                in_order,
                asks_for_close: asks_for_close && self.said == said,
            }
            .text();
            frames.extend_from_slice(&masked_frame(MessageKind::Text, text.as_bytes(), MASK));
            self.unread.push_back(text);
        }
        frames
    }

    /// Expects what was said and not answered yet, in order, up to some message, and then a close.
    fn hear_to_close(&mut self, code: u16, reason: Option<&str>) {
        loop {
            match self.client.hear() {
                Heard::Message(MessageKind::Text, echo) => {
                    assert_eq!(self.unread.pop_front().map(String::into_bytes), Some(echo));
                }
                Heard::Close(Some(told), why) => {
                    assert_eq!(told, code);
                    assert!(reason.is_none_or(|reason| reason == why), "{why}");
                    return;
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// Expects the echo of everything that was said.
    fn hear_all(&mut self) {
        while let Some(text) = self.unread.pop_front() {
            let echo = Heard::Message(MessageKind::Text, text.into_bytes());
            assert_eq!(self.client.hear(), echo);
        }
    }
}

/// One thread's clients.
struct Churn {
    address: SocketAddr,
    number: u64,
    opened: u64,
    open: Vec<Talker>,
    /// How clients went, as the server must have noticed.
    closed_by: BTreeMap<&'static str, u64>,
    /// Messages, and those of them that must have been heard.
    said: u64,
    said_in_order: u64,
    chance: u64,
}

impl Churn {
    fn new(number: u64, child: &Child) -> Self {
        Self {
            address: child.address,
            number,
            opened: 0,
            open: Vec::new(),
            closed_by: BTreeMap::new(),
            said: 0,
            said_in_order: 0,
            chance: 7 + number,
        }
    }

    /// One client comes, says something or goes.
    fn turn(&mut self) {
        let wish = self.draw(4);
        if self.open.is_empty() || (wish < 2 && self.open.len() < OPEN_MAX) {
            self.come();
            return;
        }
        let at = self.draw(self.open.len());
        if wish == 2 {
            let count = 1 + self.draw(20) as u64;
            let listens = self.draw(2) == 0;
            let talker = &mut self.open[at];
            let frames = talker.speak(count, true, false);
            talker.client.write(&frames);
            if listens {
                talker.hear_all();
            }
            return;
        }
        let talker = self.open.swap_remove(at);
        self.end(talker);
    }

    fn come(&mut self) {
        self.opened += 1;
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        // Ports of closed connections rest for a minute: one address has too few of them.
        let from = SocketAddr::from(([127, 0, self.number as u8, 2 + (self.opened % 8) as u8], 0));
        socket.bind(&from.into()).unwrap();
        socket.connect(&self.address.into()).unwrap();
        let stream = patient(TcpStream::from(socket));
        self.open.push(Talker {
            client: Client::over(stream, "/ws"),
            number: self.number << 32 | self.opened,
            said: 0,
            unread: VecDeque::new(),
        });
    }

    /// Says something for the last time and goes at once: what was said is not answered yet.
    fn end(&mut self, mut talker: Talker) {
        let way = self.draw(7);
        let count = 1 + self.draw(20) as u64;
        let in_order = way < 4;
        let mut frames = talker.speak(count, in_order, way == 1);
        let noticed = match way {
            0 => {
                let code = 3000 + talker.said as u16;
                frames.extend_from_slice(&masked_close(code, "enough", MASK));
                talker.client.write(&frames);
                talker.hear_to_close(code, Some(""));
                "close"
            }
            1 => {
                talker.client.write(&frames);
                talker.hear_all();
                let close = Heard::Close(Some(4000), "as asked".to_owned());
                assert_eq!(talker.client.hear(), close);
                "asked"
            }
            2 => {
                frames.extend_from_slice(&masked_frame(MessageKind::Text, b"\xc0", MASK));
                talker.client.write(&frames);
                talker.hear_to_close(1007, None);
                "broken"
            }
            // An orderly end of the stream, and nothing of the answers is lost on this side.
            3 => {
                talker.client.write(&frames);
                talker
                    .client
                    .stream
                    .shutdown(std::net::Shutdown::Write)
                    .unwrap();
                while talker.client.hear() != Heard::End {}
                "lost"
            }
            // A reset, instead of an orderly end of the stream.
            4 => {
                talker.client.write(&frames);
                set_socket_linger(&talker.client.stream, Some(Duration::ZERO)).unwrap();
                "lost"
            }
            // In the middle of a frame.
            5 => {
                frames.push(0x81);
                talker.client.write(&frames);
                "lost"
            }
            _ => {
                talker.client.write(&frames);
                "lost"
            }
        };
        *self.closed_by.entry(noticed).or_default() += 1;
        self.said += talker.said;
        if in_order {
            self.said_in_order += talker.said;
        }
    }

    fn draw(&mut self, below: usize) -> usize {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        (self.chance.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % below
    }
}

/// A count that has not changed for a while: a shard that never rested has not made what it rests with.
fn at_rest(count: impl Fn() -> usize) -> usize {
    let (mut last, mut same) = (count(), 0);
    eventually(PATIENCE, "the server rests", || {
        let before = std::mem::replace(&mut last, count());
        same = if before == last { same + 1 } else { 0 };
        same == 30
    });
    last
}

/// So many turns of each, at the same time.
fn turns(churns: &mut [Churn], count: usize) {
    std::thread::scope(|scope| {
        for churn in churns {
            scope.spawn(move || (0..count).for_each(|_| churn.turn()));
        }
    });
}

fn end_all(churns: &mut [Churn], child: &Child) {
    for churn in &mut *churns {
        while let Some(talker) = churn.open.pop() {
            churn.end(talker);
        }
    }
    settle(churns, child);
}

fn closed_by(churns: &[Churn]) -> BTreeMap<&'static str, u64> {
    let mut all = BTreeMap::new();
    for (way, count) in churns.iter().flat_map(|churn| &churn.closed_by) {
        *all.entry(*way).or_default() += count;
    }
    all
}

fn closed(churns: &[Churn]) -> u64 {
    closed_by(churns).values().sum()
}

/// Messages of all that went.
fn said(churns: &[Churn]) -> u64 {
    churns.iter().map(|churn| churn.said).sum()
}

/// Waits until the server has noticed everything, and has noticed nothing else.
fn settle(churns: &[Churn], child: &Child) {
    let stay = || churns.iter().flat_map(|churn| &churn.open);
    let open = stay().count() as u64;
    // Who stays is heard in full, in time.
    let said_by_open: u64 = stay().map(|talker| talker.said).sum();
    let heard_min = said_by_open + churns.iter().map(|churn| churn.said_in_order).sum::<u64>();
    let ask = |path| -> Value {
        let (status, body) = get(child.address, path);
        assert_eq!(status, 200, "{path}");
        serde_json::from_str(&body).unwrap()
    };
    eventually(PATIENCE, "as many are open as are", || {
        let (ledger, status) = (ask("/ledger"), ask("/status"));
        assert_eq!(ledger["faults"], "");
        let shards = status["shards"].as_array().unwrap().iter();
        let sessions: u64 = shards.map(|one| one["sessions"].as_u64().unwrap()).sum();
        // Who asks is connected too.
        ledger["open"] == open
            && ledger["session_count"] == open
            && sessions == open
            && status["connections"] == open + 1
            && ledger["messages"].as_u64() >= Some(heard_min)
    });
    let ledger = ask("/ledger");
    assert_eq!(ledger["closed_by"], json!(closed_by(churns)));
    assert_eq!(ledger["opened"], closed(churns) + open);
    let heard = ledger["messages"].as_u64().unwrap();
    assert!(heard <= said(churns) + said_by_open, "{heard} were heard");
}

/// Clients at once, of each thread.
const OPEN_MAX: usize = 32;
