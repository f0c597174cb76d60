//! Where the service is, what it is told, and how much of the server it may cost. Values only.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::authorities;

/// Where the service is, what it is told, and how much of the server it may cost.
#[derive(Clone, PartialEq, Eq)]
pub struct HookOptions {
    /// Where everything is posted to, `http` or `https`. No name and password in it, and no redirect is followed.
    pub url: String,
    /// Signs what is posted; at least [`SECRET_BYTES_MIN`](Self::SECRET_BYTES_MIN) bytes.
    pub secret: Vec<u8>,
    /// Certificates, as DER: that of the service at an `https` URL must be one of them, or signed by one. None are those that
    /// browsers know. [`trust`](Self::trust) reads them.
    pub authorities: Vec<Vec<u8>>,
    /// What is posted.
    pub events: HookEvents,
    /// Time for one try, from the look-up of the name to the last byte of the answer; then it has failed.
    pub timeout: Duration,
    /// Tries after the first that failed; then the event is given up.
    pub retries: u32,
    /// The pause before the second try, more or less; it doubles with each, up to [`PAUSE_MAX`](Self::PAUSE_MAX).
    pub pause: Duration,
    /// Who comes in where the service does not say.
    pub on_error: OnError,
    /// Threads that post events; those of one session are posted by one of them, one after another. At least 1.
    pub workers: usize,
    /// Threads that ask who is let in. At least 1.
    pub deciders: usize,
    /// Events that wait for one thread; one more is dropped, and counted.
    pub events_max: usize,
    /// Bytes of messages that wait for one thread; one that is too much is dropped, and counted.
    pub events_bytes_max: usize,
    /// Clients that wait to be asked for; one more is not let in.
    pub decisions_max: usize,
    /// Answers that wait for one shard; one more is dropped, and counted.
    pub replies_max: usize,
    /// Tries that fail one after another, over all threads, before there are none for a while; at least 1.
    pub failures_max: u32,
    /// For how long there are none then.
    pub open: Duration,
    /// Time for what waits to be posted when the server stops; the rest is dropped.
    pub grace: Duration,
}

/// What is posted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HookEvents {
    /// Who asks to be let in; the service decides. It takes the place of any other way to prove who one is.
    pub auth: bool,
    /// That a session has opened.
    pub connect: bool,
    /// What a session says to the application: messages of raw paths, and on lanes those to the service `app`.
    pub message: bool,
    /// That a session has ended.
    pub disconnect: bool,
    /// What sessions on lanes say to the service of this name of the ext lane, which the hook then is.
    pub service: Option<String>,
}

/// Who comes in where the service does not say.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OnError {
    /// Nobody.
    #[default]
    Deny,
    /// Everybody, as nobody's session.
    Allow,
}

impl HookOptions {
    /// A shorter secret could be guessed.
    pub const SECRET_BYTES_MIN: usize = 16;

    /// The longest pause between two tries, and the most that a `Retry-After` is heeded.
    pub const PAUSE_MAX: Duration = Duration::from_secs(10);

    /// All events but `auth`; a try takes 2 s at most, and there are 3 more; nobody is let in without an answer.
    #[must_use]
    pub fn new(url: impl Into<String>, secret: impl Into<Vec<u8>>) -> Self {
        Self {
            url: url.into(),
            secret: secret.into(),
            authorities: Vec::new(),
            events: HookEvents::default(),
            timeout: Duration::from_secs(2),
            retries: 3,
            pause: Duration::from_millis(100),
            on_error: OnError::Deny,
            workers: 4,
            deciders: 4,
            events_max: 1024,
            events_bytes_max: 4 * 1024 * 1024,
            decisions_max: 256,
            replies_max: 1024,
            failures_max: 5,
            open: Duration::from_secs(5),
            grace: Duration::from_secs(2),
        }
    }

    /// From now on these certificates are the [`authorities`](Self::authorities), as PEM: those of the operator's own, and no
    /// others.
    ///
    /// # Errors
    /// None is in it, or something else stands for one, with its line.
    pub fn trust(&mut self, pem: &[u8]) -> Result<(), String> {
        self.authorities = authorities::certificates(pem)?;
        Ok(())
    }

    /// What cannot be, in words; none when all is well.
    pub(crate) fn mistake(&self) -> Option<String> {
        let (scheme, rest) = self.url.split_once("://").unwrap_or_default();
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if !matches!(scheme, "http" | "https") || host.is_empty() {
            return Some("the url is none of http or https".to_owned());
        }
        if host.contains('@') {
            return Some(
                "the url has a name or password: the signature is the credential".to_owned(),
            );
        }
        if self.secret.len() < Self::SECRET_BYTES_MIN {
            let least = Self::SECRET_BYTES_MIN;
            return Some(format!("the secret is shorter than {least} bytes"));
        }
        let is_certificate = |der: &Vec<u8>| authorities::is_certificate(der);
        if !self.authorities.iter().all(is_certificate) {
            return Some("one of the authorities is no certificate".to_owned());
        }
        for (name, is_none) in [
            ("timeout", self.timeout.is_zero()),
            ("workers", self.workers == 0),
            ("deciders", self.deciders == 0),
            ("failures_max", self.failures_max == 0),
        ] {
            if is_none {
                return Some(format!("{name} is 0"));
            }
        }
        None
    }
}

impl Default for HookEvents {
    fn default() -> Self {
        Self {
            auth: false,
            connect: true,
            message: true,
            disconnect: true,
            service: None,
        }
    }
}

/// Names with commas between them: `auth`, `connect`, `message`, `disconnect`, and `svc:NAME` for a service.
impl FromStr for HookEvents {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut events = Self {
            auth: false,
            connect: false,
            message: false,
            disconnect: false,
            service: None,
        };
        for name in text.split(',') {
            match (name, name.strip_prefix("svc:")) {
                ("auth", _) => events.auth = true,
                ("connect", _) => events.connect = true,
                ("message", _) => events.message = true,
                ("disconnect", _) => events.disconnect = true,
                (_, Some(service)) if !service.is_empty() && events.service.is_none() => {
                    events.service = Some(service.to_owned());
                }
                _ => {
                    return Err(format!(
                        "{name:?}: auth, connect, message, disconnect, or svc:NAME once"
                    ));
                }
            }
        }
        Ok(events)
    }
}

impl FromStr for OnError {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "deny" => Ok(Self::Deny),
            "allow" => Ok(Self::Allow),
            _ => Err("deny or allow".to_owned()),
        }
    }
}

/// Without the secret, and of the URL no more than where it leads: a query may hold a key.
impl fmt::Debug for HookOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.url.split(['?', '#']).next().unwrap_or_default();
        f.debug_struct("HookOptions")
            .field("url", &place)
            .field("events", &self.events)
            .field("timeout", &self.timeout)
            .field("retries", &self.retries)
            .field("on_error", &self.on_error)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
