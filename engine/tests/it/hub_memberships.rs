//! Rooms whose members have any home: who is told what, in which order, and what lists say, beside an oracle.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use worldshard::Rooms;
use worldshard::prelude::*;

use crate::pump::Pump;

/// Says what happens in it, and refuses who asks with `no`.
struct Hall;

impl Service for Hall {
    fn admit(
        &mut self,
        _: &mut Room<'_>,
        _: SessionId,
        request: &Payload,
    ) -> std::result::Result<(), Cow<'static, str>> {
        match request.as_text() {
            Some("no") => Err("not with that".into()),
            Some("panic") => panic!("as asked"),
            _ => Ok(()),
        }
    }

    fn connect(&mut self, room: &mut Room<'_>, member: SessionId) {
        let others = room.members().len() - 1;
        room.send(
            Audience::One(member),
            format!("{}: {others} others", room.name()),
        );
        room.send(
            Audience::AllBut(member),
            format!("{}: +{member}", room.name()),
        );
    }

    fn message(&mut self, room: &mut Room<'_>, member: SessionId, payload: &Payload) {
        let text = payload.as_text().unwrap().trim_matches('"');
        match text.split_once(' ').unwrap_or((text, "")) {
            ("away", "") => room.remove(member, "as asked"),
            ("hide", "") => room.set_listing(None),
            ("note", note) => room.set_listing(Some(note.to_owned())),
            ("move", to) => room.move_to(member, "hall", to, "moved"),
            ("panic", _) => panic!("as asked"),
            _ => room.send(Audience::All, format!("{}: {text}", room.name())),
        }
    }

    fn disconnect(&mut self, room: &mut Room<'_>, member: SessionId) {
        room.send(Audience::All, format!("{}: -{member}", room.name()));
    }
}

/// Rooms of the kind `hall`, and commands for all that a system can do about them. What becomes of a membership its session
/// is told.
fn app() -> App {
    let mut app = App::new();
    app.rooms(Rooms::named("hall", |_| Hall).joinable().members_max(40))
        .raw("/ws")
        .lanes("/lanes")
        .text_command("/join", |cx, session, rest| {
            let (name, request) = rest.split_once(' ').unwrap_or((rest, ""));
            cx.join(session, "hall", name, request.to_owned());
        })
        .text_command("/leave", |cx, session, rest| {
            let left = cx.leave(session, "hall", rest);
            cx.send(Audience::One(session), format!("/leave {left}"));
        })
        .text_command("/say", |cx, session, rest| {
            let (name, text) = rest.split_once(' ').unwrap_or((rest, ""));
            if !cx.tell_room(session, "hall", name, text.to_owned()) {
                cx.send(Audience::One(session), format!("not in {name}"));
            }
        })
        .text_command("/all", |cx, _, rest| {
            let kind = "hall".to_owned();
            let name = rest.to_owned();
            cx.send(Audience::Room { kind, name }, "from outside");
        })
        .text_command("/rooms", |cx, session, _| {
            let rooms: Vec<_> = cx.rooms_of(session).map(|(_, name)| name).collect();
            let text = rooms.join(" ");
            cx.send(Audience::One(session), text);
        })
        .system(Update, |cx: &mut Context| {
            for news in cx.memberships() {
                assert_eq!(&*news.kind, "hall");
                let text = format!("{}: {:?}", news.name, news.change);
                if cx.path(news.session) == Some("/ws") {
                    cx.send(Audience::One(news.session), text);
                }
            }
        });
    app
}

fn texts(pump: &Pump, session: SessionId) -> Vec<&str> {
    pump.clients[&session].texts()
}

fn say(pump: &mut Pump, session: SessionId, text: &str) {
    pump.text(session, text);
    pump.settle();
}

