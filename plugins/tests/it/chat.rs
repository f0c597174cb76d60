//! The chat: every command and its words, names, who is told what once, lanes beside raw paths.

use worldshard::prelude::*;
use worldshard_plugins::ChatPlugin;
use worldshard_protocol::ExtEnvelope;

use crate::pump::Pump;
use crate::{SHARDS, app, heard, say, texts};

fn chat(shards: u16) -> Pump {
    let mut pump = Pump::new(&mut app(ChatPlugin::new()), shards, 5);
    pump.settle();
    pump
}

/// One session of each home, and two more.
fn open(pump: &mut Pump) -> Vec<SessionId> {
    let shards = pump.shards();
    let sessions = (0..shards + 2)
        .map(|n| pump.open(n % shards, "/ws"))
        .collect();
    pump.settle();
    sessions
}

#[test]
fn who_is_in_a_room_hears_what_is_said_there_and_nobody_else_does() {
    for shards in SHARDS {
        let mut pump = chat(shards);
        let sessions = open(&mut pump);
        let [anna, ben, cleo] = [sessions[0], sessions[1], sessions[2]];
        say(&mut pump, anna, "hello, all");
        for session in &sessions {
            assert_eq!(
                heard(&mut pump, *session),
                [format!("User {anna}: hello, all")]
            );
        }
        say(&mut pump, anna, "/nick Anna");
        assert_eq!(
            heard(&mut pump, anna),
            ["[System] Your nickname is now: Anna"]
        );
        for session in [anna, ben] {
            say(&mut pump, session, "/join the hall");
        }
        assert_eq!(
            heard(&mut pump, anna),
            [
                "[System] Joined room: the hall".to_owned(),
                format!("[System] User {ben} has joined."),
            ]
        );
        assert_eq!(heard(&mut pump, ben), ["[System] Joined room: the hall"]);
        say(&mut pump, ben, "/nick Ben");
        assert_eq!(
            heard(&mut pump, ben),
            ["[System] Your nickname is now: Ben"]
        );
        assert_eq!(
            heard(&mut pump, anna),
            [format!("[System] User {ben} is now Ben.")]
        );
        say(&mut pump, ben, "  hi\n[System] Anna has left. ");
        for session in [anna, ben] {
            assert_eq!(
                heard(&mut pump, session),
                ["Ben: hi [System] Anna has left."]
            );
        }
        say(&mut pump, cleo, "anybody?");
        let all = [format!("User {cleo}: anybody?")];
        for session in &sessions {
            assert_eq!(heard(&mut pump, *session), all);
        }
        say(&mut pump, anna, "/who");
        assert_eq!(heard(&mut pump, anna).len(), 1);
        say(&mut pump, ben, "   ");
        assert!(sessions.iter().all(|one| texts(&pump, *one).is_empty()));
    }
}

