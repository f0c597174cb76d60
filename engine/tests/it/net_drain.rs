//! A server that stops under load: probes and newcomers are told at once, sessions are told before they are closed, and what
//! is under way is answered.

use std::sync::mpsc::sync_channel;
use std::time::Duration;

use serde_json::Value;
use worldshard::prelude::*;
use worldshard_transport::MessageKind;

use crate::operators::admin;
use crate::socket::{Client, Heard, PATIENCE, echo_app, eventually, get, on_each_runtime, serve};

fn app(runtime: Runtime, shards: u16) -> App {
    let mut app = echo_app(runtime, shards);
    app.raw("/ws")
        .lanes("/world")
        .world(WorldConfig::default())
        .avatar(|_, at| Draft::at(at))
        .options(|options| {
            options.admin = Some(admin());
            options.limits.drain_max = GRACE;
            options.limits.drain_notice = NOTICE;
        });
    app
}

#[test]
fn while_it_stops_probes_and_newcomers_are_told_and_sessions_know_before() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let (running, address) = serve(&mut app(runtime, shards));
            let operators = running.admin_addr().unwrap();
            let mut lanes = Client::connect(address, "/world");
            assert!(matches!(lanes.hear(), Heard::Message(..)), "the greeting");
            let mut raw = Client::connect(address, "/ws");
            raw.echoes(MessageKind::Text, b"before");
            running.stop();
            // At once, and for as long as anybody is there.
            let draining = (503, "draining\n".to_owned());
            assert_eq!(get(operators, "/readyz"), draining);
            let Heard::Message(MessageKind::Text, notice) = lanes.hear() else {
                panic!("no notice");
            };
            let notice: Value = serde_json::from_slice(&notice).unwrap();
            assert_eq!(notice["svc"], "sys");
            assert_eq!(notice["type"], "draining");
            assert_eq!(notice["data"]["closes_in_ms"], NOTICE.as_millis() as u64);
            assert_eq!(get(address, "/readyz"), draining);
            let refused = Client::ask(address, "/ws", "").err().unwrap();
            assert_eq!(refused, (503, "the server stops\n".to_owned()));
            assert_eq!(get(address, "/healthz").0, 200);
            // Those who are there go on meanwhile.
            raw.echoes(MessageKind::Text, b"after");
            for client in [&mut raw, &mut lanes] {
                let closed = Heard::Close(Some(1001), "the server stops".to_owned());
                assert_eq!(client.hear(), closed);
            }
            drop((raw, lanes));
            running.join().unwrap();
        }
    });
}

#[test]
fn a_request_that_is_under_way_is_answered_before_the_close() {
    on_each_runtime(|runtime| {
        let (asked, answers) = sync_channel::<RequestToken>(1);
        let mut app = app(runtime, 2);
        app.system(Update, move |cx: &mut Context<'_>| {
            for request in cx.requests() {
                asked.send(request.token).unwrap();
            }
        });
        let (running, address) = serve(&mut app);
        let mut client = Client::connect(address, "/world");
        assert!(matches!(client.hear(), Heard::Message(..)), "the greeting");
        let ask = br#"{"v":1,"svc":"app","type":"request","seq":7,"data":"how long"}"#;
        client.say(MessageKind::Text, ask);
        let token = answers.recv_timeout(PATIENCE).unwrap();
        running.stop();
        let Heard::Message(_, notice) = client.hear() else {
            panic!("no notice");
        };
        assert!(String::from_utf8_lossy(&notice).contains("draining"));
        // Later than the notice says, and before half of the grace is over.
        std::thread::park_timeout(NOTICE * 2);
        token.respond("long enough");
        let Heard::Message(_, answer) = client.hear() else {
            panic!("no answer");
        };
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(
            (&answer["seq"], &answer["data"]),
            (&7.into(), &"long enough".into())
        );
        assert!(matches!(client.hear(), Heard::Close(Some(1001), _)));
        drop(client);
        running.join().unwrap();
    });
}

/// Says something to everyone when it is cleaned up.
struct LastWords;

impl Plugin for LastWords {
    fn build(&self, _: &mut App) {}

    fn cleanup(&self, cx: &mut Context<'_>) {
        cx.send(Audience::All, "cleaned up");
    }
}

#[test]
fn what_the_hooks_of_the_end_say_is_received_before_the_close() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let mut app = app(runtime, shards);
            app.plugin(LastWords)
                .system(Shutdown, |cx: &mut Context<'_>| {
                    cx.send(Audience::All, "shut down");
                });
            let (running, address) = serve(&mut app);
            let mut clients: Vec<Client> = (0..2 * shards)
                .map(|_| Client::connect(address, "/ws"))
                .collect();
            for client in &mut clients {
                client.echoes(MessageKind::Text, b"here");
            }
            running.stop();
            for client in &mut clients {
                let mut said = Vec::new();
                let closed = loop {
                    match client.hear() {
                        Heard::Message(_, text) => said.push(String::from_utf8(text).unwrap()),
                        other => break other,
                    }
                };
                assert_eq!(
                    closed,
                    Heard::Close(Some(1001), "the server stops".to_owned())
                );
                // That of its own shard for certain; another shard's, if it came before the close.
                for hook in ["shut down", "cleaned up"] {
                    assert!(said.iter().any(|one| one == hook), "{said:?}");
                }
            }
            drop(clients);
            running.join().unwrap();
        }
    });
}

#[test]
fn a_shard_that_stands_still_does_not_keep_the_others_from_closing() {
    on_each_runtime(|runtime| {
        let (running, address) = serve(&mut app(runtime, 2));
        let mut clients: Vec<Client> = (0..8).map(|_| Client::connect(address, "/ws")).collect();
        for client in &mut clients {
            client.echoes(MessageKind::Text, b"here");
        }
        running.debug_freeze(0, GRACE * 2);
        let operators = running.admin_addr().unwrap();
        eventually(GRACE * 2, "it stands still", || {
            get(operators, "/healthz").0 == 503
        });
        running.stop();
        let closed = clients.iter_mut().map(Client::hear);
        let told = closed.filter(|heard| matches!(heard, Heard::Close(Some(1001), _)));
        assert_eq!(told.count(), 8, "those of the frozen one once it lives");
        drop(clients);
        running.join().unwrap();
    });
}

const GRACE: Duration = Duration::from_secs(4);
const NOTICE: Duration = Duration::from_millis(300);
