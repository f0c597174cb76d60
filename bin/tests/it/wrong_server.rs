//! A server of one connection that does wrong on purpose, in this process: what it does to one message is a test's.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use worldshard_client::transport::{
    Event, Limits, MessageKind, OriginPolicy, Reader, Role, close_frame, data_frame, parse_head,
    upgrade,
};

/// What becomes of the message of this number; all others come back as they were.
pub(crate) const WRONG: usize = 3;

/// What it does wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wrong {
    Loses,
    Repeats,
    ChangesAByte,
    ChangesTheKind,
    CutsShort,
    Closes,
    BreaksTheFraming,
}

/// Listens, and hands the address to `visit` while the server waits for its one connection.
pub(crate) fn with<T>(wrong: Wrong, visit: impl FnOnce(SocketAddr) -> T) -> T {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || serve(listener.accept().unwrap().0, wrong));
        visit(addr)
    })
}

fn serve(mut stream: TcpStream, wrong: Wrong) {
    let mut input = Vec::new();
    let mut buffer = [0; 4096];
    let head_bytes = loop {
        let bytes = stream.read(&mut buffer).unwrap();
        input.extend_from_slice(&buffer[..bytes]);
        if let Some((head, len)) = parse_head(&input).unwrap() {
            let answer = upgrade(&head, &OriginPolicy::Any).unwrap();
            stream.write_all(&answer).unwrap();
            break len;
        }
    };
    input.drain(..head_bytes);
    let mut reader = Reader::new(Role::Server, Limits::default());
    let mut number = 0;
    loop {
        let mut at = 0;
        loop {
            let step = reader.read(&mut input[at..]).unwrap();
            let consumed = step.consumed;
            let Some(Event::Message { kind, payload }) = step.event else {
                break;
            };
            let answer = answer(number == WRONG, wrong, kind, payload);
            number += 1;
            // The client may have had enough.
            if stream.write_all(&answer).is_err() {
                return;
            }
            at += consumed;
        }
        input.clear();
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(bytes) => input.extend_from_slice(&buffer[..bytes]),
        }
    }
}

fn answer(is_wrong: bool, wrong: Wrong, kind: MessageKind, payload: &[u8]) -> Vec<u8> {
    let frame = |kind, payload: &[u8]| data_frame(kind, payload).to_vec();
    if !is_wrong {
        return frame(kind, payload);
    }
    match wrong {
        Wrong::Loses => Vec::new(),
        Wrong::Repeats => [frame(kind, payload), frame(kind, payload)].concat(),
        Wrong::ChangesAByte => {
            let mut payload = payload.to_vec();
            *payload.last_mut().unwrap() ^= 1;
            frame(kind, &payload)
        }
        Wrong::ChangesTheKind => frame(MessageKind::Text, payload),
        Wrong::CutsShort => frame(kind, &payload[1..]),
        Wrong::Closes => close_frame(1001, "enough").to_vec(),
        // A reserved bit.
        Wrong::BreaksTheFraming => vec![0xf2, 0],
    }
}
