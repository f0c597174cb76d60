//! Those who share a server, over real sockets, on each runtime: who names which, what each may have, and what reads who
//! would be one too many.

use std::net::{SocketAddr, TcpStream};
use std::sync::{Barrier, Mutex};
use std::time::Duration;

use serde_json::Value;
use worldshard::identity::{Grant, PrivateKey};
use worldshard::policy::{TenantLimits, TenantOptions};
use worldshard::prelude::*;
use worldshard::runtime::since_1970;
use worldshard::{Auth, OnExceed, Rooms, Runtime, ServerOptions, TokenPolicy};
use worldshard_transport::MessageKind;

use crate::socket::{
    Client, Heard, PATIENCE, end, eventually, get, http, on_each_runtime, serve, tcp,
};
use crate::upgrade::ask;

/// wsPrism's path, and rooms by path, that say whose they are.
fn app(runtime: Runtime, shards: u16, change: impl FnOnce(&mut ServerOptions)) -> App {
    let mut app = App::new();
    app.bind("127.0.0.1:0")
        .runtime(runtime)
        .shards(shards)
        .raw("/ws")
        .lanes("/v1/ws")
        .rooms(Rooms::at("/at/{room}", |_| Hall))
        .system(Update, |cx: &mut Context<'_>| {
            for message in cx.messages() {
                cx.send(Audience::One(message.session), message.payload.clone());
            }
        })
        .options(|options| {
            options.auth = Some(Auth::None);
            options.tenants = vec![TenantOptions::new("acme"), TenantOptions::new("other")];
            options.limits.close_deadline = Duration::from_millis(500);
            change(options);
        });
    app
}

struct Hall;

impl Service for Hall {
    fn message(&mut self, room: &mut Room<'_>, _: SessionId, payload: &Payload) {
        let heard = format!("{}: {}", room.tenant(), payload.as_text().unwrap());
        room.send(Audience::All, heard);
    }
}

fn greeting(client: &mut Client) -> Value {
    let Heard::Message(MessageKind::Text, bytes) = client.hear() else {
        panic!("no greeting");
    };
    serde_json::from_slice::<Value>(&bytes).unwrap()["data"].clone()
}

/// What `/status` says of a tenant.
fn status(address: SocketAddr, tenant: &str) -> Value {
    let status: Value = serde_json::from_str(&get(address, "/status").1).unwrap();
    let mut tenants = status["tenants"].as_array().unwrap().iter();
    tenants.find(|one| one["tenant"] == tenant).unwrap().clone()
}

#[test]
fn the_address_of_wsprisms_example_works_as_it_is() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let (running, address) = serve(&mut app(runtime, shards, |_| {}));
            for more in ["", "&sid=s-1", "&sid=s-1"] {
                let path = format!("/v1/ws?tenant=acme&ticket=dev{more}");
                let greeting = greeting(&mut Client::connect(address, &path));
                assert_eq!(
                    (&greeting["tenant"], &greeting["user"]),
                    (&"acme".into(), &"dev".into())
                );
            }
            let mut named = Client::connect(address, "/v1/ws?tenant=acme&ticket=dev&user=anna");
            assert_eq!(greeting(&mut named)["user"], "anna");
            let mut nobody = Client::connect(address, "/v1/ws?tenant=acme&ticket=another");
            assert_eq!(greeting(&mut nobody)["user"], Value::Null);
            let refused = |path: &str| Client::ask(address, path, "").err().unwrap();
            let (code, words) = refused("/v1/ws?ticket=dev");
            assert!(code == 400 && words.contains("tenant="), "{code} {words}");
            let unknown = "/v1/ws?tenant=nobody&ticket=dev";
            assert_eq!(refused(unknown), (400, "Unknown Tenant".to_owned()));
            assert_eq!(refused("/v1/ws?tenant=acme&ticket=dev&token=dev").0, 400);
            let status: Value = serde_json::from_str(&get(address, "/status").1).unwrap();
            assert_eq!(status["refused_strangers"]["unknown_tenant"], 2);
            assert!(!status.to_string().contains("nobody"), "{status}");
            end(running);
        }
    });
}

#[test]
fn without_named_tenants_nothing_is_asked() {
    on_each_runtime(|runtime| {
        let (running, address) = serve(&mut app(runtime, 2, |options| options.tenants.clear()));
        for path in ["/v1/ws", "/v1/ws?tenant=acme"] {
            let greeting = greeting(&mut Client::connect(address, path));
            assert_eq!(greeting["tenant"], "default");
        }
        end(running);
    });
}

