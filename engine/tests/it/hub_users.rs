//! Sessions of users in hubs, with letters in any order: exact counts over homes, users who come back from disk, and what
//! is said to all sessions of one.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use worldshard::hub::{Commons, Hub, Returning, Visitor};
use worldshard::identity::{Identity, TooManySessions};
use worldshard::prelude::*;
use worldshard::worlds::{WorldName, world};
use worldshard::{OnExceed, Opening};
use worldshard_protocol::Greeting;

use crate::hub_world::join_camera;
use crate::pump::Pump;

fn app(max: u32, rule: OnExceed) -> App {
    let mut app = App::new();
    app.plugin(world(WorldName::Flock, 50, 7))
        .lanes("/world")
        .raw("/ws")
        .options(|options| {
            options.on_exceed = rule;
            options.limits.sessions_per_user = max;
            options.limits.resume_grace = Duration::from_secs(60);
        });
    app
}

fn anna() -> UserId {
    UserId::new("anna").unwrap()
}

fn annas(expires: Option<Duration>) -> Identity {
    Identity {
        user: Some(anna()),
        expires,
        ..Identity::default()
    }
}

/// The sessions that are told to close have connections that do.
fn end_closed(pump: &mut Pump, open: &mut Vec<SessionId>) {
    open.retain(|session| {
        let Some((code, reason)) = pump.client(*session).closed.clone() else {
            return true;
        };
        assert_eq!((code, reason.as_str()), (1008, "kicked"));
        pump.close(*session, CloseReason::Lost);
        false
    });
}

#[test]
fn however_letters_wander_a_user_has_as_many_sessions_as_allowed() {
    for (seed, rule) in [(1, OnExceed::Deny), (2, OnExceed::KickOldest)] {
        let mut pump = Pump::new(&mut app(3, rule), 4, seed);
        let mut open: Vec<SessionId> = Vec::new();
        let (mut denied, mut opened) = (0, 0);
        for _ in 0..5_000 {
            match pump.draw(5) {
                0 | 1 => {
                    let home = pump.draw(4) as u16;
                    match pump.open_as(home, "/ws", annas(None)) {
                        Ok(session) => {
                            opened += 1;
                            open.push(session);
                        }
                        Err(why) => {
                            assert_eq!(why, TooManySessions { max: 3 }.into());
                            denied += 1;
                        }
                    }
                }
                2 if !open.is_empty() => {
                    let at = pump.draw(open.len() as u64) as usize;
                    let session = open.swap_remove(at);
                    pump.close(session, CloseReason::Client { code: 1000 });
                }
                3 => {
                    pump.deliver_one();
                }
                _ => {
                    let shard = ShardId(pump.draw(4) as u16);
                    pump.handle(shard);
                    end_closed(&mut pump, &mut open);
                }
            }
            if rule == OnExceed::Deny {
                assert!(open.len() <= 3);
            }
        }
        pump.settle();
        end_closed(&mut pump, &mut open);
        pump.settle();
        assert!(open.len() <= 3, "{open:?}");
        let total = pump.hubs[0].commons().sessions_total();
        assert_eq!(total, open.len() as u64);
        assert!(opened > 500, "{opened}");
        assert_eq!(denied > 0, rule == OnExceed::Deny, "{denied}");
        // The table forgot nobody and nothing.
        for session in open {
            pump.close(session, CloseReason::Lost);
        }
        for home in 0..3 {
            pump.open_as(home, "/ws", annas(None)).unwrap();
        }
    }
}

fn greeting(pump: &mut Pump, session: SessionId) -> Greeting {
    let first = pump.client(session).received.first().unwrap().clone();
    Greeting::parse(first.as_text().unwrap()).unwrap()
}

