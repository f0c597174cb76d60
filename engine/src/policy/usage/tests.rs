//! Places are never more than allowed, whoever asks at once, and free again when they are dropped.

use super::*;

fn room(name: &str) -> RoomId {
    RoomId {
        tenant: 0,
        kind: 0,
        name: name.into(),
    }
}

#[test]
fn of_many_who_ask_at_once_as_many_get_a_place_as_there_are() {
    let usage = Arc::new(Usage::default());
    for _ in 0..20 {
        let taken: Vec<Option<Place>> = std::thread::scope(|scope| {
            let ask = || {
                let usage = Arc::clone(&usage);
                move || (0..50).map(|_| usage.take_session(123)).collect::<Vec<_>>()
            };
            let all: Vec<_> = (0..8).map(|_| scope.spawn(ask())).collect();
            all.into_iter()
                .flat_map(|one| one.join().unwrap())
                .collect()
        });
        assert_eq!(taken.iter().flatten().count(), 123);
        drop(taken);
        assert_eq!(usage.status("", 0, 0).sessions, 0);
    }
}

#[test]
fn a_place_that_is_dropped_is_free_at_once_and_rooms_are_counted_apart() {
    let usage = Arc::new(Usage::default());
    let (first, second) = (usage.take_room(2).unwrap(), usage.take_room(2).unwrap());
    assert!(usage.take_room(2).is_none() && usage.has_rooms(2) && !usage.has_rooms(0));
    assert!(usage.take_session(1).is_some());
    drop(first);
    assert!(usage.take_room(2).is_some());
    drop(second);
    assert_eq!(usage.status("", 0, 0).rooms, 0);
}

#[test]
fn a_room_counts_once_for_a_user_however_many_of_its_sessions_are_in_it() {
    let usage = Arc::new(Usage::default());
    let (anna, bert) = (UserId::new("anna").unwrap(), UserId::new("bert").unwrap());
    let [one, other] = [1, 2].map(|number| SessionId::new(0, number));
    let take = |user, session, name| usage.take_room_of_user(user, session, &room(name), 2);
    let in_a = take(&anna, one, "a").unwrap();
    let in_a_too = take(&anna, other, "a").unwrap();
    let in_b = take(&anna, one, "b").unwrap();
    assert!(take(&anna, other, "c").is_none());
    assert!(take(&bert, other, "c").is_some());
    drop(in_a);
    assert!(
        take(&anna, other, "c").is_none(),
        "another session is still in a"
    );
    drop(in_a_too);
    let in_c = take(&anna, other, "c").unwrap();
    drop((in_b, in_c));
    assert!(usage.users().is_empty());
}
