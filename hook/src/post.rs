//! One try: a body posted, and what came of it. Never tries again: that is `delivery`.

use std::time::Duration;

use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Error};
use worldshard::runtime::since_1970;

use crate::options::HookOptions;
use crate::sign::{SIGNATURE_HEADER, signature};

/// Connections to the service, kept for the next try.
pub(crate) struct Poster {
    agent: Agent,
    url: String,
    secret: Vec<u8>,
    timeout: Duration,
}

/// What is posted, the same in each try.
pub(crate) struct Letter {
    /// Names the event: who gets it twice does it once.
    pub(crate) key: String,
    /// W3C Trace Context.
    pub(crate) traceparent: String,
    pub(crate) body: Vec<u8>,
}

/// What came of a try.
pub(crate) enum Outcome {
    /// The service took it, with this to say.
    Taken(Vec<u8>),
    /// It did not, and another try would change nothing.
    Refused(u16),
    /// It is there, and wants to be asked later.
    Later(Option<Duration>),
    /// It is not there, or not well: in a word, and for how long it wants to be left alone.
    Failed(&'static str, Option<Duration>),
}

impl Poster {
    pub(crate) fn new(options: &HookOptions) -> Self {
        let threads = options.workers + options.deciders;
        let known: Vec<_> = options
            .authorities
            .iter()
            .map(|der| Certificate::from_der(der).to_owned())
            .collect();
        let roots = match known.is_empty() {
            true => RootCerts::WebPki,
            false => RootCerts::new_with_certs(&known),
        };
        let tls = TlsConfig::builder().root_certs(roots).build();
        let config = Agent::config_builder()
            .timeout_global(Some(options.timeout))
            // What an operator says is where it is posted to, and nothing else.
            .max_redirects(0)
            .proxy(None)
            .http_status_as_error(false)
            .max_response_header_size(HEADER_BYTES_MAX)
            .max_idle_connections(threads)
            .max_idle_connections_per_host(threads)
            .user_agent("worldshard-hook/1")
            .tls_config(tls)
            .build();
        Self {
            agent: config.into(),
            url: options.url.clone(),
            secret: options.secret.clone(),
            timeout: options.timeout,
        }
    }

    /// Posts, within the timeout of a try or so much.
    pub(crate) fn post(&self, letter: &Letter, within: Option<Duration>) -> Outcome {
        let timeout = self.timeout.min(within.unwrap_or(Duration::MAX));
        let request = self
            .agent
            .post(&self.url)
            .content_type("application/json")
            .header("idempotency-key", &letter.key)
            .header("traceparent", &letter.traceparent)
            .header(
                SIGNATURE_HEADER,
                signature(&self.secret, since_1970(), &letter.body),
            )
            .config()
            .timeout_global(Some(timeout))
            .build();
        let mut response = match request.send(&letter.body) {
            Ok(response) => response,
            Err(error) => return Outcome::Failed(in_a_word(&error), None),
        };
        let status = response.status().as_u16();
        let after = response
            .headers()
            .get("retry-after")
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
        match status {
            429 => Outcome::Later(after),
            500.. => Outcome::Failed("it answers 5xx", after),
            200..=299 => {
                let body = response.body_mut().with_config();
                match body.limit(ANSWER_BYTES_MAX).read_to_vec() {
                    Ok(body) => Outcome::Taken(body),
                    // What came of the event is known, so it is not posted again.
                    Err(Error::BodyExceedsLimit(_)) => Outcome::Taken(TOO_LONG.to_vec()),
                    Err(error) => Outcome::Failed(in_a_word(&error), None),
                }
            }
            _ => Outcome::Refused(status),
        }
    }
}

/// Without what an error quotes: a URL may hold a key.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the library adds kinds, and all others are one word"
)]
fn in_a_word(error: &Error) -> &'static str {
    match error {
        Error::Timeout(_) => "it takes too long",
        Error::HostNotFound => "its name is not known",
        Error::ConnectionFailed => "it cannot be connected to",
        Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            "it cannot be connected to"
        }
        Error::Io(_) => "its connection broke",
        Error::Tls(_) | Error::Rustls(_) => "it breaks TLS",
        _ => "it breaks HTTP",
    }
}

/// A longer answer is not read, in bytes.
pub(crate) const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// The headers of an answer are at most so long, in bytes.
const HEADER_BYTES_MAX: usize = 16 * 1024;

/// What stands for an answer that is not read: no JSON.
const TOO_LONG: &[u8] = b"too long";
