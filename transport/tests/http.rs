//! Request heads and upgrades: what is taken, and what is refused with which status.

use worldshard_transport::{
    ClientAnswer, HEAD_BYTES_MAX, HEADERS_MAX, OriginPolicy, Refusal, RequestHead, Response,
    client_request, client_request_offering, parse_client_answer, parse_client_response,
    parse_head, upgrade, upgrade_speaking,
};

const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";

/// A good upgrade whose lines are given; `Host` and all.
const GOOD: [&str; 6] = [
    "GET /ws HTTP/1.1",
    "Host: example.org:8080",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    KEY,
];

fn lines(lines: &[&str]) -> Vec<u8> {
    let mut head = lines.join("\r\n");
    head.push_str("\r\n\r\n");
    head.into_bytes()
}

/// The good upgrade with the line that starts with `start` replaced, by nothing when `line` is empty.
fn with(start: &str, line: &str) -> Vec<u8> {
    assert!(GOOD.iter().any(|good| good.starts_with(start)), "{start}");
    let changed = GOOD.map(|good| if good.starts_with(start) { line } else { good });
    let kept: Vec<&str> = changed
        .into_iter()
        .filter(|line| !line.is_empty())
        .collect();
    lines(&kept)
}

fn and(line: &str) -> Vec<u8> {
    lines(&[&GOOD[..], &[line]].concat())
}

/// Parses a head that arrives byte by byte: never taken, and never refused otherwise, before its end.
fn parse(bytes: &[u8]) -> Result<RequestHead, Refusal> {
    let whole = parse_head(bytes);
    for len in 0..bytes.len() {
        match (parse_head(&bytes[..len]), &whole) {
            (Ok(None), _) => {}
            (Err(early), Err(refusal)) if early == *refusal => {}
            (Ok(Some((_, early))), Ok(Some((_, end)))) if early == *end && len >= *end => {}
            (other, _) => panic!("{len} bytes: {other:?}, all: {whole:?}"),
        }
    }
    whole.map(|found| found.expect("the head is whole").0)
}

fn status_of(bytes: &[u8], origins: &OriginPolicy) -> u16 {
    match parse(bytes).and_then(|head| upgrade(&head, origins)) {
        Ok(answer) => {
            assert!(answer.starts_with(b"HTTP/1.1 101 "));
            101
        }
        Err(refusal) => {
            let answer = String::from_utf8_lossy(&refusal.response().encode()).into_owned();
            assert!(answer.starts_with(&format!("HTTP/1.1 {} ", refusal.status)));
            assert!(answer.contains("\r\nConnection: close"));
            assert!(answer.contains(refusal.reason.as_ref()));
            refusal.status
        }
    }
}

fn refused(policy: &OriginPolicy, table: Vec<(u16, Vec<u8>)>) {
    for (status, bytes) in table {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert_eq!(status_of(&bytes, policy), status, "{text:?}");
    }
}

#[test]
fn the_example_of_rfc_6455_gets_its_answer() {
    let head = parse(&lines(&GOOD)).unwrap();
    assert!(head.is_upgrade());
    let answer = upgrade(&head, &OriginPolicy::SameHost).unwrap();
    assert_eq!(
        &answer[..],
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    );
}