/// A hub of the process after, to which this session of a user came back.
fn of_the_process_after(app: &mut App, session: SessionId) -> Hub {
    let recipe = app.build().unwrap();
    let commons = Commons::new(&recipe, 1).unwrap().resuming([7; 32]);
    let mut hub = Hub::new(ShardId(0), recipe, commons.of_process(1)).unwrap();
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

fn at(seconds: u64) -> Visitor {
    Visitor {
        now: Duration::from_secs(seconds),
        ..Visitor::default()
    }
}

#[test]
fn a_session_that_comes_back_from_disk_is_its_users() {
    let mut pump = Pump::new(&mut app(1, OnExceed::Deny), 1, 5);
    let expires = Duration::from_secs(1000);
    let session = pump.open_as(0, "/world", annas(Some(expires))).unwrap();
    let token = greeting(&mut pump, session).resume.unwrap();
    let opening = || Opening {
        path: "/ws".to_owned(),
        framing: worldshard::Framing::Raw,
    };

    let mut hub = of_the_process_after(&mut app(1, OnExceed::Deny), session);
    assert_eq!(hub.resume_as(&token, "/world", &at(999)).unwrap(), session);
    assert_eq!(hub.expires(session), Some(expires));
    let denied = hub.open_as(opening(), annas(None), None);
    assert_eq!(denied, Err(TooManySessions { max: 1 }.into()));

    // Another session of hers has the seat.
    let mut hub = of_the_process_after(&mut app(1, OnExceed::Deny), session);
    hub.open_as(opening(), annas(None), None).unwrap();
    let refused = hub.resume_as(&token, "/world", &at(999)).unwrap_err();
    assert_eq!(refused.status, 410);

    // Its time is over.
    let mut hub = of_the_process_after(&mut app(1, OnExceed::Deny), session);
    let refused = hub.resume_as(&token, "/world", &at(1000)).unwrap_err();
    assert_eq!(refused.status, 401);
    assert_eq!(refused.reason, "AUTH_FAILED: the token has expired");
    hub.handle();
    let refused = hub.resume_as(&token, "/world", &at(0)).unwrap_err();
    assert_eq!(refused.status, 410, "it has ended");
}

#[test]
fn only_its_own_user_gives_a_session_more_time() {
    let mut pump = Pump::new(&mut app(0, OnExceed::Deny), 1, 5);
    let expires = |seconds| Some(Duration::from_secs(seconds));
    let session = pump.open_as(0, "/world", annas(expires(1000))).unwrap();
    let token = greeting(&mut pump, session).resume.unwrap();
    let bert = Identity {
        user: Some(UserId::new("bert").unwrap()),
        ..Identity::default()
    };
    let shows = |identity: Identity| Visitor {
        identity: Some(identity),
        ..at(1500)
    };
    let hub = pump.hub(ShardId(0));
    let refused = hub.resume_as(&token, "/world", &shows(bert)).unwrap_err();
    assert_eq!(refused.status, 401);
    let anna = shows(annas(expires(2000)));
    assert_eq!(hub.resume_as(&token, "/world", &anna).unwrap(), session);
    assert_eq!(hub.expires(session), expires(2000));
}

/// Who asks is told the sessions of anna, and anna is told that; what was unsent is kept.
fn messenger(max: u32, rule: OnExceed, unsent: &Arc<Mutex<Vec<Unsent>>>) -> App {
    let unsent = unsent.clone();
    let mut app = app(max, rule);
    app.system(Update, move |cx: &mut Context| {
        unsent.lock().unwrap().extend(cx.unsent());
        for message in cx.messages() {
            let sessions = cx.sessions_of(&anna()).into_iter();
            let list: Vec<_> = sessions.map(|one| one.value().to_string()).collect();
            cx.send(Audience::One(message.session), list.join(" "));
            cx.send(Audience::User(anna()), "to anna");
        }
    });
    app
}

/// The sessions of anna, as a hub sees them while it says something to her.
fn say_to_anna(pump: &mut Pump, speaker: SessionId) -> Vec<u64> {
    pump.text(speaker, "now");
    pump.settle();
    pump.run(1);
    let texts = pump.clients[&speaker].texts();
    let list = texts.last().unwrap().split_whitespace();
    list.map(|one| one.parse().unwrap()).collect()
}

/// Messages to anna that a session has read, on any kind of path.
fn read(pump: &Pump, session: SessionId) -> usize {
    let texts = pump.clients[&session].texts();
    texts.iter().filter(|text| text.contains("to anna")).count()
}

#[test]
fn a_message_to_a_user_is_unsent_to_the_sessions_that_wait_and_to_nobody_where_there_are_none() {
    for shards in [1, 2, 8] {
        let unsent = Arc::default();
        let mut pump = Pump::new(&mut messenger(0, OnExceed::Deny, &unsent), shards, 5);
        let speaker = pump.open(0, "/ws");
        assert!(say_to_anna(&mut pump, speaker).is_empty());
        pump.run(2);
        assert_eq!(*unsent.lock().unwrap(), [], "nobody was there to miss it");

        let phone = pump.open_as(shards - 1, "/world", annas(None)).unwrap();
        join_camera(&mut pump, phone, [10.0, 10.0, 0.0]);
        let desktop = pump.open_as(0, "/ws", annas(None)).unwrap();
        pump.run(3);
        let both = [phone.value(), desktop.value()];
        assert_eq!(say_to_anna(&mut pump, speaker), both);
        assert_eq!([read(&pump, phone), read(&pump, desktop)], [1, 1]);
        pump.run(2);
        assert_eq!(*unsent.lock().unwrap(), []);

        pump.close(phone, CloseReason::Lost);
        pump.run(1);
        assert_eq!(say_to_anna(&mut pump, speaker), both, "it waits");
        pump.run(2);
        let missed = Unsent {
            session: phone,
            cause: UnsentCause::Detached,
            count: 1,
        };
        assert_eq!(std::mem::take(&mut *unsent.lock().unwrap()), [missed]);
        pump.close(desktop, CloseReason::Lost);
        assert_eq!(say_to_anna(&mut pump, speaker), [phone.value()]);
        assert_eq!([read(&pump, phone), read(&pump, desktop)], [1, 2]);
        assert_eq!(read(&pump, speaker), 0);
    }
}

#[test]
fn who_gave_way_is_no_session_of_its_user_any_more_however_late_its_home_hears_of_it() {
    let unsent = Arc::default();
    let mut app = messenger(1, OnExceed::KickOldest, &unsent);
    let mut pump = Pump::new(&mut app, 3, 5);
    let speaker = pump.open(0, "/ws");
    let first = pump.open_as(1, "/ws", annas(None)).unwrap();
    let second = pump.open_as(2, "/ws", annas(None)).unwrap();
    assert_eq!(pump.letters_waiting(), 1, "its home does not know yet");
    assert_eq!(say_to_anna(&mut pump, speaker), [second.value()]);
    assert_eq!([read(&pump, first), read(&pump, second)], [0, 1]);
    assert_eq!(*unsent.lock().unwrap(), []);
}
