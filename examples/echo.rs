//! Returns each message to its sender, at `ws://127.0.0.1:8080/ws`.

use worldshard::prelude::*;

fn main() -> Result<()> {
    App::new()
        .plugin(WebSocketPlugin::bind("127.0.0.1:8080"))
        .system(Update, echo)
        .run()
}

fn echo(cx: &mut Context) {
    for message in cx.messages() {
        cx.send(Audience::One(message.session), message.payload.clone());
    }
}
