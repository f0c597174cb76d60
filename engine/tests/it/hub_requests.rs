//! Requests of clients on lanes: each has exactly one answer, whoever gives it, when, and from where.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use worldshard::prelude::*;
use worldshard_protocol::app::{OPCODE_APP_REQUEST, read_reject};
use worldshard_protocol::{APP_SVC, ExtEnvelope, Greeting, HotHeader};

use crate::hub_world::join_camera;
use crate::pump::Pump;

/// What a server said in the service `app`, or `sys`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Said {
    /// Of the ext lane the type, of the hot lane the opcode.
    pub(crate) kind: String,
    pub(crate) seq: Option<u32>,
    /// JSON, or bytes as text.
    pub(crate) data: String,
}

/// A request of the ext lane.
pub(crate) fn request(seq: u32, data: &str) -> String {
    format!(r#"{{"v":1,"svc":"app","type":"request","seq":{seq},"data":{data}}}"#)
}

/// A message of the hot lane to the application.
pub(crate) fn hot(opcode: u8, seq: Option<u32>, ack: bool, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    HotHeader {
        svc: APP_SVC,
        opcode,
        seq,
        delta_ack: None,
        ack,
    }
    .write(&mut bytes);
    bytes.extend_from_slice(payload);
    bytes
}

/// What one message of a server says; none for what is not the application's nor of `sys`.
pub(crate) fn read(payload: &Payload) -> Option<Said> {
    match payload {
        Payload::Text(text) => {
            let envelope = ExtEnvelope::parse(text.as_str()).unwrap();
            let is_greeting = envelope.kind == "authed";
            let is_ours = matches!(&*envelope.svc, "app" | "sys") && !is_greeting;
            is_ours.then(|| Said {
                kind: envelope.kind.into_owned(),
                seq: envelope.seq,
                data: envelope
                    .data
                    .map_or(String::new(), |data| data.get().to_owned()),
            })
        }
        Payload::Binary(bytes) => {
            let (header, payload) = HotHeader::parse(bytes).unwrap();
            (header.svc == APP_SVC).then(|| Said {
                kind: header.opcode.to_string(),
                seq: header.seq,
                data: match read_reject(payload) {
                    Ok((code, msg)) if header.opcode == 4 => format!("{code}: {msg}"),
                    _ => String::from_utf8_lossy(payload).into_owned(),
                },
            })
        }
    }
}

/// What a client read of it, in order.
fn said(pump: &Pump, session: SessionId) -> Vec<Said> {
    let received = pump.clients[&session].received.iter();
    received.filter_map(read).collect()
}

fn is(kind: &str, seq: u32, data: &str) -> Said {
    Said {
        kind: kind.to_owned(),
        seq: Some(seq),
        data: data.to_owned(),
    }
}

const NOBODY: &str = r#"{"code":"INTERNAL","msg":"nobody answered"}"#;

type Held = Arc<Mutex<Vec<Request>>>;

/// An application on lanes whose requests end as they wish.
fn willing(held: &Held) -> App {
    let held = held.clone();
    let mut app = App::new();
    app.lanes("/app").system(Update, move |cx: &mut Context| {
        for request in cx.requests() {
            let wish = String::from_utf8_lossy(request.payload.bytes()).into_owned();
            match wish.trim_matches('"') {
                "ack" => request.ack(),
                "reject" => request.reject(ErrorCode::NotAllowed, "as asked"),
                "drop" => drop(request),
                "panic" => panic!("as asked"),
                "keep" => held.lock().unwrap().push(request),
                _ => {
                    let payload = request.payload.clone();
                    request.respond(payload);
                }
            }
        }
    });
    app
}

#[test]
fn every_outcome_reaches_its_client_on_the_lane_of_the_request() {
    for shards in [1, 2, 8] {
        let mut pump = Pump::new(&mut willing(&Held::default()), shards, 3);
        let session = pump.open(shards - 1, "/app");
        for (seq, wish) in ["ack", "reject", "drop", "panic", "hello"]
            .into_iter()
            .enumerate()
        {
            let seq = seq as u32;
            pump.text(session, &request(seq, &format!("\"{wish}\"")));
            let bytes = hot(OPCODE_APP_REQUEST, Some(seq + 100), false, wish.as_bytes());
            pump.binary(session, &bytes);
            pump.settle();
            pump.run(1);
        }
        pump.text(session, &request(7, r#"{ "any": ["json", 1] }"#));
        pump.text(session, &request(u32::MAX, "\"ack\""));
        pump.settle();
        let refused = r#"{"code":"NOT_ALLOWED","msg":"as asked"}"#;
        assert_eq!(
            said(&pump, session),
            [
                is("ack", 0, ""),
                is("3", 100, ""),
                is("reject", 1, refused),
                is("4", 101, "NOT_ALLOWED: as asked"),
                is("reject", 2, NOBODY),
                is("4", 102, "INTERNAL: nobody answered"),
                is("reject", 3, NOBODY),
                is("4", 103, "INTERNAL: nobody answered"),
                is("response", 4, "\"hello\""),
                is("2", 104, "hello"),
                is("response", 7, r#"{ "any": ["json", 1] }"#),
                is("ack", u32::MAX, ""),
            ]
        );
        let status = pump.hubs[usize::from(shards) - 1].status();
        assert_eq!((status.requests, status.requests_open), (12, 0));
        assert_eq!((status.requests_unanswered, status.faults), (4, 2));
    }
}

#[test]
fn requests_that_no_system_takes_are_rejected() {
    let mut app = App::new();
    app.lanes("/app").system(Update, |cx: &mut Context| {
        // One of them.
        let first = cx.requests().next();
        first.into_iter().for_each(Request::ack);
    });
    let mut pump = Pump::new(&mut app, 1, 1);
    let session = pump.open(0, "/app");
    for seq in [1, 2, 3] {
        pump.text(session, &request(seq, "null"));
    }
    pump.handle(ShardId(0));
    assert_eq!(
        said(&pump, session),
        [
            is("ack", 1, ""),
            is("reject", 2, NOBODY),
            is("reject", 3, NOBODY)
        ]
    );
    let mut pump = Pump::new(App::new().lanes("/app"), 1, 1);
    let session = pump.open(0, "/app");
    pump.text(session, &request(1, "null"));
    pump.settle();
    assert_eq!(said(&pump, session), [is("reject", 1, NOBODY)]);
}

#[test]
fn a_system_that_panics_rejects_what_it_was_at_and_no_other_request() {
    let mut pump = Pump::new(&mut willing(&Held::default()), 1, 1);
    let (one, other) = (pump.open(0, "/app"), pump.open(0, "/app"));
    pump.text(one, &request(1, "\"ack\""));
    pump.text(other, &request(1, "\"panic\""));
    pump.text(one, &request(2, "\"ack\""));
    pump.text(other, &request(2, "\"panic\""));
    pump.text(one, &request(3, "\"ack\""));
    let mut turns = 0;
    while pump.hubs[0].is_called() {
        pump.handle(ShardId(0));
        turns += 1;
    }
    assert_eq!(turns, 3);
    let acks: Vec<_> = (1..=3).map(|seq| is("ack", seq, "")).collect();
    assert_eq!(said(&pump, one), acks);
    assert_eq!(
        said(&pump, other),
        [is("reject", 1, NOBODY), is("reject", 2, NOBODY)]
    );
}

#[test]
fn a_system_that_panics_before_it_takes_a_request_does_not_keep_the_hub_busy() {
    let mut app = App::new();
    app.lanes("/app")
        .system(Update, |_: &mut Context| panic!("as planned"));
    let mut pump = Pump::new(&mut app, 1, 1);
    let session = pump.open(0, "/app");
    for seq in 0..3 {
        pump.text(session, &request(seq, "null"));
    }
    pump.handle(ShardId(0));
    assert!(!pump.hubs[0].is_called());
    let rejected: Vec<_> = (0..3).map(|seq| is("reject", seq, NOBODY)).collect();
    assert_eq!(said(&pump, session), rejected);
}

#[test]
fn a_request_that_nobody_answers_is_rejected_when_its_time_is_over_and_what_comes_later_counts_for_nothing()
 {
    let held = Held::default();
    let mut app = willing(&held);
    // 20 ticks a second.
    app.options(|options| options.limits.request_max = Duration::from_millis(490));
    let mut pump = Pump::new(&mut app, 2, 1);
    let session = pump.open(1, "/app");
    pump.run(1);
    pump.text(session, &request(5, "\"keep\""));
    pump.settle();
    pump.run(9);
    assert_eq!(said(&pump, session), []);
    pump.run(1);
    let late = is(
        "reject",
        5,
        r#"{"code":"TIMEOUT","msg":"no answer in time"}"#,
    );
    assert_eq!(said(&pump, session), std::slice::from_ref(&late));
    let first = held.lock().unwrap().pop().unwrap();
    assert!(!first.token.is_wanted());

    // The number is free again, and the first answer is not for the second request.
    pump.text(session, &request(5, "\"keep\""));
    pump.settle();
    first.ack();
    pump.settle();
    assert_eq!(said(&pump, session), std::slice::from_ref(&late));
    let second = held.lock().unwrap().pop().unwrap();
    assert!(second.token.is_wanted());
    second.respond("in time");
    pump.settle();
    assert_eq!(
        said(&pump, session),
        [late, is("response", 5, "\"in time\"")]
    );
    pump.run(20);
    assert_eq!(said(&pump, session).len(), 2);
    let status = pump.hubs[1].status();
    assert_eq!((status.requests_expired, status.requests_open), (1, 0));
}

#[test]
fn a_session_has_so_many_requests_open_and_no_two_with_a_number() {
    let held = Held::default();
    let mut app = willing(&held);
    app.options(|options| options.limits.requests_open_max = 3);
    let mut pump = Pump::new(&mut app, 1, 1);
    let (session, other) = (pump.open(0, "/app"), pump.open(0, "/app"));
    for seq in [1, 2, 3] {
        pump.text(session, &request(seq, "\"keep\""));
    }
    // Heard, not handled: they count already.
    pump.text(session, &request(4, "\"ack\""));
    let full = r#"{"code":"RESOURCE_EXHAUSTED","msg":"3 requests wait already"}"#;
    assert_eq!(said(&pump, session), [is("reject", 4, full)]);
    pump.settle();
    pump.binary(session, &hot(OPCODE_APP_REQUEST, Some(5), false, b"ack"));
    let on_hot = "RESOURCE_EXHAUSTED: 3 requests wait already";
    assert_eq!(said(&pump, session)[1..], [is("4", 5, on_hot)]);
    // Another session has room of its own, and its own numbers.
    pump.text(other, &request(1, "\"ack\""));
    pump.settle();
    assert_eq!(said(&pump, other), [is("ack", 1, "")]);

    pump.client(session).received.clear();
    let answered = held.lock().unwrap().pop().unwrap();
    answered.ack();
    pump.settle();
    pump.text(session, &request(2, "\"ack\""));
    pump.binary(session, &hot(OPCODE_APP_REQUEST, Some(2), false, b"ack"));
    pump.binary(session, &hot(OPCODE_APP_REQUEST, None, false, b"ack"));
    pump.text(session, r#"{"v":1,"svc":"app","type":"request"}"#);
    pump.settle();
    let told = said(&pump, session);
    let busy = r#"{"code":"BAD_REQUEST","msg":"seq: the request 2 has no answer yet"}"#;
    assert_eq!(
        told[..3],
        [is("ack", 3, ""), is("error", 2, busy), is("error", 2, busy)]
    );
    for unnumbered in &told[3..] {
        assert_eq!((unnumbered.kind.as_str(), unnumbered.seq), ("error", None));
        assert!(unnumbered.data.contains("seq: missing"), "{unnumbered:?}");
    }
    assert_eq!(told.len(), 5);
    held.lock().unwrap().clear();
    pump.settle();
    assert_eq!(
        said(&pump, session)[5..],
        [is("reject", 1, NOBODY), is("reject", 2, NOBODY)]
    );
}

#[test]
fn an_answer_stands_among_messages_where_it_was_given() {
    let mut app = App::new();
    app.lanes("/app").system(Update, |cx: &mut Context| {
        for request in cx.requests() {
            let session = request.session;
            cx.send(Audience::One(session), "before");
            request.respond("answer");
            cx.send(Audience::All, "after");
            cx.close(session, 4000, "done");
        }
    });
    let mut pump = Pump::new(&mut app, 2, 1);
    pump.coalesce();
    // A message to two waits to leave with others.
    let (session, _other) = (pump.open(0, "/app"), pump.open(0, "/app"));
    pump.text(session, &request(1, "null"));
    pump.settle();
    let kinds: Vec<_> = said(&pump, session)
        .into_iter()
        .map(|one| one.data)
        .collect();
    assert_eq!(kinds, ["\"before\"", "\"answer\"", "\"after\""]);
    assert_eq!(
        pump.clients[&session].closed,
        Some((4000, "done".to_owned()))
    );
}

#[test]
fn any_thread_and_any_shard_may_answer_and_the_home_is_rung_for() {
    let held = Held::default();
    let mut pump = Pump::new(&mut willing(&held), 2, 1);
    let rings = Arc::new(AtomicU64::new(0));
    let rung = rings.clone();
    pump.hubs[1].on_answer(move || {
        rung.fetch_add(1, Ordering::SeqCst);
    });
    let session = pump.open(1, "/app");
    for seq in 0..4 {
        pump.text(session, &request(seq, "\"keep\""));
    }
    pump.settle();
    assert_eq!(
        (pump.hubs[1].is_called(), rings.load(Ordering::SeqCst)),
        (false, 0)
    );
    let requests = std::mem::take(&mut *held.lock().unwrap());
    let answering = std::thread::Builder::new().spawn(move || {
        for (at, request) in requests.into_iter().enumerate() {
            match at {
                0 => request.respond("from afar"),
                1 => request.ack(),
                2 => request.reject(ErrorCode::RateLimited, "slowly"),
                _ => drop(request),
            }
        }
    });
    answering.unwrap().join().unwrap();
    assert_eq!(
        (pump.hubs[1].is_called(), rings.load(Ordering::SeqCst)),
        (true, 4)
    );
    assert!(!pump.hubs[0].is_called());
    pump.handle(ShardId(1));
    assert!(!pump.hubs[1].is_called());
    assert_eq!(
        said(&pump, session),
        [
            is("response", 0, "\"from afar\""),
            is("ack", 1, ""),
            is("reject", 2, r#"{"code":"RATE_LIMITED","msg":"slowly"}"#),
            is("reject", 3, NOBODY),
        ]
    );
}

#[test]
fn an_answer_finds_nobody_when_the_session_has_ended() {
    let held = Held::default();
    let mut pump = Pump::new(&mut willing(&held), 1, 1);
    let session = pump.open(0, "/app");
    pump.text(session, &request(1, "\"keep\""));
    pump.settle();
    // It goes while one is kept, and another is heard but not handled.
    pump.text(session, &request(2, "\"keep\""));
    pump.close(session, CloseReason::Lost);
    let kept = held.lock().unwrap().pop().unwrap();
    assert!(!kept.token.is_wanted());
    kept.respond("too late");
    pump.settle();
    assert!(
        held.lock().unwrap().is_empty(),
        "who is gone asks for nothing"
    );
    assert_eq!(said(&pump, session), []);
    assert_eq!(pump.hubs[0].status().requests_open, 0);

    // Closed by the server, and its end not yet known: nothing follows the close.
    let session = pump.open(0, "/app");
    pump.text(session, &request(1, "\"keep\""));
    pump.settle();
    pump.hubs[0].shutdown();
    let kept = held.lock().unwrap().pop().unwrap();
    kept.respond("too late");
    pump.settle();
    assert_eq!(said(&pump, session), []);
}

#[test]
fn no_answer_crosses_to_another_connection_of_its_session() {
    for is_noticed in [true, false] {
        let held = Held::default();
        let mut app = willing(&held);
        app.lanes("/world")
            .world(WorldConfig::default())
            .options(|options| options.limits.resume_grace = Duration::from_secs(10));
        let mut pump = Pump::new(&mut app, 2, 1);
        let session = pump.open(1, "/world");
        join_camera(&mut pump, session, [100.0, 100.0, 0.0]);
        pump.run(3);
        for seq in [1, 2, 3] {
            pump.text(session, &request(seq, "\"keep\""));
        }
        // It is to be told that this was given to systems, and never will be.
        pump.text(
            session,
            r#"{"v":1,"svc":"app","type":"message","flags":4,"seq":1}"#,
        );
        let greeting = pump.clients[&session].texts()[0].to_owned();
        let token = Greeting::parse(&greeting).unwrap().resume.unwrap();
        pump.handle(ShardId(0));
        if is_noticed {
            pump.close(session, CloseReason::Lost);
        }
        pump.resume(&token, "/world").unwrap();
        assert_eq!(said(&pump, session), []);
        pump.settle();
        // They were heard before: systems see none of them any more.
        assert!(held.lock().unwrap().is_empty());
        // What is asked on the new connection may have an old number.
        pump.text(session, &request(2, "\"ack\""));
        pump.run(2);
        assert_eq!(said(&pump, session), [is("ack", 2, "")]);
    }
}

/// What each client waits for, as it knows.
#[derive(Default)]
struct Waiting {
    /// By number, and whether it was asked on the hot lane.
    open: BTreeMap<u32, bool>,
    read: usize,
    answers: u64,
}

impl Waiting {
    fn look(&mut self, pump: &Pump, session: SessionId) {
        let received = &pump.clients[&session].received;
        for one in received[self.read..].iter().filter_map(read) {
            let seq = one.seq.unwrap();
            let on_hot = match one.kind.as_str() {
                "response" | "ack" | "reject" => false,
                "2" | "3" | "4" => true,
                "error" => {
                    // The number was in use, and still is.
                    assert!(self.open.contains_key(&seq), "{one:?}");
                    continue;
                }
                other => panic!("{other}"),
            };
            let asked = self.open.remove(&seq);
            assert_eq!(asked, Some(on_hot), "an answer to nothing: {one:?}");
            self.answers += 1;
        }
        self.read = received.len();
    }
}

/// One history of requests, answers, panics, timeouts and closes.
struct History {
    pump: Pump,
    held: Held,
    waiting: BTreeMap<SessionId, Waiting>,
    /// Everything that clients who are gone read, in order.
    read: Vec<Payload>,
    answers: u64,
}

impl History {
    fn begin(seed: u64) -> Self {
        let held = Held::default();
        let mut app = willing(&held);
        app.options(|options| {
            options.limits.request_max = Duration::from_millis(200);
            options.limits.requests_open_max = 6;
        });
        let mut history = Self {
            pump: Pump::new(&mut app, 2, seed),
            held,
            waiting: BTreeMap::new(),
            read: Vec::new(),
            answers: 0,
        };
        (0..CLIENTS).for_each(|_| history.open());
        history
    }

    fn open(&mut self) {
        let home = self.pump.draw(2) as u16;
        let session = self.pump.open(home, "/app");
        self.waiting.insert(session, Waiting::default());
    }

    fn ask(&mut self, session: SessionId) {
        let seq = self.pump.draw(12) as u32;
        let wishes = [
            "ack", "reject", "drop", "panic", "keep", "keep", "keep", "x",
        ];
        let wish = wishes[self.pump.draw(8) as usize];
        let is_hot = self.pump.draw(2) == 1;
        let open = &mut self.waiting.get_mut(&session).unwrap().open;
        // One that is in use is refused without an answer.
        open.entry(seq).or_insert(is_hot);
        match is_hot {
            true => {
                let bytes = hot(OPCODE_APP_REQUEST, Some(seq), false, wish.as_bytes());
                self.pump.binary(session, &bytes);
            }
            false => {
                let text = request(seq, &format!("\"{wish}\""));
                self.pump.text(session, &text);
            }
        }
    }

    /// Some request that is kept is answered.
    fn answer(&mut self) {
        let mut held = self.held.lock().unwrap();
        if held.is_empty() {
            return;
        }
        let at = self.pump.draw(held.len() as u64) as usize;
        let request = held.swap_remove(at);
        match self.pump.draw(4) {
            0 => request.ack(),
            1 => request.respond("later"),
            2 => request.reject(ErrorCode::Internal, "later"),
            _ => drop(request),
        }
    }

    fn cut(&mut self, session: SessionId) {
        self.pump.close(session, CloseReason::Lost);
        let gone = self.waiting.remove(&session).unwrap();
        self.take(session, &gone);
        self.open();
    }

    /// Anything of all this, once.
    fn go_on(&mut self) {
        let sessions: Vec<_> = self.waiting.keys().copied().collect();
        let session = sessions[self.pump.draw(CLIENTS) as usize];
        match self.pump.draw(36) {
            0..=14 => self.ask(session),
            15..=23 => self.answer(),
            24..=29 => {
                let shard = ShardId(self.pump.draw(2) as u16);
                self.pump.handle(shard);
            }
            30..=34 => self.pump.step(),
            _ => self.cut(session),
        }
        for (session, waiting) in &mut self.waiting {
            waiting.look(&self.pump, *session);
        }
    }

    /// What every client read, and how many answers they had; none waits for one any more.
    fn end(mut self) -> (Vec<Payload>, u64) {
        self.pump.run(6);
        for (session, mut waiting) in std::mem::take(&mut self.waiting) {
            waiting.look(&self.pump, session);
            assert!(waiting.open.is_empty(), "no answer to {:?}", waiting.open);
            self.take(session, &waiting);
        }
        for hub in &self.pump.hubs {
            assert_eq!(hub.status().requests_open, 0);
        }
        (self.read, self.answers)
    }

    fn take(&mut self, session: SessionId, waiting: &Waiting) {
        self.answers += waiting.answers;
        let received = &self.pump.clients[&session].received;
        self.read.extend(received.iter().cloned());
    }
}

const CLIENTS: u64 = 4;

fn play(seed: u64) -> Vec<Payload> {
    println!("seed {seed}");
    let mut history = History::begin(seed);
    for _ in 0..1500 {
        history.go_on();
    }
    let (read, answers) = history.end();
    assert!(answers > 200, "only {answers} answers");
    read
}

#[test]
fn every_request_has_exactly_one_answer_in_any_order_of_answers_drops_timeouts_and_closes() {
    for seed in 0..40 {
        play(seed);
    }
}

#[test]
fn the_same_history_has_the_same_answers_byte_by_byte() {
    for seed in [3, 4] {
        assert!(play(seed) == play(seed), "seed {seed}");
    }
}
