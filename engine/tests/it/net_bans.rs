//! Who may not come, over real sockets, on each runtime: by address and by user, until when, and whoever is there already.

use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use serde_json::Value;
use worldshard::policy::{Ban, Banned, TenantOptions};
use worldshard::prelude::*;
use worldshard::runtime::since_1970;
use worldshard::{Auth, Runtime, Secret, ServerOptions};
use worldshard_client::Connection;
use worldshard_protocol::{InterestWish, ViewpointMode};
use worldshard_transport::MessageKind;

use crate::net_users::gauge;
use crate::socket::{Client, Heard, PATIENCE, end, eventually, now, on_each_runtime, serve, tcp};
use crate::upgrade::{ask, tcp_from};

const SECRET: &str = "sixteen-letters!";

fn app(runtime: Runtime, shards: u16, change: impl FnOnce(&mut ServerOptions)) -> App {
    let mut app = App::new();
    app.bind("127.0.0.1:0")
        .runtime(runtime)
        .shards(shards)
        .raw("/ws")
        .lanes("/world")
        .world(WorldConfig::default())
        .avatar(|_, at| Draft::at(at))
        .system(Update, |cx: &mut Context<'_>| {
            for message in cx.messages() {
                cx.send(Audience::One(message.session), message.payload.clone());
            }
        })
        .options(|options| {
            options.auth = Some(Auth::Secret(Secret::new(SECRET.as_bytes()).unwrap()));
            options.tenants = vec![TenantOptions::new("acme"), TenantOptions::new("other")];
            options.limits.resume_grace = Duration::from_secs(60);
            options.limits.close_deadline = Duration::from_millis(500);
            change(options);
        });
    app
}

fn user(tenant: &str, name: &str) -> Banned {
    Banned::User {
        tenant: tenant.to_owned(),
        user: UserId::new(name).unwrap(),
    }
}

fn ban(whom: Banned, reason: &str) -> Ban {
    Ban {
        whom,
        reason: reason.to_owned(),
        until: None,
    }
}

fn path(path: &str, tenant: &str, user: &str) -> String {
    format!("{path}?tenant={tenant}&user={user}&token={SECRET}")
}

fn connect(address: SocketAddr, tenant: &str, user: &str) -> Client {
    Client::connect(address, &path("/ws", tenant, user))
}

fn banned(reason: &str) -> Heard {
    Heard::Close(Some(1008), format!("NOT_ALLOWED: banned: {reason}"))
}

/// What it hears in the end, past everything else, and the last text before that.
fn last_words(client: &mut Client) -> (Option<Value>, Heard) {
    let mut last = None;
    loop {
        match client.hear() {
            Heard::Message(MessageKind::Text, text) => last = serde_json::from_slice(&text).ok(),
            Heard::Message(..) | Heard::Ping(_) | Heard::Pong(_) => {}
            heard => return (last, heard),
        }
    }
}

#[test]
fn an_address_is_answered_before_the_upgrade_and_others_are_let_in() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let (running, address) = serve(&mut app(runtime, shards, |options| {
                let address = Banned::Ip("127.0.0.2".parse().unwrap());
                options.bans = vec![ban(address, "scraping")];
            }));
            let from = |source: &str| {
                let mut stream = tcp_from(source, address);
                let answer = ask(&mut stream, &path("/ws", "acme", "anna"), "");
                (answer.status, answer.body)
            };
            assert_eq!(from("127.0.0.2"), (403, "banned: scraping\n".to_owned()));
            assert_eq!(from("127.0.0.3").0, 101);
            // A page is no upgrade.
            let mut stream = tcp_from("127.0.0.2", address);
            let request = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
            std::io::Write::write_all(&mut stream, request).unwrap();
            assert_eq!(crate::socket::answer(&mut stream).0, 200);
            assert_eq!(running.tenants()[0].refused["banned"], 1);
            end(running);
        }
    });
}

