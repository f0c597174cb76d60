use std::time::Duration;

use super::*;
use crate::policy::{HandshakeLimit, RateLimit, RateScope, RateUnit};

fn told(change: impl FnOnce(&mut ServerOptions)) -> String {
    let mut options = ServerOptions {
        tenants: vec![TenantOptions::new("acme"), TenantOptions::new("other")],
        ..ServerOptions::default()
    };
    validate(&options).unwrap();
    change(&mut options);
    validate(&options).unwrap_err().to_string()
}

fn rate() -> RateLimit {
    RateLimit {
        scope: RateScope::Connection,
        unit: RateUnit::Messages,
        per_second: 30,
        burst: 30,
        action: RateAction::Drop,
    }
}

fn told_of_policy(change: impl FnOnce(&mut Policy)) -> String {
    told(|all| change(&mut all.tenants[0].policy))
}

fn begins_with(cases: &[(&str, String)]) {
    for (what, told) in cases {
        assert!(
            told.starts_with(what),
            "{told:?} does not begin with {what:?}"
        );
    }
}

#[test]
fn tenants_and_lists_that_are_wrong_are_named() {
    let list = |entry: &str| Some(vec![entry.to_owned()]);
    begins_with(&[
        (
            "tenants: \"a b\"",
            told(|all| all.tenants[1].id = "a b".to_owned()),
        ),
        (
            "tenants: \"acme\" is there twice",
            told(|all| all.tenants[1].id = "acme".to_owned()),
        ),
        (
            "message_bytes_max: of the tenant other: ",
            told(|all| all.tenants[1].limits.message_bytes_max = all.limits.message_bytes_max + 1),
        ),
        (
            "ext_allowlist: of the tenant acme: \"chat\"",
            told_of_policy(|policy| policy.ext_allowlist = list("chat")),
        ),
        (
            "hot_allowlist: of the tenant acme: \"1:256\"",
            told_of_policy(|policy| policy.hot_allowlist = list("1:256")),
        ),
    ]);
}

#[test]
fn rates_that_are_wrong_are_named() {
    let with = |rates: &[RateLimit]| told_of_policy(|policy| policy.rates = rates.to_vec());
    let action = RateAction::Throttle(Duration::from_secs(61));
    let twice = [
        rate(),
        RateLimit {
            action: RateAction::Disconnect,
            ..rate()
        },
    ];
    let many: Vec<RateLimit> = (1..=17)
        .map(|burst| RateLimit { burst, ..rate() })
        .collect();
    begins_with(&[
        (
            "per_second: of the tenant acme: 0",
            with(&[RateLimit {
                per_second: 0,
                ..rate()
            }]),
        ),
        (
            "burst: of the tenant acme: 0",
            with(&[RateLimit { burst: 0, ..rate() }]),
        ),
        (
            "throttle: of the tenant acme: ",
            with(&[RateLimit { action, ..rate() }]),
        ),
        ("rates: of the tenant acme: RateLimit", with(&twice)),
        ("rates: of the tenant acme: 17", with(&many)),
    ]);
    let handshakes = HandshakeLimit {
        global_per_second: 1,
        global_burst: 1,
        per_ip_per_second: 1,
        per_ip_burst: 0,
        ip_entries_max: 1,
    };
    begins_with(&[(
        "per_ip_burst: 0",
        told(|all| all.handshakes = Some(handshakes)),
    )]);
}
