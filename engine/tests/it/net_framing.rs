//! The tables of the transport's tests through sockets: what a reader hears is echoed, what it fails with ends the stream.

use std::net::SocketAddr;
use std::time::Duration;

use worldshard_transport::MessageKind;

use crate::framing::Said;
use crate::framing::case::Case;
use crate::framing::tables;
use crate::socket::{Client, Heard, echo_app, end, on_each_runtime, serve};

#[test]
fn streams_of_frames_in_one_piece_are_echoed_or_end_with_the_code_that_names_what_was_wrong() {
    replay(usize::MAX);
}

#[test]
fn streams_of_frames_byte_by_byte_are_echoed_or_end_with_the_code_that_names_what_was_wrong() {
    replay(1);
}

fn replay(piece_bytes: usize) {
    on_each_runtime(|runtime| {
        let mut app = echo_app(runtime, 2);
        app.options(|options| options.limits.close_deadline = Duration::from_secs(5));
        let (running, address) = serve(&mut app);
        let cases = tables::all();
        assert!(cases.len() > 300, "only {} cases", cases.len());
        for case in cases {
            replay_one(address, &case, piece_bytes);
        }
        end(running);
    });
}

fn replay_one(address: SocketAddr, case: &Case, piece_bytes: usize) {
    let name = case.name;
    let mut client = Client::connect(address, "/ws");
    // Of what is said byte by byte, nothing behind the broken rule.
    let end = match case.fails {
        Some((_, fails_at)) if piece_bytes == 1 => fails_at,
        _ => case.bytes.len(),
    };
    // A long stream comes in a few hundred pieces.
    for piece in case.bytes[..end].chunks(piece_bytes.max(end / 400)) {
        client.write(piece);
    }
    let mut expected = Answers::default();
    let mut close = case.fails.map(|(code, _)| Some(code));
    for said in &case.said {
        match said {
            Said::Text(text) => {
                let text = (MessageKind::Text, text.clone().into_bytes());
                expected.echoes.push(text);
            }
            Said::Binary(bytes) => expected.echoes.push((MessageKind::Binary, bytes.clone())),
            Said::Ping(payload) => expected.pongs.push(payload.clone()),
            Said::Pong(_) => {}
            Said::Close(code, _) => close = Some(*code),
        }
    }
    let mut heard = Answers::default();
    let told = match close {
        Some(code) => {
            assert_eq!(heard.until_close(&mut client), code, "{name}");
            // Messages that came along with their sender's end need not be answered any more.
            assert!(expected.echoes.starts_with(&heard.echoes), "{name}");
            assert_eq!(heard.pongs, expected.pongs, "{name}");
            return assert_eq!(client.hear(), Heard::End, "{name}");
        }
        None => {
            for _ in 0..expected.echoes.len() + expected.pongs.len() {
                let answer = client.hear();
                assert!(heard.take(answer).is_none(), "{name}");
            }
            client.close(1000, "");
            heard.until_close(&mut client)
        }
    };
    assert_eq!((told, &heard), (Some(1000), &expected), "{name}");
    assert_eq!(client.hear(), Heard::End, "{name}");
}

/// What a server says to a stream; pongs need not wait for systems, so they are compared apart.
#[derive(Default, PartialEq, Eq, Debug)]
struct Answers {
    echoes: Vec<(MessageKind, Vec<u8>)>,
    pongs: Vec<Vec<u8>>,
}

impl Answers {
    /// Keeps an answer; the code, if it is a close.
    fn take(&mut self, heard: Heard) -> Option<Option<u16>> {
        match heard {
            Heard::Message(kind, payload) => self.echoes.push((kind, payload)),
            Heard::Pong(payload) => self.pongs.push(payload),
            Heard::Close(code, _) => return Some(code),
            other => panic!("{other:?}"),
        }
        None
    }

    fn until_close(&mut self, client: &mut Client) -> Option<u16> {
        loop {
            let heard = client.hear();
            if let Some(code) = self.take(heard) {
                return code;
            }
        }
    }
}
