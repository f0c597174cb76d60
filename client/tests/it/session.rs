//! The life of a link over loopback: sessions, answers, drops, refusals, credentials, ends.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use worldshard_client::protocol::{ClientMessage, HotHeader};
use worldshard_client::{
    Cause, Credential, Link, MessageStatus, Options, Payload, Report, RequestStatus, Why,
};

use crate::peer::{PATIENCE, Peer, Said, greeting, serve};

fn options(address: SocketAddr) -> Options {
    Options::new(&format!("ws://{address}/world")).unwrap()
}

fn link(address: SocketAddr) -> Link {
    Link::new(options(address)).unwrap()
}

/// Waits for the next session, and takes it; whether it was resumed.
fn live(link: &mut Link) -> bool {
    let resumed = link.until(PATIENCE, |report| match report {
        Report::Live(live) => Some(live.resumed),
        Report::Dead { cause, .. } => panic!("dead: {cause:?}"),
        _ => None,
    });
    resumed.expect("a session in time")
}

fn is_app(report: &Report) -> Option<Payload> {
    match report {
        Report::Message(payload) => Some(payload.clone()),
        _ => None,
    }
}

#[test]
fn a_session_from_its_first_word_to_its_last() {
    let (address, server) = serve(|listener| {
        let mut peer = Peer::greeted(listener, &greeting(5, None));
        assert_eq!(peer.head.path, "/world");
        assert_eq!(
            peer.hear_text(),
            r#"{"v":1,"svc":"app","type":"message","data":"hello"}"#
        );
        assert_eq!(peer.hear(), Said::Binary(b"\x01\x03\x00\x00raw".to_vec()));
        let request = peer.hear_text();
        assert!(
            request.ends_with(r#""data":{"price":"sword"}}"#),
            "{request}"
        );
        let seq = request.split(r#""seq":"#).nth(1).unwrap();
        let seq: u32 = seq[..seq.find(',').unwrap()].parse().unwrap();
        peer.text(r#"{"v":1,"svc":"app","type":"message","data":"wait"}"#);
        peer.text(&format!(
            r#"{{"v":1,"svc":"app","type":"response","seq":{seq},"data":7}}"#
        ));
        assert_eq!(peer.hear(), Said::Close(Some(1000)));
        peer.text(r#"{"v":1,"svc":"app","type":"message","data":"bye"}"#);
        peer.close(1000, "");
    });
    let mut link = link(address);
    assert!(!live(&mut link));
    let hello = link.send("hello").unwrap();
    link.send(b"raw".to_vec()).unwrap();
    let price = Payload::json(&serde_json::json!({"price": "sword"})).unwrap();
    let request = link.request(price, PATIENCE).unwrap();
    assert_eq!(link.until(PATIENCE, is_app), Some("wait".into()));
    assert_eq!(hello.status(), MessageStatus::Sent);
    let response = link.until(PATIENCE, |report| match report {
        Report::Response { request, payload } => Some((*request, payload.clone())),
        _ => None,
    });
    let (id, payload) = response.unwrap();
    assert_eq!((id, payload.parse()), (request.id(), Ok(7)));
    assert_eq!(request.status(), RequestStatus::Responded);
    let last = link.finish(PATIENCE);
    let expected = [
        Report::Message("bye".into()),
        Report::ClosedBySelf,
        Report::Dead {
            cause: Cause::ClosedBySelf,
            unsent: Vec::new(),
        },
    ];
    assert_eq!(last, expected);
    server.join().unwrap();
}

#[test]
fn a_connection_that_breaks_is_resumed_and_commands_said_again() {
    let commands = |peer: &mut Peer, count: usize| -> Vec<u32> {
        let mut next = || match peer.hear() {
            Said::Binary(bytes) => HotHeader::parse(&bytes).unwrap().0.seq.unwrap(),
            other => panic!("not a command but {other:?}"),
        };
        (0..count).map(|_| next()).collect()
    };
    let (address, server) = serve(move |listener| {
        let mut peer = Peer::greeted(listener, &greeting(5, Some(("ab12", 0))));
        assert_eq!(commands(&mut peer, 3), [1, 2, 3]);
        // Broken off without a close.
        drop(peer);
        let mut peer = Peer::accept(listener);
        let offered: Vec<_> = peer.head.offered_protocols().collect();
        assert_eq!(offered, ["worldshard.resume.ab12"]);
        peer.upgrade();
        peer.text(&greeting(5, Some(("cd34", 1))));
        assert_eq!(commands(&mut peer, 3), [2, 3, 4]);
        drop(peer);
        let mut peer = Peer::accept(listener);
        assert_eq!(
            peer.head.offered_protocols().next(),
            Some("worldshard.resume.cd34")
        );
        peer.raw(b"HTTP/1.1 410 Gone\r\nContent-Length: 31\r\nConnection: close\r\n\r\nthere is no session to resume\n\n");
        drop(peer);
        let mut peer = Peer::greeted(listener, &greeting(6, None));
        assert_eq!(peer.head.offered_protocols().count(), 0);
        assert_eq!(commands(&mut peer, 1), [5]);
    });
    let mut link = link(address);
    assert!(!live(&mut link));
    for _ in 0..3 {
        link.steer([1.0, 0.0, 0.0]).unwrap();
    }
    assert!(live(&mut link), "resumed");
    assert_eq!(link.say(&ClientMessage::Leave), Ok(4));
    let gone = link.until(PATIENCE, |report| match report {
        Report::Disconnected(Why::Refused { status, reason }) => Some((*status, reason.clone())),
        _ => None,
    });
    assert_eq!(
        gone,
        Some((410, "there is no session to resume".to_owned()))
    );
    assert!(!live(&mut link), "a new session");
    assert_eq!(link.say(&ClientMessage::Leave), Ok(5));
    link.until(PATIENCE, |report| {
        matches!(report, Report::Disconnected(Why::Lost)).then_some(())
    })
    .unwrap();
    server.join().unwrap();
}

#[test]
fn retry_after_is_honoured_and_its_reason_told() {
    let (address, server) = serve(|listener| {
        let mut peer = Peer::accept(listener);
        peer.raw(b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 5\r\n\r\nfull\n");
        drop(peer);
        Peer::greeted(listener, &greeting(5, None)).hear();
    });
    let mut options = options(address);
    options.reconnect.base = Duration::from_millis(1);
    let mut link = Link::new(options).unwrap();
    let full = Report::Disconnected(Why::Refused {
        status: 503,
        reason: "full".to_owned(),
    });
    link.until(PATIENCE, |report| (*report == full).then_some(()))
        .unwrap();
    let early = link.wait(Duration::from_millis(500));
    assert_eq!(early, None, "nothing happens before the time");
    assert!(!live(&mut link));
    drop(link);
    server.join().unwrap();
}

#[test]
fn a_server_that_is_not_there_yet_is_found_when_it_is() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut options = options(address);
    options.reconnect.base = Duration::from_millis(20);
    let mut link = Link::new(options).unwrap();
    let mut failures = 0;
    link.until(PATIENCE, |report| {
        failures += usize::from(matches!(report, Report::Disconnected(Why::Unreachable(_))));
        (failures == 3).then_some(())
    })
    .unwrap();
    let message = link.send("nobody hears it").unwrap();
    assert_eq!(message.status(), MessageStatus::Failed);
    let listener = TcpListener::bind(address).unwrap();
    let server = std::thread::Builder::new()
        .spawn(move || Peer::greeted(&listener, &greeting(5, None)).hear())
        .unwrap();
    assert!(!live(&mut link));
    // A link that is dropped says goodbye.
    drop(link);
    assert_eq!(server.join().unwrap(), Said::Close(Some(1000)));
}

#[test]
fn a_credential_is_renewed_once_and_then_the_client_is_dead() {
    let (address, server) = serve(|listener| {
        for token in ["old", "new"] {
            let mut peer = Peer::upgraded(listener);
            let proof = format!(
                r#"{{"v":1,"svc":"sys","type":"auth","data":{{"token":"{token}","env":"native"}}}}"#
            );
            assert_eq!(peer.hear_text(), proof);
            peer.text(r#"{"v":1,"svc":"sys","type":"error","data":{"code":"AUTH_FAILED","msg":"expired"}}"#);
            peer.close(1008, "AUTH_FAILED: expired");
            assert_eq!(peer.hear(), Said::Close(Some(1008)));
        }
    });
    let mut options = options(address);
    options.identity.credential = Some(Credential::new("old"));
    let mut asked = 0;
    let mut link = Link::new(options).unwrap().renewing(move |reason| {
        asked += 1;
        assert_eq!((asked, reason), (1, "AUTH_FAILED: expired"));
        Some(Credential::new("new"))
    });
    let mut trace = Vec::new();
    while let Some(report) = link.wait(PATIENCE) {
        trace.push(report);
    }
    assert!(
        matches!(
            &trace[..],
            [
                Report::Connecting { attempt: 1 },
                Report::Opened,
                Report::Refused(_),
                Report::ClosedByServer { code: 1008, .. },
                Report::Connecting { attempt: 2 },
                Report::Opened,
                Report::Refused(_),
                Report::ClosedByServer { code: 1008, .. },
                Report::Dead {
                    cause: Cause::CredentialRefused,
                    ..
                }
            ]
        ),
        "{trace:?}"
    );
    server.join().unwrap();
}

#[test]
fn polling_gives_nothing_where_there_is_nothing() {
    let (address, server) = serve(|listener| {
        let mut peer = Peer::accept(listener);
        assert_eq!(peer.hear(), Said::Nothing, "given up before the answer");
    });
    let mut link = link(address);
    assert_eq!(link.poll(), Some(Report::Connecting { attempt: 1 }));
    assert_eq!(link.poll(), None);
    assert_eq!(link.wait(Duration::from_millis(50)), None);
    let last = link.finish(PATIENCE);
    assert!(
        matches!(&last[..], [Report::ClosedBySelf, Report::Dead { .. }]),
        "{last:?}"
    );
    server.join().unwrap();
}

#[test]
fn wss_needs_the_feature_or_works() {
    let options = Options::new("wss://127.0.0.1:1/world").unwrap();
    assert_eq!(Link::new(options).is_ok(), cfg!(feature = "tls"));
}
