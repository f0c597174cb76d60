//! Which tokens are good, and that no other is: by time, key, audience, algorithm, and letter by letter.

use super::*;
use crate::identity::PublicKey;

const NOW: Duration = Duration::from_secs(1_700_000_000);

fn key(number: u8) -> PrivateKey {
    PrivateKey::from_seed([number; 32])
}

fn grant(ttl_s: u64) -> Grant {
    Grant {
        user: UserId::new("anna").unwrap(),
        tenant: None,
        audience: "worldshard".to_owned(),
        issued: NOW,
        expires: NOW + Duration::from_secs(ttl_s),
    }
}

fn policy(numbers: &[u8]) -> TokenPolicy {
    TokenPolicy::new(
        numbers
            .iter()
            .map(|one| key(*one).public().clone())
            .collect(),
    )
}

/// What becomes of a token that `seconds` after now is read with key 7.
fn read_at(token: &str, seconds: i64) -> Result<String, Unproven> {
    let now = NOW.as_secs().checked_add_signed(seconds).unwrap();
    let granted = read(token, &policy(&[7]), Duration::from_secs(now))?;
    Ok(granted.user.to_string())
}

/// A token of key 7 with these texts in it.
fn made(header: &str, claims: &str) -> String {
    let said = [header, claims].map(|part| BASE64URL_NOPAD.encode(part.as_bytes()));
    let said = said.join(".");
    let signature = key(7).sign(said.as_bytes());
    format!("{said}.{}", BASE64URL_NOPAD.encode(&signature))
}

