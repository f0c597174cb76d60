//! How each outcome stands on each lane.

use super::*;
use crate::frame;
use crate::message::Text;

fn ext(outcome: &Outcome) -> String {
    let mut text = String::new();
    frame::open(&ext_outcome(9, outcome), |kind, payload| {
        assert_eq!(kind, MessageKind::Text);
        text = String::from_utf8(payload.to_vec()).unwrap();
    });
    text
}

fn hot(outcome: &Outcome) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::open(&hot_outcome(9, outcome), |kind, payload| {
        assert_eq!(kind, MessageKind::Binary);
        bytes = payload.to_vec();
    });
    bytes
}

/// A header of the hot lane, numbered 9.
fn headed(opcode: u8, payload: &[u8]) -> Vec<u8> {
    [&[1, 3, opcode, 1, 9, 0, 0, 0], payload].concat()
}

#[test]
fn a_response_is_json_as_it_stands_or_a_json_string() {
    let json = Text::json(r#" {"a": [1, "x"]} "#).unwrap();
    assert_eq!(
        ext(&Outcome::Response(json.into())),
        r#"{"v":1,"svc":"app","type":"response","seq":9,"data":{"a": [1, "x"]}}"#
    );
    assert_eq!(
        ext(&Outcome::Response("say \"hi\"".into())),
        r#"{"v":1,"svc":"app","type":"response","seq":9,"data":"say \"hi\""}"#
    );
    // A text that only looks like JSON is none: else what it means would change with the words of a user.
    assert_eq!(
        ext(&Outcome::Response("true".into())),
        r#"{"v":1,"svc":"app","type":"response","seq":9,"data":"true"}"#
    );
    assert!(Text::json("{").is_none() && Text::json("").is_none() && Text::json("1 2").is_none());
}

#[test]
fn bytes_answer_no_request_of_the_ext_lane() {
    assert_eq!(
        ext(&Outcome::Response(vec![1, 2].into())),
        r#"{"v":1,"svc":"app","type":"reject","seq":9,"data":{"code":"INTERNAL","msg":"the answer is not text"}}"#
    );
    assert_eq!(
        hot(&Outcome::Response(vec![1, 2].into())),
        headed(2, &[1, 2])
    );
    assert_eq!(hot(&Outcome::Response("hi".into())), headed(2, b"hi"));
}

#[test]
fn acknowledgements_and_rejections_name_their_request_on_both_lanes() {
    assert_eq!(
        ext(&Outcome::Ack),
        r#"{"v":1,"svc":"app","type":"ack","seq":9}"#
    );
    assert_eq!(hot(&Outcome::Ack), headed(3, b""));
    let reject = Outcome::Reject(ErrorCode::NotAllowed, "not \"you\"".into());
    assert_eq!(
        ext(&reject),
        r#"{"v":1,"svc":"app","type":"reject","seq":9,"data":{"code":"NOT_ALLOWED","msg":"not \"you\""}}"#
    );
    assert_eq!(hot(&reject), headed(4, b"NOT_ALLOWED\0not \"you\""));
    assert_eq!(
        ext(&Outcome::Nobody),
        r#"{"v":1,"svc":"app","type":"reject","seq":9,"data":{"code":"INTERNAL","msg":"nobody answered"}}"#
    );
    assert_eq!(
        hot(&Outcome::Nobody),
        headed(4, b"INTERNAL\0nobody answered")
    );
}
