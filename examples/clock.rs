//! Tells the time since a room began, every second, to all in `ws://127.0.0.1:8080/ws/NAME`.

use std::time::Duration;

use worldshard::prelude::*;

fn main() -> Result<()> {
    App::new()
        .plugin(WebSocketPlugin::bind("127.0.0.1:8080"))
        .rooms(Rooms::at("/ws/{room}", |_| Clock::default()))
        .run()
}

#[derive(Default)]
struct Clock {
    began: Duration,
}

impl Service for Clock {
    fn init(&mut self, room: &mut Room<'_>) {
        self.began = room.time();
        room.set_interval("second", Duration::from_secs(1));
    }

    fn timer(&mut self, room: &mut Room<'_>, _: &str) {
        let seconds = (room.time() - self.began).as_secs();
        room.send(Audience::All, format!("{seconds} s"));
    }
}