#[test]
fn a_token_for_one_tenant_is_not_good_for_another() {
    on_each_runtime(|runtime| {
        let key = PrivateKey::from_seed([7; 32]);
        let policy = TokenPolicy::new(vec![key.public().clone()]);
        let (running, address) = serve(&mut app(runtime, 2, |options| {
            options.auth = Some(Auth::Tokens(policy));
        }));
        let token = |tenant: Option<&str>| {
            let grant = Grant {
                user: UserId::new("anna").unwrap(),
                tenant: tenant.map(str::to_owned),
                audience: "worldshard".to_owned(),
                issued: since_1970(),
                expires: since_1970() + Duration::from_secs(1000),
            };
            grant.token(&key)
        };
        let with = |tenant: &str, token: &str| {
            let lines = format!("Authorization: Bearer {token}\r\n");
            Client::ask(address, &format!("/v1/ws?tenant={tenant}"), &lines)
        };
        let (mut client, _) = with("acme", &token(Some("acme"))).unwrap();
        assert_eq!(greeting(&mut client)["user"], "anna");
        let (mut client, _) = with("other", &token(None)).unwrap();
        assert_eq!(greeting(&mut client)["tenant"], "other");
        let refused = with("other", &token(Some("acme"))).err().unwrap();
        let why = "AUTH_FAILED: the token is another tenant's";
        assert_eq!(refused, (401, format!("{why}\n")));
        let path = format!("/ws?tenant=other&ticket={}", token(Some("acme")));
        let mut client = Client::connect(address, &path);
        assert_eq!(client.hear(), Heard::Close(Some(1008), why.to_owned()));
        assert_eq!(status(address, "other")["refused"]["credential"], 2);
        end(running);
    });
}

#[test]
fn rooms_by_path_and_by_post_are_each_tenants_own() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let (running, address) = serve(&mut app(runtime, shards, |_| {}));
            let mut clients = ["acme", "other", "acme"]
                .map(|tenant| Client::connect(address, &format!("/at/x?tenant={tenant}")));
            clients[0].say(MessageKind::Text, b"one");
            for at in [0, 2] {
                let heard = Heard::Message(MessageKind::Text, b"acme: one".to_vec());
                assert_eq!(clients[at].hear(), heard);
            }
            clients[1].say(MessageKind::Text, b"two");
            let heard = Heard::Message(MessageKind::Text, b"other: two".to_vec());
            assert_eq!(clients[1].hear(), heard);
            let post = |query: &str| {
                let head =
                    format!("POST /at/y{query} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
                http(address, &head).0
            };
            let tenants = [
                "?tenant=acme",
                "?tenant=other",
                "?tenant=acme",
                "?tenant=no",
                "",
            ];
            assert_eq!(tenants.map(post), [201, 201, 409, 400, 400]);
            end(running);
        }
    });
}

#[test]
fn of_a_thousand_at_once_exactly_as_many_are_let_in_as_the_tenant_may_have() {
    on_each_runtime(|runtime| {
        for shards in [1, 8] {
            let (running, address) = serve(&mut app(runtime, shards, |options| {
                options.tenants[0].limits.sessions_max = 100;
            }));
            let mut other = Client::connect(address, "/ws?tenant=other");
            let (start, open) = (Barrier::new(50), Mutex::new(Vec::<TcpStream>::new()));
            let refused: usize = std::thread::scope(|scope| {
                let ask_all = || {
                    start.wait();
                    let ask_one = |_| {
                        let mut stream = tcp(address);
                        let answer = ask(&mut stream, "/ws?tenant=acme", "");
                        if answer.status == 101 {
                            open.lock().unwrap().push(stream);
                            return 0;
                        }
                        assert_eq!(answer.status, 503, "{}", answer.head);
                        assert_eq!(answer.header("Retry-After"), Some("1"));
                        assert_eq!(answer.body, "Tenant Capacity Exceeded");
                        1
                    };
                    (0..20).map(ask_one).sum::<usize>()
                };
                let threads: Vec<_> = (0..50).map(|_| scope.spawn(ask_all)).collect();
                threads.into_iter().map(|one| one.join().unwrap()).sum()
            });
            let mut open = open.into_inner().unwrap();
            assert_eq!((open.len(), refused), (100, 900));
            let acme = status(address, "acme");
            assert_eq!(
                (&acme["sessions"], &acme["opened"]),
                (&100.into(), &100.into())
            );
            assert_eq!(acme["refused"]["tenant_capacity"], 900);
            other.echoes(MessageKind::Text, b"undisturbed");
            // A slot is free as soon as its session has ended, again and again.
            for _ in 0..20 {
                drop(open.pop());
                eventually(PATIENCE, "the slot is free", || {
                    status(address, "acme")["sessions"] == 99
                });
                let mut stream = tcp(address);
                assert_eq!(ask(&mut stream, "/ws?tenant=acme", "").status, 101);
                open.push(stream);
                assert_eq!(ask(&mut tcp(address), "/ws?tenant=acme", "").status, 503);
            }
            drop(open);
            eventually(PATIENCE, "nothing has leaked", || {
                status(address, "acme")["sessions"] == 0
            });
            end(running);
        }
    });
}

