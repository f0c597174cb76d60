//! Asks the listener of operators of a server: one request a connection. Never prints.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::Value;
use worldshard::runtime::since_1970;

use crate::failure::Failure;

/// Which server, and what it must be shown.
#[derive(Args, Clone, Debug)]
pub(crate) struct OperatorArgs {
    /// Where the server answers operators: what its --admin says
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://127.0.0.1:8081",
        global = true,
        help_heading = "Server"
    )]
    pub(crate) url: String,

    /// The file with the token of operators; without, the variable WORLDSHARD_ADMIN_TOKEN_FILE names it
    #[arg(long, value_name = "FILE", global = true, help_heading = "Server")]
    pub(crate) token_file: Option<PathBuf>,
}

/// A server that is asked.
pub(crate) struct Operators {
    host: String,
    token: String,
}

/// What it answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Operators {
    /// Reads the token; connects to nobody yet.
    pub(crate) fn new(args: &OperatorArgs) -> Result<Self, Failure> {
        let url = &args.url;
        let host = url
            .strip_prefix("http://")
            .map(|rest| rest.trim_end_matches('/'));
        let host = host.filter(|host| !host.is_empty() && !host.contains('/'));
        let host = host.ok_or_else(|| {
            Failure::usage(format!(
                "--url {url}: http://HOST:PORT, without a path; it is not encrypted"
            ))
        })?;
        let named = std::env::var_os(TOKEN_FILE_VARIABLE).map(PathBuf::from);
        let path = args.token_file.clone().or(named).ok_or_else(|| {
            Failure::usage(
                "--token-file: missing; the file that the server's --admin-token-file names",
            )
        })?;
        let refused =
            |why: String| Failure::usage(format!("--token-file {}: {why}", path.display()));
        let bytes = fs::read(&path).map_err(|error| refused(error.to_string()))?;
        let token = token_in(&bytes).map_err(|why| refused(why.to_owned()))?;
        Ok(Self {
            host: host.to_owned(),
            token,
        })
    }

    /// One request, its method and its path with a query.
    pub(crate) fn ask(&self, method: &str, target: &str) -> Result<Answer, Failure> {
        let failed = |error: std::io::Error| Failure::runtime(format!("{}: {error}", self.host));
        let answer = self.converse(method, target).map_err(failed)?;
        let parsed = answer.split_once("\r\n\r\n").and_then(|(head, body)| {
            let status = head.split(' ').nth(1)?.parse().ok()?;
            Some(Answer {
                status,
                body: body.to_owned(),
            })
        });
        parsed.ok_or_else(|| Failure::runtime(format!("{}: no HTTP is spoken there", self.host)))
    }

    /// The JSON of an answer that is good.
    pub(crate) fn ask_json(&self, method: &str, target: &str) -> Result<Value, Failure> {
        let Answer { status, body } = self.ask(method, target)?;
        if !(200..300).contains(&status) {
            return Err(Failure::runtime(format!("{status}: {}", body.trim_end())));
        }
        serde_json::from_str(&body)
            .map_err(|_| Failure::runtime(format!("{}: no server of worldshard", self.host)))
    }

    fn converse(&self, method: &str, target: &str) -> std::io::Result<String> {
        let mut addresses = self.host.to_socket_addrs()?;
        let none = || std::io::Error::from(std::io::ErrorKind::AddrNotAvailable);
        let address = addresses.next().ok_or_else(none)?;
        let until = since_1970() + PATIENCE;
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let (host, token) = (&self.host, &self.token);
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        stream.write_all(request.as_bytes())?;
        read(&mut stream, until)
    }
}

/// The token of operators in a file: a line that the header of a request can carry as it is.
///
/// # Errors
/// Says what else is there: nobody could show such a token.
pub(crate) fn token_in(file: &[u8]) -> Result<String, &'static str> {
    let text = std::str::from_utf8(file).map_err(|_| "not a text in UTF-8")?;
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    match line {
        _ if line.contains('\n') => Err("more than one line; base64 -w0 writes one"),
        _ if line.contains(char::is_control) => Err("a control character in it"),
        _ if line.trim() != line => Err("a blank before or behind it"),
        _ if line.len() > TOKEN_BYTES_MAX => Err("longer than 1024 bytes"),
        _ => Ok(line.to_owned()),
    }
}

/// All that comes until the peer ends it, which it must in time.
fn read(stream: &mut TcpStream, until: Duration) -> std::io::Result<String> {
    let (mut answer, mut buffer) = (Vec::new(), [0; 16 * 1024]);
    loop {
        let left = until.saturating_sub(since_1970());
        if left.is_zero() {
            return Err(std::io::Error::other(format!("no answer in {PATIENCE:?}")));
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(len) => answer.extend_from_slice(&buffer[..len]),
            // Its time is over, perhaps: the next round says so.
            Err(error) if is_pause(error.kind()) => {}
            Err(error) => return Err(error),
        }
        if answer.len() > ANSWER_BYTES_MAX {
            return Err(std::io::Error::other("its answer has no end"));
        }
    }
    String::from_utf8(answer).map_err(|_| std::io::Error::other("no HTTP is spoken there"))
}

fn is_pause(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut
    )
}

/// A value of a query, with all that is special escaped.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                escaped.push(char::from(byte));
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

const TOKEN_FILE_VARIABLE: &str = "WORLDSHARD_ADMIN_TOKEN_FILE";

/// More than a server takes that waits for a shard which stands still.
const PATIENCE: Duration = Duration::from_secs(10);

/// More than any server has to say at once.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A head with it is far from too long.
const TOKEN_BYTES_MAX: usize = 1024;
