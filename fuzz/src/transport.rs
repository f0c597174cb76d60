//! Any bytes as an HTTP head, and as either end's frames: no panic, no other answer when they arrive in pieces, and
//! no more memory than what was received.

use worldshard_transport::{
    Event, Failure, HEAD_BYTES_MAX, Limits, MessageKind, OriginPolicy, Reader, Role,
    parse_client_response, parse_head, upgrade,
};

/// Reads `bytes` as a request and as an answer to one.
pub fn http_head(bytes: &[u8]) {
    let whole = parse_head(bytes);
    let end = match &whole {
        Ok(Some((_, end))) => *end,
        Ok(None) | Err(_) => bytes.len(),
    };
    assert!(end <= bytes.len());
    for len in [0, 1, end / 2, end.saturating_sub(1)] {
        match parse_head(&bytes[..len.min(end)]) {
            Ok(None) => {}
            Err(refusal) => assert_eq!(Err(refusal), whole, "refused early for another reason"),
            Ok(Some(head)) => assert_eq!(Ok(Some(head)), whole, "taken before its end"),
        }
    }
    if let Ok(Some((head, end))) = &whole {
        assert!(*end <= HEAD_BYTES_MAX);
        assert!(head.path.starts_with('/'));
        let _ = (
            head.is_upgrade(),
            head.query_value("token"),
            head.header("cookie"),
        );
        for policy in [
            OriginPolicy::Any,
            OriginPolicy::SameHost,
            OriginPolicy::List(vec!["http://example.org".to_owned()]),
        ] {
            if let Err(refusal) = upgrade(head, &policy) {
                assert!(refusal.response().encode().starts_with(b"HTTP/1.1 4"));
            }
        }
    }
    if let Ok(Some(end)) = parse_client_response(bytes, b"the sample nonce") {
        assert!(end <= bytes.len());
    }
}

/// Reads `bytes` as the frames of a client.
pub fn frames_server(bytes: &[u8]) {
    frames(Role::Server, bytes);
}

/// Reads `bytes` as the frames of a server.
pub fn frames_client(bytes: &[u8]) {
    frames(Role::Client, bytes);
}

/// The first byte says how the others are cut into pieces.
fn frames(role: Role, bytes: &[u8]) {
    let Some((&cut, bytes)) = bytes.split_first() else {
        return;
    };
    let piece_len = if cut == 0 { 1 } else { usize::from(cut) };
    let whole = hear(role, bytes, bytes.len().max(1));
    assert_eq!(hear(role, bytes, piece_len), whole);
}

/// All that was heard, tagged by kind, and how it ended.
type Heard = (Vec<(u8, Vec<u8>)>, Option<Failure>);

fn hear(role: Role, bytes: &[u8], piece_len: usize) -> Heard {
    let limits = Limits {
        message_bytes_max: 4096,
        fragments_max: 16,
    };
    let mut reader = Reader::new(role, limits);
    let (mut said, mut failure) = (Vec::new(), None);
    let mut received = 0;
    for piece in bytes.chunks(piece_len) {
        received += piece.len();
        let mut piece = piece.to_vec();
        let mut rest = &mut piece[..];
        loop {
            match reader.read(rest) {
                Ok(step) => {
                    let consumed = step.consumed;
                    let Some(event) = step.event else {
                        assert_eq!(consumed, rest.len());
                        break;
                    };
                    assert!(consumed > 0, "an event out of nothing");
                    assert_eq!(failure, None, "an event after a failure");
                    said.push(owned(event));
                    rest = &mut rest[consumed..];
                }
                Err(broken) => {
                    assert!(matches!(broken.code, 1002 | 1007 | 1008 | 1009));
                    assert_eq!(failure.replace(broken), None, "failed twice");
                    break;
                }
            }
        }
        // A message and a control frame, in buffers that double.
        assert!(reader.held_bytes() <= 2 * received + 64);
        assert!(reader.held_bytes() <= 2 * (limits.message_bytes_max + 125) + 64);
    }
    (said, failure)
}

fn owned(event: Event<'_>) -> (u8, Vec<u8>) {
    match event {
        Event::Message { kind, payload } => {
            assert!(kind == MessageKind::Binary || std::str::from_utf8(payload).is_ok());
            (u8::from(kind == MessageKind::Text), payload.to_vec())
        }
        Event::Ping(payload) => (2, payload.to_vec()),
        Event::Pong(payload) => (3, payload.to_vec()),
        Event::Close { code, reason } => {
            assert!(reason.is_empty() || code.is_some());
            let code = code.unwrap_or(0).to_be_bytes();
            (4, [&code[..], reason.as_bytes()].concat())
        }
    }
}
