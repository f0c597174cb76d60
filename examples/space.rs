//! Places in space at `ws://127.0.0.1:8080/ws`: after `/move 30 0 40` one is told of everybody who is at most 100 away.

use worldshard::prelude::*;
use worldshard_plugins::SpatialPlugin;

fn main() -> Result<()> {
    App::new()
        .plugin(WebSocketPlugin::bind("127.0.0.1:8080"))
        .plugin(SpatialPlugin::in_3d().radius(100.0))
        .run()
}
