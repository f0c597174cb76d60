//! `worldshard serve`: one application on one port, until a signal.

use std::io::Write as _;

use worldshard::prelude::{App, Update, WebSocketPlugin};
use worldshard::runtime::one_per_core;
use worldshard::{Error, MessagesPagePlugin, PagePlugin, Running, worlds};

use crate::apps;
use crate::cli::{AppName, RuntimeName, ServeArgs};
use crate::failure::Failure;

/// Serves; returns when told to stop and all is said.
pub(crate) fn run(args: &ServeArgs) -> Result<(), Failure> {
    let shards = shards(args);
    let mut app = App::new();
    app.plugin(WebSocketPlugin::bind(args.bind.clone()))
        .shards(shards)
        .runtime(args.runtime.into())
        .coalesce(args.coalesce);
    match args.app {
        AppName::World => {
            app.plugin((world(args), PagePlugin));
        }
        AppName::Echo => {
            app.plugin(MessagesPagePlugin).system(Update, apps::echo);
        }
        AppName::Broadcast => {
            app.plugin(MessagesPagePlugin)
                .system(Update, apps::broadcast);
        }
    }
    let running = app.start().map_err(|error| explained(error, args))?;
    let announce = |running: &Running| {
        // Whoever does not want the line may have closed stdout; the server is there for its clients.
        let _ = writeln!(std::io::stdout(), "{}", ready_line(args, shards, running));
    };
    running
        .join_or_signal_after(announce)
        .map_err(Failure::from)
}

/// Tells where the server is and what it runs.
fn ready_line(args: &ServeArgs, shards: u16, running: &Running) -> String {
    let addr = running
        .local_addr()
        .expect("an address to listen on was given");
    let (wanted, hz) = (&args.world, args.tick_rate.hz);
    let mut runtime = running.runtime_name().to_owned();
    if args.runtime == RuntimeName::Auto {
        runtime = format!("{runtime}: {}", running.runtime_reason());
    }
    match args.app {
        AppName::World => format!(
            "worldshard: http://{addr}/  world {}, {} entities, {shards} shards, {hz} Hz, runtime {runtime}",
            wanted.world, wanted.entities
        ),
        AppName::Echo => {
            format!("worldshard: http://{addr}/  echo at /ws, {shards} shards, runtime {runtime}")
        }
        AppName::Broadcast => format!(
            "worldshard: http://{addr}/  broadcast at /ws, {shards} shards, runtime {runtime}"
        ),
    }
}

fn world(args: &ServeArgs) -> worlds::WorldSetup {
    let wanted = &args.world;
    let setup = worlds::world(wanted.world, wanted.entities, wanted.seed)
        .tick_interval(args.tick_rate.interval);
    match args.interest_radius {
        Some(radius_m) => setup.interest_radius_m(radius_m),
        None => setup,
    }
}

/// A world on one core has two shards, so that there is a border to see.
fn shards(args: &ServeArgs) -> u16 {
    if args.shards > 0 {
        return args.shards;
    }
    let least = if args.app == AppName::World { 2 } else { 1 };
    one_per_core().max(least)
}

/// Says which flag to change when the port cannot be had.
fn explained(error: Error, args: &ServeArgs) -> Failure {
    if let Error::Io { what, source } = &error
        && what.starts_with("listening")
    {
        return Failure::bind(&args.bind, source);
    }
    error.into()
}
