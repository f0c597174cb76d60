use super::*;
use crate::Service;

/// Does each thing once, in the order of `Host`.
#[derive(Default)]
struct Busy;

impl Service for Busy {
    fn init(&mut self, room: &mut Room<'_>) {
        let name = room.name();
        let config = room.config();
        let drawn = [room.random(), room.random()];
        room.log(&format!("{name} {config:?} {:?} {drawn:?}", room.time()));
        room.send(Audience::Group(vec![1, 2]), vec![3]);
        room.send(Audience::All, "text");
        room.set_timer("a", Duration::from_secs(1));
        room.set_interval("b", Duration::from_secs(2));
        room.cancel_timer("c");
        room.kick(4, 4_000, "why");
    }
}

#[test]
fn a_rehearsal_keeps_what_was_wanted_in_order() {
    let mut rehearsal = Rehearsal {
        name: "lobby".to_owned(),
        config: vec![7],
        time: Duration::from_secs(9),
        random: u64::MAX,
        ..Rehearsal::default()
    };
    Busy.init(&mut rehearsal.room());
    let timer = |name: &str, seconds, repeats| Done::Timer {
        name: name.to_owned(),
        after: Duration::from_secs(seconds),
        repeats,
    };
    let sent = |to, payload| Done::Sent { to, payload };
    let wanted = [
        Done::Logged("lobby [7] 9s [18446744073709551615, 0]".to_owned()),
        sent(Audience::Group(vec![1, 2]), Payload::Binary(vec![3])),
        sent(Audience::All, Payload::Text("text".to_owned())),
        timer("a", 1, false),
        timer("b", 2, true),
        Done::Cancelled("c".to_owned()),
        Done::Kicked {
            member: 4,
            code: 4_000,
            reason: "why".to_owned(),
        },
    ];
    assert_eq!(rehearsal.take(), wanted);
    assert_eq!(rehearsal.take(), []);
}

#[test]
fn a_service_that_loads_nothing_begins_instead() {
    let mut rehearsal = Rehearsal::default();
    Busy.load(&mut rehearsal.room(), &[1]);
    assert_eq!(rehearsal.take().len(), 7);
    assert_eq!(Busy.save(), None);
}