#[test]
fn a_member_of_two_rooms_hears_both_and_speaks_in_the_last() {
    for shards in SHARDS {
        let mut pump = chat(shards);
        let sessions = open(&mut pump);
        let [both, a, b] = [sessions[0], sessions[1], sessions[2]];
        // Said in one go: what follows a wish to join is for that room.
        for said in [
            "/join a",
            "in a",
            "/join b",
            "in b",
            "/join a",
            "in a again",
        ] {
            pump.text(both, said);
        }
        pump.settle();
        let mut own = heard(&mut pump, both);
        // Two rooms may live on two shards, each with an order of its own.
        own.sort();
        let name = format!("User {both}");
        let mut expected = vec![
            "[System] Joined room: a".to_owned(),
            "[System] Joined room: a".to_owned(),
            "[System] Joined room: b".to_owned(),
            format!("{name}: in a"),
            format!("{name}: in a again"),
            format!("{name}: in b"),
        ];
        expected.sort();
        assert_eq!(own, expected);
        say(&mut pump, a, "/join a");
        say(&mut pump, b, "/join b");
        for session in &sessions {
            heard(&mut pump, *session);
        }
        say(&mut pump, a, "from a");
        say(&mut pump, b, "from b");
        assert_eq!(
            heard(&mut pump, both),
            [format!("User {a}: from a"), format!("User {b}: from b")]
        );
        say(&mut pump, both, "/leave");
        assert_eq!(heard(&mut pump, both), ["[System] Left room: a"]);
        say(&mut pump, a, "from a");
        say(&mut pump, b, "from b");
        assert_eq!(heard(&mut pump, both), [format!("User {b}: from b")]);
        say(&mut pump, both, "to b");
        assert_eq!(
            heard(&mut pump, a),
            [
                format!("User {a}: from a"),
                format!("[System] {name} has left."),
                format!("User {a}: from a"),
            ]
        );
        assert_eq!(heard(&mut pump, b).last(), Some(&format!("{name}: to b")));
        say(&mut pump, both, "/leave a");
        say(&mut pump, both, "/leave b");
        say(&mut pump, both, "/leave");
        assert_eq!(
            heard(&mut pump, both),
            [
                &format!("{name}: to b"),
                "[Error] You are not in that room.",
                "[System] Left room: b",
                "[Error] You are in no room.",
            ]
        );
    }
}

#[test]
fn others_are_told_once_however_often_one_joins_and_whatever_ends_it() {
    for shards in SHARDS {
        let mut pump = chat(shards);
        let sessions = open(&mut pump);
        let (watcher, guest) = (sessions[0], sessions[1]);
        say(&mut pump, watcher, "/join a");
        heard(&mut pump, watcher);
        for _ in 0..100 {
            pump.text(guest, "/join a");
        }
        pump.settle();
        let joined = [format!("[System] User {guest} has joined.")];
        let left = [format!("[System] User {guest} has left.")];
        assert_eq!(heard(&mut pump, watcher), joined);
        assert_eq!(
            heard(&mut pump, guest),
            vec!["[System] Joined room: a"; 100]
        );
        say(&mut pump, guest, "/leave");
        assert_eq!(heard(&mut pump, watcher), left);
        say(&mut pump, guest, "/list");
        assert_eq!(
            heard(&mut pump, guest)[1..],
            ["[System] Active Rooms:\n  - a (1 users)"]
        );
        for reason in [
            CloseReason::Lost,
            CloseReason::Client { code: 1000 },
            CloseReason::Timeout,
        ] {
            let guest = pump.open(shards - 1, "/ws");
            say(&mut pump, guest, "/join a");
            heard(&mut pump, watcher);
            pump.close(guest, reason);
            pump.settle();
            let left = [format!("[System] User {guest} has left.")];
            assert_eq!(heard(&mut pump, watcher), left);
        }
        pump.close(watcher, CloseReason::Lost);
        pump.settle();
        say(&mut pump, guest, "/list");
        let none = "[System] Active Rooms:\n  No active rooms right now.";
        assert_eq!(heard(&mut pump, guest), [none]);
    }
}

