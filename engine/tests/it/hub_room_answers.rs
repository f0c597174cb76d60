//! What clients on lanes ask of rooms: each wish is answered once and with its number, in whatever order letters arrive and
//! whatever becomes of the room, and nobody is answered what a connection before asked.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use worldshard::Rooms;
use worldshard::prelude::*;
use worldshard_protocol::{ClientMessage, Greeting, InterestWish, ViewpointMode};

use crate::pump::Pump;

/// Does what it is told, and nothing else.
struct Puppet;

impl Service for Puppet {
    fn admit(
        &mut self,
        _: &mut Room<'_>,
        _: SessionId,
        request: &Payload,
    ) -> std::result::Result<(), Cow<'static, str>> {
        match request.as_text() {
            Some("\"no\"") => Err("not with that".into()),
            Some("\"panic\"") => panic!("as asked"),
            _ => Ok(()),
        }
    }

    fn message(&mut self, room: &mut Room<'_>, member: SessionId, payload: &Payload) {
        match payload.as_text().unwrap().trim_matches('"') {
            "away" => room.remove(member, "as asked"),
            "panic" => panic!("as asked"),
            to => room.move_to(member, "puppets", to, ""),
        }
    }
}

fn app() -> App {
    let mut app = App::new();
    app.rooms(Rooms::named("puppets", |_| Puppet).joinable())
        .lanes("/app")
        .options(|options| options.limits.resume_grace = Duration::from_secs(10));
    app
}

fn ask(pump: &mut Pump, session: SessionId, kind: &str, room: &str, seq: u32, data: &str) {
    let text = format!(
        r#"{{"v":1,"svc":"room","type":"{kind}","room":"{room}","seq":{seq},"data":{data}}}"#
    );
    pump.text(session, &text);
}

