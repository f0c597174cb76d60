//! Sends each message to everyone, its sender included, at `ws://127.0.0.1:8080/ws`.

use worldshard::prelude::*;

fn main() -> Result<()> {
    App::new()
        .plugin(WebSocketPlugin::bind("127.0.0.1:8080"))
        .system(Update, broadcast)
        .run()
}

fn broadcast(cx: &mut Context) {
    for message in cx.messages() {
        cx.send(Audience::All, message.payload.clone());
    }
}
