//! From an address to an open WebSocket: names, TCP, TLS, the upgrade. Runs on the connection's thread and may wait.

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use worldshard_transport::{ClientAnswer, client_request_offering, parse_client_answer};

use super::stream::Stream;
use crate::agent::{Happened, Target};
use crate::chance::Chance;

/// How TLS is spoken, where it can be.
#[cfg(feature = "tls")]
pub(super) type Tls = Option<std::sync::Arc<rustls::ClientConfig>>;

/// There is none.
#[cfg(not(feature = "tls"))]
#[derive(Clone)]
pub(super) struct Tls;

/// Connects to the first address that answers.
pub(super) fn connect(target: &Target) -> Result<TcpStream, Happened> {
    let url = &target.url;
    let failed = |error: &io::Error| Happened::Failed(format!("{}: {error}", url.authority()));
    let addresses = (url.host(), url.port())
        .to_socket_addrs()
        .map_err(|error| failed(&error))?;
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, CONNECT_WAIT) {
            Ok(tcp) => {
                let set = tcp
                    .set_nodelay(true)
                    .and_then(|()| tcp.set_read_timeout(Some(ANSWER_WAIT)))
                    .and_then(|()| tcp.set_write_timeout(Some(ANSWER_WAIT)));
                return set.map(|()| tcp).map_err(|error| failed(&error));
            }
            Err(error) => last = error,
        }
    }
    Err(failed(&last))
}

/// Puts TLS around a connection, where the address asks for it.
#[cfg(feature = "tls")]
pub(super) fn secure(tcp: TcpStream, target: &Target, tls: &Tls) -> Result<Stream, Happened> {
    if !target.url.is_secure() {
        return Ok(Stream::plain(tcp));
    }
    let config = tls.clone().expect("made where the address asks for it");
    super::tls::connection(config, target.url.host())
        .map(|tls| Stream::secure(tcp, tls))
        .map_err(|error| Happened::Failed(format!("TLS: {error}")))
}

/// Without TLS there is nothing to put around it: such addresses were refused.
#[cfg(not(feature = "tls"))]
pub(super) fn secure(tcp: TcpStream, _: &Target, _: &Tls) -> Result<Stream, Happened> {
    Ok(Stream::plain(tcp))
}

/// Asks for the upgrade, and returns what came behind the answer.
pub(super) fn upgrade(
    stream: &Stream,
    target: &Target,
    chance: &mut Chance,
) -> Result<Vec<u8>, Happened> {
    let failed = |error: io::Error| Happened::Failed(format!("upgrade: {error}"));
    let key = chance.key();
    let offered: Vec<&str> = target.protocols.iter().map(String::as_str).collect();
    let url = &target.url;
    let request = client_request_offering(&url.authority(), &url.request_target(), &key, &offered);
    write_all(stream, &request).map_err(failed)?;
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match parse_client_answer(&bytes, &key, &offered) {
            Err(refusal) => return Err(Happened::Broken(refusal.reason.into_owned())),
            Ok(Some(ClientAnswer::Switched { len, .. })) => {
                bytes.drain(..len);
                return Ok(bytes);
            }
            Ok(Some(ClientAnswer::Refused {
                status,
                line,
                retry_after_s,
                len,
                body_len,
            })) => {
                bytes.drain(..len);
                let body = read_body(stream, bytes, body_len);
                return Err(Happened::Refused {
                    status,
                    retry_after: retry_after_s.map(Duration::from_secs),
                    reason: if body.is_empty() { line } else { body },
                });
            }
            Ok(None) => {}
        }
        match stream.read(&mut buffer).map_err(failed)? {
            0 => return Err(failed(io::ErrorKind::UnexpectedEof.into())),
            read => bytes.extend_from_slice(&buffer[..read]),
        }
    }
}

fn write_all(stream: &Stream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = stream.write(bytes)?;
        bytes = &bytes[written..];
    }
    stream.flush()
}

/// The reason as far as it comes: it is for people, so what is missing is left out.
fn read_body(stream: &Stream, mut body: Vec<u8>, body_len: Option<u64>) -> String {
    let wanted = body_len.map_or(BODY_BYTES_MAX, |len| {
        usize::try_from(len).map_or(BODY_BYTES_MAX, |len| len.min(BODY_BYTES_MAX))
    });
    let mut buffer = [0; 1024];
    while body.len() < wanted {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(read) => body.extend_from_slice(&buffer[..read]),
        }
    }
    body.truncate(wanted);
    String::from_utf8_lossy(&body).trim().to_owned()
}

/// For one address of a name. The agent's own patience is for all of it.
const CONNECT_WAIT: Duration = Duration::from_secs(10);

/// For one read or write before the connection is a WebSocket.
const ANSWER_WAIT: Duration = Duration::from_secs(10);

/// More of a refusal's reason is not read.
const BODY_BYTES_MAX: usize = 1024;
