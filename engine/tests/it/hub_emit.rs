//! Messages that say whom they are for, derived with nothing but the prelude in reach, through hubs.

use worldshard::identity::Identity;
use worldshard::prelude::*;

use crate::pump::Pump;

/// Types as an application writes them: nothing of the engine is in reach but its prelude.
mod shop {
    use serde::Serialize;
    use worldshard::prelude::*;

    #[derive(Serialize, Emit)]
    #[audience(All)]
    pub(crate) struct Opened;

    #[derive(Serialize, Emit)]
    #[audience(User(owner))]
    pub(crate) struct Sold<'a> {
        #[serde(skip)]
        pub(crate) owner: UserId,
        pub(crate) what: &'a str,
        pub(crate) price: u64,
    }

    #[derive(Serialize, Emit)]
    #[audience(AllBut(1))]
    pub(crate) struct Shouted(pub(crate) String, #[serde(skip)] pub(crate) SessionId);

    #[derive(Serialize, Emit)]
    #[audience(Area { centre: at, radius_m: 40.0 })]
    pub(crate) struct Bang {
        #[serde(skip)]
        pub(crate) at: Point,
    }

    #[derive(Emit)]
    #[audience(with = whom)]
    #[emit(payload = bytes)]
    pub(crate) enum Drawn<const N: usize> {
        Dots(Vec<SessionId>, [u8; N]),
        Cleared,
    }

    impl<const N: usize> Drawn<N> {
        fn whom(&self) -> Audience {
            match self {
                Self::Dots(whom, _) => Audience::Group(whom.clone()),
                Self::Cleared => Audience::All,
            }
        }

        fn bytes(&self) -> Vec<u8> {
            match self {
                Self::Dots(_, dots) => dots.to_vec(),
                Self::Cleared => Vec::new(),
            }
        }
    }

    /// Written by hand.
    pub(crate) struct Rejected;

    impl Emit for Rejected {
        fn audience(&self) -> Audience {
            Audience::All
        }

        fn payload(&self) -> Payload {
            "no".into()
        }
    }
}

use shop::{Bang, Drawn, Opened, Rejected, Shouted, Sold};

fn anna() -> UserId {
    UserId::new("anna").unwrap()
}

#[test]
fn a_message_goes_to_whom_its_type_says() {
    let sold = Sold {
        owner: anna(),
        what: "a \"lamp\"",
        price: 7,
    };
    let json = |text: &str| Payload::from(text.to_owned());
    assert_eq!(sold.audience(), Audience::User(anna()));
    assert_eq!(sold.payload(), json(r#"{"what":"a \"lamp\"","price":7}"#));
    let Payload::Text(text) = sold.payload() else {
        panic!("JSON is text");
    };
    assert!(text.is_json());
    assert_eq!(Opened.audience(), Audience::All);
    assert_eq!(Opened.payload(), json("null"));
    let session = SessionId::new(3, 4);
    let shouted = Shouted("hey".to_owned(), session);
    assert_eq!(shouted.audience(), Audience::AllBut(session));
    assert_eq!(shouted.payload(), json(r#"["hey"]"#));
    let centre = Point::flat(1.0, 2.0);
    let bang = Bang { at: centre };
    let radius_m = 40.0;
    assert_eq!(bang.audience(), Audience::Area { centre, radius_m });
    assert_eq!(bang.payload(), json("{}"));
    let dots = Drawn::Dots(vec![session], [1, 2]);
    assert_eq!(dots.audience(), Audience::Group(vec![session]));
    assert_eq!(dots.payload(), Payload::from(vec![1, 2]));
    assert_eq!(Drawn::<0>::Cleared.audience(), Audience::All);
    assert_eq!(Payload::from(&Drawn::<0>::Cleared), Payload::from(vec![]));
}

/// Emits what a client asks for.
fn app() -> App {
    let mut app = App::new();
    app.raw("/ws")
        .lanes("/app")
        .system(Update, |cx: &mut Context| {
            for message in cx.messages() {
                let Some(asked) = message.payload.as_text() else {
                    continue;
                };
                let sold = Sold {
                    owner: anna(),
                    what: "hat",
                    price: 3,
                };
                match asked {
                    "opened" => cx.emit(&Opened),
                    "sold" => cx.emit(&sold),
                    // To whom it is not for.
                    "told" => cx.send(Audience::One(message.session), &sold),
                    "shouted" => cx.emit(&Shouted("hey".to_owned(), message.session)),
                    "rejected" => cx.emit(&Rejected),
                    other => panic!("{other}"),
                }
            }
        });
    app
}

#[test]
fn what_is_emitted_reaches_exactly_those_whom_it_is_for_unless_its_sender_says_otherwise() {
    for shards in [1, 2, 8] {
        let mut pump = Pump::new(&mut app(), shards, 9);
        let annas = || Identity {
            user: Some(anna()),
            ..Identity::default()
        };
        let speaker = pump.open(0, "/ws");
        let other = pump.open(shards / 2, "/ws");
        let phone = pump.open_as(shards - 1, "/ws", annas()).unwrap();
        let desktop = pump.open_as(0, "/app", annas()).unwrap();
        let sold = r#"{"what":"hat","price":3}"#;
        for (asked, text, meant) in [
            ("opened", "null", [1, 1, 1, 1]),
            ("sold", sold, [0, 0, 1, 1]),
            ("told", sold, [1, 0, 0, 0]),
            ("shouted", r#"["hey"]"#, [0, 1, 1, 1]),
            ("rejected", "no", [1, 1, 1, 1]),
        ] {
            let all = [speaker, other, phone, desktop];
            for session in all {
                pump.client(session).received.clear();
            }
            pump.text(speaker, asked);
            pump.settle();
            let heard = all.map(|session| pump.clients[&session].texts().len());
            assert_eq!(heard, meant, "{asked}, {shards} shards");
            for session in [speaker, other, phone] {
                for heard in pump.clients[&session].texts() {
                    assert_eq!(heard, text, "{asked}");
                }
            }
            let on_lanes = pump.clients[&desktop].texts();
            let data = match asked {
                "rejected" => r#""no""#,
                _ => text,
            };
            let data = format!(r#""data":{data}}}"#);
            assert!(
                on_lanes.iter().all(|one| one.ends_with(&data)),
                "{on_lanes:?}"
            );
        }
    }
}

#[derive(serde::Serialize, Emit)]
#[audience(All)]
struct Counted(std::collections::BTreeMap<(u8, u8), u8>);

#[test]
fn a_message_that_is_no_json_says_whose_fault_that_is() {
    let counted = Counted([((1, 2), 3)].into());
    let panic = std::panic::catch_unwind(|| counted.payload()).unwrap_err();
    let text = panic.downcast::<String>().unwrap();
    assert!(text.contains("Counted is no JSON: "), "{text}");
}
