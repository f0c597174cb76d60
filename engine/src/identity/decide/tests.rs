use super::*;
use std::sync::{Arc, Mutex};

/// Keeps what was said.
#[derive(Clone, Default)]
struct Urn {
    said: Arc<Mutex<Vec<String>>>,
    is_closed: bool,
}

impl Ballot for Urn {
    fn is_wanted(&self) -> bool {
        !self.is_closed
    }

    fn leave(self: Box<Self>, verdict: Verdict) {
        self.said.lock().unwrap().push(format!("{verdict:?}"));
    }
}

#[test]
fn a_token_says_one_thing_and_dropped_it_denies() {
    let urn = Urn::default();
    EntryToken::new(Box::new(urn.clone())).deny("no seat");
    drop(EntryToken::new(Box::new(urn.clone())));
    EntryToken::new(Box::new(urn.clone())).allow(Entry::default());
    let said = urn.said.lock().unwrap();
    assert_eq!(
        said[..2],
        [r#"Deny("no seat")"#, r#"Deny("nobody decided")"#]
    );
    assert!(said[2].starts_with("Allow("));
    assert_eq!(said.len(), 3);
}

#[test]
fn what_nobody_waits_for_is_not_said() {
    let urn = Urn {
        is_closed: true,
        ..Urn::default()
    };
    let token = EntryToken::new(Box::new(urn.clone()));
    assert!(!token.is_wanted());
    token.deny("too late");
    assert!(urn.said.lock().unwrap().is_empty());
}

#[test]
fn a_reason_is_one_line_that_fits_into_a_close_frame() {
    assert_eq!(line("no\r\nmore\u{7}"), "no  more ");
    let cut = line(&"ä".repeat(100));
    assert_eq!(cut.len(), REASON_BYTES_MAX);
}
