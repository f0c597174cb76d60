//! Those who share a server, in hubs with letters in any order: the same names in two tenants are two things, each has as
//! much as it may have, and sessions that go on stay whose they are.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;
use worldshard::hub::{Commons, Hub, NotOpened, Returning, Visitor};
use worldshard::identity::Identity;
use worldshard::policy::{TenantLimits, TenantOptions};
use worldshard::prelude::*;
use worldshard::worlds::{WorldName, world};
use worldshard::{OnExceed, Rooms};
use worldshard_protocol::Greeting;

use crate::hub_world::join_camera;
use crate::pump::Pump;

/// Tells all its members what one says.
struct Hall;

impl Service for Hall {
    fn message(&mut self, room: &mut Room<'_>, _: SessionId, payload: &Payload) {
        let heard = format!(
            "{} in {}: {}",
            room.tenant(),
            room.name(),
            payload.as_text().unwrap()
        );
        room.send(Audience::All, heard);
    }
}

fn app(tenants: Vec<TenantOptions>) -> App {
    let mut app = App::new();
    app.plugin(world(WorldName::Flock, 50, 7))
        .rooms(Rooms::named("hall", |_| Hall).joinable())
        .rooms(Rooms::at("/at/{room}", |_| Hall))
        .lanes("/world")
        .raw("/ws")
        .text_command("/tell", |cx, session, rest| {
            let (user, text) = rest.split_once(' ').unwrap();
            let tenant = cx.tenant(session);
            assert!(cx.speak_of(&tenant) && !cx.speak_of("nobody's"));
            let user = UserId::new(user).unwrap();
            let count = cx.sessions_of(&user).len();
            cx.send(
                Audience::User(user),
                format!("{tenant} tells {count}: {text}"),
            );
        })
        .options(|options| {
            options.tenants = tenants;
            options.limits.resume_grace = Duration::from_secs(60);
        });
    app
}

fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

fn of(tenant: u16, name: Option<&str>) -> Identity {
    Identity {
        tenant,
        user: name.map(user),
        ..Identity::default()
    }
}

/// What a client on lanes says to the service `room`.
fn wish(kind: &str, room: &str, seq: u32) -> String {
    serde_json::json!({ "v": 1, "svc": "room", "type": kind, "room": room, "seq": seq }).to_string()
}

/// All that a session was told in the ext lane.
fn told(pump: &Pump, session: SessionId) -> Vec<Value> {
    let texts = pump.clients[&session].texts().into_iter();
    texts
        .filter_map(|text| serde_json::from_str(text).ok())
        .collect()
}

/// The last error that a session was told: code and words.
fn error(pump: &Pump, session: SessionId) -> Option<(String, String)> {
    let told = told(pump, session);
    let error = told.iter().rfind(|one| one["type"] == "error")?;
    let text = |key: &str| error["data"][key].as_str().unwrap().to_owned();
    Some((text("code"), text("msg")))
}

fn draw_name(pump: &mut Pump, parts: &[&str]) -> String {
    let len = 1 + pump.draw(3);
    (0..len)
        .map(|_| parts[pump.draw(parts.len() as u64) as usize])
        .collect()
}

