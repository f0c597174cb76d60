//! A kept world is opened again with what its systems read, and one whose ticks cannot be done again says why.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use worldshard::prelude::*;
use worldshard::runtime::{Recording, start};
use worldshard::{AppRecipe, Runtime};
use worldshard_client::{Connection, Event as Heard};
use worldshard_protocol::{ErrorCode, InterestWish, ViewpointMode};

use crate::folder::Folder;
use crate::socket::{PATIENCE, end, eventually, get, on_each_runtime};

/// What a system reads, and never changes.
struct Wind(f32);

/// Everything drifts with the wind, wherever that comes from. No checkpoint but the first: all ticks are done again.
fn drifting(runtime: Runtime, folder: &Folder, finish: impl FnOnce(&mut App)) -> Arc<AppRecipe> {
    let mut data = folder.data();
    data.checkpoint_every = Duration::from_secs(600);
    let mut app = App::new();
    app.bind("127.0.0.1:0")
        .runtime(runtime)
        .shards(2)
        .options(|options| options.data = Some(data))
        .world(WorldConfig {
            tick_interval: Duration::from_millis(10),
            ..WorldConfig::default()
        })
        .populate(50, |_, entity| {
            Draft::at(Point::flat(20.0 * entity.0 as f32, 500.0))
        })
        .system(FixedUpdate, drift);
    finish(&mut app);
    app.build().unwrap()
}

fn drift(step: &mut Step<'_>) {
    let wind_m = step.resource::<Wind>().0;
    for position in step.query::<&mut Position>().iter() {
        position.0.x = (position.0.x + wind_m) % 1000.0;
    }
}

/// The status of the first shard.
fn shard(address: SocketAddr) -> serde_json::Value {
    let status: serde_json::Value = serde_json::from_str(&get(address, "/status").1).unwrap();
    status["shards"][0].clone()
}

/// Runs a server for some ticks; the tick after which it went on, if the world had one.
fn run(recipe: &Arc<AppRecipe>) -> Option<Tick> {
    let running = start(recipe).unwrap();
    let address = running.local_addr().unwrap();
    let from = running.recovery().map(|recovery| recovery.tick);
    let until = from.unwrap_or_default().0 + 20;
    eventually(PATIENCE, "some ticks", || {
        shard(address)["tick"].as_u64() >= Some(until)
    });
    end(running);
    from
}

#[test]
fn a_world_whose_systems_read_a_resource_is_opened_again_and_has_the_digests_that_it_had() {
    on_each_runtime(|runtime| {
        let folder = Folder::new("resource", runtime);
        let make = || {
            drifting(runtime, &folder, |app| {
                app.resource(|| Wind(0.5));
            })
        };
        assert_eq!(run(&make()), None);
        assert!(run(&make()) >= Some(Tick(20)));
        let recording = Recording::open(&folder.world(), &make()).unwrap();
        let first = *recording.generations().unwrap().first().unwrap();
        let (mut replay, digests) = (recording.after(first).unwrap(), folder.digests());
        let (mut compared, begun) = (0, replay.digest());
        while replay.step().unwrap() {
            assert_ne!(replay.digest(), begun, "the wind has ceased");
            if let Some(&digest) = digests.get(&replay.tick()) {
                assert_eq!(replay.digest(), digest, "tick {}", replay.tick());
                compared += 1;
            }
        }
        assert!(compared >= 10, "{compared} ticks compared");
    });
}

#[test]
fn a_resource_that_only_startup_inserts_is_named_with_tick_and_system_by_whoever_opens_the_world() {
    on_each_runtime(|runtime| {
        let folder = Folder::new("startup", runtime);
        let recipe = drifting(runtime, &folder, |app| {
            app.system(Startup, |cx: &mut Context<'_>| {
                cx.insert_resource(Wind(0.5))
            });
        });
        assert_eq!(run(&recipe), None);
        let recording = Recording::open(&folder.world(), &recipe).unwrap();
        let refused = [
            start(&recipe).err().unwrap().to_string(),
            recording.at(None).err().unwrap().to_string(),
        ];
        for text in refused {
            for word in ["tick 1 cannot", "shard 0", "drift", "Wind", "App::resource"] {
                assert!(text.contains(word), "{word}: {text}");
            }
        }
        // Nothing was lost: an application that adds it where it belongs goes on.
        let mended = drifting(runtime, &folder, |app| {
            app.resource(|| Wind(0.5));
        });
        assert!(run(&mended) >= Some(Tick(20)));
    });
}

#[test]
fn a_predicate_that_panics_ends_neither_its_shard_nor_the_world() {
    on_each_runtime(|runtime| {
        let folder = Folder::new("predicate", runtime);
        let recipe = drifting(runtime, &folder, |app| {
            app.resource(|| Wind(0.5))
                .shards(1)
                .predicate(|_, _, _| panic!("as planned"));
        });
        let running = start(&recipe).unwrap();
        let address = running.local_addr().unwrap();
        let mut client = Connection::enter(address, "/world", PATIENCE).unwrap();
        let interest = InterestWish::Custom {
            predicate: 0,
            radius: 100.0,
        };
        client.join(ViewpointMode::Camera, Some([500.0, 500.0, 0.0]), interest);
        let refused = client.until(PATIENCE, |event| match event {
            Heard::Error(refused) => Some(refused.clone()),
            _ => None,
        });
        let refused = refused.unwrap();
        assert_eq!(refused.code, ErrorCode::Internal);
        assert!(refused.message.starts_with("interest"), "{refused:?}");
        let delta = |event: &Heard| matches!(event, Heard::Delta(_)).then_some(());
        client.until(PATIENCE, delta).unwrap();
        assert!(client.view().len() > 2, "it sees by the default interest");
        eventually(PATIENCE, "it is counted", || {
            shard(address)["world"]["interests_failed"].as_u64() == Some(1)
        });
        assert_eq!(shard(address)["rebuilds"].as_u64(), Some(0));
        end(running);
        assert!(run(&recipe).is_some());
    });
}
