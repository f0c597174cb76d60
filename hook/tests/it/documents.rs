//! The page about the hook: its requests are what is posted, its answers do what it says.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use worldshard_transport::MessageKind;

use crate::backend::{Posted, ok};
use crate::socket::{Client, Heard};
use crate::{everywhere, hears, say};

/// The JSON of the page, by the headline that it stands below.
fn page() -> BTreeMap<String, Vec<Value>> {
    let text = include_str!("../../../docs/hook.md");
    let mut blocks = BTreeMap::new();
    for part in text.split("\n### `").skip(1) {
        let (name, rest) = part.split_once('`').unwrap();
        let json = rest.split("```json\n").skip(1);
        let json = json.map(|block| block.split("```").next().unwrap());
        let json = json.map(|block| serde_json::from_str(block).unwrap());
        blocks.insert(name.to_owned(), json.collect());
    }
    blocks
}

/// Names, in the order in which they are posted, and values, but for those that differ from run to run.
fn comparable(body: &Value) -> Value {
    let mut body = body.clone();
    for name in ["id", "session", "number"] {
        if body.get(name).is_some() {
            body[name] = Value::Null;
        }
    }
    body
}

#[test]
fn what_the_page_shows_is_what_is_posted_and_answered() {
    let page = page();
    let names: Vec<_> = page.keys().collect();
    assert_eq!(
        names,
        ["auth", "connect", "disconnect", "message", "service"]
    );
    everywhere(
        |options| options.events = "auth,connect,message,disconnect,svc:shop".parse().unwrap(),
        |address, backend, _| {
            let answers: BTreeMap<String, String> = page
                .iter()
                .map(|(name, blocks)| {
                    let answer = blocks.get(1).cloned().unwrap_or(json!({}));
                    (name.clone(), answer.to_string())
                })
                .collect();
            let denied = page["auth"][2].to_string();
            backend.answer(move |posted| {
                if posted.body["credential"] == "another" {
                    return ok(denied.clone());
                }
                ok(answers[posted.event()].clone())
            });
            let query = "user=anna&token=secret-of-anna";
            let (mut client, _) = Client::ask(address, &format!("/ws?{query}"), "").unwrap();
            say(&mut client, "hello");
            assert_eq!(
                [hears(&mut client), hears(&mut client)],
                ["hello", "hello anna"]
            );
            let close = Heard::Close(Some(4000), "that was all".to_owned());
            assert_eq!(client.hear(), close);
            let (mut denied, _) = Client::ask(address, "/ws?token=another", "").unwrap();
            let reason = "AUTH_FAILED: no seat is left".to_owned();
            assert_eq!(denied.hear(), Heard::Close(Some(1008), reason));
            let (mut browser, _) =
                Client::ask(address, &format!("/ws?{query}&env=browser"), "").unwrap();
            browser.close(1000, "");
            let (mut lanes, _) = Client::ask(address, &format!("/world?{query}"), "").unwrap();
            hears(&mut lanes);
            let buys = r#"{"v":1,"svc":"shop","type":"buy","seq":7,"data":{"what":"hat"}}"#;
            lanes.say(MessageKind::Text, buys.as_bytes());
            let reply: Value = serde_json::from_str(&hears(&mut lanes)).unwrap();
            let answer = &page["service"][1];
            assert_eq!(
                (&reply["type"], &reply["data"]),
                (&answer["type"], &answer["reply"])
            );
            backend.waits_for("disconnect", 2);
            let posted: Vec<Posted> = backend.posted();
            for (name, blocks) in &page {
                let shown = comparable(&blocks[0]);
                let of_it: Vec<_> = posted.iter().filter(|one| one.event() == name).collect();
                let bodies: Vec<Value> = of_it.iter().map(|one| comparable(&one.body)).collect();
                assert!(
                    bodies.contains(&shown),
                    "{name}: {shown} is none of {bodies:#?}"
                );
            }
        },
    );
}
