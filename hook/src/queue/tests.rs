use super::*;

#[test]
fn what_has_no_room_is_given_back() {
    let queue = Queue::new(2, 100);
    assert_eq!(queue.put('a', 100), Ok(()));
    assert_eq!(queue.put('b', 1), Err('b'), "too many bytes");
    assert_eq!(queue.put('b', 0), Ok(()));
    assert_eq!(queue.put('c', 0), Err('c'), "too many");
    assert_eq!(queue.take(), Some('a'));
    assert_eq!(queue.put('c', 100), Ok(()));
    assert_eq!(queue.len(), 2);
}

#[test]
fn at_the_end_what_waits_is_taken_until_the_time_is_over() {
    let queue = Queue::new(9, 9);
    queue.put('a', 1).unwrap();
    queue.put('b', 1).unwrap();
    queue.end(clock::now() + Duration::from_secs(3600));
    assert_eq!(queue.put('c', 1), Err('c'));
    assert_eq!(queue.take(), Some('a'));
    queue.end(clock::now());
    assert_eq!(queue.take(), None);
    let left = queue.rest(Duration::from_secs(3600));
    assert_eq!(left, Some(Duration::ZERO), "nobody pauses beyond the end");
}