#[test]
fn a_user_is_refused_with_the_reason_until_the_ban_ends_and_no_namesake_is() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let (running, address) = serve(&mut app(runtime, shards, |options| {
                options.bans = vec![
                    ban(user("acme", "anna"), "spam"),
                    Ban {
                        until: Some(since_1970() - Duration::from_secs(1)),
                        ..ban(user("acme", "bert"), "long ago")
                    },
                ];
            }));
            let lines = format!("Authorization: Bearer {SECRET}\r\n");
            let in_header = "/ws?tenant=acme&user=anna";
            let refused = Client::ask(address, in_header, &lines).err().unwrap();
            assert_eq!(refused, (403, "banned: spam\n".to_owned()));
            assert_eq!(connect(address, "acme", "anna").hear(), banned("spam"));
            let mut on_lanes = Client::connect(address, &path("/world", "acme", "anna"));
            let (error, close) = last_words(&mut on_lanes);
            let error = error.unwrap();
            assert_eq!(error["data"]["code"], "NOT_ALLOWED");
            assert_eq!(error["data"]["msg"], "banned: spam");
            assert_eq!(close, banned("spam"));
            for (tenant, name) in [("other", "anna"), ("acme", "bert"), ("acme", "carl")] {
                connect(address, tenant, name).echoes(MessageKind::Text, b"let in");
            }
            assert_eq!(running.bans().len(), 1);
            assert!(running.unban(&user("acme", "anna")));
            assert!(!running.unban(&user("acme", "anna")));
            connect(address, "acme", "anna").echoes(MessageKind::Text, b"again");
            end(running);
        }
    });
}

#[test]
fn a_ban_closes_whoever_is_there_on_every_shard_and_nobody_else() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let (running, address) = serve(&mut app(runtime, shards, |_| {}));
            let mut annas: Vec<Client> =
                (0..16).map(|_| connect(address, "acme", "anna")).collect();
            let mut others = [
                connect(address, "other", "anna"),
                connect(address, "acme", "bert"),
            ];
            let mut lanes = Client::connect(address, &path("/world", "acme", "anna"));
            for client in annas.iter_mut().chain(&mut others) {
                client.echoes(MessageKind::Text, b"there");
            }
            running.ban(&ban(user("acme", "anna"), "spam")).unwrap();
            for client in &mut annas {
                assert_eq!(client.hear(), banned("spam"));
            }
            let (error, close) = last_words(&mut lanes);
            assert_eq!(error.unwrap()["data"]["msg"], "banned: spam");
            assert_eq!(close, banned("spam"));
            assert_eq!(connect(address, "acme", "anna").hear(), banned("spam"));
            // By address: also who has yet to say who it is.
            let stranger = Client::over(tcp_from("127.0.0.2", address), "/ws?tenant=acme");
            let there = path("/ws", "acme", "carl");
            let session = Client::over(tcp_from("127.0.0.2", address), &there);
            let elsewhere = Banned::Ip("127.0.0.2".parse().unwrap());
            running.ban(&ban(elsewhere, "scraping")).unwrap();
            for mut client in [stranger, session] {
                assert_eq!(client.hear(), banned("scraping"));
            }
            for client in &mut others {
                client.echoes(MessageKind::Text, b"undisturbed");
            }
            drop((annas, lanes));
            eventually(PATIENCE, "the gauge is right", || {
                running.tenants()[0].sessions == 1 && gauge(address, "sessions") == 2
            });
            end(running);
        }
    });
}

#[test]
fn a_ban_ends_sessions_that_wait_for_another_connection() {
    on_each_runtime(|runtime| {
        for by_address in [false, true] {
            let (running, address) = serve(&mut app(runtime, 2, |_| {}));
            let here = path("/world", "acme", "anna");
            let mut client = Connection::enter(address, &here, PATIENCE).unwrap();
            client.join(ViewpointMode::Avatar, None, InterestWish::Default);
            client.flush().unwrap();
            let joined = client.until(PATIENCE, |event| {
                matches!(event, worldshard_client::Event::Delta(_)).then_some(())
            });
            joined.unwrap();
            client.stream().shutdown(Shutdown::Both).unwrap();
            eventually(PATIENCE, "the cut is noticed", || {
                gauge(address, "detached") == 1
            });
            let whom = match by_address {
                true => Banned::Ip("127.0.0.1".parse().unwrap()),
                false => user("acme", "anna"),
            };
            running.ban(&ban(whom.clone(), "spam")).unwrap();
            eventually(PATIENCE, "it waits no more", || {
                gauge(address, "detached") == 0
            });
            assert_eq!(running.tenants()[0].sessions, 0);
            running.unban(&whom);
            let token = client.resume_token().unwrap();
            let resume = format!("/world?tenant=acme&token={SECRET}&user=anna&resume={token}");
            assert_eq!(ask(&mut tcp(address), &resume, "").status, 410);
            end(running);
        }
    });
}

