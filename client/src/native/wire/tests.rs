use std::io::Read as _;
use std::net::{TcpListener, TcpStream};

use worldshard_transport::{Event, Limits, Reader, Role};

use super::*;

/// Whole messages among these bytes.
fn messages(mut bytes: Vec<u8>) -> u64 {
    let mut reader = Reader::new(Role::Server, Limits::default());
    let mut count = 0;
    loop {
        let step = reader.read(&mut bytes).unwrap();
        let consumed = step.consumed;
        match step.event {
            Some(Event::Message { .. }) => count += 1,
            Some(Event::Close { .. }) => panic!("a goodbye behind what was not sent"),
            Some(Event::Ping(_) | Event::Pong(_)) | None => {}
        }
        bytes.drain(..consumed);
        if consumed == 0 {
            return count;
        }
    }
}

#[test]
fn what_was_not_written_when_a_connection_is_given_up_is_never_heard() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut far, _) = listener.accept().unwrap();
    near.set_nonblocking(true).unwrap();
    let mut wire = Wire::new(Arc::new(Stream::plain(near)), Chance::new(7));
    let message = Message::Binary(Bytes::from(vec![7; 50_000]));
    while !wire.is_stalled() {
        wire.send(&message);
    }
    for _ in 0..20 {
        wire.send(&message);
    }
    let written = wire.written_messages();
    // The kernel has room again, and nobody has looked yet.
    far.set_read_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    let mut heard = Vec::new();
    let paused = far.read_to_end(&mut heard).unwrap_err();
    assert!(would_wait(&paused), "{paused}");
    assert_eq!(wire.written_messages(), written);
    wire.end();
    far.read_to_end(&mut heard).unwrap();
    assert_eq!(messages(heard), written);
}