#[test]
fn of_many_at_once_exactly_as_many_connections_are_taken_as_there_may_be() {
    on_each_runtime(|runtime| {
        for shards in [1, 8] {
            let (running, address) = serve(&mut app(runtime, shards, |options| {
                options.limits.connections_max = 60;
            }));
            for _ in 0..3 {
                let (start, open) = (Barrier::new(20), Mutex::new(Vec::<TcpStream>::new()));
                std::thread::scope(|scope| {
                    for _ in 0..20 {
                        scope.spawn(|| {
                            start.wait();
                            for _ in 0..10 {
                                // Whoever is refused is answered before it has asked.
                                let mut stream = tcp(address);
                                let answer = ask(&mut stream, "/ws?tenant=acme", "");
                                match answer.status {
                                    101 => open.lock().unwrap().push(stream),
                                    status => {
                                        assert_eq!(status, 503);
                                        assert_eq!(answer.header("Retry-After"), Some("1"));
                                    }
                                }
                            }
                        });
                    }
                });
                let open = open.into_inner().unwrap();
                assert_eq!(open.len(), 60);
                drop(open);
                eventually(PATIENCE, "all places are free", || {
                    let (code, text) = get(address, "/status");
                    // The one that asks is one.
                    code == 200 && text.contains(r#""connections":1,"#)
                });
            }
            end(running);
        }
    });
}

#[test]
fn who_proves_itself_after_the_upgrade_is_told_that_the_tenant_is_full() {
    on_each_runtime(|runtime| {
        let (running, address) = serve(&mut app(runtime, 2, |options| {
            let secret = worldshard::Secret::new(b"sixteen letters!").unwrap();
            options.auth = Some(Auth::Secret(secret));
            options.tenants[0].limits.sessions_max = 1;
        }));
        let _first = Client::connect(address, "/ws?tenant=acme&ticket=sixteen%20letters!");
        let mut second = Client::connect(address, "/v1/ws?tenant=acme");
        let data = r#"{"token":"sixteen letters!"}"#;
        let auth = format!(r#"{{"v":1,"svc":"sys","type":"auth","data":{data}}}"#);
        second.say(MessageKind::Text, auth.as_bytes());
        let Heard::Message(_, error) = second.hear() else {
            panic!("no error before the close");
        };
        let error: Value = serde_json::from_slice(&error).unwrap();
        assert_eq!(error["data"]["code"], "RESOURCE_EXHAUSTED");
        let why = "RESOURCE_EXHAUSTED: Tenant Capacity Exceeded";
        assert_eq!(second.hear(), Heard::Close(Some(1008), why.to_owned()));
        end(running);
    });
}

#[test]
fn messages_are_as_long_as_the_tenant_may_say() {
    on_each_runtime(|runtime| {
        let (running, address) = serve(&mut app(runtime, 2, |options| {
            options.tenants[0].limits.message_bytes_max = 100;
        }));
        let [mut acme, mut other] = ["acme", "other"]
            .map(|tenant| Client::connect(address, &format!("/ws?tenant={tenant}")));
        acme.echoes(MessageKind::Binary, &[7; 100]);
        other.echoes(MessageKind::Binary, &[7; 101]);
        acme.say(MessageKind::Binary, &[7; 101]);
        let too_big = Heard::Close(Some(1009), "message is too big".to_owned());
        assert_eq!(acme.hear(), too_big);
        end(running);
    });
}

#[test]
fn two_tenants_have_different_rules_for_the_same_users_and_a_reload_changes_them() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let mut rules = ServerOptions::default();
            let (running, address) = serve(&mut app(runtime, shards, |options| {
                for (tenant, rule) in options
                    .tenants
                    .iter_mut()
                    .zip([OnExceed::Deny, OnExceed::KickOldest])
                {
                    tenant.policy.sessions_per_user = 1;
                    tenant.policy.on_exceed = rule;
                }
                rules = options.clone();
            }));
            let connect =
                |tenant: &str| Client::connect(address, &format!("/ws?tenant={tenant}&user=anna"));
            let denied = || {
                let why = "TOO_MANY_SESSIONS: the user has a session already";
                Heard::Close(Some(1008), why.to_owned())
            };
            let kicked = Heard::Close(Some(1008), "kicked".to_owned());
            let (mut of_acme, mut of_other) = (connect("acme"), connect("other"));
            assert_eq!(connect("acme").hear(), denied());
            let mut second = connect("other");
            assert_eq!(of_other.hear(), kicked);
            of_acme.echoes(MessageKind::Text, b"stays");
            second.echoes(MessageKind::Text, b"stays");
            drop(of_other);
            for tenant in ["acme", "other"] {
                eventually(PATIENCE, "the gauge is right", || {
                    status(address, tenant)["sessions"] == 1
                });
            }
            rules.tenants[0].policy.sessions_per_user = 2;
            rules.tenants[1].limits = TenantLimits {
                sessions_max: 1,
                ..TenantLimits::default()
            };
            running.reload(&rules).unwrap();
            connect("acme").echoes(MessageKind::Text, b"there is a second place");
            assert_eq!(
                Client::ask(address, "/ws?tenant=other", "")
                    .err()
                    .unwrap()
                    .0,
                503
            );
            rules.tenants.remove(0);
            assert!(running.reload(&rules).is_err());
            second.echoes(MessageKind::Text, b"stays");
            end(running);
        }
    });
}
