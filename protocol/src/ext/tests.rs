//! Strict reading names the field; bounds hold before anything else.

use proptest::prelude::*;

use super::*;

#[track_caller]
fn refused(text: &str, code: ErrorCode, field: &str) {
    let error = ExtEnvelope::parse(text).unwrap_err();
    assert_eq!(error.code, code, "{error}");
    assert!(
        error.detail.contains(field),
        "{error} does not name {field}"
    );
}

#[test]
fn whole_envelope_is_read() {
    let text = r#"{"v":1,"svc":"chat","type":"send","flags":7,"seq":123,"room":"party:1","data":{"text":"hi"}}"#;
    let envelope = ExtEnvelope::parse(text).unwrap();
    assert_eq!((&*envelope.svc, &*envelope.kind), ("chat", "send"));
    assert_eq!((envelope.flags, envelope.seq), (7, Some(123)));
    assert_eq!(envelope.room.as_deref(), Some("party:1"));
    assert_eq!(envelope.data.as_ref().unwrap().get(), r#"{"text":"hi"}"#);
    assert_eq!(envelope.to_text(), text);
}

#[test]
fn least_envelope_is_read() {
    let envelope = ExtEnvelope::parse(r#"{"v":1,"svc":"sys","type":"ping","flags":0}"#).unwrap();
    assert_eq!(envelope.to_text(), r#"{"v":1,"svc":"sys","type":"ping"}"#);
    assert!(envelope.data.is_none());
}

#[test]
fn wrong_envelope_is_refused_by_field() {
    use ErrorCode::{BadRequest, UnsupportedVersion};
    refused(r#"{"v":2,"svc":"a","type":"b"}"#, UnsupportedVersion, "v:");
    refused(r#"{"v":"1","svc":"a","type":"b"}"#, BadRequest, "v:");
    refused(r#"{"svc":"a","type":"b"}"#, BadRequest, "`v`");
    refused(r#"{"v":1,"type":"b"}"#, BadRequest, "`svc`");
    refused(r#"{"v":1,"svc":"a"}"#, BadRequest, "`type`");
    refused(
        r#"{"v":1,"svc":"a","type":"b","extra":1}"#,
        BadRequest,
        "`extra`",
    );
    refused(r#"{"v":1,"v":1,"svc":"a","type":"b"}"#, BadRequest, "`v`");
    refused(r#"{"v":1,"svc":7,"type":"b"}"#, BadRequest, "svc:");
    refused(r#"{"v":1,"svc":"","type":"b"}"#, BadRequest, "svc:");
    refused(r#"{"v":1,"svc":"a","type":null}"#, BadRequest, "type:");
    refused(
        r#"{"v":1,"svc":"a","type":"b","seq":-1}"#,
        BadRequest,
        "seq:",
    );
    refused(
        r#"{"v":1,"svc":"a","type":"b","seq":4294967296}"#,
        BadRequest,
        "seq:",
    );
    refused(
        r#"{"v":1,"svc":"a","type":"b","room":[]}"#,
        BadRequest,
        "room:",
    );
    refused(
        r#"{"v":1,"svc":"a","type":"b","flags":8}"#,
        BadRequest,
        "flags:",
    );
    refused(
        r#"{"v":1,"svc":"a","type":"b","flags":1}"#,
        BadRequest,
        "seq:",
    );
    refused(
        r#"{"v":1,"svc":"a","type":"b","flags":2}"#,
        BadRequest,
        "room:",
    );
    refused("", BadRequest, "message:");
    refused("[1]", BadRequest, "message:");
}

#[test]
fn envelope_past_its_bounds_is_refused() {
    let filled = |data: &str| format!(r#"{{"v":1,"svc":"a","type":"b","data":{data}}}"#);
    let nested = |levels| filled(&("[".repeat(levels) + &"]".repeat(levels)));
    assert!(ExtEnvelope::parse(&nested(EXT_DEPTH_MAX - 1)).is_ok());
    refused(&nested(EXT_DEPTH_MAX), ErrorCode::BadRequest, "nested");
    refused(&"[".repeat(EXT_BYTES_MAX), ErrorCode::BadRequest, "nested");
    assert!(ExtEnvelope::parse(&filled(r#""[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"[""#)).is_ok());
    let long = filled(&format!("\"{}\"", "x".repeat(EXT_BYTES_MAX)));
    refused(&long, ErrorCode::PayloadTooLarge, "message");
    let name = "n".repeat(EXT_NAME_BYTES_MAX + 1);
    refused(
        &format!(r#"{{"v":1,"svc":"{name}","type":"b"}}"#),
        ErrorCode::BadRequest,
        "svc:",
    );
    let unknown = format!(r#"{{"v":1,"{}":1}}"#, "k".repeat(9_000));
    assert!(ExtEnvelope::parse(&unknown).unwrap_err().detail.len() < 300);
}

#[test]
fn data_of_another_shape_is_refused_by_name() {
    let envelope = ExtEnvelope::parse(r#"{"v":1,"svc":"a","type":"b","data":{"n":"x"}}"#).unwrap();
    assert!(
        envelope
            .data_as::<u32>()
            .unwrap_err()
            .detail
            .starts_with("data:")
    );
    let bare = ExtEnvelope::new("a", "b");
    assert_eq!(bare.data_as::<Option<u32>>(), Ok(None));
}

proptest! {
    #[test]
    fn any_text_is_an_envelope_or_a_refusal(text in r#"(\{|\}|"v":1|,|"svc":"a"|"type":"b"|"seq":|[0-9]|\[|\]|"|\\|é| ){0,14}"#) {
        if let Ok(envelope) = ExtEnvelope::parse(&text) {
            let again = envelope.to_text();
            prop_assert_eq!(ExtEnvelope::parse(&again).unwrap().to_text(), again.clone());
        }
    }
}
