use super::*;

#[test]
fn it_is_what_another_program_makes_of_the_same() {
    // python3: hmac.new(b"sixteen bytes of it", b"1700000000." + body, hashlib.sha256).hexdigest()
    let body = br#"{"v":1,"event":"connect"}"#;
    let at = Duration::from_millis(1_700_000_000_999);
    let print = "aa312c16baf77cff23f779c362ee51b3275b551a90bb463802fd78dcf4eddb6e";
    let wanted = format!("t=1700000000,v1={print}");
    assert_eq!(signature(b"sixteen bytes of it", at, body), wanted);
    assert_ne!(signature(b"sixteen bytes of me", at, body), wanted);
}
