//! Messages survive the way; bytes that are no message are refused with a code.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn number() -> impl Strategy<Value = f32> {
    any::<f32>().prop_filter("finite", |number| number.is_finite())
}

fn wish() -> impl Strategy<Value = InterestWish> {
    let length = || number().prop_map(f32::abs);
    prop_oneof![
        Just(InterestWish::Default),
        length().prop_map(InterestWish::Radius),
        [length(), length(), length()].prop_map(|half| InterestWish::Box { half }),
        (any::<u16>(), length()).prop_map(|(k, radius)| InterestWish::Nearest { k, radius }),
        (any::<u8>(), length())
            .prop_map(|(predicate, radius)| InterestWish::Custom { predicate, radius }),
    ]
}

fn message() -> impl Strategy<Value = ClientMessage<'static>> {
    let point = || [number(), number(), number()];
    let mode = prop_oneof![Just(ViewpointMode::Avatar), Just(ViewpointMode::Camera)];
    let unit = || -0.57f32..0.57;
    prop_oneof![
        (
            mode,
            proptest::option::of(point()),
            wish(),
            any::<(bool, bool)>()
        )
            .prop_map(|(mode, at, interest, (full, acks))| ClientMessage::Join {
                mode,
                at,
                interest,
                full,
                acks
            }),
        Just(ClientMessage::Leave),
        [unit(), unit(), unit()].prop_map(|direction| ClientMessage::Steer { direction }),
        point().prop_map(|to| ClientMessage::Move { to }),
        point().prop_map(|at| ClientMessage::Look { at }),
        wish().prop_map(ClientMessage::Interest),
        any::<(bool, bool)>().prop_map(|(on, ghosts)| ClientMessage::Overview { on, ghosts }),
        (OPCODE_CUSTOM..=255).prop_map(|opcode| ClientMessage::Custom {
            opcode,
            payload: b"own"
        }),
    ]
}

/// Reads a whole message as a server does.
fn parse(bytes: &[u8]) -> Result<ClientMessage<'_>, WireError> {
    let (header, payload) = HotHeader::parse(bytes)?;
    ClientMessage::parse(&header, payload)
}

proptest! {
    #[test]
    fn message_is_read_as_encoded(message in message(), seq: Option<u32>, delta_ack: Option<u32>) {
        let mut bytes = Vec::new();
        message.encode(seq, delta_ack, &mut bytes);
        let (header, payload) = HotHeader::parse(&bytes).unwrap();
        prop_assert_eq!((header.seq, header.delta_ack), (seq, delta_ack));
        prop_assert_eq!(ClientMessage::parse(&header, payload), Ok(message));
        if header.opcode < OPCODE_CUSTOM {
            bytes.push(0);
            prop_assert_eq!(parse(&bytes).unwrap_err().detail, "payload: too long");
            bytes.truncate(bytes.len() - 2);
            prop_assert!(payload_free(&message) || parse(&bytes).is_err());
        }
    }

    #[test]
    fn any_payload_is_a_message_or_a_refusal(opcode: u8, delta_ack: Option<u32>, payload in vec(any::<u8>(), 0..40)) {
        let header = HotHeader { svc: WORLD_SVC, opcode, seq: None, delta_ack, ack: false };
        if let Ok(message) = ClientMessage::parse(&header, &payload) {
            let mut bytes = Vec::new();
            message.encode(None, delta_ack, &mut bytes);
            prop_assert_eq!(&bytes[header.size()..], &payload[..]);
        }
    }
}

#[test]
fn the_world_is_asked_for_no_acknowledgement() {
    let error = parse(&[1, 2, 2, 5, 7, 0, 0, 0]).unwrap_err();
    assert_eq!(error.code, ErrorCode::BadRequest);
    assert!(error.detail.starts_with("flags"), "{error}");
}

fn payload_free(message: &ClientMessage) -> bool {
    matches!(message, ClientMessage::Leave | ClientMessage::Ack)
}

#[track_caller]
fn refused(message: ClientMessage, code: ErrorCode, field: &str) {
    let mut bytes = Vec::new();
    message.encode(None, None, &mut bytes);
    let error = parse(&bytes).unwrap_err();
    assert_eq!(error.code, code);
    assert!(error.detail.starts_with(field), "{error}");
}

#[test]
fn numbers_that_no_world_has_are_refused_by_field() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let point = [0.0, bad, 0.0];
        refused(
            ClientMessage::Move { to: point },
            ErrorCode::BadRequest,
            "to",
        );
        refused(
            ClientMessage::Look { at: point },
            ErrorCode::BadRequest,
            "at",
        );
        refused(
            ClientMessage::Steer { direction: point },
            ErrorCode::BadRequest,
            "direction",
        );
        let wish = InterestWish::Nearest { k: 1, radius: bad };
        refused(
            ClientMessage::Interest(wish),
            ErrorCode::BadRequest,
            "interest",
        );
    }
    let wish = InterestWish::Box {
        half: [1.0, 1.0, -1.0],
    };
    refused(
        ClientMessage::Interest(wish),
        ErrorCode::NotAllowed,
        "interest",
    );
}

#[test]
fn direction_longer_than_one_is_refused() {
    let fast = |x, y| ClientMessage::Steer {
        direction: [x, y, 0.0],
    };
    refused(fast(0.8, 0.7), ErrorCode::NotAllowed, "direction");
    refused(fast(f32::MAX, f32::MAX), ErrorCode::NotAllowed, "direction");
    let mut bytes = Vec::new();
    fast(0.6, 0.800_000_1).encode(None, None, &mut bytes);
    assert!(parse(&bytes).is_ok());
}

#[test]
fn acknowledgement_without_a_number_is_refused() {
    refused(ClientMessage::Ack, ErrorCode::BadRequest, "delta_ack");
    let mut bytes = Vec::new();
    ClientMessage::Ack.encode(None, Some(7), &mut bytes);
    assert_eq!(parse(&bytes), Ok(ClientMessage::Ack));
}

#[test]
fn unknown_services_opcodes_and_values_are_refused() {
    let detail = |bytes: &[u8]| parse(bytes).unwrap_err().detail;
    assert_eq!(detail(&[1, 1, 2, 0]), "svc_id: not the world service");
    assert_eq!(detail(&[1, 2, 0, 0]), "opcode: unknown");
    assert_eq!(detail(&[1, 2, 63, 0]), "opcode: unknown");
    assert_eq!(detail(&[1, 2, OPCODE_JOIN, 0, 2, 0, 0]), "mode: unknown");
    assert_eq!(
        detail(&[1, 2, OPCODE_JOIN, 0, 0, 8, 0]),
        "options: unknown bit"
    );
    assert_eq!(
        detail(&[1, 2, OPCODE_INTEREST, 0, 5]),
        "interest: unknown kind"
    );
    assert_eq!(
        detail(&[1, 2, OPCODE_OVERVIEW, 0, 4]),
        "overview: unknown bit"
    );
}
