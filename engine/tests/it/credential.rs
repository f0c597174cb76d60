//! Clients that show a credential, in each of its places.

use std::net::SocketAddr;

use serde_json::{Value, json};
use worldshard_transport::MessageKind;

use crate::socket::{Client, Heard};

/// The first message of who shows its credential there.
pub(crate) fn first_message(data: &Value) -> String {
    json!({"v": 1, "svc": "sys", "type": "auth", "data": data}).to_string()
}

/// A client that shows a credential in one of its places.
pub(crate) fn show(
    address: SocketAddr,
    place: &str,
    path: &str,
    credential: &str,
) -> Result<Client, (u16, String)> {
    let asked = match place {
        "header" => Client::ask(
            address,
            path,
            &format!("Authorization: Bearer {credential}\r\n"),
        ),
        "protocol" => Client::ask(
            address,
            path,
            &format!("Sec-WebSocket-Protocol: chat, worldshard.auth.{credential}\r\n"),
        ),
        "query" => Client::ask(address, &format!("{path}?token={credential}"), ""),
        "message" => Client::ask(address, path, ""),
        other => panic!("no place {other}"),
    };
    let (mut client, _) = asked?;
    if place == "message" {
        let text = first_message(&json!({ "token": credential }));
        client.say(MessageKind::Text, text.as_bytes());
    }
    Ok(client)
}

/// Where a credential can stand.
pub(crate) const PLACES: [&str; 4] = ["header", "protocol", "query", "message"];

/// What a text says that is to be heard next.
pub(crate) fn hear_json(client: &mut Client) -> Value {
    let heard = client.hear();
    let Heard::Message(MessageKind::Text, text) = &heard else {
        panic!("no text but {heard:?}");
    };
    serde_json::from_slice(text).unwrap()
}
