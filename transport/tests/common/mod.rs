//! Feeds one byte stream to a reader in every way it may arrive, and demands the same answer of all.

#![allow(dead_code, reason = "each test binary uses its part")]

pub(crate) mod case;
pub(crate) mod tables;

use worldshard_transport::{Event, Failure, Limits, MessageKind, Reader, Role};

/// An event that outlives its reader's next call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
}

impl From<Event<'_>> for Said {
    fn from(event: Event<'_>) -> Said {
        match event {
            Event::Message {
                kind: MessageKind::Text,
                payload,
            } => Said::Text(String::from_utf8(payload.to_vec()).expect("a text is UTF-8")),
            Event::Message {
                kind: MessageKind::Binary,
                payload,
            } => Said::Binary(payload.to_vec()),
            Event::Ping(payload) => Said::Ping(payload.to_vec()),
            Event::Pong(payload) => Said::Pong(payload.to_vec()),
            Event::Close { code, reason } => Said::Close(code, reason.to_owned()),
        }
    }
}

/// All that was heard, and the failure with the number of bytes fed when it showed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) said: Vec<Said>,
    pub(crate) failure: Option<(Failure, usize)>,
}

/// Feeds `bytes` cut at `cuts` (ascending).
pub(crate) fn hear(role: Role, limits: Limits, bytes: &[u8], cuts: &[usize]) -> Heard {
    let mut reader = Reader::new(role, limits);
    let mut heard = Heard::default();
    let mut from = 0;
    for &to in cuts.iter().chain([&bytes.len()]) {
        feed(&mut reader, &bytes[from..to], to, &mut heard);
        from = to;
    }
    heard
}

/// Feeds one piece, as an owner of a reader must: until there is no event.
pub(crate) fn feed(reader: &mut Reader, piece: &[u8], fed: usize, heard: &mut Heard) {
    let mut piece = piece.to_vec();
    let mut rest = &mut piece[..];
    loop {
        match reader.read(rest) {
            Ok(step) => {
                let consumed = step.consumed;
                let Some(event) = step.event else {
                    assert_eq!(consumed, rest.len(), "no event, yet bytes are left");
                    return;
                };
                heard.said.push(event.into());
                rest = &mut rest[consumed..];
            }
            Err(failure) => {
                assert_eq!(heard.failure, None, "failed twice");
                heard.failure = Some((failure, fed));
                return;
            }
        }
    }
}

/// Feeds whole, byte by byte, cut in two at every place (or some 200, in a long stream), and in seeded random pieces;
/// returns what byte by byte gave, where a failure's place is exact.
pub(crate) fn check(name: &str, role: Role, limits: Limits, bytes: &[u8]) -> Heard {
    let each: Vec<usize> = (1..bytes.len()).collect();
    let by_byte = hear(role, limits, bytes, &each);
    let agree = |cuts: &[usize]| {
        let heard = hear(role, limits, bytes, cuts);
        assert_eq!(heard.said, by_byte.said, "{name}, cut at {cuts:?}");
        let code = |heard: &Heard| heard.failure.map(|(failure, _)| failure);
        assert_eq!(code(&heard), code(&by_byte), "{name}, cut at {cuts:?}");
    };
    agree(&[]);
    for cut in (1..bytes.len()).step_by(bytes.len() / 200 + 1) {
        agree(&[cut]);
    }
    let mut dice = Dice(bytes.len() as u64 + 1);
    for _ in 0..8 {
        let mut cuts: Vec<usize> = (0..dice.below(12))
            .map(|_| dice.below(bytes.len() + 1))
            .collect();
        cuts.sort_unstable();
        agree(&cuts);
    }
    by_byte
}

/// A frame of a client, first byte as given, with the shortest length.
pub(crate) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = claim(first, 0x80, payload.len() as u64);
    bytes.extend(KEY);
    bytes.extend(
        payload
            .iter()
            .zip(KEY.iter().cycle())
            .map(|(byte, key)| byte ^ key),
    );
    bytes
}

/// A frame of a server, first byte as given, with the shortest length.
pub(crate) fn bare(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = claim(first, 0, payload.len() as u64);
    bytes.extend(payload);
    bytes
}

/// The first bytes of a head, up to the length.
pub(crate) fn claim(first: u8, mask_bit: u8, len: u64) -> Vec<u8> {
    match len {
        0..126 => vec![first, mask_bit | len as u8],
        126..0x1_0000 => [&[first, mask_bit | 126], &(len as u16).to_be_bytes()[..]].concat(),
        _ => [&[first, mask_bit | 127], &len.to_be_bytes()[..]].concat(),
    }
}

const KEY: [u8; 4] = [0x9a, 0x01, 0xff, 0x5c];

/// A small seeded source of numbers (xorshift).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}
