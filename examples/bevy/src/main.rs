//! An app without a window that walks through a world in circles and says what it sees, until the server ends:
//! `cargo run -- ws://127.0.0.1:8080/world`.

use std::time::Duration;

use bevy_app::{App, AppExit, ScheduleRunnerPlugin, Update};
use bevy_ecs::prelude::*;
use bevy_time::{Real, Time, TimePlugin};
use bevy_transform::components::Transform;
use worldshard_bevy::{Heard, Remote, Server, Steer, WorldshardPlugin};
use worldshard_client::{Options, Report};

fn main() -> AppExit {
    let url = std::env::args().nth(1);
    let url = url.as_deref().unwrap_or("ws://127.0.0.1:8080/world");
    let options = match Options::new(url) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{url}: {error}");
            return AppExit::error();
        }
    };
    App::new()
        .add_plugins((
            ScheduleRunnerPlugin::run_loop(FRAME),
            TimePlugin,
            WorldshardPlugin { options },
        ))
        .add_systems(Update, (walk, tell, end))
        .run()
}

fn walk(time: Res<Time<Real>>, mut steer: ResMut<Steer>) {
    let angle = time.elapsed_secs();
    *steer = Steer([angle.cos(), angle.sin(), 0.0]);
}

/// One line a second.
fn tell(
    server: NonSend<Server>,
    time: Res<Time<Real>>,
    remotes: Query<(&Remote, &Transform)>,
    mut told: Local<u64>,
) {
    let second = time.elapsed().as_secs();
    if std::mem::replace(&mut *told, second) == second {
        return;
    }
    let own = |(remote, _): &(&Remote, &Transform)| server.0.avatar() == Some(remote.id);
    let at = remotes.iter().find(own).map(|(_, at)| at.translation);
    println!("{} entities in sight, at {at:?}", remotes.iter().len());
}

fn end(mut heard: MessageReader<Heard>, mut exits: MessageWriter<AppExit>) {
    for Heard(report) in heard.read() {
        if let Report::Dead { cause, .. } = report {
            println!("over: {cause:?}");
            exits.write(AppExit::Success);
        }
    }
}

const FRAME: Duration = Duration::from_millis(16);