#[test]
fn members_of_any_home_are_in_the_same_room_and_only_there() {
    for shards in [1, 2, 8] {
        let mut pump = Pump::new(&mut app(), shards, 1);
        let one = pump.open(0, "/ws");
        let two = pump.open(shards - 1, "/ws");
        let none = pump.open(shards / 2, "/ws");
        say(&mut pump, one, "/join a");
        say(&mut pump, two, "/join a");
        say(&mut pump, two, "/join b");
        say(&mut pump, one, "/say a hello");
        say(&mut pump, two, "/say b alone");
        say(&mut pump, none, "/say a let me in");
        say(&mut pump, none, "/all a");
        say(&mut pump, two, "/leave a");
        say(&mut pump, one, "/say a bye");
        say(&mut pump, two, "/leave a");
        let of_one = [
            "a: 0 others".to_owned(),
            "a: Joined".to_owned(),
            format!("a: +{two}"),
            "a: hello".to_owned(),
            "from outside".to_owned(),
            format!("a: -{two}"),
            "a: bye".to_owned(),
        ];
        assert_eq!(
            sorted(texts(&pump, one)),
            sorted(of_one.iter().map(|one| &**one).collect())
        );
        assert_eq!(texts(&pump, one)[2..], of_one[2..]);
        let heard = texts(&pump, two);
        assert_eq!(
            heard[4..],
            [
                "a: hello",
                "b: alone",
                "from outside",
                "/leave true",
                "a: Left(\"left\")",
                "/leave false"
            ],
            "{shards} shards: {heard:?}"
        );
        assert_eq!(texts(&pump, none), ["not in a"]);
    }
}

fn sorted(mut texts: Vec<&str>) -> Vec<&str> {
    texts.sort_unstable();
    texts
}

#[test]
fn who_joins_a_hundred_times_leaves_once() {
    for shards in [1, 2, 8] {
        let mut pump = Pump::new(&mut app(), shards, 2);
        let session = pump.open(shards - 1, "/ws");
        for _ in 0..100 {
            pump.text(session, "/join a");
        }
        pump.settle();
        let joined = texts(&pump, session);
        let count = |wanted: &str| joined.iter().filter(|text| **text == wanted).count();
        assert_eq!(count("a: 0 others"), 1);
        assert!(count("a: Joined") >= 1);
        say(&mut pump, session, "/leave a");
        say(&mut pump, session, "/say a hello");
        assert_eq!(texts(&pump, session).last(), Some(&"not in a"));
        for hub in &mut pump.hubs {
            assert_eq!(hub.status().rooms, 0, "the slot is free, and the room gone");
        }
    }
}

#[test]
fn a_service_and_the_limits_say_who_is_let_in() {
    for shards in [1, 2, 8] {
        let mut app = app();
        app.options(|options| options.limits.rooms_per_session_max = 2);
        let mut pump = Pump::new(&mut app, shards, 3);
        let session = pump.open(0, "/ws");
        say(&mut pump, session, "/join a no");
        say(&mut pump, session, "/say a hello");
        say(&mut pump, session, "/join a panic");
        for name in ["a", "b", "c"] {
            say(&mut pump, session, &format!("/join {name}"));
        }
        say(&mut pump, session, &format!("/join {}", "x".repeat(129)));
        let news: Vec<&str> = texts(&pump, session);
        let news: Vec<_> = news
            .iter()
            .filter(|text| !text.contains("others"))
            .collect();
        let long = format!(
            "{}: Refused(\"a room's name has 1 to 128 bytes of UTF-8, without control characters and slashes\")",
            "x".repeat(129)
        );
        assert_eq!(
            *news,
            [
                &"a: Refused(\"not with that\")",
                &"not in a",
                &"a: Refused(\"the room failed\")",
                &"a: Joined",
                &"b: Joined",
                &"c: Refused(\"a session is in at most 2 rooms\")",
                &&*long,
            ]
        );
    }
}