#[test]
fn a_reload_replaces_the_bans_of_the_options_and_keeps_those_that_were_made() {
    on_each_runtime(|runtime| {
        let mut rules = ServerOptions::default();
        let (running, address) = serve(&mut app(runtime, 2, |options| {
            options.bans = vec![ban(user("acme", "anna"), "configured")];
            rules = options.clone();
        }));
        running.ban(&ban(user("acme", "bert"), "made")).unwrap();
        let mut carl = connect(address, "acme", "carl");
        carl.echoes(MessageKind::Text, b"there");
        rules.bans = vec![ban(user("acme", "carl"), "configured later")];
        running.reload(&rules).unwrap();
        assert_eq!(carl.hear(), banned("configured later"));
        assert_eq!(connect(address, "acme", "bert").hear(), banned("made"));
        connect(address, "acme", "anna").echoes(MessageKind::Text, b"let in");
        assert_eq!(running.bans().len(), 2);
        let long = "x".repeat(101);
        assert!(running.ban(&ban(user("acme", "dora"), &long)).is_err());
        assert!(running.ban(&ban(user("nobody", "dora"), "")).is_err());
        assert_eq!(running.bans().len(), 2);
        end(running);
    });
}

#[test]
fn a_reload_from_another_thread_wakes_shards_that_wait() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let mut rules = ServerOptions::default();
            let mut app = app(runtime, shards, |options| rules = options.clone());
            // Nothing else wakes them soon.
            let (running, address) = serve(app.world(WorldConfig {
                tick_interval: Duration::from_secs(10),
                ..WorldConfig::default()
            }));
            let reloader = running.reloader();
            let mut took: Vec<Duration> = (0..9)
                .map(|round| {
                    let name = format!("anna{round}");
                    let mut anna = connect(address, "acme", &name);
                    anna.echoes(MessageKind::Text, b"there");
                    rules.bans = vec![ban(user("acme", &name), "read again")];
                    let before = now();
                    reloader.reload(&rules).unwrap();
                    assert_eq!(anna.hear(), banned("read again"));
                    now() - before
                })
                .collect();
            took.sort();
            // A shard that is not woken looks for itself after 200 ms.
            assert!(took[4] < Duration::from_millis(100), "{took:?}");
            end(running);
        }
    });
}

#[test]
fn who_is_kicked_reads_why_and_may_come_again() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let (running, address) = serve(&mut app(runtime, shards, |_| {}));
            let mut clients: Vec<Client> = (0..8)
                .map(|_| Client::connect(address, &path("/world", "acme", "anna")))
                .collect();
            let sessions: Vec<SessionId> = clients
                .iter_mut()
                .map(|client| {
                    let Heard::Message(_, greeting) = client.hear() else {
                        panic!("no greeting");
                    };
                    let greeting: Value = serde_json::from_slice(&greeting).unwrap();
                    SessionId::from_value(greeting["data"]["session"].as_u64().unwrap()).unwrap()
                })
                .collect();
            for (client, session) in clients.iter_mut().zip(&sessions).skip(1) {
                assert!(running.kick(*session, "be quiet"));
                let (told, close) = last_words(client);
                let told = told.unwrap();
                assert_eq!(
                    (&told["type"], &told["data"]["reason"]),
                    (&"kicked".into(), &"be quiet".into())
                );
                assert_eq!(close, Heard::Close(Some(1008), "kicked".to_owned()));
            }
            clients.truncate(1);
            eventually(PATIENCE, "they are gone", || {
                running.tenants()[0].sessions == 1
            });
            assert!(!running.kick(sessions[1], "again"));
            assert!(!running.kick(SessionId::new(shards, 1), "of no shard"));
            connect(address, "acme", "anna").echoes(MessageKind::Text, b"again");
            clients[0].ping(b"undisturbed");
            assert_eq!(clients[0].hear(), Heard::Pong(b"undisturbed".to_vec()));
            end(running);
        }
    });
}
