//! What the service is told, in which order, and what it may say to sessions.

use serde_json::{Value, json};
use worldshard_transport::MessageKind;

use crate::backend::{Posted, ok};
use crate::socket::{Client, Heard, PATIENCE, end, eventually, on_each_runtime, serve};
use crate::{Backend, SHARDS, app, everywhere, hears, options, say};

/// What was posted of each session, in the order in which it came.
fn by_session(posted: &[Posted]) -> Vec<Vec<&Posted>> {
    let mut sessions: Vec<u64> = Vec::new();
    let mut lists: Vec<Vec<&Posted>> = Vec::new();
    for one in posted {
        let session = one.body["session"].as_u64().unwrap();
        let place = sessions.iter().position(|known| *known == session);
        let place = place.unwrap_or_else(|| {
            sessions.push(session);
            lists.push(Vec::new());
            sessions.len() - 1
        });
        lists[place].push(one);
    }
    lists
}

#[test]
fn each_session_is_told_of_in_order_and_without_gaps() {
    everywhere(
        |_| {},
        |address, backend, watch| {
            let mut clients: Vec<_> = (0..8).map(|_| Client::connect(address, "/ws")).collect();
            for round in 0..20 {
                for (number, client) in clients.iter_mut().enumerate() {
                    say(client, &format!("{number}.{round}"));
                }
            }
            for (number, client) in clients.iter_mut().enumerate() {
                for round in 0..20 {
                    assert_eq!(hears(client), format!("{number}.{round}"));
                }
                client.close(1000, "");
            }
            backend.waits_for("disconnect", 8);
            let posted = backend.posted();
            let lists = by_session(&posted);
            assert_eq!(lists.len(), 8);
            for list in lists {
                assert_eq!(list.len(), 22);
                let who = list[1].body["text"].as_str().unwrap();
                let who = who.split_once('.').unwrap().0.to_owned();
                for (number, one) in list.iter().enumerate() {
                    assert_eq!(one.body["number"], number, "{one:?}");
                    assert_eq!(one.body["path"], "/ws");
                    assert_eq!(one.body["id"], one.key());
                    match number {
                        0 => assert_eq!(one.event(), "connect"),
                        21 => {
                            assert_eq!(one.event(), "disconnect");
                            assert_eq!(one.body["code"], 1000);
                        }
                        _ => assert_eq!(one.body["text"], format!("{who}.{}", number - 1)),
                    }
                }
                let traces: Vec<_> = list.iter().map(|one| trace(one)).collect();
                assert!(traces.iter().all(|one| *one == traces[0]), "{traces:?}");
            }
            let mut keys: Vec<_> = posted.iter().map(Posted::key).collect();
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), 8 * 22);
            eventually(PATIENCE, "all are counted", || {
                watch.status().events_sent == 8 * 22
            });
            assert_eq!(watch.status().tries, 8 * 22);
        },
    );
}

/// The name in traces; the last but one part differs with each letter.
fn trace(posted: &Posted) -> &str {
    let line = &posted.headers["traceparent"];
    let parts: Vec<&str> = line.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    assert_eq!(lengths, [2, 32, 16, 2], "{line}");
    parts[1]
}

