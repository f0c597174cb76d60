//! Rejections survive the way, and hostile ones are refused.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn a_rejection_is_read_as_written(at in 0..ErrorCode::ALL.len(), msg: String) {
        let code = ErrorCode::ALL[at];
        let mut payload = Vec::new();
        write_reject(code, &msg, &mut payload);
        let (name, read) = read_reject(&payload).unwrap();
        prop_assert_eq!((ErrorCode::from_name(name), read), (Some(code), &*msg));
    }

    #[test]
    fn any_payload_is_a_rejection_or_refused(payload: Vec<u8>) {
        if let Ok((code, msg)) = read_reject(&payload) {
            prop_assert_eq!([code.as_bytes(), b"\0", msg.as_bytes()].concat(), payload);
        }
    }
}

#[test]
fn a_payload_that_is_no_rejection_is_refused() {
    for payload in [&b""[..], b"INTERNAL", b"\xff\0why", b"INTERNAL\0\xff"] {
        assert_eq!(
            read_reject(payload).unwrap_err().code,
            ErrorCode::BadRequest
        );
    }
    assert_eq!(read_reject(b"LATER\0"), Ok(("LATER", "")));
}
