//! Applications: stages in order, plugins with clean-up, conflicts at boot, panics that stay where they are.

use std::sync::{Arc, Mutex};

use worldshard::prelude::*;
use worldshard_shard::Keep;

use crate::pump::Pump;

type Trace = Arc<Mutex<Vec<&'static str>>>;

struct Traced(Trace, &'static str);

impl Plugin for Traced {
    fn build(&self, app: &mut App) {
        let trace = self.0.clone();
        app.system(Startup, move |_: &mut Context| {
            trace.lock().unwrap().push("plugin starts")
        });
    }

    fn cleanup(&self, _: &mut Context<'_>) {
        self.0.lock().unwrap().push(self.1);
    }
}

struct Other(Traced);

impl Plugin for Other {
    fn build(&self, _: &mut App) {}

    fn cleanup(&self, cx: &mut Context<'_>) {
        self.0.cleanup(cx);
    }
}

#[test]
fn stages_and_clean_ups_run_in_their_order() {
    let trace = Trace::default();
    let note = |what: &'static str| {
        let trace = trace.clone();
        move |_: &mut Context<'_>| trace.lock().unwrap().push(what)
    };
    let fixed = trace.clone();
    let mut app = App::new();
    app.raw("/ws")
        .plugin((
            Traced(trace.clone(), "first cleans up"),
            Other(Traced(trace.clone(), "second cleans up")),
        ))
        .system(Last, note("last"))
        .system(Shutdown, note("shutdown"))
        .system(Update, note("update"))
        .system(FixedUpdate, move |_: &mut Step<'_>| {
            fixed.lock().unwrap().push("fixed")
        })
        .system(Startup, note("startup"));
    let mut pump = Pump::new(&mut app, 1, 1);
    pump.open(0, "/ws");
    pump.settle();
    pump.run(1);
    pump.hub(ShardId(0)).handle();
    pump.hub(ShardId(0)).shutdown();
    assert_eq!(
        *trace.lock().unwrap(),
        [
            "plugin starts",
            "startup",
            "update",
            "last",
            "fixed",
            "update",
            "last",
            "shutdown",
            "second cleans up",
            "first cleans up",
        ]
    );
}

struct Slash(&'static [&'static str]);

impl Plugin for Slash {
    fn build(&self, _: &mut App) {}

    fn owns(&self) -> Vec<Owned> {
        self.0
            .iter()
            .map(|path| Owned::Path((*path).to_owned()))
            .collect()
    }
}

struct Lobby;

impl Plugin for Lobby {
    fn build(&self, app: &mut App) {
        app.route("/list", |_| Response::text(200, "nobody"));
    }
}

#[test]
fn two_owners_of_a_name_keep_the_engine_from_starting() {
    let refused = |app: &mut App| {
        app.build()
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    };
    let text = refused(App::new().plugin((Slash(&["/list", "/nick"]), Lobby)));
    assert!(
        text.starts_with("path `/list` is claimed by")
            && text.contains("Slash")
            && text.contains("Lobby"),
        "{text}"
    );
    let text = refused(
        App::new()
            .plugin(Lobby)
            .route("/list", |_| Response::text(200, "")),
    );
    assert!(
        text.contains("Lobby") && text.contains("the application"),
        "{text}"
    );
    let text = refused(App::new().route("/status", |_| Response::text(200, "")));
    assert!(text.contains("path `/status`"), "{text}");
    let text = refused(
        App::new()
            .command(70, |_, _| Ok(()))
            .command(70, |_, _| Ok(())),
    );
    assert!(text.contains("opcode 70"), "{text}");
    let text = refused(App::new().command(5, |_, _| Ok(())));
    assert!(text.contains("64 to 255"), "{text}");
    let text = refused(App::new().plugin(Lobby).plugin(Lobby));
    assert!(text.contains("plugin"), "{text}");
    assert_eq!(refused(App::new().plugin((Slash(&["/nick"]), Lobby))), "");
}

