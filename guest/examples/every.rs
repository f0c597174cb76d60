//! Does everything that a guest can, as a module: what its tests are told of.

use std::time::Duration;

use worldshard_guest::{Audience, Payload, Room, Service};

#[derive(Default)]
struct Every(Vec<u32>);

impl Service for Every {
    fn init(&mut self, room: &mut Room<'_>) {
        room.set_timer("once", Duration::from_millis(1_500));
        room.set_interval("again", Duration::from_secs(2));
        room.cancel_timer("never");
        let config = room.config().len();
        room.log(&format!(
            "{} begins at {:?}, {config} bytes of config",
            room.name(),
            room.time()
        ));
    }

    fn connect(&mut self, room: &mut Room<'_>, member: u32) {
        self.0.push(member);
        room.send(Audience::One(member), "welcome");
        room.send(Audience::AllBut(member), vec![1, 2, 3]);
        room.send(Audience::Group(self.0.clone()), "group");
        room.send(Audience::AllButGroup(self.0.clone()), "others");
    }

    fn message(&mut self, room: &mut Room<'_>, member: u32, payload: &Payload) {
        match payload.as_text() {
            Some("leave") => room.kick(member, 4_001, "as you wish"),
            Some("panic") => panic!("member {member} wants it"),
            Some("roll") => {
                let rolls = [room.random(), room.random()];
                room.send(
                    Audience::All,
                    if rolls[0] == rolls[1] {
                        "the same"
                    } else {
                        "two"
                    },
                );
            }
            _ => room.send(Audience::One(member), payload.clone()),
        }
    }

    fn disconnect(&mut self, room: &mut Room<'_>, member: u32) {
        self.0.retain(|other| *other != member);
        room.send(Audience::All, format!("{} left", self.0.len()));
    }

    fn timer(&mut self, room: &mut Room<'_>, name: &str) {
        room.send(Audience::All, format!("{name} at {:?}", room.time()));
    }

    fn tick(&mut self, room: &mut Room<'_>, number: u64) {
        room.send(Audience::All, number.to_string());
    }
}

worldshard_guest::service!(Every);
