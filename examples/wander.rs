//! A world of one's own: a component, a system that moves what carries it, and `ws://127.0.0.1:8080/world` to watch.

use worldshard::prelude::*;

/// Where an entity is heading, in radians.
#[derive(Clone, Component)]
struct Heading(f32);

fn main() -> Result<()> {
    App::new()
        .plugin(WebSocketPlugin::bind("127.0.0.1:8080"))
        .component::<Heading>("heading", Visibility::Replicated)
        .world(WorldConfig::default())
        .populate(1000, settle)
        .system(FixedUpdate, wander)
        .run()
}

/// Spreads the first entities over the world.
fn settle(genesis: &Genesis, entity: EntityId) -> Draft {
    let mut chance = genesis.chance(entity, "settle");
    let at = Point::flat(chance.range(0.0, 1024.0), chance.range(0.0, 1024.0));
    Draft::at(at).with(Heading(chance.range(0.0, std::f32::consts::TAU)))
}

/// Turns everything a little at random and moves it on.
fn wander(step: &mut Step) {
    let (dt, bounds) = (step.dt(), step.space().bounds);
    for (id, position, heading) in step
        .query::<(&EntityId, &mut Position, &mut Heading)>()
        .iter()
    {
        heading.0 += step.chance(*id, "turn").range(-0.3, 0.3);
        let way = Point::flat(heading.0.cos(), heading.0.sin()) * (SPEED_M_S * dt);
        position.0 = bounds.clamp(position.0 + way);
    }
}

/// How fast everything walks, in metres per second.
const SPEED_M_S: f32 = 5.0;
