//! A server that does not read, and a user that does not poll: nobody waits who should not, and nothing is lost.

use std::time::{Duration, Instant};

use worldshard_client::{Link, MessageStatus, Options, Report, SendError};

use crate::peer::{PATIENCE, Peer, Said, greeting, serve};

#[expect(
    clippy::disallowed_methods,
    reason = "a test of how long something takes"
)]
fn now() -> Instant {
    Instant::now()
}

fn live(link: &mut Link) {
    let is_live = |report: &Report| matches!(report, Report::Live(_)).then_some(());
    link.until(PATIENCE, is_live).expect("a session in time");
}

#[test]
fn sending_to_a_server_that_does_not_read_never_waits_and_is_refused_in_the_end() {
    let (done, wait_until_done) = std::sync::mpsc::sync_channel(1);
    let (address, server) = serve(move |listener| {
        let mut peer = Peer::greeted(listener, &greeting(5, None));
        let messages: usize = wait_until_done.recv().unwrap();
        for at in 0..messages {
            let Said::Binary(bytes) = peer.hear() else {
                panic!("message {at} did not come")
            };
            assert_eq!(bytes.len(), 4 + MESSAGE_BYTES);
            assert_eq!(bytes[4..12], at.to_le_bytes());
        }
        peer.text(r#"{"v":1,"svc":"app","type":"message","data":"all"}"#);
        peer.hear();
    });
    let mut link = Link::new(Options::new(&format!("ws://{address}/")).unwrap()).unwrap();
    live(&mut link);
    let mut sent = Vec::new();
    let mut longest = Duration::ZERO;
    loop {
        let mut message = vec![0; MESSAGE_BYTES];
        message[..8].copy_from_slice(&sent.len().to_le_bytes());
        let before = now();
        let outcome = link.send(message);
        assert_eq!(link.poll(), None);
        longest = longest.max(before.elapsed());
        match outcome {
            Ok(signal) => sent.push(signal),
            Err(SendError::Full) => break,
            Err(error) => panic!("{error}"),
        }
        assert!(
            sent.len() < 10_000,
            "the kernel takes hundreds of megabytes"
        );
    }
    // A write that the kernel does not take waits a few milliseconds, on a busy machine some more.
    assert!(longest < Duration::from_millis(500), "{longest:?}");
    assert_eq!(sent.last().unwrap().status(), MessageStatus::Sending);
    done.send(sent.len()).unwrap();
    let is_all = |report: &Report| matches!(report, Report::Message(_)).then_some(());
    link.until(PATIENCE, is_all).expect("all arrived");
    assert_eq!(link.poll(), None);
    assert!(
        sent.iter()
            .all(|signal| signal.status() == MessageStatus::Sent)
    );
    drop(link);
    server.join().unwrap();
}

#[test]
fn what_nobody_polls_waits_at_the_server_and_comes_in_order() {
    let (stalled, told) = std::sync::mpsc::sync_channel(1);
    let (address, server) = serve(move |listener| {
        let mut peer = Peer::greeted(listener, &greeting(5, None));
        let filler = "x".repeat(16 * 1024);
        for at in 0..MESSAGES {
            if at == MESSAGES / 2 {
                stalled.send(()).unwrap();
            }
            peer.text(&format!(
                r#"{{"v":1,"svc":"app","type":"message","data":[{at},"{filler}"]}}"#
            ));
        }
        peer.hear();
    });
    let mut link = Link::new(Options::new(&format!("ws://{address}/")).unwrap()).unwrap();
    live(&mut link);
    // Half of it is far more than the kernel and the client hold, so the server waits.
    let early = told.recv_timeout(Duration::from_secs(1));
    assert!(early.is_err(), "the client took half of it unasked");
    for at in 0..MESSAGES {
        let (number, _): (usize, String) = link
            .until(PATIENCE, |report| match report {
                Report::Message(payload) => Some(payload.parse().unwrap()),
                _ => None,
            })
            .expect("each message in time");
        assert_eq!(number, at);
    }
    told.recv().unwrap();
    drop(link);
    server.join().unwrap();
}

const MESSAGE_BYTES: usize = 32 * 1024;

/// Of 16 KiB each: 160 MiB, where a thousand may wait at the client, and a few megabytes in the kernel.
const MESSAGES: usize = 10_000;
