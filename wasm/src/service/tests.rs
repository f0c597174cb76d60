//! Numbers of members, and how much guests may log.

use std::time::Duration;

use worldshard::Audience;
use worldshard_protocol::SessionId;

use super::lines::{LINES_MAX, Lines, Quota, ROOM_LINES_MAX};
use super::members::Members;
use crate::event::Audience as Meant;

fn session(counter: u64) -> SessionId {
    SessionId::new(0, counter)
}

#[test]
fn numbers_begin_at_one_and_never_come_again() {
    let mut members = Members::default();
    let sessions = [30, 10, 20].map(session);
    assert_eq!(sessions.map(|one| members.enter(one)), [1, 2, 3]);
    assert_eq!(members.enter(sessions[1]), 2, "it has one");
    assert_eq!(members.leave(sessions[1]), Some(2));
    assert_eq!(members.leave(sessions[1]), None);
    assert_eq!(members.enter(sessions[1]), 4);
    assert_eq!(members.numbers(), [1, 3, 4]);
    assert_eq!(members.session(2), None);
    assert_eq!(members.number(sessions[1]), Some(4));
}

#[test]
fn a_number_that_is_nobodys_means_nobody() {
    let mut members = Members::default();
    let session = session(7);
    let member = members.enter(session);
    let nobody = member + 1;
    for (meant, is) in [
        (Meant::One(nobody), Audience::Group(vec![])),
        (Meant::One(member), Audience::One(session)),
        (Meant::AllBut(nobody), Audience::AllButGroup(vec![])),
        (
            Meant::Group(vec![nobody, member, 0]),
            Audience::Group(vec![session]),
        ),
        (
            Meant::AllButGroup(vec![member]),
            Audience::AllButGroup(vec![session]),
        ),
    ] {
        assert_eq!(members.audience(meant), is);
    }
}

#[test]
fn a_second_has_so_many_lines_of_a_room_and_of_all() {
    let quota = Quota::default();
    let said = |room: &mut Lines, second: u64, lines: u64| {
        for _ in 0..lines {
            room.say(&quota, "lobby", Duration::from_secs(second), "hello");
        }
        (room.said(), room.lost())
    };
    let share = u64::from(ROOM_LINES_MAX);
    let mut room = Lines::default();
    assert_eq!(said(&mut room, 5, share), (ROOM_LINES_MAX, 0));
    assert_eq!(said(&mut room, 5, 3), (ROOM_LINES_MAX, 3));
    assert_eq!(said(&mut room, 6, 1), (1, 0), "the lost were told");
    let rooms = LINES_MAX / share;
    for _ in 0..rooms {
        said(&mut Lines::default(), 7, share);
    }
    assert_eq!(said(&mut room, 7, 1), (0, 1), "all had their share");
    assert_eq!(said(&mut room, 8, 1), (1, 0));
}