#[test]
fn a_nickname_is_one_persons_in_its_room_and_nobody_has_a_reserved_one() {
    for shards in SHARDS {
        let mut pump = Pump::new(&mut app(ChatPlugin::new().reserve("Owner")), shards, 5);
        let sessions = open(&mut pump);
        let [anna, other, apart] = [sessions[0], sessions[1], sessions[2]];
        for said in ["/join a", "/nick Anna"] {
            say(&mut pump, anna, said);
        }
        say(&mut pump, other, "/join a");
        heard(&mut pump, other);
        let taken = "[Error] The nickname aNNa is taken in this room.";
        say(&mut pump, other, "/nick aNNa");
        assert_eq!(heard(&mut pump, other), [taken]);
        for name in [
            "System",
            "ERROR",
            "owner",
            "User 1",
            "x\u{7}",
            "[x]",
            &"n".repeat(33),
            "",
        ] {
            say(&mut pump, other, &format!("/nick {name}"));
            let refused = heard(&mut pump, other);
            assert!(refused[0].starts_with("[Error] "), "{name:?}: {refused:?}");
            assert_eq!(refused.len(), 1);
        }
        say(&mut pump, apart, "/nick Anna");
        say(&mut pump, apart, "/join a");
        let refused = "[Error] The nickname Anna is taken in a.";
        assert_eq!(heard(&mut pump, apart)[1..], [refused]);
        // It is in no room: what it says is for all.
        say(&mut pump, apart, "hello");
        assert_eq!(heard(&mut pump, apart), ["Anna: hello"]);
        say(&mut pump, apart, "/join b");
        assert_eq!(heard(&mut pump, apart), ["[System] Joined room: b"]);
        // A name is free when its owner takes another one, or goes.
        say(&mut pump, anna, "/nick Berta");
        heard(&mut pump, other);
        say(&mut pump, other, "/nick Anna");
        assert_eq!(
            heard(&mut pump, other),
            ["[System] Your nickname is now: Anna"]
        );
        pump.close(other, CloseReason::Lost);
        pump.settle();
        say(&mut pump, apart, "/join a");
        assert_eq!(heard(&mut pump, apart), ["[System] Joined room: a"]);
        heard(&mut pump, anna);
        say(&mut pump, anna, "/who");
        let mut members = ["Berta", "Anna"];
        if anna > apart {
            members.reverse();
        }
        let who = format!("[System] In a:\n  - {}\n  - {}", members[0], members[1]);
        assert_eq!(heard(&mut pump, anna), [who]);
    }
}

#[test]
fn a_list_is_paged_by_name_counts_members_and_leaves_out_what_is_hidden() {
    for shards in SHARDS {
        let plugin = ChatPlugin::new()
            .rooms_listed_max(3)
            .hidden(|name| name.starts_with('.'));
        let mut pump = Pump::new(&mut app(plugin), shards, 5);
        let sessions = open(&mut pump);
        for (room, members) in [
            ("e", 1),
            ("b", 2),
            (".x", 2),
            ("a", 3),
            ("d", 1),
            ("c c", 2),
        ] {
            for session in &sessions[..members] {
                pump.text(*session, &format!("/join {room}"));
            }
        }
        pump.settle();
        for (said, answer) in [
            (
                "/list",
                "[System] Active Rooms:\n  - a (3 users)\n  - b (2 users)\n  - c c (2 users)\n  More: /list c c",
            ),
            (
                "/list c c",
                "[System] Active Rooms:\n  - d (1 users)\n  - e (1 users)",
            ),
            (
                "/list z",
                "[System] Active Rooms:\n  No active rooms right now.",
            ),
        ] {
            let asks = *sessions.last().unwrap();
            say(&mut pump, asks, said);
            assert_eq!(
                heard(&mut pump, asks).pop().unwrap(),
                answer,
                "{shards} shards"
            );
        }
        // Who knows its name is in it all the same.
        heard(&mut pump, sessions[1]);
        say(&mut pump, sessions[0], "/join .x");
        say(&mut pump, sessions[0], "psst");
        let said = format!("User {}: psst", sessions[0]);
        assert_eq!(heard(&mut pump, sessions[1]), [said]);
    }
}

