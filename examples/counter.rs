//! Counts in each room by itself: say `increment` at `ws://127.0.0.1:8080/ws/NAME`, and all in it hear the new value.

use worldshard::prelude::*;

fn main() -> Result<()> {
    App::new()
        .plugin(WebSocketPlugin::bind("127.0.0.1:8080"))
        .rooms(Rooms::at("/ws/{room}", |_| Counter::default()))
        .run()
}

#[derive(Default)]
struct Counter(u64);

impl Service for Counter {
    fn message(&mut self, room: &mut Room<'_>, _: SessionId, payload: &Payload) {
        if payload.as_text() == Some("increment") {
            self.0 += 1;
            room.send(Audience::All, format!("new value: {}", self.0));
        }
    }
}
