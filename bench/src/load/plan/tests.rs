use super::*;

#[test]
fn a_target_is_a_path_on_this_machine_unless_another_is_allowed() {
    let target = Target::parse("ws://127.0.0.1:9000/ws?room=1", false).unwrap();
    assert_eq!(target.addr.to_string(), "127.0.0.1:9000");
    assert_eq!(
        (&*target.host, &*target.path),
        ("127.0.0.1:9000", "/ws?room=1")
    );
    assert!(!target.tls && Target::parse("wss://127.0.0.1:1/", false).unwrap().tls);
    assert_eq!(Target::parse("ws://[::1]:9000", false).unwrap().path, "/");
    for url in [
        "http://127.0.0.1:1/",
        "ws://127.0.0.1/",
        "ws://127.0.0.1:1/ ",
        "ws://192.0.2.1:1/",
    ] {
        assert_eq!(Target::parse(url, false).unwrap_err().flag, "url", "{url}");
    }
    assert!(Target::parse("ws://192.0.2.1:1/", true).is_ok());
}