#[test]
fn rooms_that_one_joins_under_any_name_are_bounded_and_none_is_left() {
    let mut pump = chat(8);
    let [one, other] = [0, 5].map(|home| pump.open(home, "/ws"));
    for n in 0..1000 {
        pump.text(one, &format!("/join {}", n * 7919 % 1000));
        pump.text(other, &format!("/join other {n}"));
        pump.text(other, "/leave");
    }
    pump.settle();
    let answers = heard(&mut pump, one);
    let joined = answers
        .iter()
        .filter(|text| text.starts_with("[System] Joined"));
    let refused = answers
        .iter()
        .filter(|text| text.starts_with("[Error] a session is in at most"));
    assert_eq!((joined.count(), refused.count()), (64, 1000 - 64));
    let rooms = |pump: &Pump| -> usize {
        let of_shards = pump.hubs.iter().map(|hub| hub.status().rooms);
        of_shards.sum()
    };
    assert_eq!(rooms(&pump), 64);
    // What was refused is forgotten: the active room is one that it is in.
    say(&mut pump, one, "still here");
    assert_eq!(heard(&mut pump, one), [format!("User {one}: still here")]);
    assert!(!heard(&mut pump, other).contains(&format!("User {one}: still here")));
    pump.close(one, CloseReason::Lost);
    pump.settle();
    assert_eq!(rooms(&pump), 0);
}

#[test]
fn settings_are_used_and_what_is_too_long_is_refused() {
    let plugin = ChatPlugin::new()
        .to_sender(false)
        .text_chars_max(5)
        .members_max(2);
    let mut pump = Pump::new(&mut app(plugin), 2, 5);
    let sessions = open(&mut pump);
    let [one, other, third] = [sessions[0], sessions[1], sessions[2]];
    for session in [one, other, third] {
        say(&mut pump, session, "/join a");
    }
    assert_eq!(
        heard(&mut pump, third),
        ["[Error] the room is full: 2 members"]
    );
    heard(&mut pump, one);
    heard(&mut pump, other);
    say(&mut pump, one, "12345");
    say(&mut pump, one, "\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}");
    let long = "[Error] That text is too long: at most 5 characters.";
    assert_eq!(heard(&mut pump, one), [long]);
    assert_eq!(heard(&mut pump, other), [format!("User {one}: 12345")]);
    for name in ["a/b", "", &"x".repeat(129)] {
        say(&mut pump, third, &format!("/join {name}"));
        let refused = heard(&mut pump, third);
        assert!(refused[0].starts_with("[Error] "), "{refused:?}");
    }
}

/// What a client on lanes heard of the chat and of `sys`: svc/type room seq data.
fn on_lanes(pump: &mut Pump, session: SessionId) -> Vec<String> {
    let texts = heard(pump, session);
    let shown = texts.iter().map(|text| {
        let envelope = ExtEnvelope::parse(text).unwrap();
        let data = envelope.data.as_ref().map_or("", |data| data.get());
        let room = envelope.room.as_deref().unwrap_or("-");
        let seq = envelope.seq.map_or("-".to_owned(), |seq| seq.to_string());
        format!("{}/{} {room} {seq} {data}", envelope.svc, envelope.kind)
    });
    shown.collect()
}