#[test]
fn a_full_room_takes_another_when_one_has_left() {
    let mut pump = Pump::new(&mut app(), 8, 4);
    let sessions: Vec<_> = (0..41).map(|index| pump.open(index % 8, "/ws")).collect();
    for &session in &sessions {
        say(&mut pump, session, "/join a");
    }
    let full = "a: Refused(\"the room is full: 40 members\")";
    assert_eq!(texts(&pump, sessions[40]), [full]);
    pump.close(sessions[3], CloseReason::Lost);
    pump.settle();
    say(&mut pump, sessions[40], "/join a");
    assert!(texts(&pump, sessions[40]).contains(&"a: 39 others"));
}

#[test]
fn a_service_sends_members_away_and_elsewhere() {
    for shards in [1, 2, 8] {
        let mut pump = Pump::new(&mut app(), shards, 5);
        let session = pump.open(shards - 1, "/ws");
        say(&mut pump, session, "/join a");
        say(&mut pump, session, "/say a move b");
        say(&mut pump, session, "/say a hello");
        say(&mut pump, session, "/rooms");
        say(&mut pump, session, "/say b away");
        say(&mut pump, session, "/rooms");
        let heard = texts(&pump, session);
        let told: Vec<_> = heard
            .iter()
            .filter(|text| !text.contains("others"))
            .collect();
        assert_eq!(
            *told,
            [
                &"a: Joined",
                &"a: Left(\"moved\")",
                &"b: Joined",
                &"not in a",
                &"b",
                &"b: Left(\"as asked\")",
                &""
            ]
        );
        assert!(pump.clients[&session].closed.is_none());
    }
}

#[test]
fn a_room_that_panics_keeps_its_members_and_one_that_fails_lets_them_go() {
    for shards in [1, 2, 8] {
        let mut pump = Pump::new(&mut app(), shards, 6);
        let sessions = [0, shards - 1].map(|home| pump.open(home, "/ws"));
        for session in sessions {
            say(&mut pump, session, "/join a");
        }
        for _ in 0..3 {
            say(&mut pump, sessions[1], "/say a panic");
        }
        say(&mut pump, sessions[0], "/say a still here");
        for session in sessions {
            assert_eq!(texts(&pump, session).last(), Some(&"a: still here"));
        }
        say(&mut pump, sessions[0], "/say a panic");
        for session in sessions {
            assert_eq!(
                texts(&pump, session).last(),
                Some(&"a: Left(\"the room failed\")")
            );
            assert!(pump.clients[&session].closed.is_none());
        }
        say(&mut pump, sessions[1], "/join a");
        let refused = texts(&pump, sessions[1]).last().copied().unwrap();
        assert!(
            refused.starts_with("a: Refused(\"the room failed again"),
            "{refused}"
        );
    }
}

fn listed(pump: &mut Pump, after: Option<&str>, max: usize) -> Vec<ListedRoom> {
    pump.hubs[0].list_rooms("hall", after, max)
}

#[test]
fn lists_are_paged_by_name_and_leave_out_what_is_hidden() {
    for shards in [1, 2, 8] {
        let mut pump = Pump::new(&mut app(), shards, 7);
        let sessions: Vec<_> = (0..6)
            .map(|index| pump.open(index % shards, "/ws"))
            .collect();
        for (index, &session) in sessions.iter().enumerate() {
            for name in ["d", "a", "c", "b", "e"].iter().take(index) {
                say(&mut pump, session, &format!("/join {name}"));
            }
        }
        say(&mut pump, sessions[5], "/say c hide");
        say(&mut pump, sessions[5], "/say b note open");
        let lines = |rooms: Vec<ListedRoom>| -> Vec<(String, u32, String)> {
            let line = |one: ListedRoom| (one.name.to_string(), one.members, one.note.to_string());
            rooms.into_iter().map(line).collect()
        };
        let line = |name: &str, members, note: &str| (name.to_owned(), members, note.to_owned());
        let all = [
            line("a", 4, ""),
            line("b", 2, "open"),
            line("d", 5, ""),
            line("e", 1, ""),
        ];
        assert_eq!(lines(listed(&mut pump, None, 100)), all);
        assert_eq!(lines(listed(&mut pump, None, 2)), all[..2]);
        assert_eq!(lines(listed(&mut pump, Some("b"), 2)), all[2..]);
        for &session in &sessions {
            pump.close(session, CloseReason::Lost);
        }
        pump.settle();
        assert_eq!(listed(&mut pump, None, 100), []);
    }
}