#[test]
fn values_outside_their_limits_keep_the_engine_from_starting() {
    let refused = |config: WorldConfig| {
        App::new()
            .world(config)
            .build()
            .err()
            .map(|error| error.to_string())
    };
    let config = WorldConfig {
        interest_radius_m: 500.0,
        ..WorldConfig::default()
    };
    let text = refused(config).unwrap();
    assert!(text.contains("interest_radius_m is 500"), "{text}");
    let config = WorldConfig {
        cell_edge_m: 0.0,
        ..WorldConfig::default()
    };
    assert!(
        refused(config)
            .unwrap()
            .starts_with("world: cell_edge_m is 0")
    );
    let mut app = App::new();
    app.options(|options| options.limits.messages_queue_bytes_max = 100);
    let text = app.build().err().unwrap().to_string();
    assert!(text.starts_with("messages_queue_bytes_max: 100"), "{text}");
}

#[test]
fn a_panic_in_a_system_is_blamed_by_name_and_the_hub_goes_on() {
    fn fragile(cx: &mut Context) {
        for message in cx.messages() {
            cx.send(Audience::All, "half done");
            assert_ne!(message.payload.as_text(), Some("boom"), "as planned");
        }
    }
    fn sturdy(cx: &mut Context) {
        for message in cx.messages() {
            cx.send(Audience::One(message.session), message.payload.clone());
        }
    }
    let mut app = App::new();
    app.raw("/ws")
        .system(Update, fragile)
        .system(Update, sturdy);
    let mut pump = Pump::new(&mut app, 2, 1);
    let (one, other) = (pump.open(0, "/ws"), pump.open(1, "/ws"));
    pump.text(one, "boom");
    pump.settle();
    assert_eq!(pump.clients[&one].texts(), ["half done", "boom"]);
    assert_eq!(pump.clients[&other].texts(), ["half done"]);
    pump.text(one, "fine");
    pump.run(2);
    assert_eq!(
        pump.clients[&one].texts().len(),
        4,
        "the batch was consumed and the next one handled"
    );
    let faults: Vec<_> = pump.hubs[0].faults().iter().collect();
    assert_eq!(faults.len(), 1);
    assert!(
        faults[0].0.ends_with("fragile") && *faults[0].1 == 1,
        "{faults:?}"
    );
}

#[test]
fn a_panic_in_a_startup_system_keeps_the_engine_from_starting() {
    let mut app = App::new();
    app.system(Startup, |_: &mut Context| panic!("as planned"));
    let recipe = app.build().unwrap();
    let commons = worldshard::Commons::new(&recipe, 1).unwrap();
    let error = worldshard::Hub::new(ShardId(0), recipe, commons)
        .err()
        .unwrap();
    assert!(error.to_string().starts_with("startup system"), "{error}");
}

#[test]
fn every_shard_has_resources_of_its_own_and_all_stages_reach_them() {
    #[derive(Default)]
    struct Seen(u32);
    let mut app = App::new();
    app.raw("/ws")
        .resource(Seen::default)
        .system(FixedUpdate, |step: &mut Step| {
            step.resource_mut::<Seen>().0 += 10;
        })
        .system(Update, |cx: &mut Context| {
            for message in cx.messages() {
                cx.resource_mut::<Seen>().0 += 1;
                let seen = cx.resource::<Seen>().0;
                cx.send(Audience::One(message.session), seen.to_string());
            }
        });
    let mut pump = Pump::new(&mut app, 2, 1);
    let (one, other) = (pump.open(0, "/ws"), pump.open(1, "/ws"));
    for session in [one, one, other] {
        pump.text(session, "count");
        pump.settle();
    }
    pump.run(1);
    pump.text(one, "count");
    pump.settle();
    assert_eq!(pump.clients[&one].texts(), ["1", "2", "13"]);
    assert_eq!(pump.clients[&other].texts(), ["1"]);
}

