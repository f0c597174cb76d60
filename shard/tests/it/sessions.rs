//! Commands, refusals, timers of viewpoints and area messages, across borders.

use bytes::Bytes;
use worldshard_protocol::ErrorCode;
use worldshard_protocol::world::ViewpointMode;
use worldshard_shard::{Acknowledgement, AreaMessage, CommandBody, Interest, Notice};
use worldshard_spatial::{IndexKind, Metric, Point};

use crate::drift::{config, recipe};
use crate::lockstep::Lockstep;

fn quiet(shards: u16) -> Lockstep {
    let mut recipe = recipe(config(Metric::Plane, IndexKind::Grid, 2), 100);
    recipe.systems.clear();
    Lockstep::new(recipe, shards)
}

#[test]
fn walker_that_crosses_borders_loses_no_input_and_keeps_its_id() {
    let mut world = quiet(8);
    let walker = world.join(
        5,
        ViewpointMode::Avatar,
        Point::flat(-99.0, -50.0),
        Interest::Radius(30.0),
        false,
    );
    world.step();
    let entity = world.clients[&walker]
        .entity
        .expect("it was born in the tick it joined");
    let (mut x, mut direction) = (-99.0f32, 4.0f32);
    let mut crossings = 0;
    let mut owner = world.clients[&walker].owner;
    for _ in 0..600 {
        if !(-99.0..=155.0).contains(&(x + direction)) {
            direction = -direction;
        }
        x += direction;
        world.command(walker, CommandBody::Move(Point::flat(x, -50.0)));
        world.step();
        let client = &world.clients[&walker];
        assert_eq!(client.entity, Some(entity));
        let told = client
            .view
            .get(entity)
            .expect("it always sees itself")
            .record;
        // An input that followed its viewpoint over a border comes one tick later, never not at all.
        assert!(
            (told.x - x).abs() <= 4.0 + f32::EPSILON,
            "told {}, moved to {x}",
            told.x
        );
        crossings += u32::from(client.owner != owner);
        owner = client.owner;
    }
    assert!(crossings > 10, "{crossings} crossings");
    world.step();
    let told = world.clients[&walker].view.get(entity).unwrap().record.x;
    assert_eq!(told, x, "every input was applied");
    assert_eq!(world.clients[&walker].view.command_sequence(), 601);
}

#[test]
fn refused_commands_name_what_was_wrong_and_change_nothing() {
    let mut world = quiet(2);
    let avatar = world.join(
        1,
        ViewpointMode::Avatar,
        Point::flat(0.0, 0.0),
        Interest::Radius(30.0),
        false,
    );
    let camera = world.join(
        2,
        ViewpointMode::Camera,
        Point::flat(0.0, 0.0),
        Interest::Radius(30.0),
        false,
    );
    world.step();
    world.notices.clear();
    let before = world.digest();
    world.command(avatar, CommandBody::Move(Point::flat(90.0, 0.0)));
    world.command(avatar, CommandBody::Look(Point::ORIGIN));
    world.command(camera, CommandBody::Steer(Point::ORIGIN));
    world.command(camera, CommandBody::Move(Point::ORIGIN));
    world.command(
        avatar,
        CommandBody::Custom {
            opcode: 99,
            payload: Bytes::new(),
        },
    );
    world.step();
    assert_eq!(world.digest(), before);
    let refusals: Vec<(ErrorCode, String)> = world
        .notices
        .iter()
        .filter_map(|(_, notice)| match notice {
            Notice::Refused { code, detail, .. } => Some((*code, detail.to_string())),
            Notice::Owner(_)
            | Notice::Joined { .. }
            | Notice::Refreshed { .. }
            | Notice::Left
            | Notice::AvatarLost(_)
            | Notice::InterestFailed(_) => None,
        })
        .collect();
    assert_eq!(refusals.len(), 5, "{refusals:?}");
    assert!(
        refusals
            .iter()
            .all(|(code, _)| *code == ErrorCode::NotAllowed)
    );
    assert!(
        refusals
            .iter()
            .any(|(_, detail)| detail.contains("5 m in one tick is the most")),
        "{refusals:?}"
    );
    assert!(
        refusals
            .iter()
            .any(|(_, detail)| detail.contains("opcode 99")),
        "{refusals:?}"
    );
}

#[test]
fn leaving_takes_the_avatar_out_of_everyones_sight() {
    let mut world = quiet(4);
    let one = world.join(
        1,
        ViewpointMode::Avatar,
        Point::flat(28.0, 28.0),
        Interest::Radius(30.0),
        false,
    );
    let other = world.join(
        2,
        ViewpointMode::Avatar,
        Point::flat(30.0, 30.0),
        Interest::Radius(30.0),
        false,
    );
    world.step();
    let entity = world.clients[&one].entity.unwrap();
    assert!(world.clients[&other].view.get(entity).is_some());
    world.command(one, CommandBody::Leave);
    world.step();
    assert!(world.clients[&other].view.get(entity).is_none());
    assert!(world.notices.contains(&(one, Notice::Left)));
    assert!(!world.entities().contains_key(&entity));
}

