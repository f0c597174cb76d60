//! WebSocket over real sockets: messages of all sizes and types, control frames, closing.

use worldshard_transport::{MessageKind, masked_close, masked_frame};

use crate::socket::{Client, Heard, MASK, echo_app, end, on_each_runtime, serve};

#[test]
fn messages_of_every_length_encoding_come_back_as_they_were() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let (running, address) = serve(&mut echo_app(runtime, shards));
            let clients = (0..shards).map(|_| Client::connect(address, "/ws"));
            for mut client in clients.collect::<Vec<_>>() {
                for len in [0, 1, 125, 126, 65_535, 65_536] {
                    let payload: Vec<u8> = (0..len).map(|at| b'a' + (at % 26) as u8).collect();
                    client.echoes(MessageKind::Text, &payload);
                    client.echoes(MessageKind::Binary, &payload);
                }
            }
            end(running);
        }
    });
}

#[test]
fn fragments_come_back_joined_and_pings_between_them_are_answered_once() {
    on_each_runtime(|runtime| {
        let (running, address) = serve(&mut echo_app(runtime, 1));
        let mut client = Client::connect(address, "/ws");
        for kind in [MessageKind::Text, MessageKind::Binary] {
            let mut first = masked_frame(kind, b"one ", MASK).to_vec();
            first[0] &= 0x7f;
            let mut last = masked_frame(kind, b"two", MASK).to_vec();
            last[0] = 0x80;
            client.write(&first);
            client.ping(b"between");
            assert_eq!(client.hear(), Heard::Pong(b"between".to_vec()));
            client.write(&last);
            assert_eq!(client.hear(), Heard::Message(kind, b"one two".to_vec()));
        }
        end(running);
    });
}

#[test]
fn messages_in_one_segment_come_back_in_order() {
    on_each_runtime(|runtime| {
        let (running, address) = serve(&mut echo_app(runtime, 1));
        let mut client = Client::connect(address, "/ws");
        let mut bytes = Vec::new();
        for number in 0..1000_u32 {
            bytes.extend(masked_frame(
                MessageKind::Binary,
                &number.to_le_bytes(),
                MASK,
            ));
        }
        client.write(&bytes);
        for number in 0..1000_u32 {
            let expected = Heard::Message(MessageKind::Binary, number.to_le_bytes().to_vec());
            assert_eq!(client.hear(), expected);
        }
        end(running);
    });
}

#[test]
fn a_close_is_answered_with_its_code_and_then_the_stream_ends() {
    on_each_runtime(|runtime| {
        let (running, address) = serve(&mut echo_app(runtime, 1));
        for code in [1000, 1001, 3000, 4999] {
            let mut client = Client::connect(address, "/ws");
            client.echoes(MessageKind::Text, b"before");
            client.close(code, "enough");
            assert_eq!(client.hear(), Heard::Close(Some(code), String::new()));
            assert_eq!(client.hear(), Heard::End);
        }
        end(running);
    });
}

#[test]
fn broken_rules_are_answered_with_the_code_that_names_them() {
    on_each_runtime(|runtime| {
        let (running, address) = serve(&mut echo_app(runtime, 1));
        let unmasked = [0x81, 1, b'a'].as_slice();
        let reserved = [0xf1, 0x80, 0, 0, 0, 0].as_slice();
        let not_utf8 = masked_frame(MessageKind::Text, b"\xff\xfe", MASK);
        for (bytes, code) in [(unmasked, 1002), (reserved, 1002), (&not_utf8, 1007)] {
            let mut client = Client::connect(address, "/ws");
            client.write(bytes);
            let Heard::Close(told, reason) = client.hear() else {
                panic!("no close with {code}");
            };
            assert_eq!(told, Some(code));
            assert!(!reason.is_empty());
            assert_eq!(client.hear(), Heard::End);
        }
        end(running);
    });
}

#[test]
fn every_shard_serves_its_share() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let (running, address) = serve(&mut echo_app(runtime, shards));
            let mut clients: Vec<Client> = (0..4 * shards)
                .map(|_| Client::connect(address, "/ws"))
                .collect();
            for (number, client) in (0_u32..).zip(&mut clients) {
                client.echoes(MessageKind::Binary, &number.to_le_bytes());
            }
            end(running);
        }
    });
}

#[test]
fn what_is_said_right_before_a_close_is_answered_before_it() {
    on_each_runtime(|runtime| {
        let (running, address) = serve(&mut echo_app(runtime, 2));
        for round in 0..20u8 {
            let mut client = Client::connect(address, "/ws");
            // In one piece, so that the server reads all of it at once.
            let said = [
                masked_frame(MessageKind::Text, b"one", [1, 2, 3, 4]),
                masked_frame(MessageKind::Binary, &[round; 200], [5, 6, 7, 8]),
                masked_close(1000, "bye", [9, 10, 11, 12]),
            ];
            client.write(&said.concat());
            assert_eq!(
                client.hear(),
                Heard::Message(MessageKind::Text, b"one".to_vec())
            );
            let second = Heard::Message(MessageKind::Binary, vec![round; 200]);
            assert_eq!(client.hear(), second);
            assert!(matches!(client.hear(), Heard::Close(Some(1000), _)));
            assert_eq!(client.hear(), Heard::End);
        }
        end(running);
    });
}
