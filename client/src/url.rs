//! Where a server is: `ws://host:port/path?query`, and `wss` for TLS. Never looks a name up.

use std::fmt;
use std::str::FromStr;

/// An address of a WebSocket.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    secure: bool,
    /// As it stands in the text: a name, or an address, in brackets when it has colons.
    host: String,
    port: u16,
    /// Begins with a slash.
    path: String,
    /// Pairs already encoded, joined by `&`.
    query: String,
}

impl Url {
    /// Whether TLS is spoken.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Name or address, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(&self.host)
    }

    /// The port, 80 or 443 where the text names none.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Host and port as the Host header has them: without the port that the scheme implies.
    #[must_use]
    pub fn authority(&self) -> String {
        if self.port == implied_port(self.secure) {
            self.host.clone()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// What is asked for: path and query.
    #[must_use]
    pub fn request_target(&self) -> String {
        if self.query.is_empty() {
            self.path.clone()
        } else {
            format!("{}?{}", self.path, self.query)
        }
    }

    /// The same with one more pair in the query; `value` is encoded.
    #[must_use]
    pub fn with_query(mut self, name: &str, value: &str) -> Self {
        if !self.query.is_empty() {
            self.query.push('&');
        }
        self.query.push_str(name);
        self.query.push('=');
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                self.query.push(char::from(byte));
            } else {
                self.query.push_str(&format!("%{byte:02X}"));
            }
        }
        self
    }
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        if text.bytes().any(|byte| !byte.is_ascii_graphic()) {
            return Err(UrlError("has a blank or a character beyond ASCII"));
        }
        let (secure, rest) = match text.split_once("://") {
            Some(("ws", rest)) => (false, rest),
            Some(("wss", rest)) => (true, rest),
            _ => return Err(UrlError("does not begin with ws:// or wss://")),
        };
        if rest.contains('#') {
            return Err(UrlError("has a fragment"));
        }
        let authority_len = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(authority_len);
        if authority.contains('@') {
            return Err(UrlError("has a user: credentials do not belong there"));
        }
        let (host, port) = split_port(authority)?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Ok(Self {
            secure,
            host: host.to_owned(),
            port: port.unwrap_or(implied_port(secure)),
            path: if path.is_empty() { "/" } else { path }.to_owned(),
            query: query.to_owned(),
        })
    }
}

fn split_port(authority: &str) -> Result<(&str, Option<u16>), UrlError> {
    // The colons of an address in brackets separate no port.
    let host_len = match authority.rfind(']') {
        Some(bracket) if authority.starts_with('[') => bracket + 1,
        _ => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at(host_len);
    if host.is_empty() || host == "[]" {
        return Err(UrlError("has no host"));
    }
    if port.is_empty() {
        return Ok((host, None));
    }
    let port = port.strip_prefix(':').and_then(|port| port.parse().ok());
    match port {
        Some(port) if port != 0 => Ok((host, Some(port))),
        _ => Err(UrlError("has no port from 1 to 65535 behind its host")),
    }
}

fn implied_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "wss" } else { "ws" };
        let (authority, target) = (self.authority(), self.request_target());
        write!(f, "{scheme}://{authority}{target}")
    }
}

/// Without the query, where a credential may stand.
impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "wss" } else { "ws" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)?;
        if self.query.is_empty() {
            Ok(())
        } else {
            f.write_str("?…")
        }
    }
}

/// What is wrong with the text of an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UrlError(&'static str);

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the URL {}", self.0)
    }
}

impl std::error::Error for UrlError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_found_and_put_together_again() {
        let cases = [
            ("ws://h", "h", 80, "h", "/", "ws://h/"),
            ("wss://h/world", "h", 443, "h", "/world", "wss://h/world"),
            ("ws://h:443", "h", 443, "h:443", "/", "ws://h:443/"),
            ("ws://h?a=b", "h", 80, "h", "/?a=b", "ws://h/?a=b"),
            (
                "ws://[::1]:8080/w?a",
                "::1",
                8080,
                "[::1]:8080",
                "/w?a",
                "ws://[::1]:8080/w?a",
            ),
            ("ws://[::1]/w", "::1", 80, "[::1]", "/w", "ws://[::1]/w"),
        ];
        for (text, host, port, authority, target, whole) in cases {
            let url: Url = text.parse().unwrap();
            assert_eq!((url.host(), url.port()), (host, port), "{text}");
            assert_eq!(url.authority(), authority);
            assert_eq!(url.request_target(), target);
            assert_eq!(url.to_string(), whole);
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let bad = [
            "",
            "h:80",
            "http://h",
            "ws://",
            "ws://:80",
            "ws://h:",
            "ws://h:0",
            "ws://h:65536",
            "ws://h:8o",
            "ws://a b",
            "ws://ü",
            "ws://h/#x",
            "ws://me:pw@h/",
            "ws://[]:1",
            "ws://[::1]8",
        ];
        for text in bad {
            assert!(text.parse::<Url>().is_err(), "{text}");
        }
    }

    #[test]
    fn values_of_a_query_are_encoded_and_never_shown() {
        let url: Url = "ws://h/w".parse().unwrap();
        let url = url.with_query("user", "a&b").with_query("v", "1.2-3_~é");
        assert_eq!(url.request_target(), "/w?user=a%26b&v=1.2-3_~%C3%A9");
        assert_eq!(format!("{url:?}"), "ws://h/w?…");
    }
}