#[test]
fn good_handshakes_are_taken_in_all_their_spellings() {
    let good = [
        lines(&GOOD),
        with("Upgrade", "upgrade: WebSocket"),
        with("Upgrade", "UPGRADE:websocket"),
        with("Upgrade", "Upgrade: \t websocket \t"),
        with("Upgrade", "Upgrade: h2c, websocket"),
        with("Upgrade", "Upgrade: h2c\r\nUpgrade: websocket"),
        with("Connection", "Connection: keep-alive, Upgrade"),
        with("Connection", "connection: upgrade,keep-alive"),
        with(
            "Connection",
            "Connection: keep-alive\r\nConnection: UPGRADE",
        ),
        with("Sec-WebSocket-Version", "sec-websocket-version:13"),
        with("Host", "Host: [::1]:8080"),
        with("Host", "host:127.0.0.1"),
        with("GET", "GET / HTTP/1.1"),
        with("GET", "GET /a/b%20c?room=1&x=%7b|^ HTTP/1.1"),
        and("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"),
        and("Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99, x;;"),
        and("Sec-WebSocket-Protocol: chat, superchat"),
        and("Content-Length: 0"),
        and("Cookie: a=b; c=d"),
        and("Empty:"),
        and(&format!("X-Long: {}", "x".repeat(4000))),
    ];
    for bytes in good {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert_eq!(status_of(&bytes, &OriginPolicy::SameHost), 101, "{text}");
        let answer = upgrade(&parse(&bytes).unwrap(), &OriginPolicy::SameHost).unwrap();
        let answer = String::from_utf8(answer.to_vec())
            .unwrap()
            .to_ascii_lowercase();
        assert!(
            !answer.contains("extensions") && !answer.contains("protocol:"),
            "{answer}"
        );
    }
    let not_utf8 = and("X: \x01")
        .iter()
        .map(|byte| if *byte == 1 { 0xff } else { *byte })
        .collect::<Vec<u8>>();
    assert_eq!(status_of(&not_utf8, &OriginPolicy::Any), 101);
}

#[test]
fn bad_handshakes_are_refused_with_their_status() {
    let bad = vec![
        (405, with("GET", "POST /ws HTTP/1.1")),
        (405, with("GET", "get /ws HTTP/1.1")),
        (405, with("GET", "HEAD /ws HTTP/1.1")),
        (400, with("GET", "GET /ws HTTP/1.0")),
        (505, with("GET", "GET /ws HTTP/2.0")),
        (505, with("GET", "GET /ws HTTP/1.11")),
        (505, with("GET", "GET /ws HTTP/0.9")),
        (426, with("Upgrade", "")),
        (426, with("Upgrade", "Upgrade: websockets")),
        (426, with("Upgrade", "Upgrade: websocket/13")),
        (426, with("Upgrade", "Upgrade: web socket")),
        (426, with("Upgrade", "Upgrade:")),
        (400, with("Connection", "")),
        (400, with("Connection", "Connection: keep-alive")),
        (400, with("Connection", "Connection: notupgrade")),
        (400, with("Connection", "Connection: keep-alive Upgrade")),
        (426, with("Sec-WebSocket-Version", "")),
    ];
    refused(&OriginPolicy::SameHost, bad);
}

