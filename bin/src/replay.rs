//! `worldshard replay`: any kept tick of a world, as a digest or to look at.

use std::io::Write as _;

use worldshard::prelude::{App, Tick, WebSocketPlugin};
use worldshard::runtime::start_from;
use worldshard::{PagePlugin, Running};

use crate::cli::ReplayArgs;
use crate::failure::Failure;
use crate::kept;

/// Goes to the tick; serves it, if asked to, until told to stop.
pub(crate) fn run(args: &ReplayArgs) -> Result<(), Failure> {
    let (recording, _) = kept::recording(&args.data)?;
    let replay = recording.at(args.to.map(Tick))?;
    let entities: usize = replay
        .shards()
        .iter()
        .map(|shard| shard.world().len())
        .sum();
    let (tick, shards) = (replay.tick(), replay.shards().len());
    // A reader that has gone wants nothing more.
    let mut out = std::io::stdout();
    let _ = writeln!(
        out,
        "tick {tick}: {entities} entities on {shards} shards, digest {:032x}",
        replay.digest()
    );
    if !args.serve {
        return Ok(());
    }
    let mut applied = Ok(());
    let mut app = App::new();
    app.plugin(WebSocketPlugin::bind(args.bind.clone()))
        .plugin((kept::setup(&args.data)?, PagePlugin))
        .still()
        .options(|options| applied = args.identity.apply(options));
    applied?;
    let running = start_from(&app.build()?, replay);
    let running = running.map_err(|error| Failure::start(error, &args.bind))?;
    let announce = |running: &Running| {
        let addr = running
            .local_addr()
            .expect("an address to listen on was given");
        let _ = writeln!(
            out,
            "worldshard: http://{addr}/  as it was after tick {tick}, to look at with a camera"
        );
    };
    running
        .join_or_signal_after(announce)
        .map_err(Failure::from)
}
