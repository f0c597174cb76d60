//! What is said comes out letter by letter, within its bounds.

use super::*;

#[test]
fn a_text_is_kept_to_the_letter() {
    for text in [
        r#"{"b":1,"a":[1.0,1e2,9007199254740993], "x" : "\u00e4"}"#,
        "null",
        "-0",
        "\"\"",
    ] {
        let parsed = JsonText::parse(&format!(" {text}\n"), 100).unwrap();
        assert_eq!(parsed.as_str(), text);
        assert_eq!(serde_json::to_string(&parsed).unwrap(), text);
        assert_eq!(serde_json::from_str::<JsonText>(text).unwrap(), parsed);
    }
}

#[test]
fn what_is_too_long_too_deep_or_no_json_is_refused() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(JsonText::parse(&nested(JSON_TEXT_DEPTH_MAX), 100).is_ok());
    assert!(JsonText::parse(&nested(JSON_TEXT_DEPTH_MAX + 1), 100).is_err());
    assert!(JsonText::parse("12345", 5).is_ok());
    assert!(JsonText::parse("123456", 5).is_err());
    for text in ["", "{", "{} {}", "nul", "'a'", "\u{0}"] {
        assert!(JsonText::parse(text, 100).is_err(), "{text:?}");
    }
}