#[test]
fn whatever_they_are_called_two_tenants_never_hear_of_each_other() {
    for (shards, seed) in [(1, 1), (2, 2), (8, 3), (8, 4)] {
        let mut names = Pump::new(&mut app(Vec::new()), 1, seed);
        let mut ids = BTreeSet::new();
        while ids.len() < 3 {
            ids.insert(draw_name(&mut names, &["a", "b", ".", "-", "_", "@"]));
        }
        let ids: Vec<String> = ids.into_iter().collect();
        let tenants = ids.iter().map(TenantOptions::new).collect();
        let mut pump = Pump::new(&mut app(tenants), shards, seed);
        // Names that begin with other tenants' ids, and with what could stand between two names.
        let room_parts = ["a", "b", "::", ":", ".", "@", "\u{1f40d}", " ", "-", "_"];
        let rooms: Vec<String> = (0..4).map(|_| draw_name(&mut names, &room_parts)).collect();
        let users: Vec<String> = (0..3)
            .map(|_| draw_name(&mut names, &["a", "b", ".", "@"]))
            .collect();
        let mut sessions = Vec::new();
        for number in 0..36 {
            let (tenant, home) = (number % 3, pump.draw(shards.into()) as u16);
            let name = &users[pump.draw(3) as usize];
            let session = pump
                .open_as(home, "/world", of(tenant, Some(name)))
                .unwrap();
            sessions.push((session, tenant));
            let raw = pump.open_as(home, "/ws", of(tenant, Some(name))).unwrap();
            sessions.push((raw, tenant));
        }
        for number in 0..1_500 {
            let (session, tenant) = sessions[pump.draw(72) as usize];
            let id = &ids[usize::from(tenant)];
            let room = &rooms[pump.draw(4) as usize];
            match pump.draw(6) {
                0 | 1 => pump.text(session, &wish("join", room, number)),
                2 => pump.text(session, &wish("members", room, number)),
                3 => pump.text(session, r#"{"v":1,"svc":"room","type":"list"}"#),
                4 => {
                    let envelope = serde_json::json!({ "v": 1, "svc": "app", "type": "message",
                        "room": room, "data": format!("said by one of {id}") });
                    pump.text(session, &envelope.to_string());
                }
                _ => {
                    let name = &users[pump.draw(3) as usize];
                    pump.text(session, &format!("/tell {name} said by one of {id}"));
                }
            }
            pump.step();
        }
        pump.settle();
        judge(&pump, &sessions, &ids);
    }
}

/// Whatever a session was told is of its tenant, and each was told something.
fn judge(pump: &Pump, sessions: &[(SessionId, u16)], ids: &[String]) {
    let tenants: BTreeMap<u64, u16> = sessions
        .iter()
        .map(|(session, tenant)| (session.value(), *tenant))
        .collect();
    let (mut said, mut members, mut lists, mut told_users) = (0, 0, 0, 0);
    for (session, tenant) in sessions {
        let id = &ids[usize::from(*tenant)];
        for text in pump.clients[session].texts() {
            if let Some((_, by)) = text.split_once("said by one of ") {
                let by = by.trim_end_matches(['"', '}', '\\']);
                assert_eq!(by, id, "{text}");
                said += 1;
                told_users += usize::from(text.contains(" tells "));
                assert!(
                    text.contains(&format!("{id} in ")) || text.contains(&format!("{id} tells "))
                );
            }
        }
        for told in told(pump, *session) {
            if told["type"] == "members" {
                members += 1;
                for member in told["data"]["members"].as_array().unwrap() {
                    let member = member["session"].as_u64().unwrap();
                    assert_eq!(tenants[&member], *tenant);
                }
            }
            if told["type"] == "list" {
                lists += 1;
                for room in told["data"]["rooms"].as_array().unwrap() {
                    // Three tenants have as many sessions on lanes each.
                    assert!(room["members"].as_u64().unwrap() <= 12, "{room}");
                }
            }
            if told["type"] == "authed" {
                assert_eq!(told["data"]["tenant"], **id);
            }
        }
    }
    assert!(said > 100 && members > 20 && lists > 20 && told_users > 20);
}

#[test]
fn rooms_by_path_and_their_shards_are_a_tenants_own() {
    let mut pump = Pump::new(
        &mut app(vec![TenantOptions::new("a"), TenantOptions::new("b")]),
        8,
        3,
    );
    let recipe = pump.hub(ShardId(0)).recipe().clone();
    let host = |tenant| recipe.room_host(tenant, "/at/x", 8).unwrap();
    let one = pump.open_as(host(0).0, "/at/x", of(0, None)).unwrap();
    let other = pump.open_as(host(1).0, "/at/x", of(1, None)).unwrap();
    pump.settle();
    pump.text(one, "hello");
    pump.settle();
    assert_eq!(pump.clients[&one].texts(), ["a in x: hello"]);
    assert!(pump.clients[&other].texts().is_empty());
    pump.text(other, "and here");
    pump.settle();
    assert_eq!(pump.clients[&other].texts(), ["b in x: and here"]);
    assert_eq!(pump.clients[&one].texts().len(), 1);
}

fn limited(id: &str, limits: TenantLimits) -> TenantOptions {
    TenantOptions {
        limits,
        ..TenantOptions::new(id)
    }
}

#[test]
fn a_tenant_has_so_many_rooms_and_another_one_its_own() {
    for shards in [1, 2, 8] {
        let limits = TenantLimits {
            rooms_max: 3,
            ..TenantLimits::default()
        };
        let tenants = vec![limited("a", limits), TenantOptions::new("b")];
        let mut pump = Pump::new(&mut app(tenants), shards, 9);
        let of_a = pump.open_as(0, "/world", of(0, None)).unwrap();
        let of_b = pump.open_as(shards - 1, "/world", of(1, None)).unwrap();
        for number in 0..5 {
            for session in [of_a, of_b] {
                pump.text(session, &wish("join", &format!("room {number}"), number));
            }
        }
        pump.settle();
        let joined = |session| {
            let told = told(&pump, session).into_iter();
            told.filter(|one| one["type"] == "joined").count()
        };
        assert_eq!((joined(of_a), joined(of_b)), (3, 5));
        let exhausted = ("RESOURCE_EXHAUSTED", "tenant room limit reached");
        let exhausted = (exhausted.0.to_owned(), exhausted.1.to_owned());
        assert_eq!(error(&pump, of_a), Some(exhausted));
        // By path too, before it is upgraded; and one that ends makes room.
        let recipe = pump.hub(ShardId(0)).recipe().clone();
        let host = recipe.room_host(0, "/at/x", shards).unwrap();
        let refused = pump.hub(host).admits(0, "/at/x").unwrap_err();
        assert_eq!(
            (refused.status, &*refused.reason),
            (503, "tenant room limit reached")
        );
        let refused = pump.hub(host).create_room(0, "/at/x").unwrap_err();
        assert_eq!(refused.status, 503);
        let kept = told(&pump, of_a)
            .into_iter()
            .find(|one| one["type"] == "joined");
        let kept = kept.unwrap()["room"].as_str().unwrap().to_owned();
        pump.text(of_a, &wish("leave", &kept, 9));
        pump.settle();
        pump.hub(host).create_room(0, "/at/x").unwrap();
        let tenants = pump.hub(host).commons().tenants();
        assert_eq!(tenants[0].rooms, 3);
    }
}

#[test]
fn users_of_a_room_and_rooms_of_a_user_are_exact_whatever_wanders() {
    for (shards, seed) in [(1, 5), (2, 6), (8, 7)] {
        let limits = TenantLimits {
            users_per_room_max: 2,
            rooms_per_user_max: 2,
            ..TenantLimits::default()
        };
        let mut pump = Pump::new(&mut app(vec![limited("a", limits)]), shards, seed);
        let mut open: Vec<(SessionId, String)> = Vec::new();
        let mut texts = BTreeSet::new();
        for number in 0..3_000 {
            match pump.draw(12) {
                0 if open.len() < 12 => {
                    let home = pump.draw(shards.into()) as u16;
                    let name = ["anna", "bert", "carl", "dora"][pump.draw(4) as usize];
                    let session = pump.open_as(home, "/world", of(0, Some(name))).unwrap();
                    open.push((session, name.to_owned()));
                }
                1 if !open.is_empty() => {
                    let at = pump.draw(open.len() as u64) as usize;
                    pump.close(open.swap_remove(at).0, CloseReason::Lost);
                }
                2..=8 if !open.is_empty() => {
                    let (session, _) = open[pump.draw(open.len() as u64) as usize];
                    let room = ["x", "y", "z"][pump.draw(3) as usize];
                    let kind = ["join", "join", "leave"][pump.draw(3) as usize];
                    pump.text(session, &wish(kind, room, number));
                }
                _ => pump.step(),
            }
            if number % 100 == 99 {
                pump.settle();
                texts.extend(
                    open.iter()
                        .filter_map(|(session, _)| error(&pump, *session)),
                );
                judge_rooms(&mut pump, &open, 2, 2);
            }
        }
        let texts: BTreeSet<_> = texts
            .into_iter()
            .filter(|(code, _)| code == "RESOURCE_EXHAUSTED")
            .collect();
        let texts: Vec<_> = texts.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(
            texts,
            ["room user limit reached", "user room limit reached"]
        );
        for (session, _) in open.drain(..) {
            pump.close(session, CloseReason::Lost);
        }
        pump.settle();
        // Nothing has leaked: each user may be in as many as ever, and each room has room.
        for name in ["anna", "bert"] {
            let session = pump.open_as(0, "/world", of(0, Some(name))).unwrap();
            pump.text(session, &wish("join", "x", 1));
            pump.text(session, &wish("join", "y", 2));
            pump.settle();
            assert_eq!(error(&pump, session), None);
            open.push((session, name.to_owned()));
        }
        judge_rooms(&mut pump, &open, 2, 2);
    }
}

/// Asks every room who is in it, and counts.
fn judge_rooms(pump: &mut Pump, open: &[(SessionId, String)], users_max: usize, rooms_max: usize) {
    let mut rooms_of: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut users_of: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (session, name) in open {
        for room in ["x", "y", "z"] {
            let seen = told(pump, *session).len();
            pump.text(*session, &wish("members", room, 77));
            pump.settle();
            let answer = told(pump, *session)[seen..].to_vec();
            let members = answer.iter().find(|one| one["type"] == "members");
            for member in members
                .into_iter()
                .flat_map(|one| one["data"]["members"].as_array().unwrap())
            {
                let user = member["user"].as_str().unwrap().to_owned();
                rooms_of
                    .entry(user.clone())
                    .or_default()
                    .insert(room.to_owned());
                users_of.entry(room.to_owned()).or_default().insert(user);
            }
            if members.is_some() {
                assert!(rooms_of[name].contains(room));
            }
        }
    }
    assert!(
        rooms_of.values().all(|rooms| rooms.len() <= rooms_max),
        "{rooms_of:?}"
    );
    assert!(
        users_of.values().all(|users| users.len() <= users_max),
        "{users_of:?}"
    );
}

#[test]
fn sessions_that_are_nobodys_count_one_each() {
    let limits = TenantLimits {
        users_per_room_max: 2,
        rooms_per_user_max: 1,
        ..TenantLimits::default()
    };
    let mut pump = Pump::new(&mut app(vec![limited("a", limits)]), 2, 5);
    let sessions = [0, 1, 0].map(|home| pump.open_as(home, "/world", of(0, None)).unwrap());
    for session in sessions {
        pump.text(session, &wish("join", "x", 1));
        // Again, which is nothing new.
        pump.text(session, &wish("join", "x", 2));
        pump.settle();
    }
    let texts = sessions.map(|session| error(&pump, session).map(|(_, text)| text));
    assert_eq!(
        texts,
        [None, None, Some("room user limit reached".to_owned())]
    );
    pump.text(sessions[0], &wish("join", "y", 3));
    pump.settle();
    assert_eq!(
        error(&pump, sessions[0]).unwrap().1,
        "user room limit reached"
    );
    // It leaves one and may be in another at once.
    pump.text(sessions[0], &wish("leave", "x", 4));
    pump.text(sessions[0], &wish("join", "y", 5));
    pump.settle();
    let told = told(&pump, sessions[0]);
    assert!(
        told.iter()
            .any(|one| one["type"] == "joined" && one["room"] == "y")
    );
}

#[test]
fn a_tenant_has_so_many_sessions_and_a_slot_that_is_freed_is_good_at_once() {
    let limits = TenantLimits {
        sessions_max: 2,
        ..TenantLimits::default()
    };
    let mut acme = limited("a", limits);
    acme.policy.sessions_per_user = 1;
    acme.policy.on_exceed = OnExceed::KickOldest;
    let mut pump = Pump::new(&mut app(vec![acme, TenantOptions::new("b")]), 2, 5);
    for _ in 0..100 {
        let first = pump.open_as(0, "/ws", of(0, None)).unwrap();
        let second = pump.open_as(1, "/ws", of(0, Some("anna"))).unwrap();
        let full = Err(NotOpened::TenantFull);
        assert_eq!(pump.open_as(0, "/ws", of(0, None)), full);
        // Who would give way is there until its connection has ended.
        assert_eq!(pump.open_as(0, "/ws", of(0, Some("anna"))), full);
        let of_b = pump.open_as(0, "/ws", of(1, None)).unwrap();
        pump.close(first, CloseReason::Lost);
        let third = pump.open_as(0, "/ws", of(0, Some("anna"))).unwrap();
        pump.settle();
        assert_eq!(pump.clients[&second].closed.as_ref().unwrap().1, "kicked");
        for session in [second, third, of_b] {
            pump.close(session, CloseReason::Lost);
        }
    }
    let tenants = pump.hub(ShardId(0)).commons().tenants();
    assert_eq!((tenants[0].sessions, tenants[1].sessions), (0, 0));
    assert_eq!((tenants[0].opened, tenants[1].opened), (300, 100));
    assert_eq!(tenants[0].refused["tenant_capacity"], 200);
    assert_eq!(tenants[1].refused["tenant_capacity"], 0);
}

fn token(pump: &mut Pump, session: SessionId) -> String {
    join_camera(pump, session, [0.0; 3]);
    pump.run(2);
    let greeting = told(pump, session)
        .into_iter()
        .find(|one| one["type"] == "authed");
    let greeting: Greeting = serde_json::from_value(greeting.unwrap()["data"].clone()).unwrap();
    greeting.resume.unwrap()
}

fn names(tenant: u16) -> Visitor {
    Visitor {
        tenant: Some(tenant),
        ..Visitor::default()
    }
}

#[test]
fn a_session_that_goes_on_stays_its_tenants() {
    let tenants = || vec![TenantOptions::new("a"), TenantOptions::new("b")];
    for name in [None, Some("anna")] {
        let mut pump = Pump::new(&mut app(tenants()), 1, 5);
        let session = pump.open_as(0, "/world", of(1, name)).unwrap();
        let token = token(&mut pump, session);
        let hub = pump.hub(ShardId(0));
        let refused = hub.resume_as(&token, "/world", &names(0)).unwrap_err();
        assert_eq!(refused.status, 401);
        assert_eq!(refused.reason, "AUTH_FAILED: the token is another tenant's");
        assert_eq!(hub.resume_as(&token, "/world", &names(1)).unwrap(), session);
        assert_eq!(hub.commons().tenants()[1].sessions, 1);
    }
}

/// The hub of a process that took this session over from one before.
fn of_the_process_after(tenants: Vec<TenantOptions>, session: SessionId) -> Hub {
    let recipe = app(tenants).build().unwrap();
    let commons = Commons::new(&recipe, 1)
        .unwrap()
        .resuming([7; 32])
        .of_process(1);
    let mut hub = Hub::new(ShardId(0), recipe, commons).unwrap();
    hub.expect(&[Returning {
        session,
        owner: ShardId(0),
        sequence: 0,
        client_sequence: 0,
        generation: 0,
        avatar: None,
    }]);
    hub.handle();
    hub
}

#[test]
fn a_session_that_comes_back_from_disk_is_its_tenants_wherever_that_stands_now() {
    for name in [None, Some("anna")] {
        let tenants = |ids: &[&str]| ids.iter().map(|id| TenantOptions::new(*id)).collect();
        let mut pump = Pump::new(&mut app(tenants(&["a", "b"])), 1, 5);
        let session = pump.open_as(0, "/world", of(1, name)).unwrap();
        let token = token(&mut pump, session);

        let mut hub = of_the_process_after(tenants(&["b", "c"]), session);
        let refused = hub.resume_as(&token, "/world", &names(1)).unwrap_err();
        assert_eq!(refused.status, 401);
        assert_eq!(hub.resume_as(&token, "/world", &names(0)).unwrap(), session);
        let tenants_now = hub.commons().tenants();
        assert_eq!((tenants_now[0].sessions, tenants_now[1].sessions), (1, 0));

        // A tenant that is no more has no sessions, and none may pass as another's.
        for others in [tenants(&["a", "c"]), Vec::new()] {
            let mut hub = of_the_process_after(others, session);
            let refused = hub
                .resume_as(&token, "/world", &Visitor::default())
                .unwrap_err();
            assert_eq!(refused.status, 410);
        }

        // It needs a place as any other.
        let limits = TenantLimits {
            sessions_max: 1,
            ..TenantLimits::default()
        };
        let mut hub = of_the_process_after(vec![limited("b", limits)], session);
        let opening = worldshard::Opening {
            path: "/ws".to_owned(),
            framing: worldshard::Framing::Raw,
        };
        let first = hub.open_as(opening, of(0, None), None).unwrap();
        let refused = hub.resume_as(&token, "/world", &names(0)).unwrap_err();
        assert_eq!(
            (refused.status, &*refused.reason),
            (503, "Tenant Capacity Exceeded")
        );
        hub.closed(first, CloseReason::Lost);
        assert_eq!(hub.resume_as(&token, "/world", &names(0)).unwrap(), session);
    }
}
