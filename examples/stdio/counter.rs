//! Rooms at /ws/NAME whose rules are a Python program: each `increment` is counted and told to all. From the checkout's folder.

use worldshard::prelude::*;
use worldshard_stdio::Program;

fn main() -> Result<()> {
    let program = Program::new("python3").arg("examples/stdio/counter.py");
    App::new()
        .plugin(WebSocketPlugin::bind("127.0.0.1:8080"))
        .rooms(Rooms::at("/ws/{room}", program.service()))
        .run()
}
