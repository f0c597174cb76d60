//! The gateway: what clients of wsPrism say, and what its services lacked there.

use worldshard::identity::{Identity, UserId};
use worldshard::policy::TenantOptions;
use worldshard::prelude::*;
use worldshard_plugins::GatewayPlugin;

use crate::SHARDS;
use crate::pump::Pump;

fn app() -> App {
    let mut app = App::new();
    app.lanes("/v1/ws").plugin(GatewayPlugin);
    app
}

fn says(pump: &mut Pump, session: SessionId, text: &str) {
    pump.text(session, text);
    pump.settle();
}

fn joins(pump: &mut Pump, session: SessionId, room: &str) {
    let join = format!(r#"{{"v":1,"svc":"room","type":"join","room":"{room}"}}"#);
    says(pump, session, &join);
}

/// What it heard last, and nothing of what it heard before.
fn last(pump: &mut Pump, session: SessionId) -> Option<Payload> {
    let received = &mut pump.client(session).received;
    let last = received.pop();
    received.clear();
    last
}

fn text(payload: Option<Payload>) -> String {
    payload.unwrap().as_text().unwrap().to_owned()
}

#[test]
fn a_room_without_a_name_is_the_default_and_both_ends_of_a_membership_are_told() {
    for shards in SHARDS {
        let mut pump = Pump::new(&mut app(), shards, 1);
        let session = pump.open(shards - 1, "/v1/ws");
        says(&mut pump, session, r#"{"v":1,"svc":"room","type":"join"}"#);
        let joined = text(last(&mut pump, session));
        assert_eq!(
            joined,
            r#"{"v":1,"svc":"sys","type":"joined","room":"default"}"#
        );
        says(&mut pump, session, r#"{"v":1,"svc":"room","type":"leave"}"#);
        let left = text(last(&mut pump, session));
        assert_eq!(
            left,
            r#"{"v":1,"svc":"sys","type":"left","room":"default","data":{"reason":"left"}}"#
        );
    }
}

#[test]
fn what_is_said_in_the_chat_members_hear_and_nobody_else() {
    for shards in SHARDS {
        let mut pump = Pump::new(&mut app(), shards, 1);
        let anna = Identity {
            user: Some(UserId::new("anna").unwrap()),
            ..Identity::default()
        };
        let anna = pump.open_as(0, "/v1/ws", anna).unwrap();
        let (ben, stranger) = (pump.open(shards - 1, "/v1/ws"), pump.open(0, "/v1/ws"));
        for session in [anna, ben] {
            joins(&mut pump, session, "lounge");
        }
        joins(&mut pump, stranger, "elsewhere");
        for session in [anna, ben, stranger] {
            last(&mut pump, session);
        }
        let send = r#"{"v":1,"svc":"chat","type":"send","data":{"msg":"h\"i"}}"#;
        says(&mut pump, anna, send);
        let heard = |from: &str| {
            let data = format!(r#"{{"from":{from},"msg":"h\"i"}}"#);
            format!(r#"{{"v":1,"svc":"chat","type":"msg","room":"lounge","data":{data}}}"#)
        };
        for session in [anna, ben] {
            assert_eq!(text(last(&mut pump, session)), heard(r#""anna""#));
        }
        assert_eq!(last(&mut pump, stranger), None);
        says(&mut pump, ben, send);
        assert_eq!(text(last(&mut pump, anna)), heard(&ben.value().to_string()));
        // A stranger to the room says nothing there, whatever it writes.
        let into =
            r#"{"v":1,"svc":"chat","type":"send","seq":4,"room":"lounge","data":{"msg":"boo"}}"#;
        last(&mut pump, anna);
        says(&mut pump, stranger, into);
        let refused = text(last(&mut pump, stranger));
        assert!(
            refused.contains(r#""seq":4"#) && refused.contains("NOT_ALLOWED"),
            "{refused}"
        );
        assert_eq!(last(&mut pump, anna), None);
        // Who has left neither speaks nor hears.
        says(
            &mut pump,
            ben,
            r#"{"v":1,"svc":"room","type":"leave","room":"lounge"}"#,
        );
        last(&mut pump, ben);
        says(&mut pump, ben, into);
        assert!(text(last(&mut pump, ben)).contains("NOT_ALLOWED"));
        says(&mut pump, anna, send);
        assert_eq!(last(&mut pump, ben), None);
    }
}

#[test]
fn what_the_chat_does_not_take_is_told_by_the_field() {
    let mut pump = Pump::new(&mut app(), 2, 1);
    let session = pump.open(1, "/v1/ws");
    joins(&mut pump, session, "lounge");
    let long = format!(r#"{{"msg":"{}"}}"#, "x".repeat(9_000));
    for (kind, data, code, field) in [
        ("shout", r#"{"msg":"hi"}"#, "BAD_REQUEST", "type: "),
        (
            "send",
            r#"{"text":"hi"}"#,
            "BAD_REQUEST",
            "data: unknown field `text`",
        ),
        ("send", r#"{}"#, "BAD_REQUEST", "data: missing field `msg`"),
        ("send", r#"{"msg":7}"#, "BAD_REQUEST", "data: "),
        ("send", &long, "PAYLOAD_TOO_LARGE", "data.msg: "),
    ] {
        let said = format!(r#"{{"v":1,"svc":"chat","type":"{kind}","data":{data}}}"#);
        says(&mut pump, session, &said);
        let told = text(last(&mut pump, session));
        let expected = format!(r#""data":{{"code":"{code}","msg":"{field}"#);
        assert!(told.contains(&expected), "{told}");
    }
}

#[test]
fn the_hot_echo_keeps_its_header_in_a_room_and_alone() {
    for shards in SHARDS {
        for requires_room in [false, true] {
            let mut tenant = TenantOptions::new("acme");
            tenant.policy.hot_requires_active_room = requires_room;
            let mut app = app();
            app.options(move |options| options.tenants = vec![tenant]);
            let mut pump = Pump::new(&mut app, shards, 1);
            let (one, other) = (pump.open(0, "/v1/ws"), pump.open(shards - 1, "/v1/ws"));
            // Service 1, opcode 5, with the number 1234.
            let said = Payload::from(&[1, 1, 5, 1, 0xd2, 4, 0, 0, b'h', b'i'][..]);
            last(&mut pump, one);
            last(&mut pump, other);
            pump.binary(one, said.bytes());
            pump.settle();
            match requires_room {
                false => assert_eq!(last(&mut pump, one), Some(said.clone())),
                true => assert!(text(last(&mut pump, one)).contains("NOT_ALLOWED")),
            }
            assert_eq!(last(&mut pump, other), None);
            for session in [one, other] {
                joins(&mut pump, session, "lounge");
                last(&mut pump, session);
            }
            pump.binary(one, said.bytes());
            pump.settle();
            for session in [one, other] {
                assert_eq!(
                    last(&mut pump, session),
                    Some(said.clone()),
                    "{shards} shards"
                );
            }
        }
    }
}
