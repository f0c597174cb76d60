//! How clients speak to a server that does not take messages as they are: a first one, and bytes before all others.

use std::borrow::Cow;

use worldshard_client::transport::{MessageKind, masked_frame};

use super::plan::PlanError;
use super::tagged::MASK;

/// What a server wants beside the messages themselves; by default nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Dialect {
    hello: Vec<u8>,
    /// Where in `hello` the client's number stands.
    number_at: Option<usize>,
    before_sent: Vec<u8>,
    before_received: Vec<u8>,
}

impl Dialect {
    /// From hexadecimal digits: a first message, in which `nnnn` stands for the client's number as a u16 in little endian;
    /// what stands before each message that is sent; and before each that is received. Messages without that are not heard.
    ///
    /// # Errors
    /// Names what is no hexadecimal.
    pub fn parse(
        hello: Option<&str>,
        before_sent: Option<&str>,
        before_received: Option<&str>,
    ) -> Result<Self, PlanError> {
        let hello = hello.unwrap_or_default();
        let number_at = hello.find("nnnn").map(|at| at / 2);
        Ok(Self {
            hello: bytes("hello", &hello.replacen("nnnn", "0000", 1))?,
            number_at,
            before_sent: bytes("before-sent", before_sent.unwrap_or_default())?,
            before_received: bytes("before-received", before_received.unwrap_or_default())?,
        })
    }

    /// Whether clients say something first.
    pub(crate) fn greets(&self) -> bool {
        !self.hello.is_empty()
    }

    /// Appends what a client says first.
    pub(crate) fn greet(&self, who: usize, out: &mut Vec<u8>) {
        if !self.greets() {
            return;
        }
        let mut hello = self.hello.clone();
        if let Some(at) = self.number_at {
            hello[at..at + 2].copy_from_slice(&(who as u16).to_le_bytes());
        }
        out.extend_from_slice(&masked_frame(MessageKind::Binary, &hello, MASK));
    }

    /// What stands before each message to the server.
    pub(crate) fn before_sent(&self) -> &[u8] {
        &self.before_sent
    }

    /// The message itself; nothing when it is none of those that clients sent.
    pub(crate) fn heard<'a>(&self, payload: &'a [u8]) -> Option<&'a [u8]> {
        payload.strip_prefix(&self.before_received[..])
    }
}

/// The path of one client: `{n}` stands for its number, `{room}` for that of its room, of so many members each.
pub(crate) fn path_of(path: &str, who: usize, members: usize) -> Cow<'_, str> {
    if !path.contains('{') {
        return Cow::Borrowed(path);
    }
    let path = path.replace("{n}", &who.to_string());
    Cow::Owned(path.replace("{room}", &(who / members).to_string()))
}

fn bytes(flag: &'static str, text: &str) -> Result<Vec<u8>, PlanError> {
    let refuse = || PlanError::new(flag, format!("{text} is not bytes in hexadecimal digits"));
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|digit| digit.to_digit(16).map(|digit| digit as u8))
        .collect();
    let digits = digits
        .filter(|digits| digits.len() % 2 == 0)
        .ok_or_else(refuse)?;
    Ok(digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hello_has_the_clients_number_in_its_place() {
        let dialect = Dialect::parse(Some("0000fbnnnn"), None, None).unwrap();
        let mut out = Vec::new();
        dialect.greet(0x1234, &mut out);
        let expected = masked_frame(MessageKind::Binary, &[0, 0, 0xfb, 0x34, 0x12], MASK);
        assert_eq!(out, &expected[..]);
        assert_eq!(path_of("/room?id=c{n}", 7, 1), "/room?id=c7");
        assert_eq!(path_of("/ws/{room}", 7, 1), "/ws/7");
        assert_eq!(path_of("/ws/{room}", 14, 5), "/ws/2");
    }

    #[test]
    fn what_is_not_wrapped_as_expected_is_not_heard() {
        let dialect = Dialect::parse(None, Some("0140"), Some("0040")).unwrap();
        assert_eq!(dialect.before_sent(), &[1, 0x40]);
        assert_eq!(dialect.heard(&[0, 0x40, 9, 8]), Some(&[9, 8][..]));
        assert_eq!(dialect.heard(&[3, 0x40, 9, 8]), None);
    }

    #[test]
    fn without_a_dialect_messages_are_as_they_are() {
        let dialect = Dialect::parse(None, None, None).unwrap();
        let mut out = Vec::new();
        dialect.greet(1, &mut out);
        assert!(out.is_empty() && dialect == Dialect::default());
        assert_eq!(dialect.heard(&[1, 2]), Some(&[1, 2][..]));
    }

    #[test]
    fn other_digits_are_refused_by_the_name_of_the_flag() {
        let refused = |hello| Dialect::parse(Some(hello), None, None).unwrap_err().flag;
        assert_eq!(
            (refused("0g"), refused("012"), refused("é")),
            ("hello", "hello", "hello")
        );
    }
}
