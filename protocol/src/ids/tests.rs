//! Ids keep their parts and stay exact in JavaScript.

use super::*;

#[test]
fn session_id_keeps_home_and_counter() {
    for home in [0, 1, 511, SHARDS_MAX - 1] {
        for counter in [0, 1, SESSION_COUNTER_MAX] {
            let session = SessionId::new(home, counter);
            assert_eq!(session.home(), home);
            assert_eq!(session.value() & SESSION_COUNTER_MAX, counter);
            assert!(session.value() < 1 << 53);
            assert_eq!(SessionId::from_value(session.value()), Some(session));
        }
    }
}

#[test]
fn session_id_beyond_the_last_home_is_refused() {
    assert_eq!(SessionId::from_value(1 << 53), None);
    assert_eq!(SessionId::from_value(u64::MAX), None);
}

#[test]
#[should_panic(expected = "home 1024")]
fn session_of_an_impossible_home_panics() {
    let _ = SessionId::new(SHARDS_MAX, 0);
}

#[test]
fn ticks_since_a_later_tick_are_zero() {
    assert_eq!(Tick(7).since(Tick(5)), 2);
    assert_eq!(Tick(5).since(Tick(7)), 0);
    assert_eq!(Tick(5).next(), Tick(6));
}
