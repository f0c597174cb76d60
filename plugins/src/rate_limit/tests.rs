use std::time::Duration;

use super::{Bucket, Rate};

#[test]
fn a_bucket_holds_what_it_holds_and_fills_at_its_rate() {
    let rate = Rate {
        per_s: 4,
        at_once: 3,
    };
    let mut bucket = Bucket::default();
    let mut take = |tokens, ms| {
        let after = bucket.after(tokens, Duration::from_millis(ms), rate);
        after.map(|after| bucket = after).is_some()
    };
    assert!(take(1, 0) && take(2, 0));
    assert!(!take(1, 0), "it is empty");
    assert!(!take(1, 249));
    assert!(take(1, 250) && !take(1, 499) && take(1, 500));
    // It never holds more than it holds.
    assert!(take(3, 60_000) && !take(1, 60_000));
    // What is longer than it is large takes all of a full one, and of no other.
    assert!(!take(100, 60_700) && take(100, 60_750) && !take(1, 60_750));
}
