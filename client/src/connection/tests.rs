//! A connection over loopback; both ends on the test's thread.

use std::net::TcpListener;

use worldshard_transport::{
    MessageKind, OriginPolicy, close_frame, data_frame, parse_head, upgrade,
};

use super::*;
use crate::close::LOST;

const WAIT: Duration = Duration::from_secs(10);

/// An open connection and the server's socket.
fn open() -> (Connection, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let mut connection = Connection::connect(addr, "/ws", Framing::Raw).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    let mut request = [0; 1024];
    let len = server.read(&mut request).unwrap();
    let (head, _) = parse_head(&request[..len])
        .unwrap()
        .expect("loopback keeps one write whole");
    server
        .write_all(&upgrade(&head, &OriginPolicy::Any).unwrap())
        .unwrap();
    assert_eq!(connection.receive(WAIT).unwrap(), Some(Event::Opened));
    (connection, server)
}

#[test]
fn waiting_ends_with_nothing_or_with_an_event() {
    let (mut connection, mut server) = open();
    assert_eq!(connection.receive(Duration::from_millis(1)).unwrap(), None);
    assert_eq!(connection.try_receive().unwrap(), None);
    server
        .write_all(&data_frame(MessageKind::Text, b"hello"))
        .unwrap();
    assert_eq!(
        connection.receive(WAIT).unwrap(),
        Some(Event::Text("hello".to_owned()))
    );
}

#[test]
fn until_skips_to_what_is_waited_for_and_names_why_it_cannot() {
    let (mut connection, mut server) = open();
    let is_second = |event: &Event| (*event == Event::Text("second".to_owned())).then_some(2);
    server
        .write_all(&data_frame(MessageKind::Text, b"first"))
        .unwrap();
    server
        .write_all(&data_frame(MessageKind::Text, b"second"))
        .unwrap();
    assert_eq!(connection.until(WAIT, is_second).unwrap(), 2);
    let none = connection.until(Duration::from_millis(1), is_second);
    assert!(matches!(none, Err(ClientError::TimedOut)), "{none:?}");
    server.write_all(&close_frame(1001, "stopping")).unwrap();
    let closed = connection.until(WAIT, is_second);
    assert!(
        matches!(closed, Err(ClientError::Closed { code: 1001, .. })),
        "{closed:?}"
    );
}

#[test]
fn a_server_that_vanishes_closes_the_connection_as_lost() {
    let (mut connection, server) = open();
    drop(server);
    connection.text("unheard");
    let lost = connection.receive(WAIT).unwrap();
    assert!(
        matches!(lost, Some(Event::Closed { code: LOST, .. })),
        "{lost:?}"
    );
}

#[test]
fn what_a_stalled_server_does_not_take_stays_queued() {
    let (mut connection, server) = open();
    let message = vec![7; 1024 * 1024];
    // Polling never waits, so the kernel's buffers fill while nobody reads.
    connection.try_receive().unwrap();
    for _ in 0..64 {
        connection.binary(&message);
        connection.flush().unwrap();
    }
    let queued = connection.output().len();
    assert!(queued > 0, "64 MiB went into the kernel");
    drop(server);
}
