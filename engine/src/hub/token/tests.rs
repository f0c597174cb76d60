//! A token is read as it was made, and by the key that made it alone.

use super::*;

fn token() -> Token {
    Token {
        session: SessionId::new(3, 77),
        generation: 2,
    }
}

#[test]
fn a_token_is_read_by_its_own_key_only() {
    let (key, other) = (ResumeKey::new([7; 32]), ResumeKey::new([8; 32]));
    let text = key.sign(token());
    assert_eq!(text.len(), TEXT_BYTES);
    assert_eq!(key.read(&text), Some(token()));
    assert_eq!(other.read(&text), None);
}

#[test]
fn a_token_with_any_letter_changed_left_out_or_added_is_none() {
    let key = ResumeKey::new([7; 32]);
    let text = key.sign(token());
    for at in 0..text.len() {
        for letter in ["0", "1", "f", "F", "g", " ", "é", ""] {
            let mut changed = text.clone();
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
