//! What one end lays out, the other hears, however the bytes are cut.

mod common;

use common::{Heard, Said, hear};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use worldshard_transport::{
    Limits, MessageKind, Role, close_code, close_frame, data_frame, data_header, masked_close,
    masked_frame, masked_ping, masked_pong, ping_frame, pong_frame, write_header,
};

const SIZES: [usize; 11] = [0, 1, 2, 31, 33, 125, 126, 127, 65_535, 65_536, 65_537];

fn limits() -> Limits {
    Limits {
        message_bytes_max: 70_000,
        ..Limits::default()
    }
}

/// Something to say, in both roles.
fn any_said() -> impl Strategy<Value = Said> {
    prop_oneof![
        select(&SIZES[..])
            .prop_flat_map(|len| vec(any::<u8>(), len))
            .prop_map(Said::Binary),
        vec(any::<u8>(), 0..300).prop_map(Said::Binary),
        "\\PC{0,80}".prop_map(Said::Text),
        select(&SIZES[..]).prop_map(|len| Said::Text("x".repeat(len))),
        vec(any::<u8>(), 0..=125).prop_map(Said::Ping),
        vec(any::<u8>(), 0..=125).prop_map(Said::Pong),
    ]
}

fn lay_out(said: &Said, mask: Option<[u8; 4]>) -> Vec<u8> {
    let kind = MessageKind::Binary;
    let text = MessageKind::Text;
    let bytes = match (said, mask) {
        (Said::Text(letters), None) => data_frame(text, letters.as_bytes()),
        (Said::Text(letters), Some(mask)) => masked_frame(text, letters.as_bytes(), mask),
        (Said::Binary(payload), None) => data_frame(kind, payload),
        (Said::Binary(payload), Some(mask)) => masked_frame(kind, payload, mask),
        (Said::Ping(payload), None) => ping_frame(payload),
        (Said::Ping(payload), Some(mask)) => masked_ping(payload, mask),
        (Said::Pong(payload), None) => pong_frame(payload),
        (Said::Pong(payload), Some(mask)) => masked_pong(payload, mask),
        (Said::Close(code, reason), None) => {
            close_frame(code.unwrap_or(close_code::NO_STATUS), reason)
        }
        (Said::Close(code, reason), Some(mask)) => {
            masked_close(code.unwrap_or(close_code::NO_STATUS), reason, mask)
        }
    };
    bytes.to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_other_end_hears_what_was_said(
        said in vec(any_said(), 1..6),
        mask in any::<Option<[u8; 4]>>(),
        cuts in vec(any::<proptest::sample::Index>(), 0..6),
        code in select(vec![None, Some(1000), Some(1013), Some(4001)]),
    ) {
        let mut said = said;
        let reason = if code.is_some() { "done" } else { "" };
        said.push(Said::Close(code, reason.to_owned()));
        let bytes: Vec<u8> = said.iter().flat_map(|one| lay_out(one, mask)).collect();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
        cuts.sort_unstable();
        let role = if mask.is_some() { Role::Server } else { Role::Client };
        prop_assert_eq!(hear(role, limits(), &bytes, &cuts), Heard { said, failure: None });
    }

    #[test]
    fn random_bytes_never_panic_and_are_heard_alike_however_cut(
        bytes in vec(prop_oneof![any::<u8>(), select(vec![0x01, 0x80, 0x81, 0x82, 0x85, 0x89, 0xfe])], 0..120),
        cuts in vec(any::<proptest::sample::Index>(), 0..6),
        server in any::<bool>(),
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.sort_unstable();
        let role = if server { Role::Server } else { Role::Client };
        let (whole, pieces) = (hear(role, limits(), &bytes, &[]), hear(role, limits(), &bytes, &cuts));
        prop_assert_eq!(whole.said, pieces.said);
        let failure = |failure: Option<(_, usize)>| failure.map(|(failure, _)| failure);
        prop_assert_eq!(failure(whole.failure), failure(pieces.failure));
    }
}

#[test]
fn a_header_by_itself_is_the_front_of_the_whole_frame() {
    for kind in [MessageKind::Text, MessageKind::Binary] {
        for len in SIZES {
            let payload = vec![b'p'; len];
            let frame = data_frame(kind, &payload);
            let mut built = b"before".to_vec();
            write_header(kind, len, &mut built);
            built.extend_from_slice(&payload);
            assert_eq!(&built[6..], &frame[..]);
            let header_len = [2, 4, 10][usize::from(len > 125) + usize::from(len > 65_535)];
            assert_eq!(&data_header(kind, len)[..], &frame[..header_len]);
        }
    }
    assert_eq!(
        &data_frame(MessageKind::Text, b"Hello")[..],
        b"\x81\x05Hello"
    );
    // The masked example of RFC 6455, section 5.7.
    let masked = masked_frame(MessageKind::Text, b"Hello", [0x37, 0xfa, 0x21, 0x3d]);
    assert_eq!(&masked[..], b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
}

#[test]
fn a_long_close_reason_is_cut_between_characters() {
    assert_eq!(close_frame(1000, &"a".repeat(200)).len(), 2 + 125);
    let frame = close_frame(1000, &"€".repeat(60));
    let heard = hear(Role::Client, limits(), &frame, &[]);
    assert_eq!(heard.said, [Said::Close(Some(1000), "€".repeat(41))]);
}
