//! How a server begins, stands still, fails and ends.

use std::io::{Read, Write};
use std::time::Duration;

use worldshard::prelude::*;
use worldshard::runtime::{UnpacedRun, run_unpaced, start, start_placed};
use worldshard_spatial::ShardId;
use worldshard_transport::MessageKind;

use crate::socket::{
    Client, Heard, echo_app, end, eventually, get, now, on_each_runtime, serve, tcp,
};

#[test]
fn a_busy_address_is_an_error_that_names_it() {
    on_each_runtime(|runtime| {
        let (running, address) = serve(&mut echo_app(runtime, 1));
        let mut second = App::new();
        second.bind(address.to_string()).runtime(runtime);
        let began = now();
        let error = start(&second.build().unwrap()).err().unwrap();
        assert!(error.to_string().contains(&address.to_string()), "{error}");
        assert!(began.elapsed() < Duration::from_secs(1));
        end(running);
    });
}

#[test]
fn a_stop_tells_every_session_and_frees_the_address() {
    on_each_runtime(|runtime| {
        let (running, address) = serve(&mut echo_app(runtime, 2));
        let mut clients: Vec<Client> = (0..6).map(|_| Client::connect(address, "/ws")).collect();
        clients[0].echoes(MessageKind::Text, b"there");
        let mut half_head = tcp(address);
        half_head.write_all(b"GET ").unwrap();
        running.stop();
        for client in &mut clients {
            let Heard::Close(code, reason) = client.hear() else {
                panic!("a session was not told of the stop");
            };
            assert_eq!(code, Some(1001));
            assert!(!reason.is_empty());
            assert_eq!(client.hear(), Heard::End);
        }
        drop(clients);
        let began = now();
        running.join().unwrap();
        assert!(began.elapsed() < Duration::from_secs(5));
        let _ = half_head.read(&mut [0; 16]);
        let mut again = App::new();
        again.bind(address.to_string()).runtime(runtime);
        end(start(&again.build().unwrap()).unwrap());
    });
}

#[test]
fn a_frozen_shard_is_named_and_gets_no_new_connections() {
    on_each_runtime(|runtime| {
        let (running, address) = serve(&mut echo_app(runtime, 2));
        running.debug_freeze(1, Duration::from_secs(4));
        eventually(Duration::from_secs(3), "the frozen shard is named", || {
            let mut request = tcp(address);
            request
                .set_read_timeout(Some(Duration::from_millis(300)))
                .unwrap();
            request
                .write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                .unwrap();
            let (status, body) = crate::socket::answer(&mut request);
            status == 503 && body.contains('1')
        });
        for _ in 0..4 {
            Client::connect(address, "/ws").echoes(MessageKind::Text, b"by the other shard");
        }
        eventually(Duration::from_secs(6), "the shard lives again", || {
            get(address, "/healthz").0 == 200
        });
        end(running);
    });
}

#[test]
fn a_connection_moves_to_the_shard_that_is_to_be_its_home_and_loses_nothing() {
    on_each_runtime(|runtime| {
        let mut app = App::new();
        app.bind("127.0.0.1:0").runtime(runtime).shards(3);
        app.system(Update, |cx: &mut Context| {
            for message in cx.messages() {
                let shard = cx.shard().0.to_string();
                cx.send(Audience::One(message.session), shard);
            }
        });
        let recipe = app.build().unwrap();
        let running = start_placed(&recipe, |head| {
            let home = head.query_value("home")?;
            home.parse().ok().map(ShardId)
        })
        .unwrap();
        let address = running.local_addr().unwrap();
        for home in [2, 0, 1, 2, 1, 0] {
            let mut client = Client::connect(address, &format!("/ws?home={home}"));
            client.say(MessageKind::Text, b"where am I");
            let expected = home.to_string().into_bytes();
            assert_eq!(client.hear(), Heard::Message(MessageKind::Text, expected));
        }
        end(running);
    });
}

#[test]
fn a_panic_in_a_tick_ends_the_server_with_its_cause_instead_of_hanging_the_others() {
    on_each_runtime(|runtime| {
        let mut app = echo_app(runtime, 2);
        app.system(FixedUpdate, |step: &mut Step<'_>| {
            assert!(step.tick().0 < 5 || step.shard().0 != 1, "planted");
        });
        let (running, _) = serve(&mut app);
        let error = running.join().unwrap_err().to_string();
        assert!(
            error.contains("shard 1") && error.contains("planted"),
            "{error}"
        );
    });
}

#[test]
fn a_panic_in_an_update_system_ends_nothing() {
    on_each_runtime(|runtime| {
        let mut app = echo_app(runtime, 1);
        app.system(Update, |cx: &mut Context| {
            assert!(cx.messages().count() == 0, "planted");
        });
        let (running, address) = serve(&mut app);
        let mut client = Client::connect(address, "/ws");
        client.echoes(MessageKind::Text, b"one");
        client.echoes(MessageKind::Text, b"two");
        end(running);
    });
}

#[test]
fn an_unpaced_run_has_the_same_digests_on_any_number_of_shards() {
    let ticks = 40;
    on_each_runtime(|runtime| {
        let mut digests_by_shards = Vec::new();
        for shards in [1, 2, 4] {
            let mut app = App::new();
            app.shards(shards);
            app.populate(200, |_, entity| {
                let at = entity.0 as f32;
                Draft::at(Point {
                    x: at,
                    y: at / 2.0,
                    z: 0.0,
                })
            });
            let run = UnpacedRun {
                runtime,
                ticks,
                digest: true,
                clients: None,
            };
            let mut digests = vec![0_u128; ticks as usize + 1];
            let mut counts = vec![0_u16; ticks as usize + 1];
            let report = run_unpaced(&app.build().unwrap(), &run, |shard_tick| {
                let at = shard_tick.tick.0 as usize;
                digests[at] = digests[at].wrapping_add(shard_tick.digest.unwrap());
                counts[at] += 1;
            })
            .unwrap();
            assert_eq!(report.entities, 200);
            assert!(counts[1..].iter().all(|count| *count == shards));
            digests_by_shards.push(digests);
        }
        assert!(digests_by_shards[0][1] != 0);
        assert!(
            digests_by_shards
                .iter()
                .all(|one| *one == digests_by_shards[0])
        );
    });
}
