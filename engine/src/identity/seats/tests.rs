//! Who gets a seat, who loses one, and that they are exact whoever asks at once.

use std::sync::Barrier;

use super::*;

fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

fn session(number: u64) -> SessionId {
    SessionId::new((number % 3) as u16, number)
}

/// The seats of one tenant, by its policy.
struct OneTenants {
    seats: Seats,
    policy: Policy,
}

impl OneTenants {
    fn new(max: u32, on_exceed: OnExceed) -> Self {
        let policy = Policy {
            sessions_per_user: max,
            on_exceed,
            ..Policy::default()
        };
        let seats = Seats::default();
        Self { seats, policy }
    }

    fn take(&self, user: &UserId, session: SessionId) -> Result<Vec<SessionId>, TooManySessions> {
        self.seats.take(7, user, session, &self.policy)
    }

    fn set_detached(&self, user: &UserId, session: SessionId, detached: bool) -> bool {
        self.seats.set_detached(7, user, session, detached)
    }

    fn leave(&self, user: &UserId, session: SessionId) {
        self.seats.leave(7, user, session);
    }

    fn sessions_of(&self, user: &UserId) -> Vec<SessionId> {
        self.seats.sessions_of(7, user)
    }
}

fn count(seats: &OneTenants, name: &str) -> usize {
    seats.sessions_of(&user(name)).len()
}

#[test]
fn the_same_name_in_two_tenants_is_two_users() {
    let (seats, anna) = (Seats::default(), user("anna"));
    let policy = OneTenants::new(1, OnExceed::Deny).policy;
    assert_eq!(seats.take(0, &anna, session(1), &policy), Ok(vec![]));
    assert_eq!(seats.take(1, &anna, session(2), &policy), Ok(vec![]));
    assert!(seats.take(1, &anna, session(3), &policy).is_err());
    seats.leave(0, &anna, session(2));
    assert_eq!(seats.sessions_of(1, &anna), [session(2)]);
    seats.leave(1, &anna, session(2));
    assert_eq!(seats.sessions_of(0, &anna), [session(1)]);
    assert!(!seats.set_detached(1, &anna, session(1), true));
}

#[test]
fn where_fewer_are_allowed_than_before_as_many_give_way() {
    let mut seats = OneTenants::new(0, OnExceed::KickOldest);
    let anna = user("anna");
    for number in 1..=5 {
        seats.take(&anna, session(number)).unwrap();
    }
    assert!(seats.set_detached(&anna, session(4), true));
    seats.policy.sessions_per_user = 2;
    let gave_way = seats.take(&anna, session(6)).unwrap();
    assert_eq!(gave_way, [4, 1, 2, 3].map(session));
    assert_eq!(seats.sessions_of(&anna), [5, 6].map(session));
    seats.policy.on_exceed = OnExceed::Deny;
    seats.policy.sessions_per_user = 1;
    assert!(seats.set_detached(&anna, session(5), true));
    assert!(
        seats.take(&anna, session(7)).is_err(),
        "only one of two waits"
    );
    assert_eq!(count(&seats, "anna"), 2);
}

#[test]
fn denied_is_who_is_one_too_many_until_one_leaves() {
    let seats = OneTenants::new(2, OnExceed::Deny);
    let (anna, bert) = (user("anna"), user("bert"));
    assert_eq!(seats.take(&anna, session(1)), Ok(vec![]));
    assert_eq!(seats.take(&anna, session(2)), Ok(vec![]));
    let denied = Err(TooManySessions { max: 2 });
    assert_eq!(seats.take(&anna, session(3)), denied);
    assert_eq!(seats.take(&bert, session(4)), Ok(vec![]));
    seats.leave(&bert, session(1));
    assert_eq!(seats.take(&anna, session(5)), denied);
    seats.leave(&anna, session(1));
    assert_eq!(seats.take(&anna, session(6)), Ok(vec![]));
    assert_eq!(seats.take(&anna, session(7)), denied);
}

#[test]
fn the_oldest_gives_way_where_that_is_the_rule() {
    let seats = OneTenants::new(2, OnExceed::KickOldest);
    let anna = user("anna");
    let took: Vec<_> = (1..=4)
        .map(|number| seats.take(&anna, session(number)).unwrap())
        .collect();
    assert_eq!(took, [vec![], vec![], vec![session(1)], vec![session(2)]]);
    // It ends later than it was told to: the count is right all the time.
    seats.leave(&anna, session(1));
    assert_eq!(count(&seats, "anna"), 2);
}

#[test]
fn who_waits_for_a_connection_gives_way_first_whatever_the_rule() {
    for rule in [OnExceed::Deny, OnExceed::KickOldest] {
        let seats = OneTenants::new(2, rule);
        let anna = user("anna");
        seats.take(&anna, session(1)).unwrap();
        seats.take(&anna, session(2)).unwrap();
        assert!(seats.set_detached(&anna, session(2), true));
        assert_eq!(seats.take(&anna, session(3)), Ok(vec![session(2)]));
        assert!(!seats.set_detached(&anna, session(2), false), "it is lost");
        assert!(seats.set_detached(&anna, session(1), true));
        assert!(seats.set_detached(&anna, session(1), false), "it went on");
        let fourth = seats.take(&anna, session(4));
        let expected = match rule {
            OnExceed::Deny => Err(TooManySessions { max: 2 }),
            OnExceed::KickOldest => Ok(vec![session(1)]),
        };
        assert_eq!(fourth, expected);
    }
}

#[test]
fn without_a_limit_nobody_is_turned_away_and_all_are_known() {
    for rule in [OnExceed::Deny, OnExceed::KickOldest] {
        let seats = OneTenants::new(0, rule);
        for number in 0..10 {
            assert_eq!(seats.take(&user("anna"), session(number)), Ok(vec![]));
        }
        assert!(seats.set_detached(&user("anna"), session(7), true));
        seats.leave(&user("anna"), session(3));
        let left = (0..10).filter(|number| *number != 3).map(session);
        let known = seats.sessions_of(&user("anna"));
        assert_eq!(known, left.collect::<Vec<_>>());
        assert_eq!(count(&seats, "bert"), 0);
    }
}

#[test]
fn who_has_lost_its_seat_is_not_among_its_users_sessions() {
    let seats = OneTenants::new(2, OnExceed::KickOldest);
    let anna = user("anna");
    for number in 1..=3 {
        seats.take(&anna, session(number)).unwrap();
    }
    assert_eq!(seats.sessions_of(&anna), [session(2), session(3)]);
}

#[test]
fn a_user_without_sessions_takes_no_memory() {
    let seats = OneTenants::new(1, OnExceed::Deny);
    seats.take(&user("anna"), session(1)).unwrap();
    seats.leave(&user("anna"), session(1));
    seats.leave(&user("anna"), session(1));
    assert!(seats.seats.taken.read().unwrap().is_empty());
}

#[test]
fn of_a_hundred_at_once_exactly_so_many_get_a_seat() {
    for (rule, got) in [(OnExceed::Deny, 3), (OnExceed::KickOldest, 100)] {
        let seats = OneTenants::new(3, rule);
        let start = Barrier::new(100);
        let taken: Vec<bool> = std::thread::scope(|scope| {
            let each = |number| {
                let (seats, start) = (&seats, &start);
                scope.spawn(move || {
                    start.wait();
                    seats.take(&user("anna"), session(number)).is_ok()
                })
            };
            let threads: Vec<_> = (0..100).map(each).collect();
            threads.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert_eq!(taken.iter().filter(|one| **one).count(), got);
        assert_eq!(count(&seats, "anna"), 3);
    }
}