#[test]
fn area_message_reaches_the_viewpoints_inside_exactly_once() {
    let mut world = quiet(8);
    let sessions: Vec<_> = (0..60u64)
        .map(|n| {
            let at = Point::flat((n % 10) as f32 * 25.0 - 95.0, (n / 10) as f32 * 40.0 - 95.0);
            (
                world.join(n, ViewpointMode::Camera, at, Interest::Radius(10.0), false),
                at,
            )
        })
        .collect();
    world.step();
    let centre = Point::flat(30.0, 25.0);
    let except = sessions[33].0;
    let message = AreaMessage {
        centre,
        radius_m: 70.0,
        except: Some(except),
        order: (1, 0),
        payload: Bytes::from_static(b"boom"),
    };
    assert!(world.shards[6].say(message));
    world.step();
    world.step();
    let mut heard: Vec<_> = world.area.iter().map(|(session, _)| *session).collect();
    heard.sort_unstable();
    let mut expected: Vec<_> = sessions
        .iter()
        .filter(|(session, at)| *session != except && (*at - centre).length() <= 70.0)
        .map(|(session, _)| *session)
        .collect();
    expected.sort_unstable();
    assert!(expected.len() > 10);
    assert_eq!(heard, expected);
}

#[test]
fn acknowledgements_that_overtake_each_other_on_the_way_to_a_viewpoint_return_every_credit() {
    // They come to the shard that it goes to, or to the one that it has left, the older one last.
    for (way, late) in [(1, 0), (0, 1)] {
        let mut world = quiet(2);
        let (here, there) = (Point::flat(0.0, 0.0), Point::flat(100.0, 0.0));
        let interest = Interest::Radius(30.0);
        let camera = world.join(1, ViewpointMode::Camera, here, interest, true);
        world.clients.get_mut(&camera).unwrap().reads = false;
        world.step();
        world.step();
        assert_eq!(world.shards[0].viewer(camera).unwrap().in_flight, 2);
        world.command(camera, CommandBody::Look(there));
        let acknowledge = |world: &mut Lockstep| {
            for delta_sequence in [2, 1] {
                world.shards[way].acknowledge(Acknowledgement {
                    session: camera,
                    delta_sequence,
                });
            }
        };
        if late == 0 {
            acknowledge(&mut world);
        }
        world.step();
        if late == 1 {
            assert!(world.shards[0].viewer(camera).is_none());
            acknowledge(&mut world);
            world.step();
        }
        world.step();
        let viewer = world.shards[1].viewer(camera).unwrap();
        let since = viewer.delta_sequence - 2;
        assert!(since > 0, "nothing more was built: {viewer:?}");
        assert_eq!(viewer.in_flight, since as usize, "{viewer:?}");
    }
}

#[test]
fn a_refresh_tells_everything_anew_from_number_one_and_only_once() {
    for shards in [1, 2, 8] {
        let mut world = quiet(shards);
        let at = Point::flat(0.0, -50.0);
        let walker = world.join(5, ViewpointMode::Avatar, at, Interest::Radius(30.0), false);
        for _ in 0..3 {
            world.command(walker, CommandBody::Steer(Point::flat(1.0, 0.0)));
            world.step();
        }
        let before: Vec<_> = world.clients[&walker].view.ids().collect();
        assert!(world.clients[&walker].last_seq > 1);
        world.clients.get_mut(&walker).unwrap().last_seq = 0;
        world.notices.clear();
        world.command(walker, CommandBody::Refresh { generation: 3 });
        world.step();
        let notice = Notice::Refreshed {
            generation: 3,
            tick: world.tick,
        };
        assert!(world.notices.contains(&(walker, notice)));
        let owner = usize::from(world.clients[&walker].owner.0);
        assert_eq!(world.shards[owner].viewer(walker).unwrap().generation, 3);
        assert_eq!(world.clients[&walker].last_seq, 1);
        let delta = worldshard_protocol::read_delta(&world.clients[&walker].last_delta).unwrap();
        assert!(delta.is_full());
        let after: Vec<_> = world.clients[&walker].view.ids().collect();
        assert_eq!(before, after);
        world.command(walker, CommandBody::Steer(Point::ORIGIN));
        world.step();
        let delta = worldshard_protocol::read_delta(&world.clients[&walker].last_delta).unwrap();
        assert!(!delta.is_full());
    }
}
