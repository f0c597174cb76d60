//! Which texts are names, and that nothing else is read as one.

use super::*;

#[test]
fn a_name_has_1_to_64_of_its_characters() {
    let longest = "a".repeat(64);
    for name in ["a", "Anna.B-c_d@example.org", "0", &longest] {
        assert_eq!(UserId::new(name).unwrap().as_str(), name);
        let json = serde_json::to_string(&UserId::new(name).unwrap()).unwrap();
        assert_eq!(
            serde_json::from_str::<UserId>(&json).unwrap().as_str(),
            name
        );
    }
    let too_long = "a".repeat(65);
    for name in [
        "", " ", "a b", "a/b", "a:b", "ä", "a\n", "a\0", "a%41", &too_long,
    ] {
        assert_eq!(UserId::new(name), Err(NotAUser), "{name:?}");
        let json = serde_json::to_string(name).unwrap();
        assert!(serde_json::from_str::<UserId>(&json).is_err(), "{name:?}");
    }
}
