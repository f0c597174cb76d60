//! The plugin in an app that is run frame by frame, on a real server in the same process.

#![expect(
    clippy::unwrap_used,
    reason = "a test may panic: the permission for tests does not reach their helpers"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use bevy_app::{App, Update};
use bevy_ecs::prelude::*;
use bevy_time::TimePlugin;
use bevy_transform::components::Transform;
use worldshard::Runtime;
use worldshard::prelude::{
    App as WorldApp, Draft, EntityId, FixedUpdate, Point, Position, Running, Steering, Step,
    WorldConfig,
};
use worldshard_bevy::{Heard, Remote, Server, Steer, WorldshardPlugin};
use worldshard_client::{Cause, Options, Report};

/// Stones 10 m apart, each of which goes to and fro, and avatars that go where they are steered.
fn serve() -> Running {
    WorldApp::new()
        .world(WorldConfig::default())
        .populate(100 * 100, |_, stone| {
            let (row, column) = ((stone.0 - 1) / 100, (stone.0 - 1) % 100);
            Draft::at(Point::flat(10.0 * column as f32, 10.0 * row as f32))
        })
        .avatar(|_, at| Draft::at(at).with(Steering::default()))
        .system(FixedUpdate, |step: &mut Step<'_>| {
            let (dt, swing) = (step.dt(), [0.1, -0.1][(step.tick().0 % 2) as usize]);
            for (position, steering) in step.query::<(&mut Position, Option<&Steering>)>().iter() {
                position.0 += match steering {
                    Some(Steering(way)) => *way * (40.0 * dt),
                    None => Point::flat(swing, 0.0),
                };
            }
        })
        .bind("127.0.0.1:0")
        .runtime(Runtime::Portable)
        .shards(2)
        .start()
        .unwrap()
}

/// All that the app ever heard.
#[derive(Resource, Default)]
struct All(Vec<Report>);

fn app(server: &Running) -> App {
    let address = server.local_addr().unwrap();
    let options = Options::new(&format!("ws://{address}/world")).unwrap();
    let mut app = App::new();
    app.add_plugins((TimePlugin, WorldshardPlugin { options }))
        .init_resource::<All>()
        .add_systems(
            Update,
            |mut heard: MessageReader<Heard>, mut all: ResMut<All>| {
                all.0
                    .extend(heard.read().map(|Heard(report)| report.clone()));
            },
        );
    app
}

/// Runs frame after frame until it is so; at the end of each, what stands in the app is just what the client sees.
fn run_until(app: &mut App, what: &str, mut holds: impl FnMut(&mut App) -> bool) {
    for _ in 0..FRAMES_MAX {
        app.update();
        let there: Vec<_> = places(app).into_keys().collect();
        let link = &app.world().non_send::<Server>().0;
        let seen: Vec<_> = link.view().ids().collect();
        assert_eq!(there, seen);
        if holds(app) {
            return;
        }
        std::thread::park_timeout(FRAME);
    }
    panic!("not within {FRAMES_MAX} frames: {what}");
}

/// Where the app has what the client sees.
fn places(app: &mut App) -> BTreeMap<EntityId, [f32; 2]> {
    let world = app.world_mut();
    let mut remotes = world.query::<(&Remote, &Transform)>();
    let places = remotes.iter(world).map(|(remote, at)| {
        let at = at.translation;
        (remote.id, [at.x, at.y])
    });
    places.collect()
}

fn avatar(app: &mut App) -> Option<EntityId> {
    app.world().non_send::<Server>().0.avatar()
}

fn has_heard(app: &mut App, of: impl Fn(&Report) -> bool) -> bool {
    app.world().resource::<All>().0.iter().any(of)
}

#[test]
fn what_a_client_sees_stands_in_the_app_moves_in_it_and_leaves_it() {
    let server = serve();
    let mut app = app(&server);
    run_until(&mut app, "entities", |app| {
        let own = avatar(app);
        places(app).len() > 50 && own.is_some_and(|own| places(app).contains_key(&own))
    });
    assert!(has_heard(&mut app, |report| matches!(
        report,
        Report::Joined { .. }
    )));
    let own = avatar(&mut app).unwrap();
    let before = places(&mut app);
    run_until(&mut app, "the stones move", |app| {
        let now = places(app);
        before.iter().all(|(id, at)| *id == own || now[id] != *at)
    });

    // Between two deltas an entity is between two places of the server's.
    let mut steps = Vec::new();
    let start = places(&mut app)[&own][0];
    // Where it stands the world chose; it goes to where there is more room.
    let ahead = if start < 512.0 { 1.0 } else { -1.0 };
    let mut last = start;
    app.insert_resource(Steer([ahead, 0.0, 0.0]));
    run_until(&mut app, "the avatar is 200 m away", |app| {
        let x = places(app)[&own][0];
        steps.push((x - last) * ahead);
        last = x;
        (x - start).abs() > 200.0
    });
    let back = steps.iter().copied().fold(0.0, f32::min);
    assert!(back >= -ROUNDING_M, "it went back by {back} m");
    let parts = steps.iter().filter(|step| (0.01..1.99).contains(*step));
    assert!(
        parts.count() > 10,
        "it leapt from delta to delta: {steps:?}"
    );
    let left = before
        .keys()
        .filter(|id| !places(&mut app).contains_key(id));
    assert!(left.count() > 50, "nothing left the app");

    app.insert_resource(Steer([0.0; 3]));
    let mut stood = 0;
    run_until(
        &mut app,
        "the avatar stands where the server has it",
        |app| {
            let at = places(app)[&own];
            let link = &app.world().non_send::<Server>().0;
            let [x, y, _] = link.view().get(own).unwrap().record.position();
            let is_there = (at[0] - x).abs().max((at[1] - y).abs()) <= ROUNDING_M;
            stood = if is_there { stood + 1 } else { 0 };
            link.view().command_sequence() == link.sequence() && stood > 20
        },
    );

    server.stop();
    run_until(&mut app, "the end", |app| {
        has_heard(app, |report| {
            matches!(
                report,
                Report::Dead {
                    cause: Cause::ClosedByServer,
                    ..
                }
            )
        })
    });
    server.join().unwrap();
}

const FRAME: Duration = Duration::from_millis(5);
const FRAMES_MAX: u32 = 6000;
/// What lies between two places is their weighted sum, whose bits are up to 0.06 mm apart.
const ROUNDING_M: f32 = 1e-3;