#[test]
fn a_shard_that_is_made_again_has_what_a_startup_system_inserted_while_it_does_its_ticks_again() {
    struct Table(u32);
    let mut app = App::new();
    app.world(WorldConfig::default())
        .system(Startup, |cx: &mut Context| cx.insert_resource(Table(7)))
        .system(FixedUpdate, |step: &mut Step| {
            assert_eq!(step.resource::<Table>().0, 7);
        });
    let mut pump = Pump::new(&mut app, 1, 1);
    let hub = &mut pump.hubs[0];
    hub.keep_calls(Keep::All);
    let archive = hub.freeze().encode();
    pump.run(3);
    let hub = &mut pump.hubs[0];
    let calls = hub.take_calls();
    hub.rebuild(&archive, calls, Keep::All).unwrap();
    assert_eq!(hub.shard().tick(), Tick(3));
    pump.run(1);
}

#[test]
fn default_paths_are_raw_at_ws_and_lanes_at_world_where_there_is_one() {
    use worldshard::Framing;
    let plain = App::new()
        .plugin(WebSocketPlugin::bind("127.0.0.1:0"))
        .build()
        .unwrap();
    assert_eq!(plain.framing("/ws"), Some(Framing::Raw));
    assert_eq!(plain.framing("/world"), None);
    let tick = std::time::Duration::from_millis(20);
    let paced = App::new()
        .plugin(WebSocketPlugin::bind("127.0.0.1:0"))
        .pace(tick, 7)
        .build()
        .unwrap();
    assert_eq!(paced.framing("/world"), None);
    assert_eq!(paced.world().config.tick_interval, tick);
    assert_eq!(paced.world().config.seed, 7);
    let world = App::new()
        .plugin(WebSocketPlugin::bind("127.0.0.1:0").raw("/chat"))
        .world(WorldConfig::default())
        .build()
        .unwrap();
    assert_eq!(world.framing("/ws"), None);
    assert_eq!(world.framing("/chat"), Some(Framing::Raw));
    assert_eq!(world.framing("/world"), Some(Framing::Lanes));
}

#[test]
fn territories_share_the_population_and_not_the_ground() {
    let mut app = App::new();
    app.populate(1000, |genesis, entity| {
        // All in one corner: a sixteenth of the ground.
        let mut chance = genesis.chance(entity, "birth");
        Draft::at(Point::flat(
            chance.range(0.0, 256.0),
            chance.range(0.0, 256.0),
        ))
    });
    let pump = Pump::new(&mut app, 4, 1);
    let shares = pump.hubs.iter().map(|hub| hub.status().world.entities);
    let shares: Vec<u64> = shares.collect();
    assert!(
        shares.iter().all(|share| (150..=350).contains(share)),
        "{shares:?}"
    );
    assert_eq!(shares.iter().sum::<u64>(), 1000);
}

#[derive(Component, Clone, Debug, PartialEq)]
struct Story(Vec<u8>);

#[test]
fn components_too_long_for_clients_are_counted_while_they_are() {
    let mut app = App::new();
    app.component::<Story>("story", Visibility::Replicated)
        .populate(3, |_, entity| {
            let bytes = if entity.0 == 1 { 10 } else { 70_000 };
            Draft::at(Point::flat(500.0, 500.0)).with(Story(vec![0; bytes]))
        })
        .system(FixedUpdate, |step: &mut Step<'_>| {
            if step.tick() == Tick(2) {
                for (_, story) in step.query::<(&EntityId, &mut Story)>().iter() {
                    story.0.truncate(65_000);
                }
            }
        });
    let mut pump = Pump::new(&mut app, 1, 1);
    pump.run(1);
    assert_eq!(pump.hubs[0].status().world.extras_too_long, 2);
    pump.run(1);
    assert_eq!(pump.hubs[0].status().world.extras_too_long, 0);
}
