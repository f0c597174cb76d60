//! A greeting survives the way; one of another layout is refused before it is read.

use super::*;

fn greeting() -> Greeting {
    Greeting {
        session: (1 << 53) - 1,
        layout: LAYOUT_VERSION,
        tick: 7,
        tick_rate_hz: 20.0,
        shards: 2,
        home: 1,
        world: "flock".to_owned(),
        space: SpaceInfo {
            min: [-10.0; 3],
            max: [10.0, 10.0, 0.1],
            metric: "plane".to_owned(),
            cell_edge_m: 5.0,
        },
        territories: vec![TerritoryInfo {
            shard: 0,
            min: [-10.0; 3],
            max: [0.0, 10.0, 0.1],
        }],
        interest: InterestInfo {
            radius_m: 60.0,
            hysteresis_m: 5.0,
            radius_max_m: 90.0,
        },
        border_m: 100.0,
        components: vec![ComponentInfo {
            index: 0,
            name: "health".to_owned(),
        }],
        entity: None,
        command_sequence: None,
        resume: None,
        user: None,
        tenant: None,
        trace: None,
        connect: None,
    }
}

#[test]
fn greeting_is_read_as_sent() {
    for entity in [None, Some(1 << 53)] {
        let greeting = Greeting {
            entity,
            ..greeting()
        };
        let text = greeting.to_text();
        assert!(text.starts_with(
            r#"{"v":1,"svc":"sys","type":"authed","data":{"session":9007199254740991,"#
        ));
        assert_eq!(Greeting::parse(&text), Ok(greeting));
    }
}

#[test]
fn greeting_says_who_the_client_is_in_its_own_words() {
    let connect = r#"{"lang":"de", "zoom":1.50}"#;
    let greeting = Greeting {
        user: Some(UserId::new("anna").unwrap()),
        tenant: Some("default".to_owned()),
        trace: Some("0af7651916cd43dd8448eb211c80319c".to_owned()),
        connect: Some(JsonText::parse(connect, 100).unwrap()),
        ..greeting()
    };
    let text = greeting.to_text();
    assert!(text.contains(&format!(r#""connect":{connect}"#)), "{text}");
    assert_eq!(Greeting::parse(&text), Ok(greeting));
}

#[test]
fn greeting_with_a_new_field_is_still_read() {
    let text = greeting()
        .to_text()
        .replace(r#""tick":7"#, r#""tick":7,"novelty":{}"#);
    assert_eq!(Greeting::parse(&text), Ok(greeting()));
}

#[test]
fn greeting_of_another_layout_is_refused() {
    let text = r#"{"v":1,"svc":"sys","type":"authed","data":{"layout":2,"other":true}}"#;
    let error = Greeting::parse(text).unwrap_err();
    assert_eq!(error.code, ErrorCode::UnsupportedVersion);
    assert!(error.detail.starts_with("layout"));
}

#[test]
fn other_first_messages_are_no_greeting() {
    let error = Greeting::parse(r#"{"v":1,"svc":"sys","type":"error","data":{}}"#).unwrap_err();
    assert_eq!(error.code, ErrorCode::BadRequest);
}
