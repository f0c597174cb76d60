use std::collections::BTreeSet;

use std::time::Duration;

use worldshard_protocol::{SessionId, Tick};
use worldshard_spatial::ShardId;
use worldshard_transport::MessageKind;

use super::names::short;
use crate::app::{App, Framing, Rooms};
use crate::hub::{Commons, Hub, Opening};
use crate::message::Payload;
use crate::service::{Room, Service};

/// Closes nobody, but would after an hour without a word.
struct Patient;

impl Service for Patient {
    fn message(&mut self, room: &mut Room<'_>, _: SessionId, _: &Payload) {
        assert!(room.set_timer("idle", Duration::from_secs(3600)));
    }
}

#[test]
fn a_timer_that_is_set_anew_with_every_message_leaves_nothing_behind() {
    let recipe = App::new()
        .rooms(Rooms::at("/ws/{room}", |_| Patient))
        .build()
        .unwrap();
    let commons = Commons::new(&recipe, 1).unwrap();
    let mut hub = Hub::new(ShardId(0), recipe, commons).unwrap();
    let session = hub.open(Opening {
        path: "/ws/a".to_owned(),
        framing: Framing::Raw,
    });
    for tick in 1..=100 {
        hub.message(session, MessageKind::Text, b"still here");
        hub.advance(Tick(tick));
        hub.absorb(Tick(tick), &mut []);
        hub.handle();
        assert_eq!(hub.rooms.alarms.len(), 1);
    }
}

#[test]
fn no_short_name_comes_again_before_all_have_come() {
    let names: BTreeSet<String> = (0..17_576).map(|count| short(count, 3)).collect();
    assert_eq!(names.len(), 17_576);
    assert!(names.iter().all(|name| name.len() == 3));
    let all = |name: &String| name.bytes().all(|byte| byte.is_ascii_uppercase());
    assert!(names.iter().all(all));
    assert_eq!(short(17_576, 3), short(0, 3));
}

#[test]
fn long_short_names_differ_too() {
    let names: BTreeSet<String> = (0..10_000).map(|count| short(count, 12)).collect();
    assert_eq!(names.len(), 10_000);
    assert_eq!(short(u64::MAX, 12).len(), 12);
}
