//! A chat at `ws://127.0.0.1:8080/ws`: `/join lounge`, `/nick Ann`, `/list`, and everything else is said to the room.

use worldshard::prelude::*;
use worldshard_plugins::ChatPlugin;

fn main() -> Result<()> {
    App::new()
        .plugin(WebSocketPlugin::bind("127.0.0.1:8080"))
        .plugin(ChatPlugin::new())
        .run()
}
