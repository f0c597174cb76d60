use super::*;
use crate::runtime::clock;

#[test]
fn connections_go_to_the_least_loaded_shard_that_lives() {
    let start = clock::now();
    let liveness = Liveness::new(3, start);
    for _ in 0..6 {
        liveness.connection_given(liveness.least_loaded(start).unwrap());
    }
    liveness.connection_gone(ShardId(1));
    assert_eq!(liveness.least_loaded(start), Some(ShardId(1)));

    let later = start + STALE_AFTER + Duration::from_millis(1);
    assert_eq!(liveness.least_loaded(later), None);
    liveness.stamp(ShardId(0), later);
    liveness.stamp(ShardId(2), later);
    assert_eq!(liveness.stale(later), [ShardId(1)]);
    assert_eq!(liveness.least_loaded(later), Some(ShardId(0)));
}

#[test]
fn a_shard_is_named_only_while_it_is_silent() {
    let start = clock::now();
    let liveness = Liveness::new(2, start);
    assert!(liveness.stale(start + STALE_AFTER).is_empty());
    let late = start + STALE_AFTER * 2;
    assert_eq!(liveness.stale(late), [ShardId(0), ShardId(1)]);
    liveness.stamp(ShardId(0), late);
    liveness.stamp(ShardId(1), late);
    assert!(liveness.stale(late).is_empty());
}

#[test]
fn of_many_at_once_as_many_connections_are_admitted_as_may_be() {
    let liveness = Liveness::new(2, clock::now());
    for _ in 0..20 {
        let admitted: usize = std::thread::scope(|scope| {
            let ask = || (0..50).filter(|_| liveness.connection_admitted(77)).count();
            let all: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
            all.into_iter().map(|one| one.join().unwrap()).sum()
        });
        assert_eq!((admitted, liveness.connections()), (77, 77));
        liveness.connection_ended();
        assert!(liveness.connection_admitted(77) && !liveness.connection_admitted(77));
        (0..77).for_each(|_| liveness.connection_ended());
    }
}
