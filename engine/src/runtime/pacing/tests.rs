use super::*;
use crate::runtime::clock;

const INTERVAL: Duration = Duration::from_millis(50);
const CATCH_UP_TICKS_MAX: u32 = 5;

/// Runs every tick that is due at `now`, each in no time.
fn catch_up(pacer: &mut Pacer, now: Instant) -> u32 {
    let mut ticks = 0;
    while pacer.due() <= now {
        pacer.begin(now);
        ticks += 1;
    }
    ticks
}

#[test]
fn punctual_ticks_keep_the_schedule_of_the_start() {
    let start = clock::now();
    let mut pacer = Pacer::new(INTERVAL, CATCH_UP_TICKS_MAX, start);
    for tick in 0..1000 {
        assert_eq!(pacer.due(), start + INTERVAL * tick);
        pacer.begin(pacer.due() + Duration::from_millis(3));
    }
    assert_eq!(pacer.lag, Lag::default());
}

#[test]
fn a_short_delay_is_made_up_for_tick_by_tick() {
    let start = clock::now();
    let mut pacer = Pacer::new(INTERVAL, CATCH_UP_TICKS_MAX, start);
    assert_eq!(catch_up(&mut pacer, start + INTERVAL * 4), 5);
    assert_eq!(pacer.due(), start + INTERVAL * 5);
    assert_eq!(pacer.lag.ticks, 0);
}

#[test]
fn a_long_pause_costs_at_most_five_ticks_at_once_and_the_rest_is_counted() {
    let start = clock::now();
    let mut pacer = Pacer::new(INTERVAL, CATCH_UP_TICKS_MAX, start);
    let now = start + Duration::from_secs(2);
    assert_eq!(catch_up(&mut pacer, now), CATCH_UP_TICKS_MAX);
    assert_eq!(pacer.lag.ticks, 41 - u64::from(CATCH_UP_TICKS_MAX));
    assert_eq!(pacer.lag.times, 1);
    assert_eq!(pacer.due(), now + INTERVAL);
}

#[test]
fn lag_is_told_once_a_second_and_only_when_it_grew() {
    let start = clock::now();
    let mut pacer = Pacer::new(INTERVAL, CATCH_UP_TICKS_MAX, start);
    assert_eq!(pacer.lag_to_tell(start), None);
    let now = start + Duration::from_secs(2);
    catch_up(&mut pacer, now);
    assert!(pacer.lag_to_tell(now).is_some());
    let soon = now + Duration::from_millis(600);
    catch_up(&mut pacer, soon);
    assert_eq!(pacer.lag_to_tell(soon), None);
    let later = now + Duration::from_millis(1100);
    assert!(pacer.lag_to_tell(later).is_some());
    assert_eq!(pacer.lag_to_tell(later + LAG_TOLD_EVERY * 2), None);
}
