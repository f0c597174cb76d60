//! A session that joins a world and leaves it again: its state comes at once, and after the leave nothing comes.

use std::time::Duration;

use worldshard::Runtime;
use worldshard::prelude::*;
use worldshard_client::{Connection, Event};
use worldshard_protocol::{InterestWish, ViewpointMode};

use crate::socket::{PATIENCE, end, on_each_runtime, serve};

/// A hundred entities in a row over all territories, all of which change in every tick.
fn restless(runtime: Runtime, shards: u16) -> App {
    let mut app = App::new();
    app.bind("127.0.0.1:0")
        .runtime(runtime)
        .shards(shards)
        .world(WorldConfig {
            tick_interval: Duration::from_millis(10),
            ..WorldConfig::default()
        })
        .populate(100, |_, entity| {
            Draft::at(Point::flat(entity.0 as f32 * 10.0, 512.0))
        })
        .system(FixedUpdate, |step: &mut Step<'_>| {
            let tick = step.tick().0;
            for appearance in step.query::<&mut Appearance>().iter() {
                appearance.heading = (tick & 0xff) as u8;
            }
        })
        .options(|options| options.limits.close_deadline = Duration::from_millis(500));
    app
}

fn join(connection: &mut Connection, x: f32) {
    let at = Some([x, 512.0, 0.0]);
    connection.join(ViewpointMode::Camera, at, InterestWish::Default);
}

fn delta(event: &Event) -> Option<u64> {
    match event {
        Event::Delta(applied) => Some(applied.tick.0),
        _ => None,
    }
}

#[test]
fn after_a_leave_nothing_comes_until_the_next_join() {
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            let (running, address) = serve(&mut restless(runtime, shards));
            let enter = |x| {
                let mut connection = Connection::enter(address, "/world", PATIENCE).unwrap();
                join(&mut connection, x);
                connection.until(PATIENCE, delta).unwrap();
                connection
            };
            // The homes take turns; where they look, they look over borders.
            let mut leaving: Vec<Connection> =
                (0..8).map(|one| enter(one as f32 * 128.0)).collect();
            let mut staying = enter(512.0);
            for one in &mut leaving {
                one.leave();
                let left = |event: &Event| match event {
                    Event::Text(text) => text.contains(r#""type":"left""#).then_some(()),
                    _ => None,
                };
                one.until(PATIENCE, left).unwrap();
            }
            // The world goes on, which the one who stays is told; who left hears of it no more.
            let first = staying.until(PATIENCE, delta).unwrap();
            while staying.until(PATIENCE, delta).unwrap() < first + TICKS {}
            for one in &mut leaving {
                // What was said before the pong would have come before it.
                one.ping(b"still there");
                let heard = one.receive(PATIENCE).unwrap();
                assert!(
                    matches!(heard, Some(Event::Pong(_))),
                    "{shards} shards: {heard:?}"
                );
            }
            // Who joins again begins with all there is.
            for (number, one) in leaving.iter_mut().enumerate() {
                join(one, number as f32 * 128.0);
                one.until(PATIENCE, delta).unwrap();
                assert!(one.view().len() > 2, "{} in sight", one.view().len());
            }
            end(running);
        }
    });
}

/// Each of them brought a delta to everyone who had joined.
const TICKS: u64 = 30;
