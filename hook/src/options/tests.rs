use super::*;

fn options() -> HookOptions {
    HookOptions::new(
        "http://127.0.0.1:9000/hook?key=hidden",
        "sixteen bytes of it",
    )
}

#[test]
fn what_cannot_be_is_named() {
    assert_eq!(options().mistake(), None);
    let wrong = |change: fn(&mut HookOptions)| {
        let mut options = options();
        change(&mut options);
        options.mistake().unwrap()
    };
    for (said, change) in [
        (
            "http or https",
            (|one| one.url = "ftp://host/".to_owned()) as fn(&mut HookOptions),
        ),
        ("http or https", |one| one.url = "host/hook".to_owned()),
        ("http or https", |one| one.url = "http:///hook".to_owned()),
        ("name or password", |one| {
            one.url = "https://me:secret@host/".to_owned()
        }),
        ("shorter than 16", |one| one.secret.truncate(15)),
        ("no certificate", |one| {
            one.authorities = vec![b"none".to_vec()];
        }),
        ("timeout", |one| one.timeout = Duration::ZERO),
        ("workers", |one| one.workers = 0),
        ("deciders", |one| one.deciders = 0),
        ("failures_max", |one| one.failures_max = 0),
    ] {
        assert!(wrong(change).contains(said), "{said}: {}", wrong(change));
    }
}

#[test]
fn neither_the_secret_nor_the_query_is_shown() {
    let shown = format!("{:?}", options());
    assert!(shown.contains("http://127.0.0.1:9000/hook"), "{shown}");
    assert!(
        !shown.contains("hidden") && !shown.contains("sixteen"),
        "{shown}"
    );
    let bytes = format!("{:?}", options().secret);
    assert!(!shown.contains(&bytes), "{shown}");
}

#[test]
fn events_are_read_by_their_names() {
    let events: HookEvents = "auth,disconnect,svc:shop".parse().unwrap();
    let wanted = HookEvents {
        auth: true,
        connect: false,
        message: false,
        disconnect: true,
        service: Some("shop".to_owned()),
    };
    assert_eq!(events, wanted);
    for wrong in ["", "auth,", "join", "svc:", "svc:a,svc:b"] {
        assert!(wrong.parse::<HookEvents>().is_err(), "{wrong}");
    }
}
