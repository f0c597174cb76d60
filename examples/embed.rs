//! Runs an engine inside another program, which goes on with its own work and stops the engine when it is done.

use worldshard::prelude::*;

fn main() -> Result<()> {
    let running = App::new()
        .plugin(WebSocketPlugin::bind("127.0.0.1:0"))
        .system(Update, greet)
        .start()?;
    let address = running.local_addr().expect("it was told where to listen");
    println!("the engine listens on {address}; this program goes on");

    // … the program's own work …

    running.stop();
    running.join()
}

fn greet(cx: &mut Context) {
    for session in cx.opened() {
        cx.send(Audience::One(session), "welcome");
    }
}
