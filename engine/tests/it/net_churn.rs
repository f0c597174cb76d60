//! Clients that come and go at random: each is a session of its own, opened once and closed once, with the right reason,
//! and nothing of them is left behind.
//!
//! WORLDSHARD_FULL=1 runs it with 10 000 of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use rustix::net::sockopt::set_socket_linger;
use serde_json::{Value, json};
use worldshard::Runtime;
use worldshard::prelude::*;
use worldshard_transport::MessageKind;

use crate::child::{Child, serve_if_child};
use crate::socket::{Client, Heard, PATIENCE, echo_app, eventually, get, on_each_runtime};

#[test]
fn every_session_of_random_clients_is_opened_once_and_closed_once_with_its_reason() {
    serve_if_child(noting);
    on_each_runtime(|runtime| {
        let name = "net_churn::every_session_of_random_clients_is_opened_once_and_closed_once_with_its_reason";
        let child = Child::start(name, runtime, 1024);
        let mut churn = Churn {
            child: &child,
            open: Vec::new(),
            closed_by: BTreeMap::new(),
            chance: 7,
        };
        // What is made on first use is made now.
        for _ in 0..2 * OPEN_MAX {
            churn.turn();
        }
        churn.end_all();
        let descriptors = churn.descriptors();
        let full = std::env::var("WORLDSHARD_FULL").is_ok_and(|full| full == "1");
        let wanted = churn.closed() + if full { 10_000 } else { 2000 };
        for number in 0.. {
            churn.turn();
            if number % 500 == 499 {
                churn.settle();
            }
            if churn.closed() >= wanted {
                break;
            }
        }
        churn.end_all();
        eventually(PATIENCE, "descriptors are as before", || {
            churn.descriptors() <= descriptors
        });
        println!(
            "{runtime}: {} came and went, {descriptors} descriptors before and after",
            json!(churn.closed_by)
        );
        child.end();
    });
}

/// What systems are told of sessions.
#[derive(Default)]
struct Ledger {
    /// Whether it is open, by the number of each session that ever was.
    sessions: BTreeMap<u64, bool>,
    messages: u64,
    closed_by: BTreeMap<&'static str, u64>,
    /// What must not be.
    faults: String,
}

impl Ledger {
    fn note(&mut self, event: &Event, home: ShardId) {
        let (Event::Opened(session)
        | Event::Message(Message { session, .. })
        | Event::Closed(session, _)) = event;
        let before = self.sessions.get(&session.value()).copied();
        let (expected, open) = match event {
            Event::Opened(_) => (None, true),
            Event::Message(_) => (Some(true), true),
            Event::Closed(..) => (Some(true), false),
        };
        if before != expected || session.value() >= 1 << 53 || session.home() != home.0 {
            writeln!(self.faults, "{event:?} on shard {home}, before: {before:?}").unwrap();
        }
        self.sessions.insert(session.value(), open);
        match event {
            Event::Opened(_) => {}
            Event::Message(_) => self.messages += 1,
            Event::Closed(_, reason) => {
                let way = match reason {
                    CloseReason::Client { code: 3000 } => "close",
                    CloseReason::Lost => "lost",
                    _ => "other",
                };
                *self.closed_by.entry(way).or_default() += 1;
            }
        }
    }
}

/// An echo that notes all events, and tells of them at `/ledger`.
fn noting(runtime: Runtime) -> App {
    let ledger = Arc::new(Mutex::new(Ledger::default()));
    let told = Arc::clone(&ledger);
    let mut app = echo_app(runtime, 4);
    app.system(Update, move |cx: &mut Context| {
        let mut ledger = ledger.lock().unwrap();
        for event in cx.events() {
            ledger.note(event, cx.shard());
        }
    });
    app.route("/ledger", move |_| {
        let ledger = told.lock().unwrap();
        let told = json!({
            "opened": ledger.sessions.len(),
            "open": ledger.sessions.values().filter(|open| **open).count(),
            "messages": ledger.messages,
            "closed_by": ledger.closed_by,
            "faults": ledger.faults,
        });
        Response::json(200, told.to_string())
    });
    app
}

struct Churn<'a> {
    child: &'a Child,
    open: Vec<Client>,
    /// How clients went, as the server must have noticed.
    closed_by: BTreeMap<&'static str, u64>,
    chance: u64,
}

impl Churn<'_> {
    /// One client comes, says something or goes.
    fn turn(&mut self) {
        let wish = self.draw(4);
        if self.open.is_empty() || (wish < 2 && self.open.len() < OPEN_MAX) {
            let client = Client::connect(self.child.address, "/ws");
            self.open.push(client);
            return;
        }
        let at = self.draw(self.open.len());
        if wish == 2 {
            return self.open[at].echoes(MessageKind::Text, b"still there");
        }
        let client = self.open.swap_remove(at);
        let way = self.draw(4);
        self.end(client, way);
    }

    fn end(&mut self, mut client: Client, way: usize) {
        let noticed = match way {
            0 => {
                client.close(3000, "enough");
                assert_eq!(client.hear(), Heard::Close(Some(3000), String::new()));
                "close"
            }
            // A reset, instead of an orderly end of the stream.
            1 => {
                set_socket_linger(&client.stream, Some(std::time::Duration::ZERO)).unwrap();
                "lost"
            }
            // In the middle of a frame.
            2 => {
                client.write(&[0x81]);
                "lost"
            }
            _ => "lost",
        };
        *self.closed_by.entry(noticed).or_default() += 1;
    }

    fn end_all(&mut self) {
        while let Some(client) = self.open.pop() {
            let way = self.draw(4);
            self.end(client, way);
        }
        self.settle();
    }

    /// Waits until the server has noticed everything, and has noticed nothing else.
    fn settle(&self) {
        let open = self.open.len() as u64;
        let ask = |path| -> Value {
            let (status, body) = get(self.child.address, path);
            assert_eq!(status, 200, "{path}");
            serde_json::from_str(&body).unwrap()
        };
        eventually(PATIENCE, "as many are open as are", || {
            let (ledger, status) = (ask("/ledger"), ask("/status"));
            assert_eq!(ledger["faults"], "");
            let shards = status["shards"].as_array().unwrap().iter();
            let sessions: u64 = shards.map(|one| one["sessions"].as_u64().unwrap()).sum();
            // Who asks is connected too.
            ledger["open"] == open && sessions == open && status["connections"] == open + 1
        });
        let ledger = ask("/ledger");
        assert_eq!(ledger["closed_by"], json!(self.closed_by));
        assert_eq!(ledger["opened"], self.closed() + open);
    }

    fn closed(&self) -> u64 {
        self.closed_by.values().sum()
    }

    fn descriptors(&self) -> usize {
        std::fs::read_dir(self.child.proc("fd")).unwrap().count()
    }

    fn draw(&mut self, below: usize) -> usize {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        (self.chance.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % below
    }
}

/// Clients at once.
const OPEN_MAX: usize = 64;
