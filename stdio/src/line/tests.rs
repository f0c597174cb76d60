use super::*;

fn read(line: &str) -> Result<Asked, String> {
    Asked::read(line.as_bytes())
}

fn line(told: &Told<'_>) -> String {
    String::from_utf8(told.line()).unwrap()
}

#[test]
fn what_is_told_is_one_line_each() {
    let member = SessionId::new(3, 7);
    let number = member.value();
    let hostile = Payload::from("a\nb\"\u{2028}");
    for (told, expected) in [
        (
            Told::Init {
                protocol: PROTOCOL,
                room: "a\nb",
            },
            r#"{"type":"init","protocol":1,"room":"a\nb"}"#.to_owned(),
        ),
        (
            Told::message(member, &hostile),
            format!("{{\"type\":\"message\",\"member\":{number},\"text\":\"a\\nb\\\"\u{2028}\"}}"),
        ),
        (
            Told::message(member, &Payload::Binary(vec![0, 255].into())),
            format!(r#"{{"type":"message","member":{number},"binary":"AP8="}}"#),
        ),
    ] {
        let line = line(&told);
        assert_eq!(line.strip_suffix('\n'), Some(&*expected));
        assert_eq!(line.matches('\n').count(), 1);
    }
}

#[test]
fn what_is_asked_is_read_strictly() {
    let kick = Asked::Kick {
        member: 5,
        code: 1008,
        reason: String::new(),
    };
    assert_eq!(read(r#"{"type":"kick","member":5}"#), Ok(kick));
    for (to, expected) in [
        (r#""all""#, To::All(All::All)),
        ("5", To::One(5)),
        ("[5,6]", To::Some(vec![5, 6])),
    ] {
        let line = format!(r#"{{"type":"send","to":{to},"text":"x"}}"#);
        let Ok(Asked::Send { to, .. }) = read(&line) else {
            panic!("{line}");
        };
        assert_eq!(to, expected);
    }
    for line in [
        "",
        "hello",
        "[]",
        "{}",
        r#"{"type":"shout"}"#,
        r#"{"type":"send","to":"everybody","text":"x"}"#,
        r#"{"type":"send","to":-1,"text":"x"}"#,
        r#"{"type":"kick"}"#,
        r#"{"type":"kick","member":5,"why":"because"}"#,
        r#"{"type":"kick","member":5} {"type":"kick","member":6}"#,
        r#"{"type":"log","level":"loud","text":"x"}"#,
        "\u{0}",
    ] {
        assert!(read(line).is_err(), "{line:?}");
    }
    assert!(Asked::read(b"{\"type\":\"log\",\"text\":\"\xff\"}").is_err());
}

#[test]
fn a_send_has_text_or_bytes() {
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(payload(text("x"), None), Ok("x".into()));
    let bytes = Payload::Binary(vec![0, 255].into());
    assert_eq!(payload(None, text("AP8=")), Ok(bytes));
    assert!(payload(None, text("AP8")).is_err());
    assert!(payload(None, None).is_err());
    assert!(payload(text("x"), text("AP8=")).is_err());
}

#[test]
fn an_error_shows_the_beginning_of_a_long_line() {
    let long = "ä".repeat(1000);
    let told = line(&Told::error("why", long.as_bytes()));
    assert!(told.len() < 300 && told.contains("ää"), "{told}");
}