/// What a client on lanes was told, each as service, type, room and the rest.
fn told(pump: &Pump, session: SessionId) -> Vec<String> {
    let lines = pump.clients[&session].texts();
    let after_greeting = lines.iter().skip(1);
    after_greeting.map(|text| (*text).to_owned()).collect()
}

#[test]
fn clients_on_lanes_join_leave_and_list_rooms_by_themselves() {
    for shards in [1, 2, 8] {
        let mut pump = Pump::new(&mut app(), shards, 8);
        let session = pump.open(shards - 1, "/lanes");
        let lines = [
            r#"{"v":1,"svc":"room","type":"join","seq":4}"#,
            r#"{"v":1,"svc":"room","type":"join","room":"b"}"#,
            r#"{"v":1,"svc":"app","type":"message","data":"to b"}"#,
            r#"{"v":1,"svc":"app","type":"message","room":"default","data":"to default"}"#,
            r#"{"v":1,"svc":"app","type":"message","room":"c","seq":9,"data":"to c"}"#,
            r#"{"v":1,"svc":"room","type":"list","seq":5}"#,
            r#"{"v":1,"svc":"room","type":"members","room":"b","seq":6}"#,
            r#"{"v":1,"svc":"room","type":"leave"}"#,
            r#"{"v":1,"svc":"app","type":"message","data":"to default again"}"#,
            r#"{"v":1,"svc":"room","type":"leave","room":"b","seq":7}"#,
            r#"{"v":1,"svc":"room","type":"list","data":{"max":0},"seq":8}"#,
            r#"{"v":1,"svc":"room","type":"dance"}"#,
            r#"{"v":1,"svc":"room","type":"join","room":"x","data":"no"}"#,
        ];
        for line in lines {
            say(&mut pump, session, line);
        }
        let number = session.value();
        let expected = [
            r#"{"v":1,"svc":"sys","type":"joined","seq":4,"room":"default"}"#.to_owned(),
            r#"{"v":1,"svc":"app","type":"message","room":"default","data":"default: 0 others"}"#.to_owned(),
            r#"{"v":1,"svc":"sys","type":"joined","room":"b"}"#.to_owned(),
            r#"{"v":1,"svc":"app","type":"message","room":"b","data":"b: 0 others"}"#.to_owned(),
            r#"{"v":1,"svc":"app","type":"message","room":"b","data":"b: to b"}"#.to_owned(),
            r#"{"v":1,"svc":"app","type":"message","room":"default","data":"default: to default"}"#.to_owned(),
            r#"{"v":1,"svc":"sys","type":"error","seq":9,"data":{"code":"NOT_ALLOWED","msg":"room: the session is no member of it"}}"#.to_owned(),
            r#"{"v":1,"svc":"room","type":"list","seq":5,"data":{"rooms":[{"members":1,"room":"b"},{"members":1,"room":"default"}]}}"#.to_owned(),
            format!(r#"{{"v":1,"svc":"room","type":"members","seq":6,"room":"b","data":{{"members":[{{"session":{number}}}]}}}}"#),
            r#"{"v":1,"svc":"sys","type":"left","room":"b","data":{"reason":"left"}}"#.to_owned(),
            r#"{"v":1,"svc":"app","type":"message","room":"default","data":"default: to default again"}"#.to_owned(),
            r#"{"v":1,"svc":"sys","type":"error","seq":7,"data":{"code":"NOT_ALLOWED","msg":"room: the session is no member of it"}}"#.to_owned(),
            r#"{"v":1,"svc":"sys","type":"error","seq":8,"data":{"code":"BAD_REQUEST","msg":"data.max: 0; 1 to 100 may be had"}}"#.to_owned(),
            r#"{"v":1,"svc":"sys","type":"error","data":{"code":"BAD_REQUEST","msg":"type: the service room takes no \"dance\""}}"#.to_owned(),
        ];
        let heard = told(&pump, session);
        assert_eq!(heard[..14], expected, "{shards} shards");
    }
}

/// What a room would hold if everything were in one place.
type Oracle = BTreeMap<String, BTreeSet<SessionId>>;

#[test]
fn after_any_chaos_lists_and_rooms_hold_who_is_there_and_no_ghosts() {
    for seed in 0..24 {
        let shards = [1, 2, 8][seed as usize % 3];
        let mut pump = Pump::new(&mut app(), shards, seed);
        let mut oracle = Oracle::new();
        let mut open: Vec<SessionId> = Vec::new();
        for _ in 0..400 {
            let name = format!("r{}", pump.draw(5));
            match pump.draw(10) {
                0 | 1 => {
                    let home = pump.draw(shards.into()) as u16;
                    open.push(pump.open(home, "/ws"));
                }
                2 if !open.is_empty() => {
                    let at = pump.draw(open.len() as u64) as usize;
                    let session = open.swap_remove(at);
                    pump.close(session, CloseReason::Lost);
                    oracle
                        .values_mut()
                        .for_each(|room| _ = room.remove(&session));
                }
                3..=5 if !open.is_empty() => {
                    let session = open[pump.draw(open.len() as u64) as usize];
                    pump.text(session, &format!("/join {name}"));
                    oracle.entry(name).or_default().insert(session);
                }
                6 if !open.is_empty() => {
                    let session = open[pump.draw(open.len() as u64) as usize];
                    pump.text(session, &format!("/leave {name}"));
                    oracle.entry(name).or_default().remove(&session);
                }
                7 => _ = pump.deliver_one(),
                8 => {
                    let shard = pump.draw(shards.into()) as u16;
                    pump.handle(ShardId(shard));
                }
                _ => pump.step(),
            }
        }
        pump.settle();
        let counts = listed(&mut pump, None, 100).into_iter();
        let counts: Vec<_> = counts
            .map(|one| (one.name.to_string(), one.members as usize))
            .collect();
        let expected: Vec<_> = oracle
            .iter()
            .filter(|(_, members)| !members.is_empty())
            .map(|(name, members)| (name.clone(), members.len()))
            .collect();
        assert_eq!(counts, expected, "seed {seed}");
        // Each hears a message once for each room that it is in.
        let before: BTreeMap<_, _> = open
            .iter()
            .map(|one| (*one, texts(&pump, *one).len()))
            .collect();
        let rooms: Vec<_> = oracle.keys().cloned().collect();
        let outsider = pump.open(0, "/ws");
        for name in &rooms {
            say(&mut pump, outsider, &format!("/all {name}"));
        }
        for session in open {
            let heard = texts(&pump, session).len() - before[&session];
            let rooms = oracle
                .values()
                .filter(|room| room.contains(&session))
                .count();
            assert_eq!(heard, rooms, "seed {seed}, {session}");
        }
    }
}

#[test]
fn what_is_said_on_a_raw_path_is_for_systems_wherever_its_session_is() {
    for shards in [1, 2, 8] {
        let mut app = app();
        app.system(Update, |cx: &mut Context| {
            for message in cx.messages() {
                let text = message.payload.as_text().unwrap();
                cx.send(Audience::One(message.session), format!("heard {text}"));
            }
        });
        let mut pump = Pump::new(&mut app, shards, 9);
        let session = pump.open(shards - 1, "/ws");
        say(&mut pump, session, "before");
        say(&mut pump, session, "/join a");
        say(&mut pump, session, "after");
        pump.text(session, "last");
        pump.close(session, CloseReason::Lost);
        pump.settle();
        let heard = texts(&pump, session);
        let heard: Vec<_> = heard
            .iter()
            .filter(|text| text.starts_with("heard"))
            .collect();
        assert_eq!(*heard, [&"heard before", &"heard after"]);
        assert!(!texts(&pump, session).contains(&"a: after"));
    }
}
