use worldshard_client::transport::{Event, Limits, Reader, Role};

use super::*;

#[test]
fn a_message_says_who_sent_it_and_which_it_is() {
    for (bytes, text) in [
        (16, false),
        (17, true),
        (64, false),
        (1024, true),
        (65_536, false),
    ] {
        let tagged = Tagged::new(bytes, text, &[]);
        let tag = Tag {
            sender: 0x0123_4567,
            number: 0x89ab_cdef,
        };
        let mut frame = Vec::new();
        tagged.write(tag, &mut frame);
        let mut reader = Reader::new(Role::Server, Limits::default());
        let step = reader.read(&mut frame).unwrap();
        let Some(Event::Message { kind, payload }) = step.event else {
            panic!("{step:?}");
        };
        assert_eq!((payload.len(), kind == MessageKind::Text), (bytes, text));
        assert_eq!(tagged.read(kind, payload), Ok(tag));
        for at in [0, 15, bytes - 1] {
            let mut changed = payload.to_vec();
            // No hexadecimal digit and no filler stays one with this bit.
            changed[at] ^= 0x80;
            assert!(tagged.read(kind, &changed).is_err(), "byte {at} of {bytes}");
        }
        assert!(tagged.read(kind, &payload[..bytes - 1]).is_err());
    }
}
