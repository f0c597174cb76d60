//! Rooms that clients join, over real sockets: members of all shards, whatever ended a connection, and both framings.

use worldshard::Rooms;
use worldshard::prelude::*;
use worldshard_transport::MessageKind;

use crate::socket::{Client, Heard, PATIENCE, end, eventually, on_each_runtime, serve};

struct Hall;

impl Service for Hall {
    fn message(&mut self, room: &mut Room<'_>, _: SessionId, payload: &Payload) {
        room.send(Audience::All, payload.clone());
    }
}

fn says(client: &mut Client, text: &str) {
    client.say(MessageKind::Text, text.as_bytes());
}

/// The next message, which must be a text.
fn hears(client: &mut Client) -> String {
    match client.hear() {
        Heard::Message(MessageKind::Text, text) => String::from_utf8(text).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// Joins, and waits until that is told.
fn joins(client: &mut Client, room: &str) {
    says(
        client,
        &format!(r#"{{"v":1,"svc":"room","type":"join","room":"{room}"}}"#),
    );
    let joined = format!(r#"{{"v":1,"svc":"sys","type":"joined","room":"{room}"}}"#);
    while hears(client) != joined {}
}

/// What `room:list` answers.
fn listed(client: &mut Client) -> String {
    says(client, r#"{"v":1,"svc":"room","type":"list","seq":1}"#);
    loop {
        let heard = hears(client);
        if heard.contains(r#""type":"list""#) {
            return heard;
        }
    }
}

#[test]
fn members_of_all_shards_hear_each_other_and_leave_no_ghosts_however_they_go() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let mut app = App::new();
            app.bind("127.0.0.1:0")
                .runtime(runtime)
                .shards(shards)
                .lanes("/lanes")
                .raw("/raw")
                .rooms(Rooms::named("hall", |_| Hall).joinable())
                .system(Update, |cx: &mut Context| {
                    for session in cx.opened() {
                        if cx.path(session) == Some("/raw") {
                            cx.join(session, "hall", "shared", "");
                        }
                    }
                    for news in cx.memberships() {
                        if cx.path(news.session) == Some("/raw") {
                            let text = format!("{:?}", news.change);
                            cx.send(Audience::One(news.session), text);
                        }
                    }
                });
            let (running, address) = serve(&mut app);
            let mut plain = Client::connect(address, "/raw");
            assert_eq!(hears(&mut plain), "Joined");
            // More than there are shards: each has some.
            let mut clients: Vec<Client> = (0..16)
                .map(|_| Client::connect(address, "/lanes"))
                .collect();
            for (index, client) in clients.iter_mut().enumerate() {
                joins(client, "shared");
                joins(client, &format!("own {index}"));
            }
            says(
                &mut clients[3],
                r#"{"v":1,"svc":"app","type":"message","room":"shared","data":"hello"}"#,
            );
            let hello = r#"{"v":1,"svc":"app","type":"message","room":"shared","data":"hello"}"#;
            for client in &mut clients {
                assert_eq!(hears(client), hello);
            }
            assert_eq!(hears(&mut plain), r#""hello""#);
            // The room that was joined last is meant where none is named.
            says(
                &mut clients[5],
                r#"{"v":1,"svc":"app","type":"message","data":"me"}"#,
            );
            let me = r#"{"v":1,"svc":"app","type":"message","room":"own 5","data":"me"}"#;
            assert_eq!(hears(&mut clients[5]), me);
            let before = listed(&mut clients[0]);
            assert!(
                before.contains(r#"{"members":17,"room":"shared"}"#),
                "{before}"
            );
            clients.truncate(8);
            for client in &mut clients[4..] {
                client.close(1000, "");
            }
            eventually(PATIENCE, "the others have left", || {
                listed(&mut clients[0]).contains(r#"{"members":5,"room":"shared"}"#)
            });
            let after = listed(&mut clients[0]);
            assert_eq!(after.matches("own").count(), 4, "{after}");
            drop((plain, clients));
            end(running);
        }
    });
}
