//! A world of worldshard in a Bevy app: what the client sees are entities with a `Transform`, what it hears are messages, and
//! its avatar goes where a resource says.
//!
//! Owns the client and the entities that it spawned. Never draws: that is the app's work.

use std::collections::BTreeMap;
use std::f32::consts::TAU;
use std::time::Duration;

use bevy_app::{App, Plugin, PostUpdate, PreUpdate};
use bevy_ecs::prelude::*;
use bevy_time::{Real, Time};
use bevy_transform::components::Transform;
use worldshard_client::protocol::{EntityId, InterestWish, ViewpointMode};
use worldshard_client::{Link, Options, Report};

/// Connects when the app begins, and goes on as a [`Link`] does. The app needs a `TimePlugin`.
pub struct WorldshardPlugin {
    /// Where to, and who.
    pub options: Options,
}

impl Plugin for WorldshardPlugin {
    /// # Panics
    /// When the options are such as no server would take.
    fn build(&self, app: &mut App) {
        let link = Link::new(self.options.clone());
        // It holds a socket, which threads do not share.
        app.insert_non_send(Server(link.expect("options that a server would take")))
            .init_resource::<Steer>()
            .init_resource::<Known>()
            .add_message::<Heard>()
            .add_systems(PreUpdate, (hear, settle, place).chain())
            .add_systems(PostUpdate, steer);
    }
}

/// The client, to ask things of and to look at; systems take it as `NonSend` or `NonSendMut`.
pub struct Server(pub Link);

/// What happened to the client, in order.
#[derive(Message, Clone, Debug)]
pub struct Heard(pub Report);

/// Where the client's avatar is to go: a direction of length at most 1; zero stops.
#[derive(Resource, Clone, Copy, PartialEq, Default, Debug)]
pub struct Steer(pub [f32; 3]);

/// An entity of the server's that the client sees.
#[derive(Component, Clone, Copy, PartialEq, Eq, Debug)]
pub struct Remote {
    /// Which.
    pub id: EntityId,
    /// What it is, as the world defines it.
    pub kind: u8,
}

/// What of the server's stands in the app.
#[derive(Resource, Default)]
struct Known {
    entities: BTreeMap<EntityId, Entity>,
    /// When the last delta came.
    delta_at: Duration,
    /// What the avatar was told last.
    steered: Option<Steer>,
}

/// Takes in what the server said since the last frame.
fn hear(
    mut server: NonSendMut<Server>,
    time: Res<Time<Real>>,
    mut known: ResMut<Known>,
    mut heard: MessageWriter<Heard>,
) {
    for _ in 0..REPORTS_PER_FRAME_MAX {
        let Some(report) = server.0.poll() else {
            return;
        };
        if let Report::Live(live) = &report
            && !live.resumed
        {
            known.steered = None;
            // Refused where too much waits to be said, and at the beginning of a session nothing does.
            let _ = server
                .0
                .join(ViewpointMode::Avatar, None, InterestWish::Default);
        }
        if let Report::Delta(_) = &report {
            known.delta_at = time.elapsed();
        }
        heard.write(Heard(report));
    }
}

/// Spawns what came into sight and despawns what left it.
fn settle(server: NonSend<Server>, mut known: ResMut<Known>, mut commands: Commands) {
    let view = server.0.view();
    known.entities.retain(|id, entity| {
        let stays = view.get(*id).is_some();
        if !stays {
            commands.entity(*entity).despawn();
        }
        stays
    });
    for (id, seen) in view.iter() {
        known.entities.entry(id).or_insert_with(|| {
            let kind = seen.record.kind;
            let [x, y, z] = seen.record.position();
            let bundle = (Remote { id, kind }, Transform::from_xyz(x, y, z));
            commands.spawn(bundle).id()
        });
    }
}

/// Moves everything smoothly from where it was to where the last delta has it.
fn place(
    server: NonSend<Server>,
    time: Res<Time<Real>>,
    known: Res<Known>,
    mut remotes: Query<(&Remote, &mut Transform)>,
) {
    let since_delta = time.elapsed().saturating_sub(known.delta_at);
    for (remote, mut transform) in &mut remotes {
        let seen = server.0.view().get(remote.id);
        let at = server.0.position_at(remote.id, since_delta);
        if let (Some(seen), Some([x, y, z])) = (seen, at) {
            let mut placed = Transform::from_xyz(x, y, z);
            placed.rotate_z(f32::from(seen.record.heading) * (TAU / 256.0));
            transform.set_if_neq(placed);
        }
    }
}

/// Tells the avatar where to go, once for each way.
fn steer(mut server: NonSendMut<Server>, wish: Res<Steer>, mut known: ResMut<Known>) {
    if server.0.avatar().is_some() && known.steered != Some(*wish) && server.0.steer(wish.0).is_ok()
    {
        known.steered = Some(*wish);
    }
}

/// The rest waits for the next frame: an app that fell behind goes on drawing.
const REPORTS_PER_FRAME_MAX: usize = 256;
