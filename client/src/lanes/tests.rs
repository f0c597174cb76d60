//! What lanes keep from one connection to the next, and what they make of messages that they know only in part.

use super::*;

fn lanes() -> Lanes {
    Lanes::new(Framing::Lanes, AckPolicy::Auto, 3)
}

fn greeting(session: u64, taken: u32) -> String {
    format!(
        r#"{{"v":1,"svc":"sys","type":"authed","data":{{"session":{session},"layout":1,"tick":1,
        "tick_rate_hz":20.0,"shards":1,"home":0,"world":"w","space":{{"min":[0.0,0.0,0.0],"max":[1.0,1.0,1.0],
        "metric":"plane","cell_edge_m":1.0}},"territories":[],"interest":{{"radius_m":1.0,"hysteresis_m":0.0,
        "radius_max_m":1.0}},"border_m":1.0,"components":[],"entity":9,"command_sequence":{taken},"resume":"ab"}}}}"#
    )
}

fn kept(lanes: &Lanes) -> Vec<u32> {
    let sequence = |bytes: &Bytes| HotHeader::parse(bytes).unwrap().0.seq.unwrap();
    lanes.kept().map(sequence).collect()
}

#[test]
fn commands_are_kept_until_the_server_has_taken_them() {
    let mut lanes = lanes();
    lanes.hear_text(&greeting(5, 0)).unwrap();
    assert_eq!(lanes.avatar(), Some(EntityId(9)));
    for _ in 0..5 {
        lanes.say(&ClientMessage::Leave);
    }
    assert_eq!(kept(&lanes), [3, 4, 5], "the oldest are forgotten");
    lanes.begin_again();
    lanes.hear_text(&greeting(5, 4)).unwrap();
    assert_eq!((kept(&lanes), lanes.sequence()), (vec![5], 5));
    lanes.hear_text(&greeting(6, 0)).unwrap();
    assert!(
        kept(&lanes).is_empty(),
        "another session knows nothing of them"
    );
}

#[test]
fn a_kept_command_carries_no_acknowledgement_of_another_connection() {
    let mut lanes = lanes();
    lanes.delta_sequence = 7;
    let said = lanes.say(&ClientMessage::Leave);
    assert_eq!(HotHeader::parse(&said).unwrap().0.delta_ack, Some(7));
    let kept = lanes.kept().next().unwrap();
    assert_eq!(HotHeader::parse(kept).unwrap().0.delta_ack, None);
}

#[test]
fn numbers_count_round() {
    assert!(is_after(1, 0) && is_after(0, u32::MAX) && is_after(5, u32::MAX - 5));
    assert!(!is_after(0, 0) && !is_after(0, 1) && !is_after(u32::MAX, 0));
}

#[test]
fn known_messages_of_an_unknown_form_are_left_to_the_caller() {
    let mut lanes = lanes();
    let envelope =
        |svc, kind, data| format!(r#"{{"v":1,"svc":"{svc}","type":"{kind}","data":{data}}}"#);
    for (svc, kind, data) in [
        ("world", "joined", "{}"),
        ("world", "avatar_lost", r#"{"entity":"nine"}"#),
        ("sys", "gap", "1"),
        ("app", "dance", "1"),
        ("other", "message", "1"),
    ] {
        let text = envelope(svc, kind, data);
        assert_eq!(lanes.hear_text(&text).unwrap(), Heard::Other, "{text}");
    }
    let joined = envelope("world", "joined", r#"{"entity":null,"tick":3,"new":1}"#);
    let camera = Heard::Joined {
        entity: None,
        tick: Tick(3),
    };
    assert_eq!(lanes.hear_text(&joined).unwrap(), camera);
    let kicked = envelope("sys", "kicked", r#"{"reason":"max_sessions_exceeded"}"#);
    assert!(
        matches!(lanes.hear_text(&kicked).unwrap(), Heard::Kicked { reason } if reason == "max_sessions_exceeded")
    );
    assert_eq!(lanes.hear_binary(&[1, 3, 9, 0]).unwrap(), Heard::Other);
    assert!(lanes.hear_binary(&[1, 3]).is_err());
    assert!(lanes.hear_text("hello").is_err());
}

#[test]
fn a_raw_path_means_nothing_here() {
    let mut lanes = Lanes::new(Framing::Raw, AckPolicy::Auto, 0);
    assert_eq!(lanes.hear_text("hello").unwrap(), Heard::Other);
    assert_eq!(lanes.hear_binary(b"\x01").unwrap(), Heard::Other);
}
