use std::time::Duration;

use super::*;
use crate::policy::options::{RateAction, RateLimit, RateUnit};

fn rate(scope: RateScope) -> Rate {
    Rate::of(&RateLimit {
        scope,
        unit: RateUnit::Messages,
        per_second: 1,
        burst: 10,
        action: RateAction::Drop,
    })
}

fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

#[test]
fn who_shares_a_bucket_its_scope_says() {
    let (buckets, now) = (Buckets::default(), Moment::default());
    let find = |tenant, name: Option<&str>, scope| {
        let user = name.map(user);
        buckets.shared(tenant, user.as_ref(), &rate(scope), now)
    };
    assert!(find(0, Some("anna"), RateScope::Connection).is_none());
    assert!(find(0, None, RateScope::User).is_none());
    let same = |one: Option<Arc<AtomicU64>>, other: Option<Arc<AtomicU64>>| {
        Arc::ptr_eq(&one.unwrap(), &other.unwrap())
    };
    let anna = || find(0, Some("anna"), RateScope::User);
    assert!(same(anna(), anna()));
    assert!(!same(anna(), find(0, Some("ben"), RateScope::User)));
    assert!(
        !same(anna(), find(1, Some("anna"), RateScope::User)),
        "another tenant's anna"
    );
    let tenant = |name| find(0, name, RateScope::Tenant);
    assert!(same(tenant(None), tenant(Some("anna"))));
    assert!(!same(tenant(None), find(1, None, RateScope::Tenant)));
    assert!(!same(tenant(None), anna()));
}

#[test]
fn a_bucket_that_is_not_full_outlives_who_emptied_it() {
    let buckets = Buckets::default();
    let now = Moment::at(Duration::from_secs(1));
    let (rate, anna) = (rate(RateScope::User), user("anna"));
    let full = Moment::at(Duration::from_secs(9));
    let bucket = buckets.shared(0, Some(&anna), &rate, now).unwrap();
    bucket.store(full.value(), Ordering::Relaxed);
    drop(bucket);
    for other in 0..1000 {
        buckets.shared(0, Some(&user(&format!("user{other}"))), &rate, now);
    }
    assert!(
        buckets.len() <= PRUNE_AT_LEAST,
        "{} are kept",
        buckets.len()
    );
    let again = buckets.shared(0, Some(&anna), &rate, now).unwrap();
    assert_eq!(again.load(Ordering::Relaxed), full.value());
}
