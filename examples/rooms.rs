//! A chat in each room: what is said at `ws://127.0.0.1:8080/ws/NAME` is heard by all in it, its sender included.

use worldshard::prelude::*;

fn main() -> Result<()> {
    App::new()
        .plugin(WebSocketPlugin::bind("127.0.0.1:8080"))
        .rooms(Rooms::at("/ws/{room}", |_| Chat).default_room("lobby"))
        .run()
}

struct Chat;

impl Service for Chat {
    fn message(&mut self, room: &mut Room<'_>, _: SessionId, payload: &Payload) {
        room.send(Audience::All, payload.clone());
    }
}