fn tell(pump: &mut Pump, session: SessionId, room: &str, what: &str) {
    let text = format!(r#"{{"v":1,"svc":"app","type":"message","room":"{room}","data":"{what}"}}"#);
    pump.text(session, &text);
}

/// What a client was answered, by the number of what it asked: service and type of each answer.
fn answers(pump: &Pump, session: SessionId) -> BTreeMap<u32, Vec<String>> {
    let mut answers = BTreeMap::<u32, Vec<String>>::new();
    for text in pump.clients[&session].texts() {
        let envelope = ExtEnvelope::parse(text).unwrap();
        if let Some(seq) = envelope.seq {
            answers
                .entry(seq)
                .or_default()
                .push(envelope.kind.into_owned());
        }
    }
    answers
}

fn expect(pump: &Pump, session: SessionId, expected: &[(u32, &str)]) {
    let expected = expected
        .iter()
        .map(|(seq, kind)| (*seq, vec![(*kind).to_owned()]));
    assert_eq!(answers(pump, session), expected.collect());
}

#[test]
fn a_wish_is_answered_with_its_number_also_when_another_overtakes_it() {
    for shards in [1, 2, 8] {
        let mut pump = Pump::new(&mut app(), shards, 1);
        let session = pump.open(shards - 1, "/app");
        ask(&mut pump, session, "join", "a", 1, "null");
        ask(&mut pump, session, "join", "a", 2, "null");
        pump.settle();
        ask(&mut pump, session, "leave", "a", 3, "null");
        pump.settle();
        ask(&mut pump, session, "join", "b", 4, "null");
        ask(&mut pump, session, "members", "b", 5, "null");
        ask(&mut pump, session, "leave", "b", 6, "null");
        ask(&mut pump, session, "join", "c", 7, "\"no\"");
        ask(&mut pump, session, "members", "c", 8, "null");
        pump.settle();
        let expected = [
            (1, "joined"),
            (2, "joined"),
            (3, "left"),
            (4, "error"),
            (5, "error"),
            (6, "left"),
            (7, "error"),
            (8, "error"),
        ];
        expect(&pump, session, &expected);
    }
}

#[test]
fn who_asks_a_room_that_sends_it_away_meanwhile_is_answered() {
    for (shards, away) in [(1, "away"), (2, "away"), (8, "away"), (8, "elsewhere")] {
        let mut pump = Pump::new(&mut app(), shards, 2);
        let session = pump.open(shards - 1, "/app");
        ask(&mut pump, session, "join", "a", 1, "null");
        pump.settle();
        tell(&mut pump, session, "a", away);
        ask(&mut pump, session, "members", "a", 2, "null");
        pump.settle();
        expect(&pump, session, &[(1, "joined"), (2, "error")]);
    }
}

#[test]
fn who_waits_for_a_room_that_fails_is_refused_and_not_let_go() {
    for shards in [1, 2, 8] {
        let mut pump = Pump::new(&mut app(), shards, 3);
        let session = pump.open(shards - 1, "/app");
        let member = pump.open(0, "/app");
        ask(&mut pump, member, "join", "a", 1, "null");
        pump.settle();
        for seq in 1..=5 {
            let other = pump.open(shards - 1, "/app");
            ask(&mut pump, other, "join", "a", seq, "\"panic\"");
        }
        ask(&mut pump, session, "join", "a", 9, "null");
        // All of it within one turn of the host.
        pump.handle(ShardId(shards - 1));
        while pump.deliver_one() {}
        pump.settle();
        expect(&pump, session, &[(9, "error")]);
        let texts = pump.clients[&session].texts();
        assert!(!texts.iter().any(|text| text.contains("left")), "{texts:?}");
    }
}

#[test]
fn so_many_wishes_wait_for_one_room_and_no_more() {
    let mut pump = Pump::new(&mut app(), 1, 4);
    let session = pump.open(0, "/app");
    for seq in 1..=66 {
        ask(&mut pump, session, "join", "a", seq, "null");
    }
    pump.settle();
    let answers = answers(&pump, session);
    assert_eq!(answers.len(), 66);
    for (seq, kinds) in answers {
        let expected = if seq > 64 { "error" } else { "joined" };
        assert_eq!(kinds, [expected], "{seq}");
    }
}

#[test]
fn every_wish_is_answered_once_whatever_happens_to_its_room() {
    for seed in 0..48 {
        let shards = [1, 2, 8][seed as usize % 3];
        let mut pump = Pump::new(&mut app(), shards, seed);
        let sessions: Vec<_> = (0..4).map(|nth| pump.open(nth % shards, "/app")).collect();
        let mut asked = vec![0; sessions.len()];
        for _ in 0..400 {
            let nth = pump.draw(sessions.len() as u64) as usize;
            let room = format!("r{}", pump.draw(3));
            let (session, seq) = (sessions[nth], asked[nth] + 1);
            let kind = ["join", "leave", "members", "list"][pump.draw(4) as usize];
            match pump.draw(12) {
                0..6 => {
                    let wish = ["null", "null", "\"no\"", "\"panic\""][pump.draw(4) as usize];
                    let data = if kind == "join" { wish } else { "null" };
                    ask(&mut pump, session, kind, &room, seq, data);
                    asked[nth] = seq;
                }
                6 => {
                    let what = ["away", "panic", "r0", "r1", "r2"][pump.draw(5) as usize];
                    tell(&mut pump, session, &room, what);
                }
                7..10 => _ = pump.deliver_one(),
                10 => {
                    let shard = pump.draw(shards.into()) as u16;
                    pump.handle(ShardId(shard));
                }
                _ => pump.step(),
            }
        }
        pump.settle();
        for (session, asked) in sessions.iter().zip(asked) {
            let answers = answers(&pump, *session);
            let once = (1..=asked).all(|seq| answers.get(&seq).is_some_and(|one| one.len() == 1));
            assert!(once, "seed {seed}, {asked} wishes: {answers:?}");
        }
    }
}

#[test]
fn a_connection_is_not_answered_what_the_one_before_asked() {
    for shards in [2, 8] {
        let mut pump = Pump::new(&mut app(), shards, 5);
        let session = pump.open(1, "/app");
        let mut bytes = Vec::new();
        let join = ClientMessage::Join {
            mode: ViewpointMode::Camera,
            at: None,
            interest: InterestWish::Default,
            full: false,
            acks: false,
        };
        join.encode(Some(1), None, &mut bytes);
        pump.binary(session, &bytes);
        pump.run(3);
        let greeting = Greeting::parse(pump.clients[&session].texts()[0]).unwrap();
        // Rooms of all hosts: the home's own answer as late as any other.
        for (nth, room) in ["a", "b", "c", "d", "e", "f"].iter().enumerate() {
            let seq = 10 * (nth as u32 + 1);
            ask(&mut pump, session, "join", room, seq, "null");
            if nth % 2 == 0 {
                pump.settle();
                ask(&mut pump, session, "members", room, seq + 1, "null");
            }
        }
        pump.handle(ShardId(1));
        pump.close(session, CloseReason::Lost);
        let resumed = pump.resume(&greeting.resume.unwrap(), "/app").unwrap();
        assert_eq!(resumed, session);
        pump.settle();
        expect(&pump, session, &[]);
        ask(&mut pump, session, "members", "f", 99, "null");
        pump.settle();
        expect(&pump, session, &[(99, "members")]);
    }
}
