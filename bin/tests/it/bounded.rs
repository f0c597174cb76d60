//! Clients that claim what they must not, and clients that do not read what is said to all: the server holds no more for
//! them than its limits say, and the others miss nothing.

use std::io::{ErrorKind, Write as _};
use std::process::Command;
use std::time::Duration;

use worldshard_client::{Connection, Event};

use crate::server::{PROGRAM, Server, WAIT, eventually, on_each_runtime};

on_each_runtime!(
    no_slow_client_panics_room_it_is_closed_and_the_others_get_all_of_it,
    a_claim_of_a_gigabyte_is_refused_before_its_bytes_are_kept,
);

fn no_slow_client_panics_room_it_is_closed_and_the_others_get_all_of_it(runtime: &str) {
    for shards in ["1", "2", "8"] {
        let server = start(runtime, &["--app", "broadcast", "--shards", shards]);
        let mut others: Vec<Connection> = (0..OTHERS).map(|_| server.raw()).collect();
        let mut said = 0;
        for _ in 0..WARM_ROUNDS {
            said = say_to_all(&mut others, said);
        }
        let before = server.usage();
        let deaf = server.raw();
        for _ in 0..FLOOD_ROUNDS {
            said = say_to_all(&mut others, said);
            server.status().assert_bounded();
        }
        eventually("the one who does not read is closed", || {
            let status = server.status();
            status.assert_bounded();
            status.each("closed_slow").sum::<u64>() == 1
        });
        said = say_to_all(&mut others, said);
        let status = server.status();
        assert_eq!(status.each("closed_slow").sum::<u64>(), 1);
        let sessions = || server.status().each("sessions").sum::<u64>();
        eventually("nothing is left of it", || sessions() == OTHERS as u64);
        let after = server.usage();
        let grown_kib = after.resident_kib.saturating_sub(before.resident_kib);
        println!(
            "{runtime}, {shards} shards: {said} messages of {MESSAGE_BYTES} bytes; {} to {} KiB resident",
            before.resident_kib, after.resident_kib
        );
        assert!(grown_kib <= GROWTH_KIB_MAX, "{grown_kib} KiB more");
        drop(deaf);
        server.end();
    }
}

/// One of the others says as much as fits into the queues of all, and each of them hears it, in order.
fn say_to_all(others: &mut [Connection], said: usize) -> usize {
    let payload = |number: usize| {
        let mut payload = vec![0; MESSAGE_BYTES];
        payload[..8].copy_from_slice(&number.to_le_bytes());
        payload
    };
    for number in said..said + ROUND_MESSAGES {
        others[0].binary(&payload(number));
    }
    others[0].flush().unwrap();
    for other in others {
        for number in said..said + ROUND_MESSAGES {
            let heard = other.receive(WAIT).unwrap();
            let expected = Event::Binary(payload(number).into());
            assert!(heard == Some(expected), "message {number} is not next");
        }
    }
    said + ROUND_MESSAGES
}

fn a_claim_of_a_gigabyte_is_refused_before_its_bytes_are_kept(runtime: &str) {
    let server = start(runtime, &["--app", "echo", "--shards", "2"]);
    let mut other = server.raw();
    echoes(&mut other, "before");
    let mut claiming: Vec<Connection> = (0..CLAIMS).map(|_| server.raw()).collect();
    let before = server.usage();
    let mut most = 0;
    for client in &mut claiming {
        let mut head = vec![0x82, 0x80 | 127];
        head.extend((1_u64 << 30).to_be_bytes());
        head.extend([1, 2, 3, 4]);
        client.stream().write_all(&head).unwrap();
        // The claim alone is enough; whoever goes on is told before it has said what no limit allows.
        let mut sent = 0;
        let code = loop {
            match client.receive(Duration::from_millis(20)).unwrap() {
                Some(Event::Closed { code, .. }) => break code,
                Some(event) => panic!("{event:?}"),
                None => {}
            }
            client.stream().write_all(&[7; CHUNK_BYTES]).unwrap();
            sent += CHUNK_BYTES;
        };
        assert_eq!(code, 1009);
        most = most.max(sent);
    }
    assert!(most < MESSAGE_BYTES_MAX + 64 * 1024, "{most} bytes sent");
    let mut poured = 0;
    for client in &claiming {
        poured += pour(client);
    }
    echoes(&mut other, "after");
    let after = server.usage();
    println!(
        "{runtime}: told after {most} bytes at most, {poured} poured in; {} to {} KiB resident",
        before.resident_kib, after.resident_kib
    );
    let grown_kib = after.resident_kib.saturating_sub(before.resident_kib);
    assert!(grown_kib <= GROWTH_KIB_MAX, "{grown_kib} KiB more");
    server.end();
}

/// Goes on with what was claimed until the server has had enough of it; how many bytes left.
fn pour(client: &Connection) -> usize {
    let mut stream = client.stream();
    stream
        .set_write_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    let mut poured = 0;
    while poured < POURED_MAX {
        match stream.write(&[7; 64 * 1024]) {
            Ok(bytes) => poured += bytes,
            Err(error) => {
                let gone = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
                let full = [ErrorKind::WouldBlock, ErrorKind::TimedOut];
                assert!(
                    gone.contains(&error.kind()) || full.contains(&error.kind()),
                    "{error}"
                );
                break;
            }
        }
    }
    poured
}

fn echoes(client: &mut Connection, text: &str) {
    client.text(text);
    assert_eq!(
        client.receive(WAIT).unwrap(),
        Some(Event::Text(text.into()))
    );
}

fn start(runtime: &str, args: &[&str]) -> Server {
    // Huge pages would count memory by two megabytes.
    let mut command = Command::new(PROGRAM);
    command.env("MIMALLOC_ALLOW_THP", "0");
    Server::start_by(command, runtime, args)
}

const OTHERS: usize = 3;
const MESSAGE_BYTES: usize = 16 * 1024;

/// Half a megabyte, which is half of what may wait for one client.
const ROUND_MESSAGES: usize = 32;

/// Then the server's memory is as it stays.
const WARM_ROUNDS: usize = 30;

/// Four times as much as the kernel keeps for one who does not read.
const FLOOD_ROUNDS: usize = 80;

const CLAIMS: usize = 8;
const CHUNK_BYTES: usize = 4096;

/// As the server's limits have it.
const MESSAGE_BYTES_MAX: usize = 256 * 1024;

/// From each who claims.
const POURED_MAX: usize = 16 * 1024 * 1024;

/// A queue of one megabyte, and what the allocators of all threads keep beside it. Without its bound it would be thirty.
const GROWTH_KIB_MAX: u64 = 12 * 1024;
