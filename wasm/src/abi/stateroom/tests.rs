use super::*;

/// Messages as Stateroom's own library lays them out, by hand.
#[test]
fn what_guests_are_told_is_laid_out_as_they_read_it() {
    let bytes = |event: Event<'_>| {
        let mut out = vec![9; 3];
        assert!(encode(&event, &mut out), "{event:?} is told");
        out
    };
    assert_eq!(bytes(Event::Init), [0, 0, 0, 0]);
    assert_eq!(
        bytes(Event::Connect { member: 0x0102 }),
        [1, 0, 0, 0, 2, 1, 0, 0]
    );
    assert_eq!(
        bytes(Event::Disconnect { member: 7 }),
        [2, 0, 0, 0, 7, 0, 0, 0]
    );
    let text = Event::Message {
        member: 7,
        payload: PayloadRef::Text("hi"),
    };
    let start = [3, 0, 0, 0, 7, 0, 0, 0];
    assert_eq!(
        bytes(text),
        [&start[..], &[1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0], b"hi"].concat()
    );
    let binary = Event::Message {
        member: 7,
        payload: PayloadRef::Binary(&[5]),
    };
    assert_eq!(
        bytes(binary),
        [&start[..], &[0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0], &[5]].concat()
    );
    assert_eq!(bytes(Event::Timer { name: "any" }), [4, 0, 0, 0]);
}

#[test]
fn what_guests_know_nothing_of_they_are_not_told() {
    let mut out = Vec::new();
    assert!(!encode(&Event::Tick { number: 1 }, &mut out));
    assert!(!encode(&Event::Load { state: &[1] }, &mut out));
}

#[test]
fn what_guests_send_is_read() {
    let text = [1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, b'h', b'i'];
    let read = |recipient: &[u8]| decode(&[&[0, 0, 0, 0], recipient, &text].concat(), 2);
    let sent = |to| Effect::Send {
        to,
        payload: Payload::from("hi"),
    };
    assert_eq!(read(&[0, 0, 0, 0]), Ok(sent(Audience::All)));
    assert_eq!(
        read(&[1, 0, 0, 0, 7, 1, 0, 0]),
        Ok(sent(Audience::One(0x0107)))
    );
    assert_eq!(
        read(&[2, 0, 0, 0, 7, 0, 0, 0]),
        Ok(sent(Audience::AllBut(7)))
    );
    let binary = [&[0; 8][..], &[0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 5]].concat();
    assert_eq!(decode(&binary, 1), Ok(Effect::send_all(&[5][..])));
    let timer = Effect::SetTimer {
        name: String::new(),
        after: Duration::from_millis(0x0103),
        repeats: false,
    };
    assert_eq!(decode(&[1, 0, 0, 0, 3, 1, 0, 0], 0), Ok(timer));
}

#[test]
fn what_is_no_message_is_refused_at_any_length() {
    let whole = [
        0, 0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, b'h', b'i',
    ];
    assert!(decode(&whole, 2).is_ok());
    for end in 0..whole.len() {
        assert_eq!(
            decode(&whole[..end], 2),
            Err(SHORT),
            "cut after {end} bytes"
        );
    }
    let longer = [&whole[..], &[0]].concat();
    assert!(matches!(decode(&longer, 2), Err(Trap::Stateroom(_))));
    let changed = |at: usize, byte: u8| {
        let mut bytes = whole;
        bytes[at] = byte;
        decode(&bytes, 2)
    };
    assert!(
        matches!(changed(0, 2), Err(Trap::Stateroom(_))),
        "unknown message"
    );
    assert!(
        matches!(changed(4, 3), Err(Trap::Stateroom(_))),
        "unknown recipient"
    );
    assert!(
        matches!(changed(12, 2), Err(Trap::Stateroom(_))),
        "unknown payload"
    );
    assert!(
        matches!(changed(16, 3), Err(Trap::Limit { .. })),
        "longer than allowed"
    );
    assert!(
        matches!(changed(23, 255), Err(Trap::Limit { .. })),
        "longer than any memory"
    );
    assert_eq!(changed(24, 255), Err(Trap::Text));
}
