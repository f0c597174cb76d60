//! Codes have stable names; envelopes are JSON whatever the detail holds.

use super::*;
use crate::ext::ExtEnvelope;

#[test]
fn codes_are_read_by_their_names() {
    for code in ErrorCode::ALL {
        assert_eq!(ErrorCode::from_name(code.as_str()), Some(code));
    }
    assert_eq!(ErrorCode::from_name("bad_request"), None);
}

#[test]
fn error_envelope_escapes_its_detail() {
    let plain = error_envelope(ErrorCode::BadRequest, "svc: missing", None);
    let expected =
        r#"{"v":1,"svc":"sys","type":"error","data":{"code":"BAD_REQUEST","msg":"svc: missing"}}"#;
    assert_eq!(plain, expected);
    let hostile = error_envelope(ErrorCode::Timeout, "\"},\u{1}\n\\", Some(9));
    let envelope = ExtEnvelope::parse(&hostile).unwrap();
    assert_eq!(envelope.seq, Some(9));
    let data: serde_json::Value = envelope.data_as().unwrap();
    assert_eq!(data["msg"], "\"},\u{1}\n\\");
}
