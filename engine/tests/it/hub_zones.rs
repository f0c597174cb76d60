//! A service that learns who goes from one zone to another, and tells everybody.

use std::time::Duration;

use worldshard::prelude::*;
use worldshard_protocol::{ClientMessage, InterestWish, ViewpointMode};

use crate::pump::Pump;

/// What `FixedUpdate` leaves for `Update`: both have the same resources.
#[derive(Default)]
struct News(Vec<Crossing>);

/// Walkers in a world of 1024 m with zones of 50 m.
pub(crate) fn town(tick_interval: Duration) -> App {
    let config = WorldConfig {
        tick_interval,
        ..WorldConfig::default()
    };
    let zones = CellGrid::new(config.bounds, 50.0, config.metric).unwrap();
    let mut app = App::new();
    app.lanes("/world")
        .raw("/ws")
        .world(config)
        .avatar(|_, at| Draft::at(at))
        .zones(move |at| Zone(zones.cell_of(at).0.into()))
        .resource(News::default)
        .system(FixedUpdate, |step: &mut Step<'_>| {
            for (position, steering) in step.query::<(&mut Position, &Steering)>().iter() {
                position.0 += steering.0 * STRIDE_M;
            }
        })
        .system(FixedUpdate, |step: &mut Step<'_>| {
            step.resource_mut::<News>().0.extend(step.crossings());
        })
        .system(Update, |cx: &mut Context<'_>| {
            let news = std::mem::take(&mut cx.resource_mut::<News>().0);
            for Crossing { entity, from, to } in news {
                cx.send(
                    Audience::All,
                    format!("{entity} from {} to {}", from.0, to.0),
                );
            }
        });
    app
}

fn say(pump: &mut Pump, session: SessionId, message: &ClientMessage<'_>) {
    let mut bytes = Vec::new();
    message.encode(None, None, &mut bytes);
    pump.binary(session, &bytes);
}

/// A walk to the right along one row of zones, from one end of the world to the other.
#[test]
fn a_service_tells_old_and_new_zone_once_per_crossing_over_any_number_of_shards() {
    for shards in [1, 2, 8] {
        let mut pump = Pump::new(&mut town(Duration::from_millis(50)), shards, 5);
        let listener = pump.open(shards - 1, "/ws");
        let walker = pump.open(0, "/world");
        let join = ClientMessage::Join {
            mode: ViewpointMode::Avatar,
            at: Some(START_M),
            interest: InterestWish::Default,
            full: false,
            acks: false,
        };
        say(&mut pump, walker, &join);
        pump.run(2);
        let direction = [1.0, 0.0, 0.0];
        say(&mut pump, walker, &ClientMessage::Steer { direction });
        pump.run(600);
        let handoffs: u64 = pump
            .hubs
            .iter()
            .map(|hub| hub.status().world.handoffs_in)
            .sum();
        assert_eq!(handoffs > 0, shards > 1);
        assert_eq!(pump.clients[&listener].texts(), news(), "{shards} shards");
    }
}

/// What is told of the first entity's walk through the row of zones at [`START_M`].
pub(crate) fn news() -> Vec<String> {
    let row = 21 * (520 / 50);
    let tell = |zone| format!("1 from {zone} to {}", zone + 1);
    (row..row + 20).map(tell).collect()
}

pub(crate) const START_M: [f32; 3] = [3.0, 520.0, 0.0];

/// How far a walker comes in a tick.
const STRIDE_M: f32 = 2.0;
