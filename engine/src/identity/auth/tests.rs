//! Who is let in by which rule, and as whom.

use worldshard_transport::parse_head;

use super::*;
use crate::identity::{Grant, PrivateKey};

const NOW: Duration = Duration::from_secs(1_700_000_000);

fn claim(query: &str) -> Claim {
    let head = format!("GET /ws?{query} HTTP/1.1\r\nHost: h\r\n\r\n");
    Claim::of(&parse_head(head.as_bytes()).unwrap().unwrap().0).unwrap()
}

fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

#[test]
fn where_nothing_is_asked_for_everyone_is_who_they_say() {
    let auth = Auth::None;
    assert!(!auth.asks());
    let identity = auth
        .prove(claim("user=anna&env=browser&connect=7"), NOW)
        .unwrap();
    assert_eq!(identity.user, Some(user("anna")));
    assert_eq!(identity.environment, Some(Environment::Browser));
    assert_eq!(identity.connect.unwrap().as_str(), "7");
    assert!(auth.prove(claim(""), NOW).unwrap().is_nobodys());
}

#[test]
fn a_secret_lets_in_whoever_shows_it() {
    let auth = Auth::Secret(Secret::new(b"sixteen-bytes-ok").unwrap());
    assert!(auth.asks());
    let identity = auth
        .prove(claim("user=anna&token=sixteen-bytes-ok"), NOW)
        .unwrap();
    assert_eq!(
        (identity.user, identity.expires),
        (Some(user("anna")), None)
    );
    let wrong = auth.prove(claim("user=anna&token=sixteen-bytes-no"), NOW);
    assert_eq!(wrong, Err(Unproven::Secret));
    assert_eq!(auth.prove(claim("user=anna"), NOW), Err(Unproven::Missing));
    assert!(!format!("{auth:?}").contains("sixteen"));
}

#[test]
fn a_token_says_whose_session_it_is_and_until_when() {
    let key = PrivateKey::from_seed([7; 32]);
    let grant = Grant {
        user: user("anna"),
        tenant: None,
        audience: AUDIENCE.to_owned(),
        issued: NOW,
        expires: NOW + Duration::from_secs(60),
    };
    let token = grant.token(&key);
    let mut policy = TokenPolicy::new(vec![key.public().clone()]);
    let prove = |policy: &TokenPolicy, query: &str| {
        let query = format!("token={token}{query}");
        Auth::Tokens(policy.clone()).prove(claim(&query), NOW)
    };
    let identity = prove(&policy, "").unwrap();
    assert_eq!(identity.user, Some(user("anna")));
    assert_eq!(identity.expires, Some(grant.expires));
    assert!(prove(&policy, "&user=anna").is_ok());
    assert_eq!(prove(&policy, "&user=bert"), Err(Unproven::OtherUser));
    policy.on_expiry = OnExpiry::Keep;
    assert_eq!(prove(&policy, "").unwrap().expires, None);
    let auth = Auth::Tokens(policy);
    assert_eq!(auth.prove(claim("user=anna"), NOW), Err(Unproven::Missing));
}