#[test]
fn messages_are_told_as_what_they_are() {
    everywhere(
        |_| {},
        |address, backend, _| {
            let mut raw = Client::connect(address, "/ws");
            raw.echoes(MessageKind::Text, "a \"word\" \u{1f980}".as_bytes());
            raw.echoes(MessageKind::Binary, &[0, 255, 7]);
            let mut lanes = Client::connect(address, "/world");
            hears(&mut lanes);
            let data = r#"{"n": 12345678901234567890.10, "n": 1}"#;
            let text = format!(r#"{{"v":1,"svc":"app","type":"message","data":{data}}}"#);
            say(&mut lanes, &text);
            let posted = backend.waits_for("message", 3);
            let texts: Vec<&Value> = posted.iter().map(|one| &one.body).collect();
            let find = |name: &str| {
                let found = texts.iter().find(|body| body.get(name).is_some());
                found.unwrap()[name].clone()
            };
            assert_eq!(find("text"), "a \"word\" \u{1f980}");
            assert_eq!(find("base64"), "AP8H");
            assert_eq!(find("data")["n"], 1);
        },
    );
}

#[test]
fn the_service_may_answer_a_message_and_close_its_session() {
    everywhere(
        |_| {},
        |address, backend, _| {
            backend.answer(|posted| match posted.body["text"].as_str() {
                Some("word") => ok(r#"{"reply":"a word"}"#),
                Some("json") => ok(r#"{"reply":{"n":1.50}}"#),
                Some("end") => ok(r#"{"reply":"over","close":{"code":4001,"reason":"enough"}}"#),
                _ if posted.body["data"] == "lanes" => ok(r#"{"reply":{"to":"lanes"}}"#),
                _ => ok(""),
            });
            let mut client = Client::connect(address, "/ws");
            for (said, answered) in [
                ("word", "a word"),
                ("json", r#"{"n":1.50}"#),
                ("end", "over"),
            ] {
                say(&mut client, said);
                assert_eq!([hears(&mut client), hears(&mut client)], [said, answered]);
            }
            let close = Heard::Close(Some(4001), "enough".to_owned());
            assert_eq!(client.hear(), close);
            let mut client = Client::connect(address, "/world");
            hears(&mut client);
            say(
                &mut client,
                r#"{"v":1,"svc":"app","type":"message","data":"lanes"}"#,
            );
            hears(&mut client);
            let reply: Value = serde_json::from_str(&hears(&mut client)).unwrap();
            assert_eq!(reply["data"], json!({"to": "lanes"}));
        },
    );
}

#[test]
fn what_is_said_to_its_service_is_answered_as_that() {
    everywhere(
        |options| options.events = "connect,svc:shop".parse().unwrap(),
        |address, backend, _| {
            backend.answer(|posted| match posted.event() {
                "service" if posted.body["type"] == "buy" => {
                    ok(r#"{"type":"bought","reply":{"left":2}}"#)
                }
                "service" => ok(r#"{"reply":null}"#),
                _ => ok("{}"),
            });
            let mut client = Client::connect(address, "/world");
            hears(&mut client);
            let asks = r#"{"v":1,"svc":"shop","type":"buy","seq":7,"data":{"what":"hat"}}"#;
            say(&mut client, r#"{"v":1,"svc":"shop","type":"look"}"#);
            say(&mut client, asks);
            let reply: Value = serde_json::from_str(&hears(&mut client)).unwrap();
            let wanted =
                json!({"v": 1, "svc": "shop", "type": "bought", "seq": 7, "data": {"left": 2}});
            for (name, value) in wanted.as_object().unwrap() {
                assert_eq!(&reply[name], value, "{reply}");
            }
            let posted = backend.posted();
            let events: Vec<_> = posted.iter().map(Posted::event).collect();
            assert_eq!(events, ["connect", "service", "service"]);
            let body = &posted[2].body;
            assert_eq!(
                (&body["service"], &body["seq"]),
                (&json!("shop"), &json!(7))
            );
            assert_eq!(body["data"], json!({"what": "hat"}));
            // Nothing else was asked for.
            let mut raw = Client::connect(address, "/ws");
            raw.echoes(MessageKind::Text, b"unheard");
            backend.waits_for("connect", 2);
            assert!(backend.posted_of("message").is_empty());
        },
    );
}

#[test]
fn at_the_stop_what_waits_is_posted_and_open_sessions_are_said_to_end() {
    on_each_runtime(|runtime| {
        for shards in SHARDS {
            let backend = Backend::start();
            // Each takes a while, so most wait when the server stops.
            backend.answer(|_| {
                std::thread::park_timeout(std::time::Duration::from_millis(3));
                ok("{}")
            });
            let mut options = options(&backend);
            options.workers = 1;
            options.grace = PATIENCE;
            let (mut app, watch) = app(runtime, shards, options);
            let (running, address) = serve(&mut app);
            let mut clients: Vec<_> = (0..4).map(|_| Client::connect(address, "/ws")).collect();
            for client in &mut clients {
                for _ in 0..25 {
                    client.echoes(MessageKind::Text, b"hello");
                }
            }
            end(running);
            let ended = backend.posted_of("disconnect");
            assert_eq!(ended.len(), 4);
            assert!(
                ended.iter().all(|one| one.body["code"] == 1001),
                "{ended:?}"
            );
            assert_eq!(backend.posted_of("message").len(), 100);
            assert_eq!(watch.status().events_sent, 108);
            assert_eq!(watch.status().events_dropped, 0);
        }
    });
}
