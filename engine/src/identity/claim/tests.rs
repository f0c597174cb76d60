//! Where a credential may stand, that it stands in one place, and that nothing wrong is quoted.

use worldshard_transport::parse_head;

use super::*;

fn head(target: &str, lines: &[&str]) -> RequestHead {
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    let head = format!("GET {target} HTTP/1.1\r\nHost: h\r\n{lines}\r\n");
    parse_head(head.as_bytes()).unwrap().unwrap().0
}

fn shown(target: &str, lines: &[&str]) -> Result<Option<Credential>, Refusal> {
    Claim::of(&head(target, lines)).map(|claim| claim.credential)
}

#[test]
fn a_credential_is_found_in_each_of_its_places() {
    let places: [(&str, &[&str], Place); 5] = [
        ("/ws", &["Authorization: Bearer a.b.c"], Place::Header),
        ("/ws", &["authorization: bearer  a.b.c"], Place::Header),
        (
            "/ws",
            &["Sec-WebSocket-Protocol: chat, worldshard.auth.a.b.c"],
            Place::Protocol,
        ),
        ("/ws?x=1&token=a.b.c", &[], Place::Query),
        ("/ws?token=a%2Eb%2Ec", &[], Place::Query),
    ];
    for (target, lines, place) in places {
        let expected = Credential::new("a.b.c", place);
        assert_eq!(
            shown(target, lines),
            Ok(Some(expected)),
            "{target} {lines:?}"
        );
    }
    assert_eq!(shown("/ws", &["Authorization: Basic YTpi"]), Ok(None));
    assert_eq!(shown("/ws?resume=abc", &[]), Ok(None));
}

#[test]
fn two_credentials_are_one_too_many_wherever_they_stand() {
    let lines = [
        "Authorization: Bearer a",
        "Sec-WebSocket-Protocol: worldshard.auth.a",
    ];
    let refused = Err(Refusal::new(400, "more than one credential"));
    assert_eq!(shown("/ws", &lines), refused);
    assert_eq!(shown("/ws", &[lines[0], lines[0]]), refused);
    assert_eq!(shown("/ws", &[lines[1], lines[1]]), refused);
    assert_eq!(shown("/ws?token=a", &lines[..1]), refused);
    assert_eq!(shown("/ws?token=a", &lines[1..]), refused);
    assert_eq!(shown("/ws?token=a&token=a", &[]), refused);
}

#[test]
fn what_a_client_says_of_itself_is_read_from_the_query() {
    let claim = Claim::of(&head(
        "/ws?user=anna%40example.org&env=browser&connect=%7B%22a%22%3A%201%7D",
        &[],
    ))
    .unwrap();
    assert_eq!(claim.user, Some(UserId::new("anna@example.org").unwrap()));
    assert_eq!(claim.environment, Some(Environment::Browser));
    assert_eq!(claim.connect.unwrap().as_str(), r#"{"a": 1}"#);
    let environment = |target: &str| Claim::of(&head(target, &[])).unwrap().environment;
    assert_eq!(environment("/ws?t=0"), Some(Environment::Native));
    assert_eq!(environment("/ws?t=1"), Some(Environment::Browser));
    assert_eq!(environment("/ws?t=1&env=native"), Some(Environment::Native));
    assert_eq!(environment("/ws?t=1700000000"), None);
    assert_eq!(
        Claim::of(&head("/ws?connect=null", &[])),
        Ok(Claim::default())
    );
    let long = format!("/ws?connect=%22{}%22", "a".repeat(CONNECT_BYTES_MAX - 1));
    for (target, name) in [
        ("/ws?user=", "user"),
        ("/ws?user=an%20na", "user"),
        ("/ws?env=tv", "env"),
        ("/ws?connect=%7B", "connect"),
        (&long, "connect"),
    ] {
        let refusal = Claim::of(&head(target, &[])).unwrap_err();
        assert_eq!(refusal.status, 400);
        let expected = format!("{name}: ");
        assert!(refusal.reason.starts_with(&expected), "{refusal}");
    }
}

#[test]
fn a_first_message_counts_for_more_than_the_query() {
    let claim = Claim::of(&head("/ws?user=anna&env=native&connect=1", &[])).unwrap();
    let text = r#"{"v":1,"svc":"sys","type":"auth","data":{"token":"t","user":"bert","connect":{"x":[1]}}}"#;
    let claim = claim.then_said(text).unwrap();
    assert_eq!(claim.credential, Some(Credential::new("t", Place::Message)));
    assert_eq!(claim.user, Some(UserId::new("bert").unwrap()));
    assert_eq!(claim.environment, Some(Environment::Native));
    assert_eq!(claim.connect.unwrap().as_str(), r#"{"x":[1]}"#);
    for text in [
        r#"{"v":1,"svc":"sys","type":"auth"}"#,
        r#"{"v":1,"svc":"sys","type":"auth","data":null}"#,
        r#"{"v":1,"svc":"sys","type":"auth","data":{}}"#,
        r#"{"v":1,"svc":"sys","type":"auth","data":{"token":null,"connect":null}}"#,
    ] {
        let said = Claim::default().then_said(text);
        assert_eq!(said, Ok(Claim::default()), "{text}");
    }
}

#[test]
fn any_other_first_message_is_refused_and_not_quoted() {
    for text in [
        "hello s3cret",
        r#"{"s3cret":1}"#,
        r#"{"v":1,"svc":"sys","type":"ping","data":"s3cret"}"#,
        r#"{"v":1,"svc":"world","type":"auth","data":{"token":"s3cret"}}"#,
        r#"{"v":1,"svc":"sys","type":"auth","data":"s3cret"}"#,
        r#"{"v":1,"svc":"sys","type":"auth","data":{"s3cret":"s3cret"}}"#,
        r#"{"v":1,"svc":"sys","type":"auth","data":{"token":["s3cret"]}}"#,
        r#"{"v":1,"svc":"sys","type":"auth","data":{"user":"s3cret!"}}"#,
        r#"{"v":1,"svc":"sys","type":"auth","data":{"env":"s3cret"}}"#,
    ] {
        let why = Claim::default().then_said(text).unwrap_err();
        assert!(matches!(why, Unproven::FirstMessage(_)), "{text}");
        assert!(!why.to_string().contains("s3cret"), "{why}");
    }
}

#[test]
fn the_answer_names_a_subprotocol_that_was_offered_and_ours_first() {
    let answered = |offered: &str, resuming: Option<&str>| {
        let line = format!("Sec-WebSocket-Protocol: {offered}");
        answered_protocol(&head("/ws", &[&line]), resuming).map(str::to_owned)
    };
    let both = answered("worldshard.auth.x, worldshard.1", None);
    assert_eq!(both.as_deref(), Some("worldshard.1"));
    let one = answered("chat, worldshard.auth.x", None);
    assert_eq!(one.as_deref(), Some("worldshard.auth.x"));
    let resumes = "worldshard.resume.y";
    let resuming = answered("worldshard.auth.x, worldshard.resume.y", Some(resumes));
    assert_eq!(resuming.as_deref(), Some(resumes));
    assert_eq!(answered("chat", None), None);
}

#[test]
fn no_credential_is_shown() {
    let claim = Claim::of(&head("/ws?token=s3cret", &[])).unwrap();
    let debug = format!("{claim:?}{claim:#?}");
    assert!(
        debug.contains("Query") && !debug.contains("s3cret"),
        "{debug}"
    );
}
