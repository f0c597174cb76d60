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

#[test]
fn what_is_wrong_is_named_with_its_tenant() {
    let list = |entry: &str| Some(vec![entry.to_owned()]);
    for (what, told) in [
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
            told(|all| {
                all.tenants[1].limits.message_bytes_max = all.limits.message_bytes_max + 1;
            }),
        ),
        (
            "ext_allowlist: of the tenant acme: \"chat\"",
            told(|all| {
                all.tenants[0].policy.ext_allowlist = list("chat");
            }),
        ),
        (
            "hot_allowlist: of the tenant other: \"1:256\"",
            told(|all| {
                all.tenants[1].policy.hot_allowlist = list("1:256");
            }),
        ),
        (
            "per_second: of the tenant acme: 0",
            told(|all| {
                all.tenants[0].policy.rates.push(RateLimit {
                    per_second: 0,
                    ..rate()
                });
            }),
        ),
        (
            "burst: of the tenant acme: 0",
            told(|all| {
                all.tenants[0]
                    .policy
                    .rates
                    .push(RateLimit { burst: 0, ..rate() });
            }),
        ),
        (
            "throttle: of the tenant acme: ",
            told(|all| {
                let action = RateAction::Throttle(Duration::from_secs(61));
                all.tenants[0]
                    .policy
                    .rates
                    .push(RateLimit { action, ..rate() });
            }),
        ),
        (
            "rates: of the tenant acme: RateLimit",
            told(|all| {
                let twice = RateLimit {
                    action: RateAction::Disconnect,
                    ..rate()
                };
                all.tenants[0].policy.rates.extend([rate(), twice]);
            }),
        ),
        (
            "rates: of the tenant acme: 17",
            told(|all| {
                let rates = (1..=17).map(|burst| RateLimit { burst, ..rate() });
                all.tenants[0].policy.rates.extend(rates);
            }),
        ),
        (
            "per_ip_burst: 0",
            told(|all| {
                all.handshakes = Some(HandshakeLimit {
                    global_per_second: 1,
                    global_burst: 1,
                    per_ip_per_second: 1,
                    per_ip_burst: 0,
                    ip_entries_max: 1,
                });
            }),
        ),
    ] {
        assert!(
            told.starts_with(what),
            "{told:?} does not begin with {what:?}"
        );
    }
}