fn lanes(svc: &str, kind: &str, rest: &str) -> String {
    format!(r#"{{"v":1,"svc":"{svc}","type":"{kind}"{rest}}}"#)
}

/// One on a raw path, in the room `hall`, and two on lanes that are in none; none has anything to read.
fn hall(shards: u16) -> (Pump, SessionId, [SessionId; 2]) {
    let mut pump = chat(shards);
    let raw = pump.open(shards / 2, "/ws");
    let on_lanes = [0, shards - 1].map(|home| pump.open(home, "/app"));
    say(&mut pump, raw, "/join hall");
    for session in [raw, on_lanes[0], on_lanes[1]] {
        heard(&mut pump, session);
    }
    (pump, raw, on_lanes)
}

fn sends(rest: &str, msg: &str) -> String {
    lanes(
        "chat",
        "send",
        &format!(r#"{rest},"data":{{"msg":"{msg}"}}"#),
    )
}

#[test]
fn who_is_no_member_of_a_room_may_not_speak_there() {
    for shards in SHARDS {
        let (mut pump, raw, [one, _]) = hall(shards);
        say(&mut pump, one, &sends(r#","room":"hall","seq":4"#, "hi"));
        // Without a room there is none that it could mean.
        say(&mut pump, one, &sends(r#","seq":5"#, "hi"));
        for (seq, refused) in [4, 5].iter().zip(on_lanes(&mut pump, one)) {
            let error = format!("sys/error - {seq} {{\"code\":\"NOT_ALLOWED\"");
            assert!(refused.starts_with(&error), "{refused}");
        }
        assert!(texts(&pump, raw).is_empty(), "nobody hears it");
    }
}

#[test]
fn clients_on_lanes_are_in_the_same_rooms_as_others() {
    for shards in SHARDS {
        let (mut pump, raw, [one, other]) = hall(shards);
        let join = r#","room":"hall","seq":1,"data":{"nick":"Lena"}"#;
        say(&mut pump, one, &lanes("room", "join", join));
        assert_eq!(on_lanes(&mut pump, one), ["sys/joined hall 1 "]);
        assert_eq!(heard(&mut pump, raw), ["[System] Lena has joined."]);
        say(&mut pump, one, &sends(r#","room":"hall""#, "hi"));
        say(&mut pump, one, &sends("", r"two\nlines"));
        say(&mut pump, raw, "hello");
        let user = format!("User {raw}");
        assert_eq!(
            heard(&mut pump, raw),
            ["Lena: hi", "Lena: two lines", &format!("{user}: hello")]
        );
        let msg = |from: &str, msg: &str, id: u32| {
            let data = serde_json::json!({ "from": from, "id": id, "msg": msg, "time": 0 });
            format!("chat/msg hall - {data}")
        };
        let told = [
            msg("Lena", "hi", 1),
            msg("Lena", "two\nlines", 2),
            msg(&user, "hello", 3),
        ];
        assert_eq!(on_lanes(&mut pump, one), told);
        assert_eq!(on_lanes(&mut pump, other), [""; 0]);

        say(
            &mut pump,
            one,
            &lanes("chat", "nick", r#","data":{"name":"Lea"}"#),
        );
        let renamed = r#"chat/renamed hall - {"from":"Lena","name":"Lea"}"#;
        assert_eq!(on_lanes(&mut pump, one), [renamed]);
        pump.run(3);
        say(&mut pump, raw, "later");
        say(&mut pump, raw, "/leave");
        let later =
            format!(r#"chat/msg hall - {{"from":"{user}","id":4,"msg":"later","time":150}}"#);
        let left = format!(r#"chat/left hall - {{"name":"{user}"}}"#);
        assert_eq!(on_lanes(&mut pump, one), [later, left]);
        let heard = heard(&mut pump, raw);
        assert_eq!(heard[0], "[System] Lena is now Lea.");
        assert_eq!(heard[2], "[System] Left room: hall");
    }
}

#[test]
fn what_lanes_say_that_is_not_the_chats_is_refused_with_a_code() {
    let mut pump = chat(2);
    let one = pump.open(1, "/app");
    say(&mut pump, one, &lanes("room", "join", r#","room":"hall""#));
    on_lanes(&mut pump, one);
    for (kind, rest, code) in [
        ("send", "", "BAD_REQUEST"),
        ("send", r#","data":{"msg":1}"#, "BAD_REQUEST"),
        ("send", r#","data":{"msg":"x","y":1}"#, "BAD_REQUEST"),
        ("shout", r#","data":{"msg":"x"}"#, "BAD_REQUEST"),
        ("nick", r#","data":{"name":"System"}"#, "BAD_REQUEST"),
    ] {
        say(&mut pump, one, &lanes("chat", kind, rest));
        let refused = on_lanes(&mut pump, one);
        assert!(refused[0].contains(code), "{kind} {rest}: {refused:?}");
        assert_eq!(refused.len(), 1);
    }
    let long = format!(r#","data":{{"msg":"{}"}}"#, "x".repeat(2001));
    say(&mut pump, one, &lanes("chat", "send", &long));
    assert!(on_lanes(&mut pump, one)[0].contains("PAYLOAD_TOO_LARGE"));
}
