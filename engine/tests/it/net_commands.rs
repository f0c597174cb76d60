//! Text commands over real sockets, on each runtime: one answer each, in order, whoever says them and whatever panics.

use worldshard::Runtime;
use worldshard::prelude::*;
use worldshard_transport::MessageKind;

use crate::socket::{Client, Heard, echo_app, end, on_each_runtime, serve};

/// Two plugins with commands, beside a system that returns every message that it sees.
struct Names;
struct Dice;

impl Plugin for Names {
    fn build(&self, app: &mut App) {
        app.text_command("/nick", |cx: &mut Context, session, name: &str| {
            cx.send(Audience::One(session), format!("you are {name}"));
        });
    }
}

impl Plugin for Dice {
    fn build(&self, app: &mut App) {
        app.text_command("/roll", |cx: &mut Context, session, dice: &str| {
            let dice: u8 = dice.parse().expect("a number of dice");
            cx.send(Audience::One(session), format!("{dice} dice"));
        });
    }
}

fn app(runtime: Runtime, shards: u16) -> App {
    let mut app = echo_app(runtime, shards);
    app.plugin((Names, Dice));
    app
}

fn hear(client: &mut Client) -> String {
    let Heard::Message(MessageKind::Text, text) = client.hear() else {
        panic!("the server said something else than a text");
    };
    String::from_utf8(text).unwrap()
}

#[test]
fn each_command_has_one_answer_in_order_and_an_unknown_one_too() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let (running, address) = serve(&mut app(runtime, shards));
            let clients = 0..usize::from(shards) * 3;
            let mut clients: Vec<_> = clients.map(|_| Client::connect(address, "/ws")).collect();
            for round in 0..20 {
                for (number, client) in clients.iter_mut().enumerate() {
                    for text in [
                        format!("/nick {number} of {round}"),
                        format!(" /x{number} y\n"),
                        format!("/roll {number}"),
                        "/roll none".to_owned(),
                    ] {
                        client.say(MessageKind::Text, text.as_bytes());
                    }
                }
                for (number, client) in clients.iter_mut().enumerate() {
                    for answer in [
                        format!("you are {number} of {round}"),
                        format!("[Error] Unknown command: /x{number}"),
                        format!("{number} dice"),
                        "[Error] Command failed: /roll".to_owned(),
                    ] {
                        assert_eq!(hear(client), answer);
                    }
                }
            }
            // Nothing came twice, or it would stand before these.
            for client in &mut clients {
                client.echoes(MessageKind::Text, b"nick /nick");
                client.echoes(MessageKind::Binary, b"/nick");
            }
            end(running);
        }
    });
}

#[test]
fn without_commands_a_slash_is_a_character() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let (running, address) = serve(&mut echo_app(runtime, shards));
            let mut client = Client::connect(address, "/ws");
            client.echoes(MessageKind::Text, b" /nick x ");
            client.echoes(MessageKind::Text, b"/");
            end(running);
        }
    });
}
