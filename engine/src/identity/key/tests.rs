//! Keys are read as they and others write them, and a private one is never shown.

use super::*;

/// The key pair of RFC 8410, section 10.
const RFC_PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
-----END PRIVATE KEY-----
";
const RFC_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
";

#[test]
fn the_keys_of_the_standard_are_read_and_written_as_they_stand_there() {
    let key = PrivateKey::from_pem(RFC_PRIVATE).unwrap();
    assert_eq!(key.to_pem(), RFC_PRIVATE);
    assert_eq!(key.public().to_pem(), RFC_PUBLIC);
    let public = PublicKey::from_pem(RFC_PUBLIC).unwrap();
    assert_eq!(&public, key.public());
    assert_eq!(public.id().len(), 16);
    let windows = RFC_PUBLIC.replace('\n', "\r\n");
    assert_eq!(PublicKey::from_pem(&windows).unwrap(), public);
}

#[test]
fn what_a_key_signed_is_told_by_its_other_half_alone() {
    let [one, other] = [1, 2].map(|byte| PrivateKey::from_seed([byte; 32]));
    let signature = one.sign(b"said");
    assert!(one.public().verifies(b"said", &signature));
    assert!(!one.public().verifies(b"Said", &signature));
    assert!(!one.public().verifies(b"said", &signature[1..]));
    assert!(!other.public().verifies(b"said", &signature));
    assert_ne!(one.public().id(), other.public().id());
}

#[test]
fn other_texts_are_refused_with_a_word_that_helps() {
    let of_private = |text: &str| PrivateKey::from_pem(text).unwrap_err().to_string();
    let of_public = |text: &str| PublicKey::from_pem(text).unwrap_err().to_string();
    assert!(of_private("").contains("no PEM block PRIVATE KEY"));
    assert!(of_private(RFC_PUBLIC).contains("no PEM block PRIVATE KEY"));
    assert!(of_public(RFC_PRIVATE).contains("private key"));
    assert!(of_public(&RFC_PUBLIC.replace("MCow", "MC*w")).contains("damaged"));
    assert!(of_public(&RFC_PUBLIC.replace("BQYDK2Vw", "BQYDK2Vu")).contains("Ed25519"));
    assert!(of_private(&RFC_PRIVATE.replace("BQYDK2Vw", "BQYDK2Vu")).contains("Ed25519"));
}

#[test]
fn a_private_key_is_not_shown() {
    let key = PrivateKey::from_pem(RFC_PRIVATE).unwrap();
    let debug = format!("{key:?} {key:#?}");
    assert!(debug.contains(key.public().id()));
    assert!(!debug.contains("212") && !debug.contains("d4ee"), "{debug}");
}