fn header() -> String {
    format!(r#"{{"alg":"EdDSA","kid":"{}"}}"#, key(7).public().id())
}

fn claiming(claims: &str) -> Result<String, Unproven> {
    read_at(&made(&header(), claims), 0)
}

#[test]
fn the_token_of_the_standard_is_of_its_key() {
    // RFC 8037, appendix A.4: it claims nothing, so only its signature is good.
    let said = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature =
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    let public = decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
    let public = PublicKey::from_bytes(public.try_into().unwrap());
    assert!(public.verifies(said.as_bytes(), &decode(signature).unwrap()));
    let seed = decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
    let private = PrivateKey::from_seed(seed.try_into().unwrap());
    assert_eq!(
        BASE64URL_NOPAD.encode(&private.sign(said.as_bytes())),
        signature
    );
}

#[test]
fn a_token_is_good_until_it_expires_and_not_a_second_longer() {
    let token = grant(60).token(&key(7));
    for seconds in [-1000, 0, 59] {
        assert_eq!(read_at(&token, seconds), Ok("anna".to_owned()));
    }
    for seconds in [60, 61, 1_000_000] {
        assert_eq!(read_at(&token, seconds), Err(Unproven::Expired));
    }
}

#[test]
fn clocks_may_differ_by_as_much_as_is_said() {
    let token = grant(60).token(&key(7));
    let mut policy = policy(&[7]);
    policy.skew = Duration::from_secs(5);
    let at = |seconds| read(&token, &policy, NOW + Duration::from_secs(seconds));
    assert_eq!(at(64).unwrap().expires, NOW + Duration::from_secs(65));
    assert!(matches!(at(65), Err(Unproven::Expired)));
}

#[test]
fn only_the_key_that_a_token_names_is_asked_and_it_must_be_known() {
    let token = grant(60).token(&key(7));
    let by = |numbers: &[u8]| read(&token, &policy(numbers), NOW).map(|_| ());
    assert_eq!(by(&[7]), Ok(()));
    assert_eq!(by(&[8, 7]), Ok(()), "keys are being changed");
    assert_eq!(by(&[8]), Err(Unproven::UnknownKey));
    assert_eq!(by(&[]), Err(Unproven::UnknownKey));
    let claims = r#"{"sub":"anna","aud":"worldshard","exp":1700000060}"#;
    let nameless = made(r#"{"alg":"EdDSA"}"#, claims);
    assert_eq!(read_at(&nameless, 0), Err(Unproven::UnknownKey));
    // Signed by 7 in the name of 8.
    let forged = format!(r#"{{"alg":"EdDSA","kid":"{}"}}"#, key(8).public().id());
    let forged = made(&forged, claims);
    assert!(matches!(
        read(&forged, &policy(&[7, 8]), NOW),
        Err(Unproven::Signature)
    ));
}

#[test]
fn other_algorithms_and_what_must_be_understood_are_refused() {
    let claims = r#"{"sub":"anna","aud":"worldshard","exp":1700000060}"#;
    for algorithm in ["none", "HS256", "RS256", "ES256", "eddsa", ""] {
        let header = header().replace("EdDSA", algorithm);
        assert_eq!(read_at(&made(&header, claims), 0), Err(Unproven::Algorithm));
    }
    let critical = header().replace('}', r#","crit":["b64"]}"#);
    assert_eq!(
        read_at(&made(&critical, claims), 0),
        Err(Unproven::Malformed)
    );
    let more = header().replace('}', r#","typ":"JWT","x":1}"#);
    assert_eq!(read_at(&made(&more, claims), 0), Ok("anna".to_owned()));
}

#[test]
fn what_a_token_must_say() {
    let anna = Ok("anna".to_owned());
    let cases = [
        (
            r#"{"sub":"anna","aud":"worldshard","exp":1700000060}"#,
            anna.clone(),
        ),
        (
            r#"{"sub":"anna","aud":["x","worldshard"],"exp":1700000060.5,"more":{}}"#,
            anna.clone(),
        ),
        (
            r#"{"sub":"anna","aud":"worldshard","exp":1700000060,"nbf":1700000000}"#,
            anna,
        ),
        (
            r#"{"sub":"anna","aud":"worldshard","exp":1700000060,"nbf":1700000001}"#,
            Err(Unproven::NotYet),
        ),
        (
            r#"{"sub":"anna","aud":"worldshard"}"#,
            Err(Unproven::Malformed),
        ),
        (
            r#"{"sub":"anna","aud":"worldshard","exp":"1700000060"}"#,
            Err(Unproven::Malformed),
        ),
        (
            r#"{"sub":"anna","aud":"worldshard","exp":-1}"#,
            Err(Unproven::Malformed),
        ),
        (
            r#"{"sub":"anna","aud":"worldshard","exp":1700000060,"exp":1800000000}"#,
            Err(Unproven::Malformed),
        ),
        (
            r#"{"sub":"anna","aud":"other","exp":1700000060}"#,
            Err(Unproven::Audience),
        ),
        (
            r#"{"sub":"anna","aud":[],"exp":1700000060}"#,
            Err(Unproven::Audience),
        ),
        (
            r#"{"sub":"anna","exp":1700000060}"#,
            Err(Unproven::Audience),
        ),
        (
            r#"{"aud":"worldshard","exp":1700000060}"#,
            Err(Unproven::NoUser),
        ),
        (
            r#"{"sub":"an na","aud":"worldshard","exp":1700000060}"#,
            Err(Unproven::NoUser),
        ),
        ("[]", Err(Unproven::Malformed)),
        ("", Err(Unproven::Malformed)),
    ];
    for (claims, expected) in cases {
        assert_eq!(claiming(claims), expected, "{claims}");
    }
}

#[test]
fn a_token_with_any_letter_changed_left_out_or_added_is_refused() {
    let token = grant(60).token(&key(7));
    for at in 0..token.len() {
        for letter in ["A", "b", "_", ".", "=", "é", ""] {
            let mut changed = token.clone();
            changed.replace_range(at..=at, letter);
            let good = read_at(&changed, 0).is_ok();
            assert_eq!(good, changed == token, "{changed}");
        }
    }
    for other in [
        "",
        ".",
        "..",
        "a.b",
        "a.b.c.d",
        &format!("{token}="),
        &format!(" {token}"),
    ] {
        assert!(read_at(other, 0).is_err(), "{other}");
    }
    let long = made(&header(), &" ".repeat(TOKEN_BYTES_MAX));
    assert_eq!(read_at(&long, 0), Err(Unproven::Malformed));
}
