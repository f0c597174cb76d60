//! What operators ask of a server of these tests. Never judges: tests do.

use std::io::Write as _;
use std::net::SocketAddr;

use serde_json::Value;
use worldshard::prelude::*;
use worldshard::{AdminOptions, Secret};

use crate::prometheus::Scrape;
use crate::socket::{answer, tcp};

pub(crate) const TOKEN: &str = "a token of operators";

/// A listener of operators on a free port.
pub(crate) fn admin() -> AdminOptions {
    AdminOptions::new("127.0.0.1:0", Secret::new(TOKEN.as_bytes()).unwrap())
}

/// Asks as an operator.
pub(crate) fn ask(address: SocketAddr, method: &str, target: &str) -> (u16, String) {
    let lines = format!("Authorization: Bearer {TOKEN}\r\n");
    ask_showing(address, method, target, &lines)
}

/// Asks with these lines in the head.
pub(crate) fn ask_showing(
    address: SocketAddr,
    method: &str,
    target: &str,
    lines: &str,
) -> (u16, String) {
    let mut stream = tcp(address);
    let request = format!("{method} {target} HTTP/1.1\r\nHost: admin\r\n{lines}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    answer(&mut stream)
}

/// The same, of what is answered in JSON and well.
pub(crate) fn ask_json(address: SocketAddr, method: &str, target: &str) -> Value {
    let (status, body) = ask(address, method, target);
    assert!((200..300).contains(&status), "{target}: {status} {body}");
    serde_json::from_str(&body).unwrap()
}

/// All metrics now.
pub(crate) fn scrape(running: &Running) -> Scrape {
    let (status, text) = ask(running.admin_addr().unwrap(), "GET", "/metrics");
    assert_eq!(status, 200, "{text}");
    Scrape::read(&text)
}