#[test]
fn bad_versions_keys_and_origins_are_refused_with_their_status() {
    let bad = vec![
        (
            426,
            with("Sec-WebSocket-Version", "Sec-WebSocket-Version: 8"),
        ),
        (
            426,
            with("Sec-WebSocket-Version", "Sec-WebSocket-Version: 14"),
        ),
        (
            426,
            with("Sec-WebSocket-Version", "Sec-WebSocket-Version: 013"),
        ),
        (
            426,
            with("Sec-WebSocket-Version", "Sec-WebSocket-Version: 13, 8"),
        ),
        (400, and("Sec-WebSocket-Version: 13")),
        (400, with(KEY, "")),
        (400, with(KEY, "Sec-WebSocket-Key:")),
        (400, with(KEY, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=")),
        (
            400,
            with(KEY, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==="),
        ),
        (
            400,
            with(KEY, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR=="),
        ),
        (
            400,
            with(KEY, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQAA"),
        ),
        (
            400,
            with(KEY, "Sec-WebSocket-Key: dGhlIHNhbXBs!SBub25jZQ=="),
        ),
        (
            400,
            with(KEY, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZGU="),
        ),
        (400, with(KEY, "Sec-WebSocket-Key: AAAA")),
        (400, and(KEY)),
        (400, and("sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==")),
        (
            400,
            and("Origin: http://example.org\r\nOrigin: http://example.org"),
        ),
        (403, and("Origin: http://evil.example")),
        (403, and("Origin: null")),
    ];
    refused(&OriginPolicy::SameHost, bad);
    let refusal = upgrade(&parse(&with("Upgrade", "")).unwrap(), &OriginPolicy::Any).unwrap_err();
    let answer = String::from_utf8(refusal.response().encode().to_vec()).unwrap();
    assert!(answer.contains("\r\nSec-WebSocket-Version: 13\r\n"));
    assert!(answer.contains("\r\nUpgrade: websocket\r\n"));
}

#[test]
fn requests_whose_host_or_end_is_in_doubt_are_refused() {
    let bad = vec![
        (400, and("Host: example.org:8080")),
        (400, and("HOST: other.example")),
        (400, with("Host", "")),
        (400, with("Host", "Host:")),
        (400, with("Host", "Host: a, b")),
        (400, with("Host", "Host: a b")),
        (400, with("Host", "Host: user@example.org")),
        (400, with("Host", "Host: example.org/ws")),
        (413, and("Content-Length: 5")),
        (400, and("Content-Length: 0\r\nContent-Length: 0")),
        (400, and("Content-Length: 0, 0")),
        (400, and("Content-Length: +0")),
        (400, and("Content-Length: -1")),
        (400, and("Content-Length:")),
        (400, and("Content-Length: 0x5")),
        (400, and("Transfer-Encoding: chunked")),
        (400, and("transfer-encoding: identity")),
        (400, and("Transfer-Encoding: chunked\r\nContent-Length: 0")),
        (400, with("GET", "GET http://example.org/ws HTTP/1.1")),
        (400, with("GET", "GET example.org:80 HTTP/1.1")),
        (400, with("GET", "OPTIONS * HTTP/1.1")),
        (400, with("GET", "GET ws HTTP/1.1")),
    ];
    refused(&OriginPolicy::Any, bad);
}

#[test]
fn lines_that_another_parser_splits_elsewhere_are_refused() {
    let nul = |line: &str| line.replace('0', "\0");
    let bad = vec![
        (400, and("Folded: a\r\n b")),
        (400, and("Folded: a\r\n\tb")),
        (400, lines(&["GET / HTTP/1.1", " Host: a", "Host: b"])),
        (400, with("Host", "Host : example.org")),
        (400, with("Host", "Host\t: example.org")),
        (400, with("Host", ": example.org")),
        (400, and("no colon")),
        (400, and("b@d: name")),
        (400, and("spa ced: name")),
        (400, and(&nul("X: a0b"))),
        (400, and(&nul("X0: a"))),
        (400, and("X: a\u{b}b")),
        (400, and("X: a\u{7f}b")),
        (400, and("X: a\rb")),
        (400, and("X: a\nHost: b")),
        (
            400,
            lines(&GOOD)
                .iter()
                .copied()
                .filter(|byte| *byte != b'\r')
                .collect(),
        ),
        (
            400,
            lines(&GOOD)
                .iter()
                .copied()
                .filter(|byte| *byte != b'\n')
                .collect(),
        ),
    ];
    refused(&OriginPolicy::Any, bad);
}

#[test]
fn malformed_request_lines_are_refused() {
    let bad = vec![
        (400, with("GET", "GET  /ws HTTP/1.1")),
        (400, with("GET", "GET /ws  HTTP/1.1")),
        (400, with("GET", "GET /ws HTTP/1.1 ")),
        (400, with("GET", "GET /ws")),
        (400, with("GET", "GET")),
        (400, with("GET", "GET\t/ws\tHTTP/1.1")),
        (400, with("GET", "GET /a b HTTP/1.1")),
        (400, with("GET", "GET /ws#part HTTP/1.1")),
        (400, with("GET", "GET /größe HTTP/1.1")),
        (400, with("GET", "GET /ws http/1.1")),
        (505, with("GET", "GET /ws HTTP/1.1x")),
        (400, with("GET", "GET /ws ICAP/1.1")),
        (400, with("GET", "G(T /ws HTTP/1.1")),
        (400, [b"\r\n".to_vec(), lines(&GOOD)].concat()),
        (400, [b" ".to_vec(), lines(&GOOD)].concat()),
        (
            400,
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        ),
        (400, b"\0\0\0\0".to_vec()),
        (400, b"\xff\xfe\xfd".to_vec()),
        (400, b"SSH-2.0-OpenSSH_9.6\r\n\r\n".to_vec()),
        (400, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
    ];
    refused(&OriginPolicy::Any, bad);
}

#[test]
fn heads_over_a_limit_are_refused() {
    let bad = vec![
        (431, vec![b'A'; HEAD_BYTES_MAX]),
        (431, and(&format!("X: {}", "x".repeat(HEAD_BYTES_MAX)))),
        (431, and(&vec!["X: y"; HEADERS_MAX].join("\r\n"))),
    ];
    refused(&OriginPolicy::Any, bad);
}

#[test]
fn a_head_of_the_greatest_size_is_taken_and_one_byte_more_refused() {
    let padded = |len: usize| and(&format!("X: {}", "x".repeat(len)));
    let room = HEAD_BYTES_MAX - padded(0).len();
    let largest = padded(room);
    assert_eq!(parse_head(&largest).unwrap().unwrap().1, HEAD_BYTES_MAX);
    assert_eq!(parse_head(&padded(room + 1)).unwrap_err().status, 431);
    assert_eq!(parse_head(&largest[..HEAD_BYTES_MAX - 1]), Ok(None));
}

#[test]
fn garbage_is_refused_at_its_first_byte_and_bare_line_feeds_at_theirs() {
    assert_eq!(parse_head(b""), Ok(None));
    assert_eq!(parse_head(b"\x16").unwrap_err().status, 400);
    assert_eq!(parse_head(b"GET / HTTP/1.1\n").unwrap_err().status, 400);
    assert_eq!(parse_head(b"GET / HTTP/1.1\r").unwrap(), None);
    assert_eq!(parse_head(b"GET / HTTP/1.1\rX").unwrap_err().status, 400);
}

#[test]
fn bytes_behind_the_head_are_left_alone() {
    let head = lines(&GOOD);
    let more = [&head[..], b"\x81\x00\xff\x00\n\n"].concat();
    assert_eq!(parse_head(&more).unwrap().unwrap().1, head.len());
}

#[test]
fn plain_requests_show_path_query_and_headers() {
    let bytes = lines(&[
        "GET /a/b%20?q=x+y%21&empty&twice=1&twice=2&bad=%zz%4&%6b=v HTTP/1.1",
        "Host: h",
        "X-One:  1 ",
    ]);
    let head = parse(&bytes).unwrap();
    assert_eq!(
        (head.method.as_str(), head.path.as_str()),
        ("GET", "/a/b%20")
    );
    assert!(!head.is_upgrade());
    assert_eq!(
        (
            head.header("x-one"),
            head.header("HOST"),
            head.header("none")
        ),
        (Some("1"), Some("h"), None)
    );
    let values = ["q", "empty", "twice", "bad", "k", "none"].map(|key| head.query_value(key));
    let values: Vec<Option<&str>> = values.iter().map(|value| value.as_deref()).collect();
    assert_eq!(
        values,
        [
            Some("x y!"),
            Some(""),
            Some("1"),
            Some("%zz%4"),
            Some("v"),
            None
        ]
    );
    let head = parse(&lines(&["HEAD / HTTP/1.0"])).unwrap();
    assert_eq!((head.query.clone(), head.query_value("q")), (None, None));
    // Something that means to be a WebSocket is one for `upgrade` to refuse.
    assert!(parse(&with("Upgrade", "")).unwrap().is_upgrade());
}

#[test]
fn all_values_are_found_and_none_is_shown_by_debug() {
    let bytes = lines(&[
        "GET /a?token=s3cret&user=anna&token=s%33cond HTTP/1.1",
        "Host: h",
        "Authorization: Bearer s3cret",
        "authorization: Basic other",
    ]);
    let head = parse(&bytes).unwrap();
    let tokens: Vec<String> = head.query_values("token").map(Into::into).collect();
    assert_eq!(tokens, ["s3cret", "s3cond"]);
    let authorizations: Vec<&str> = head.headers("authorization").collect();
    assert_eq!(authorizations, ["Bearer s3cret", "Basic other"]);
    let debug = format!("{head:?}");
    assert!(
        debug.contains("token") && debug.contains("Authorization"),
        "{debug}"
    );
    assert!(
        !debug.contains("cret") && !debug.contains("cond"),
        "{debug}"
    );
}

#[test]
fn origins_are_compared_whole() {
    let list = OriginPolicy::List(vec![
        "https://play.example.org".to_owned(),
        "null".to_owned(),
    ]);
    let cases: [(&OriginPolicy, &str, u16); 24] = [
        (&OriginPolicy::Any, "http://evil.example", 101),
        (&OriginPolicy::Any, "null", 101),
        (&list, "https://play.example.org", 101),
        (&list, "null", 403),
        (&list, "http://play.example.org", 403),
        (&list, "https://play.example.org:443", 403),
        (&list, "https://play.example.org.evil.example", 403),
        (&list, "https://play.example.org/", 403),
        (&list, "https://evil.example/https://play.example.org", 403),
        (&list, "https://PLAY.example.org", 403),
        (
            &list,
            "https://play.example.org https://play.example.org",
            403,
        ),
        (&list, "", 403),
        (&OriginPolicy::SameHost, "http://example.org:8080", 101),
        (&OriginPolicy::SameHost, "https://example.org:8080", 101),
        (&OriginPolicy::SameHost, "http://EXAMPLE.org:8080", 101),
        (&OriginPolicy::SameHost, "http://example.org", 403),
        (&OriginPolicy::SameHost, "http://example.org:8081", 403),
        (&OriginPolicy::SameHost, "http://evil-example.org:8080", 403),
        (
            &OriginPolicy::SameHost,
            "http://example.org:8080.evil.example",
            403,
        ),
        (&OriginPolicy::SameHost, "http://x@example.org:8080", 403),
        (&OriginPolicy::SameHost, "file://example.org:8080", 403),
        (&OriginPolicy::SameHost, "example.org:8080", 403),
        (&OriginPolicy::SameHost, "null", 403),
        (&OriginPolicy::SameHost, "", 403),
    ];
    for (policy, origin, status) in cases {
        assert_eq!(
            status_of(&and(&format!("Origin: {origin}")), policy),
            status,
            "{origin}"
        );
    }
    for policy in [&OriginPolicy::Any, &list, &OriginPolicy::SameHost] {
        assert_eq!(status_of(&lines(&GOOD), policy), 101, "no Origin");
    }
    for (host, origin) in [
        ("h", "http://h:80"),
        ("h:80", "http://h"),
        ("h:443", "https://h"),
    ] {
        let bytes = lines(&[
            GOOD[0],
            &format!("Host: {host}"),
            GOOD[2],
            GOOD[3],
            GOOD[4],
            KEY,
            &format!("Origin: {origin}"),
        ]);
        assert_eq!(
            status_of(&bytes, &OriginPolicy::SameHost),
            101,
            "{host} {origin}"
        );
    }
}

#[test]
fn responses_say_their_length_and_that_they_are_the_last() {
    let mut response = Response::json(200, r#"{"ok":true}"#);
    response
        .headers
        .push(("X-Note", "a\r\nInjected: b".to_owned()));
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\nConnection: close\r\n\
                X-Note: a  Injected: b\r\n\r\n";
    assert_eq!(response.encode(), format!("{head}{{\"ok\":true}}"));
    assert_eq!(response.encode_head_only(), head);
    for (status, words) in [(204, "No Content"), (304, "Not Modified")] {
        let bodiless = Response::text(status, "");
        let head = format!("HTTP/1.1 {status} {words}\r\nConnection: close\r\n\r\n");
        assert_eq!(bodiless.encode(), head);
    }
    let refusal: Response = Refusal::new(405, "no").into();
    assert!(String::from_utf8_lossy(&refusal.encode()).contains("\r\nAllow: GET\r\n"));
}

#[test]
fn a_client_and_a_server_agree() {
    for seed in 0..=255u8 {
        let key: [u8; 16] =
            std::array::from_fn(|at| seed.wrapping_mul(at as u8 + 3) ^ seed.rotate_left(at as u32));
        let request = client_request("localhost:80", "/ws?a=b", &key);
        let head = parse(&request).unwrap();
        assert_eq!(head.query_value("a").as_deref(), Some("b"));
        let answer = upgrade(&head, &OriginPolicy::SameHost).unwrap();
        let more = [&answer[..], b"\x81\x00"].concat();
        assert_eq!(parse_client_response(&more, &key), Ok(Some(answer.len())));
        for len in 0..answer.len() {
            assert_eq!(parse_client_response(&answer[..len], &key), Ok(None));
        }
        let mut other = key;
        other[15] ^= 1;
        assert_eq!(
            parse_client_response(&answer, &other).unwrap_err().status,
            502
        );
    }
    // The example of RFC 6455.
    let request = client_request("h", "/", b"the sample nonce");
    assert!(
        request
            .windows(KEY.len())
            .any(|window| window == KEY.as_bytes())
    );
}

#[test]
fn a_client_is_told_which_subprotocol_was_chosen() {
    let key = b"the sample nonce";
    let offered = ["worldshard.1", "worldshard.resume.ab12"];
    let request = client_request_offering("localhost:80", "/world", key, &offered);
    let head = parse(&request).unwrap();
    assert_eq!(head.offered_protocols().collect::<Vec<_>>(), offered);
    let answer = |chosen| upgrade_speaking(&head, &OriginPolicy::Any, chosen).unwrap();
    for chosen in [None, Some(offered[0]), Some(offered[1])] {
        let answer = answer(chosen);
        let switched = ClientAnswer::Switched {
            len: answer.len(),
            protocol: chosen.map(str::to_owned),
        };
        assert_eq!(
            parse_client_answer(&answer, key, &offered),
            Ok(Some(switched))
        );
    }
    let unasked = parse_client_answer(&answer(Some(offered[1])), key, &offered[..1]);
    assert_eq!(unasked.unwrap_err().status, 502);
}

#[test]
fn a_client_is_told_when_to_come_back() {
    let key = b"the sample nonce";
    let refused = |retry_after_s, body_len| {
        Some(ClientAnswer::Refused {
            status: 503,
            line: "HTTP/1.1 503 Service Unavailable".to_owned(),
            retry_after_s,
            len: 0,
            body_len,
        })
    };
    let answers = [
        (
            &["Retry-After: 7", "Content-Length: 5"][..],
            refused(Some(7), Some(5)),
        ),
        (
            &["Retry-After: Fri, 31 Dec 1999 23:59:59 GMT"][..],
            refused(None, None),
        ),
        (&["Retry-After: -1"][..], refused(None, None)),
    ];
    for (headers, expected) in answers {
        let mut head = vec!["HTTP/1.1 503 Service Unavailable"];
        head.extend(headers);
        let mut answer = parse_client_answer(&lines(&head), key, &[]).unwrap();
        if let Some(ClientAnswer::Refused { len, .. }) = &mut answer {
            assert_eq!(std::mem::take(len), lines(&head).len());
        }
        assert_eq!(answer, expected);
    }
}

#[test]
fn a_client_refuses_what_it_did_not_ask_for() {
    let good = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    ];
    let with = |at: usize, line: &str| {
        let mut changed = good;
        changed[at] = line;
        lines(&changed)
    };
    let key = b"the sample nonce";
    assert!(parse_client_response(&lines(&good), key).unwrap().is_some());
    let bad = [
        (403, with(0, "HTTP/1.1 403 Forbidden")),
        (200, with(0, "HTTP/1.1 200 OK")),
        (503, with(0, "HTTP/1.1 503")),
        (502, with(0, "HTTP/1.0 101 x")),
        (502, with(0, "HTTP/1.1 1x1 x")),
        (502, with(0, "garbage")),
        (502, with(1, "X: y")),
        (502, with(2, "Connection: close")),
        (502, with(3, "X: y")),
        (
            502,
            with(3, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOO="),
        ),
        (
            502,
            with(3, "Sec-WebSocket-Accept: S3PPLMBITXAQ9KYGZZHZRBK+XOO="),
        ),
        (
            502,
            [
                &lines(&good)[..lines(&good).len() - 2],
                b"Sec-WebSocket-Protocol: chat\r\n\r\n",
            ]
            .concat(),
        ),
        (
            502,
            [
                &lines(&good)[..lines(&good).len() - 2],
                b"Sec-WebSocket-Extensions: x\r\n\r\n",
            ]
            .concat(),
        ),
        (502, b"HTTP/1.1 101 x\n\n".to_vec()),
        (502, b"\r\n".to_vec()),
        (502, b"\r\n\r\n".to_vec()),
        (502, vec![b'a'; HEAD_BYTES_MAX]),
    ];
    for (status, answer) in bad {
        let text = String::from_utf8_lossy(&answer).into_owned();
        assert_eq!(
            parse_client_response(&answer, key).unwrap_err().status,
            status,
            "{text}"
        );
    }
}
