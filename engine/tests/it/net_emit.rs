//! Messages that say whom they are for, and messages to all sessions of a user, over real sockets on each runtime.

use std::time::Duration;

use serde::Serialize;
use worldshard::Runtime;
use worldshard::prelude::*;
use worldshard_transport::MessageKind;

use crate::socket::{Client, Heard, end, on_each_runtime, serve};

#[derive(Serialize, Emit)]
#[audience(User(to))]
struct Whispered {
    #[serde(skip)]
    to: UserId,
    by: UserId,
    text: String,
}

#[derive(Serialize, Emit)]
#[audience(All)]
struct Announced {
    text: String,
}

/// `bert: hello` is for bert, `: hello` for its sender alone, anything else for all.
fn app(runtime: Runtime, shards: u16) -> App {
    let mut app = App::new();
    app.bind("127.0.0.1:0")
        .runtime(runtime)
        .shards(shards)
        .raw("/ws")
        .system(Update, |cx: &mut Context| {
            for message in cx.messages() {
                let said = message.payload.as_text().unwrap_or_default();
                let Some((to, text)) = said.split_once(": ") else {
                    let text = said.to_owned();
                    cx.emit(&Announced { text });
                    continue;
                };
                let text = text.to_owned();
                match (UserId::new(to), cx.user(message.session).cloned()) {
                    (Ok(to), Some(by)) => cx.emit(&Whispered { to, by, text }),
                    _ => cx.send(Audience::One(message.session), &Announced { text }),
                }
            }
        })
        .options(|options| {
            options.auth = Some(Auth::None);
            options.limits.close_deadline = Duration::from_millis(500);
        });
    app
}

fn hear(client: &mut Client) -> String {
    let Heard::Message(MessageKind::Text, text) = client.hear() else {
        panic!("the server said something else than a text");
    };
    String::from_utf8(text).unwrap()
}

fn announced(text: &str) -> String {
    format!(r#"{{"text":"{text}"}}"#)
}

#[test]
fn phone_and_desktop_of_a_user_get_one_copy_each_and_nobody_else_any() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let (running, address) = serve(&mut app(runtime, shards));
            let names = ["anna", "bert", "carl"];
            // By user; more sessions than shards, so that some have several homes.
            let mut clients: Vec<Vec<Client>> = Vec::new();
            for name in names {
                let path = format!("/ws?user={name}");
                let connect = |_| Client::connect(address, &path);
                clients.push((0..=shards).map(connect).collect());
            }
            // Who is answered has been let in.
            for client in clients.iter_mut().flatten() {
                client.say(MessageKind::Text, b": am I in?");
                assert_eq!(hear(client), announced("am I in?"));
            }
            for round in 0..20 {
                let (from, to) = (round % 3, (round / 3) % 3);
                let speaker = usize::from(shards).min(round);
                let said = format!("{}: number {round}", names[to]);
                clients[from][speaker].say(MessageKind::Text, said.as_bytes());
                let by = names[from];
                let whispered = format!(r#"{{"by":"{by}","text":"number {round}"}}"#);
                for client in &mut clients[to] {
                    assert_eq!(hear(client), whispered);
                }
            }
            clients[0][0].say(MessageKind::Text, b"dora: are you there?");
            clients[0][0].say(MessageKind::Text, b"the end");
            // Whatever else somebody got would stand before this.
            for client in clients.iter_mut().flatten() {
                assert_eq!(hear(client), announced("the end"));
            }
            end(running);
        }
    });
}
