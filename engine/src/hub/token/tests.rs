//! A token is read as it was made, and by the key that made it alone.

use super::*;

fn token() -> Token {
    Token {
        session: SessionId::new(3, 77),
        generation: 2,
        tenant: None,
        of: None,
    }
}

fn of_a_user() -> Token {
    let anna = UserId::new("anna").unwrap();
    Token {
        of: Some((anna, Some(Duration::from_secs(1_700_000_000)))),
        ..token()
    }
}

#[test]
fn a_token_is_read_by_its_own_key_only() {
    let (key, other) = (ResumeKey::new([7; 32]), ResumeKey::new([8; 32]));
    let text = key.sign(&token());
    assert_eq!(text.len(), 88);
    assert_eq!(key.read(&text), Some(token()));
    assert_eq!(other.read(&text), None);
    let text = key.sign(&of_a_user());
    assert_eq!(key.read(&text), Some(of_a_user()));
    assert_eq!(other.read(&text), None);
    let acmes = Token {
        tenant: Some("acme".to_owned()),
        ..token()
    };
    assert_eq!(key.read(&key.sign(&acmes)), Some(acmes));
    let longest = Token {
        tenant: Some("b".repeat(64)),
        of: Some((UserId::new(&"a".repeat(64)).unwrap(), None)),
        ..token()
    };
    assert_eq!(key.read(&key.sign(&longest)), Some(longest));
}

#[test]
fn a_token_with_any_letter_changed_left_out_or_added_is_none() {
    let key = ResumeKey::new([7; 32]);
    for token in [token(), of_a_user()] {
        no_other_text_is_read(&key, &key.sign(&token));
    }
}

fn no_other_text_is_read(key: &ResumeKey, text: &str) {
    for at in 0..text.len() {
        for letter in ["0", "1", "f", "F", "g", " ", "é", ""] {
            let mut changed = text.to_owned();
            changed.replace_range(at..=at, letter);
            let read = key.read(&changed);
            assert_eq!(read.is_some(), changed == text, "{changed}");
        }
    }
    assert_eq!(key.read(""), None);
    assert_eq!(key.read(&format!("{text}0")), None);
    assert_eq!(key.read(&format!("{text}00")), None);
    assert_eq!(key.read(&text.to_uppercase()), None);
}
