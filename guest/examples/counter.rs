//! A counter that all members share, as a module: `increment` is answered to all by `new value: 1`, and so on.

use worldshard_guest::{Audience, Payload, Room, Service};

#[derive(Default)]
struct Counter(u64);

impl Service for Counter {
    fn message(&mut self, room: &mut Room<'_>, _: u32, payload: &Payload) {
        if payload.as_text() == Some("increment") {
            self.0 += 1;
            room.send(Audience::All, format!("new value: {}", self.0));
        }
    }

    fn save(&mut self) -> Option<Vec<u8>> {
        Some(self.0.to_le_bytes().to_vec())
    }

    fn load(&mut self, room: &mut Room<'_>, state: &[u8]) {
        match state.try_into() {
            Ok(value) => self.0 = u64::from_le_bytes(value),
            Err(_) => room.log("the state of before is not a counter's: it begins at 0"),
        }
    }
}

worldshard_guest::service!(Counter);
