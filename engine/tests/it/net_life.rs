//! How a server begins, stands still, fails and ends.

use std::io::{Read, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use worldshard::prelude::*;
use worldshard::runtime::{UnpacedRun, run_unpaced, start, start_placed};
use worldshard_spatial::ShardId;
use worldshard_transport::MessageKind;

use crate::socket::{
    Client, Heard, PATIENCE, echo_app, end, eventually, get, now, on_each_runtime, serve, tcp,
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

/// Notes what happens to it, by shard.
struct Traced(Trace);

type Trace = Arc<Mutex<Vec<(ShardId, &'static str)>>>;

impl Plugin for Traced {
    fn build(&self, app: &mut App) {
        app.system(Startup, note(&self.0, "startup"))
            .system(Last, note(&self.0, "last"))
            .system(Update, note(&self.0, "update"))
            .system(Shutdown, note(&self.0, "shutdown"));
        let trace = Arc::clone(&self.0);
        app.system(FixedUpdate, move |step: &mut Step<'_>| {
            trace.lock().unwrap().push((step.shard(), "fixed update"));
        });
        app.system(Shutdown, |cx: &mut Context<'_>| {
            cx.send(Audience::All, Payload::Text("the last word".into()));
        });
    }

    fn cleanup(&self, cx: &mut Context<'_>) {
        note(&self.0, "cleanup")(cx);
    }
}

fn note(trace: &Trace, what: &'static str) -> impl Fn(&mut Context<'_>) + Send + Sync + 'static {
    let trace = Arc::clone(trace);
    move |cx| trace.lock().unwrap().push((cx.shard(), what))
}

#[test]
fn every_shard_goes_through_its_phases_in_their_order_up_to_the_clean_up() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let trace = Trace::default();
            let mut app = echo_app(runtime, shards);
            app.plugin(Traced(Arc::clone(&trace)));
            let (running, address) = serve(&mut app);
            let mut client = Client::connect(address, "/ws");
            client.echoes(MessageKind::Text, b"there");
            eventually(PATIENCE, "every shard has ticked", || {
                let trace = trace.lock().unwrap();
                (0..shards).all(|shard| trace.contains(&(ShardId(shard), "fixed update")))
            });
            running.stop();
            // What is said in the end is said before the goodbye.
            let heard: Vec<Heard> = (0..shards).map(|_| client.hear()).collect();
            let word = Heard::Message(MessageKind::Text, b"the last word".to_vec());
            assert!(heard.contains(&word), "{heard:?}");
            drop(client);
            running.join().unwrap();
            let trace = trace.lock().unwrap();
            for shard in (0..shards).map(ShardId) {
                let mine: Vec<&str> = trace
                    .iter()
                    .filter(|(at, _)| *at == shard)
                    .map(|(_, what)| *what)
                    .collect();
                let count = |what| mine.iter().filter(|one| **one == what).count();
                assert_eq!(["startup", "shutdown", "cleanup"].map(count), [1; 3]);
                let end = mine.iter().position(|what| *what == "shutdown").unwrap();
                assert_eq!((mine[0], mine[end + 1]), ("startup", "cleanup"));
                // In the end the services hear who is gone; the world stands still.
                let (before, after) = (&mine[1..end], &mine[end + 2..]);
                assert!(before.contains(&"fixed update") && !after.contains(&"fixed update"));
                for part in [before, after] {
                    let is_paced = |what: &&&str| **what != "fixed update";
                    let paced: Vec<&&str> = part.iter().filter(is_paced).collect();
                    assert!(paced.chunks(2).all(|turn| turn == [&"update", &"last"]));
                }
            }
        }
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
