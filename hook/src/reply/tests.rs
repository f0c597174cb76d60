use super::*;

fn session() -> SessionId {
    SessionId::new(1, 7)
}

#[test]
fn an_answer_to_an_event_may_say_nothing_something_or_the_end() {
    let read = |body: &str| of_event(session(), body.as_bytes(), None);
    for nothing in ["", " \n", "{}", r#"{"reply":null}"#, r#"{"more":1}"#] {
        assert_eq!(read(nothing), Ok(None), "{nothing}");
    }
    let reply = read(r#"{"reply": {"n": 1.50}, "close": {"code": 4000, "reason": "over"}}"#);
    let wanted = Reply {
        session: session(),
        say: Some(Say {
            reply: r#"{"n": 1.50}"#.to_owned(),
            address: None,
        }),
        close: Some((4000, "over".to_owned())),
    };
    assert_eq!(reply, Ok(Some(wanted)));
    for bad in ["no", "[1]", r#"{"close":{"code":1}}"#, r#"{"close":{}}"#] {
        assert_eq!(read(bad), Err(()), "{bad}");
    }
}

#[test]
fn a_reply_is_told_as_its_session_reads_it() {
    let say = |reply: &str| Say {
        reply: reply.to_owned(),
        address: None,
    };
    let told = |say: &Say, framing| say.payload(framing).unwrap().as_text().unwrap().to_owned();
    assert_eq!(told(&say(r#""a \"word\"""#), Framing::Raw), r#"a "word""#);
    assert_eq!(told(&say(r#"{"n":1}"#), Framing::Raw), r#"{"n":1}"#);
    assert_eq!(told(&say(r#""a word""#), Framing::Lanes), r#""a word""#);
    let answer = Say {
        address: Some(Address {
            service: "shop".to_owned(),
            kind: "bought".to_owned(),
            room: None,
            seq: Some(3),
        }),
        ..say("[1]")
    };
    let envelope = told(&answer, Framing::Lanes);
    let envelope = ExtEnvelope::parse(&envelope).unwrap();
    assert_eq!((&*envelope.svc, &*envelope.kind), ("shop", "bought"));
    assert_eq!(
        (envelope.seq, envelope.data.unwrap().get()),
        (Some(3), "[1]")
    );
}

#[test]
fn whom_the_service_lets_in_it_names() {
    let entry = |body: &str| match of_auth(body.as_bytes()) {
        Ok(Decision::Allow(entry)) => entry,
        Ok(Decision::Deny(why)) => panic!("denied: {why}"),
        Err(()) => panic!("not read"),
    };
    assert_eq!(entry(r#"{"allow":true}"#), Entry::default());
    let full = r#"{"allow":true,"user":"anna","tenant":"a","expires_s":9,"connect":{"level":3}}"#;
    let wanted = Entry {
        user: Some(UserId::new("anna").unwrap()),
        tenant: Some("a".to_owned()),
        expires: Some(Duration::from_secs(9)),
        connect: Some(JsonText::parse(r#"{"level":3}"#, 100).unwrap()),
    };
    assert_eq!(entry(full), wanted);
    for (body, said) in [
        (r#"{"allow":false}"#, DENIED),
        (r#"{"allow":false,"reason":"banned","user":"x"}"#, "banned"),
    ] {
        assert!(matches!(of_auth(body.as_bytes()), Ok(Decision::Deny(why)) if why == said));
    }
    for bad in [
        "",
        "{}",
        "true",
        "[true]",
        r#"{"allow":"yes"}"#,
        r#"{"allow":true,"user":""}"#,
    ] {
        assert!(of_auth(bad.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn replies_wait_for_their_shard_up_to_a_bound() {
    let replies = Replies::new(2);
    let reply = |home, number| Reply {
        session: SessionId::new(home, number),
        say: None,
        close: Some((1000, String::new())),
    };
    assert!(replies.put(reply(0, 1)) && replies.put(reply(0, 2)));
    assert!(!replies.put(reply(0, 3)));
    assert!(replies.put(reply(1, 4)));
    assert_eq!(replies.take(0), [reply(0, 1), reply(0, 2)]);
    assert_eq!(replies.take(0), []);
    assert_eq!(replies.take(1), [reply(1, 4)]);
}
