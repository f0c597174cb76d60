//! Rooms within one turn of their host: who takes whose place, whom a service sends away, how a room ends.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use worldshard::Rooms;
use worldshard::prelude::*;

use crate::pump::Pump;

/// Says what it is told, and does what members say.
#[derive(Default)]
struct Porter {
    drops: Option<Arc<AtomicU32>>,
}

impl Service for Porter {
    fn admit(
        &mut self,
        room: &mut Room<'_>,
        session: SessionId,
        request: &Payload,
    ) -> std::result::Result<(), Cow<'static, str>> {
        match request.as_text() {
            Some("no") => Err("not with that".into()),
            Some("away") => {
                room.remove(session, "before it came");
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn connect(&mut self, room: &mut Room<'_>, member: SessionId) {
        // Two rooms that send everybody to each other.
        let to = match room.name() {
            "ping" => "pong",
            "pong" => "ping",
            "itself" => "itself",
            _ => return room.send(Audience::All, format!("+{member}")),
        };
        room.move_to(member, "porter", to, "");
    }

    fn message(&mut self, room: &mut Room<'_>, member: SessionId, payload: &Payload) {
        let text = payload.as_text().unwrap();
        match text.split_once(' ').unwrap_or((text, "")) {
            ("away", "") => room.remove(member, "as asked"),
            ("away", other) => {
                let is_it = |one: &SessionId| one.to_string() == other;
                let other = room.members().find(is_it).unwrap();
                room.remove(other, "as asked");
            }
            ("panic", _) => panic!("as asked"),
            _ => room.send(Audience::All, text.to_owned()),
        }
    }

    fn disconnect(&mut self, room: &mut Room<'_>, member: SessionId) {
        room.remove(member, "again");
        room.move_to(member, "porter", "b", "");
        room.send(Audience::All, format!("-{member}"));
    }
}

impl Drop for Porter {
    fn drop(&mut self) {
        if let Some(drops) = &self.drops {
            drops.fetch_add(1, Ordering::Relaxed);
            panic!("as it goes");
        }
    }
}

fn app(rooms: Rooms) -> App {
    let mut app = App::new();
    app.rooms(rooms)
        .raw("/ws")
        .text_command("/join", |cx, session, rest| {
            let (name, request) = rest.split_once(' ').unwrap_or((rest, ""));
            cx.join(session, "porter", name, request.to_owned());
        })
        .text_command("/leave", |cx, session, name| {
            cx.leave(session, "porter", name);
        })
        .text_command("/say", |cx, session, rest| {
            let (name, text) = rest.split_once(' ').unwrap_or((rest, ""));
            cx.tell_room(session, "porter", name, text.to_owned());
        })
        .system(Update, |cx: &mut Context| {
            for news in cx.memberships() {
                let text = format!("{}: {:?}", news.name, news.change);
                cx.send(Audience::One(news.session), text);
            }
        });
    app
}

fn porters() -> Rooms {
    Rooms::named("porter", |_| Porter::default())
}

fn say(pump: &mut Pump, session: SessionId, text: &str) {
    pump.text(session, text);
    pump.settle();
}

/// What a session has heard since the last time.
fn heard(pump: &mut Pump, session: SessionId) -> Vec<String> {
    let texts = pump.clients[&session].texts();
    let texts = texts.into_iter().map(str::to_owned).collect();
    pump.client(session).received.clear();
    texts
}

#[test]
fn who_leaves_a_full_room_frees_the_place_for_who_comes_behind_it() {
    for shards in [1, 2, 8] {
        let mut pump = Pump::new(&mut app(porters().members_max(1)), shards, 1);
        let [one, other] = [0, 1].map(|_| pump.open(shards - 1, "/ws"));
        say(&mut pump, one, "/join a");
        say(&mut pump, other, "/join a");
        assert_eq!(
            heard(&mut pump, other),
            ["a: Refused(\"the room is full: 1 members\")"]
        );
        // All within one turn of the host.
        pump.text(one, "/leave a");
        pump.text(one, "/join a");
        pump.text(one, "/leave a");
        pump.text(other, "/join a");
        pump.text(one, "/join a");
        heard(&mut pump, one);
        pump.settle();
        let of_other = heard(&mut pump, other);
        assert!(of_other.contains(&"a: Joined".to_owned()), "{of_other:?}");
        let of_one = heard(&mut pump, one);
        let full = "a: Refused(\"the room is full: 1 members\")";
        assert_eq!(of_one.last().unwrap(), full, "{of_one:?}");
    }
}

#[test]
fn a_service_sends_away_the_member_that_it_knows_and_not_who_comes_again() {
    for shards in [1, 2, 8] {
        let mut pump = Pump::new(&mut app(porters()), shards, 2);
        let [one, other] = [0, 1].map(|_| pump.open(shards - 1, "/ws"));
        say(&mut pump, one, "/join a");
        say(&mut pump, other, "/join a");
        for session in [one, other] {
            heard(&mut pump, session);
        }
        // Nothing that it says behind that is heard, and to have come again counts.
        pump.text(other, &format!("/say a away {one}"));
        pump.text(one, "/say a not heard");
        pump.text(one, "/leave a");
        pump.text(one, "/join a");
        pump.text(one, "/say a heard");
        pump.settle();
        let of_other = heard(&mut pump, other);
        assert_eq!(
            of_other,
            [format!("-{one}"), format!("+{one}"), "heard".to_owned()]
        );
        let of_one = heard(&mut pump, one);
        assert!(of_one.contains(&"a: Joined".to_owned()), "{of_one:?}");
        assert!(of_one.contains(&"heard".to_owned()), "{of_one:?}");
        // Nor does it send away who is no member yet.
        say(&mut pump, one, "/leave a");
        say(&mut pump, one, "/join a away");
        say(&mut pump, one, "/say a here");
        assert_eq!(heard(&mut pump, one).last().unwrap(), "here");
    }
}

#[test]
fn rooms_that_send_a_member_to_each_other_for_ever_keep_nobody_waiting() {
    for (shards, first) in [
        (1, "ping"),
        (1, "itself"),
        (2, "ping"),
        (8, "ping"),
        (8, "itself"),
    ] {
        let mut pump = Pump::new(&mut app(porters()), shards, 3);
        let other = pump.open(0, "/ws");
        say(&mut pump, other, "/join a");
        heard(&mut pump, other);
        let one = pump.open(shards - 1, "/ws");
        pump.text(one, &format!("/join {first}"));
        for round in 0..200 {
            pump.text(other, &format!("/say a {round}"));
            for shard in 0..shards {
                pump.handle(ShardId(shard));
            }
            // As many as a letter and its answer make: none is left over.
            while pump.letters_waiting() > 4 {
                pump.deliver_one();
            }
        }
        pump.close(one, CloseReason::Lost);
        pump.settle();
        let expected: Vec<_> = (0..200).map(|round| round.to_string()).collect();
        assert_eq!(heard(&mut pump, other), expected);
        let rooms: usize = pump.hubs.iter().map(|hub| hub.status().rooms).sum();
        assert_eq!(rooms, 1, "only who says things is somewhere");
        let listed = pump.hubs[0].list_rooms("porter", None, 100);
        assert_eq!(listed.len(), 1);
    }
}

#[test]
fn who_is_not_let_in_makes_a_room_end_neither_earlier_nor_later() {
    for shards in [1, 2] {
        let length = WhenEmpty::EndAfter(Duration::from_secs(1));
        let mut app = app(porters().when_empty(length));
        let mut pump = Pump::new(&mut app, shards, 4);
        let [one, other] = [0, 1].map(|_| pump.open(shards - 1, "/ws"));
        say(&mut pump, one, "/join a");
        say(&mut pump, one, "/leave a");
        let rooms = |pump: &Pump| -> usize { pump.hubs.iter().map(|hub| hub.status().rooms).sum() };
        for _ in 0..19 {
            pump.run(1);
            say(&mut pump, other, "/join a no");
            assert_eq!(rooms(&pump), 1);
        }
        pump.run(1);
        assert_eq!(rooms(&pump), 0);
    }
}

#[test]
fn a_room_that_was_created_outlives_who_is_not_let_in() {
    let rooms = Rooms::at("/ws/{room}", |_| Locked).creation(Creation::Explicit);
    let mut app = App::new();
    app.rooms(rooms);
    let mut pump = Pump::new(&mut app, 2, 5);
    let host = pump.room_host("/ws/a");
    pump.hub(host).create_room(0, "/ws/a").unwrap();
    let stranger = pump.open(host.0, "/ws/a");
    pump.settle();
    assert!(pump.clients[&stranger].closed.is_some());
    assert!(pump.hub(host).admits(0, "/ws/a").is_ok());
}

struct Locked;

impl Service for Locked {
    fn admit(
        &mut self,
        _: &mut Room<'_>,
        _: SessionId,
        _: &Payload,
    ) -> std::result::Result<(), Cow<'static, str>> {
        Err("locked".into())
    }
}

#[test]
fn a_service_that_panics_as_it_is_dropped_harms_nobody() {
    for shards in [1, 2, 8] {
        let drops = Arc::new(AtomicU32::new(0));
        let of_rooms = drops.clone();
        let rooms = Rooms::named("porter", move |name| Porter {
            drops: (name == "a").then(|| of_rooms.clone()),
        });
        let mut pump = Pump::new(&mut app(rooms), shards, 6);
        let [one, other] = [0, 1].map(|_| pump.open(shards - 1, "/ws"));
        say(&mut pump, other, "/join b");
        say(&mut pump, one, "/join a");
        say(&mut pump, one, "/say a panic");
        assert_eq!(drops.load(Ordering::Relaxed), 1);
        say(&mut pump, one, "/say a here");
        say(&mut pump, one, "/leave a");
        assert_eq!(drops.load(Ordering::Relaxed), 2);
        assert!(heard(&mut pump, one).contains(&"here".to_owned()));
        heard(&mut pump, other);
        say(&mut pump, other, "/say b here");
        assert_eq!(heard(&mut pump, other), ["here"]);
        let listed = pump.hubs[0].list_rooms("porter", None, 100);
        assert_eq!(listed.len(), 1);
    }
}

#[test]
fn names_that_no_room_may_have_are_refused_and_all_others_are_kept_apart() {
    let mut app = app(porters());
    let names = [
        "x".repeat(128),
        "\u{1F600}".repeat(32),
        "e\u{301}".to_owned(),
        "\u{e9}".to_owned(),
        "\u{202e}a".to_owned(),
        "..".to_owned(),
        "%2F".to_owned(),
    ];
    let mut pump = Pump::new(&mut app, 8, 7);
    for name in &names {
        let session = pump.open(7, "/ws");
        say(&mut pump, session, &format!("/join {name}"));
        let texts = heard(&mut pump, session);
        assert!(texts.contains(&format!("{name}: Joined")), "{texts:?}");
    }
    for no in [
        "x".repeat(129),
        "\u{1F600}".repeat(33),
        "a\0b".to_owned(),
        "a/b".to_owned(),
    ] {
        let session = pump.open(7, "/ws");
        say(&mut pump, session, &format!("/join {no}"));
        let texts = heard(&mut pump, session);
        assert!(
            texts[0].contains("Refused(\"a room's name has"),
            "{texts:?}"
        );
    }
    let mut listed: Vec<_> = names.to_vec();
    listed.sort();
    let rooms = pump.hubs[0].list_rooms("porter", None, 100);
    let rooms: Vec<_> = rooms.iter().map(|one| one.name.to_string()).collect();
    assert_eq!(rooms, listed);
}

#[test]
fn a_room_hears_systems_from_the_first_to_the_last() {
    for shards in [1, 2, 8] {
        let to_room = |cx: &mut Context| {
            let (kind, name) = ("porter".to_owned(), "a".to_owned());
            cx.send(Audience::Room { kind, name }, "from a system");
        };
        let mut app = app(porters());
        app.system(Startup, to_room).system(Shutdown, to_room);
        let mut pump = Pump::new(&mut app, shards, 8);
        pump.settle();
        let session = pump.open(shards - 1, "/ws");
        say(&mut pump, session, "/join a");
        let joined = [format!("+{session}"), "a: Joined".to_owned()];
        let mut texts = heard(&mut pump, session);
        texts.sort();
        assert_eq!(texts, joined, "what was said before it came is not for it");
        pump.hubs.iter_mut().for_each(worldshard::Hub::shutdown);
        pump.settle();
        let closed = pump.clients[&session].closed.as_ref();
        assert_eq!(closed.map(|(code, _)| *code), Some(1001));
    }
}
