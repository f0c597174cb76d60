//! `worldshard serve`: one application on one port, until a signal.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use worldshard::prelude::{App, Update, WebSocketPlugin};
use worldshard::runtime::{Recovery, one_per_core, shards_kept};
use worldshard::{MessagesPagePlugin, PagePlugin, Running, TourPagePlugin, worlds};

use crate::apps;
use crate::cli::{AppName, RuntimeName, ServeArgs};
use crate::failure::Failure;
use crate::{kept, tls};

/// Serves; returns when told to stop and all is said.
pub(crate) fn run(args: &ServeArgs) -> Result<(), Failure> {
    if args.heartbeat_timeout <= args.heartbeat_interval {
        return Err(Failure::usage(format!(
            "--heartbeat-timeout {}: longer than --heartbeat-interval, {}, or nobody has the time to answer",
            args.heartbeat_timeout, args.heartbeat_interval
        )));
    }
    let data = kept::options(args);
    if data.is_some() && args.app != AppName::World {
        return Err(Failure::usage(
            "--data: only a world can be kept; leave it out, or take --app world",
        ));
    }
    let shards = shards(args)?;
    if args.hook.decides() && args.identity.says_whom() {
        return Err(Failure::usage(
            "--auth: with auth among --hook-events the service decides; leave one of both out",
        ));
    }
    let identity = args.identity.read()?;
    let hook = args.hook.read()?;
    let address = args.address();
    let mut app = App::new();
    app.plugin(WebSocketPlugin::bind(address.clone()))
        .shards(shards)
        .runtime(args.runtime.into())
        .coalesce(args.coalesce)
        .options(|options| {
            options.data = data;
            options.tls = tls::options(args);
            options.limits.resume_grace = args.resume_grace;
            options.limits.ping_interval = Duration::from_secs(args.heartbeat_interval.into());
            options.limits.silence_max = Duration::from_secs(args.heartbeat_timeout.into());
            identity.apply(options);
        });
    if let Some(hook) = hook {
        app.plugin(hook);
    }
    add(&mut app, args)?;
    let running = app
        .start()
        .map_err(|error| Failure::start(error, &address))?;
    let announce = |running: &Running| {
        // Whoever does not want the line may have closed stdout; the server is there for its clients.
        let mut out = std::io::stdout();
        let notes = running
            .recovery()
            .map_or(&[][..], |recovery| &recovery.notes);
        for note in notes {
            tracing::warn!(note, "while the world was opened");
        }
        let _ = writeln!(out, "{}", ready_line(args, shards, running));
    };
    running
        .join_or_signal_after(announce)
        .map_err(Failure::from)
}

/// Adds what is served: a module, a world, or a small application, and the page at `/` unless files are there.
fn add(app: &mut App, args: &ServeArgs) -> Result<(), Failure> {
    for (path, folder) in &args.files {
        app.files(path, folder);
    }
    let has_page = args.files.iter().any(|(path, _)| path == "/");
    #[cfg(feature = "wasm")]
    if let Some(served) = args.guests.read()? {
        match &served.files {
            _ if has_page => {}
            Some(folder) => {
                app.files("/", folder);
            }
            None => {
                app.plugin(MessagesPagePlugin);
            }
        }
        served.add(app, args.tick_rate.interval, args.world.seed);
        return Ok(());
    }
    match args.app {
        AppName::World => app.plugin(world(args)),
        AppName::Echo => app.system(Update, apps::echo),
        AppName::Broadcast => app.system(Update, apps::broadcast),
        AppName::Rooms => app.rooms(apps::rooms()),
        AppName::Tour => apps::tour(app),
        AppName::Space => apps::space(app),
    };
    match args.app {
        _ if has_page => {}
        AppName::World => {
            app.plugin(PagePlugin);
        }
        AppName::Echo | AppName::Broadcast | AppName::Rooms => {
            app.plugin(MessagesPagePlugin);
        }
        AppName::Tour | AppName::Space => {
            app.plugin(TourPagePlugin);
        }
    }
    Ok(())
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
    let (scheme, certificate) = match running.certificate_fingerprint() {
        None => ("http", String::new()),
        Some(fingerprint) => ("https", format!(", certificate SHA-256 {fingerprint}")),
    };
    let at = format!("worldshard: {scheme}://{addr}/ ");
    if let Some(module) = module(args) {
        let module = module.display();
        return format!(
            "{at} {module} at /ws/{{room}} and /ws, {shards} shards, {hz} Hz, runtime {runtime}{certificate}"
        );
    }
    match args.app {
        AppName::World => format!(
            "{at} world {}, {} entities, {shards} shards, {hz} Hz, runtime {runtime}{}{certificate}",
            wanted.world,
            wanted.entities,
            running.recovery().map_or(String::new(), came_back),
        ),
        AppName::Echo => {
            format!("{at} echo at /ws, {shards} shards, runtime {runtime}{certificate}")
        }
        AppName::Broadcast => {
            format!("{at} broadcast at /ws, {shards} shards, runtime {runtime}{certificate}")
        }
        AppName::Rooms => {
            format!("{at} rooms at /ws/ROOM, {shards} shards, runtime {runtime}{certificate}")
        }
        AppName::Tour | AppName::Space => {
            format!("{at} examples, {shards} shards, runtime {runtime}{certificate}")
        }
    }
}

/// How a world that was kept came back.
fn came_back(recovery: &Recovery) -> String {
    let Recovery {
        tick,
        checkpoint,
        took,
        ..
    } = recovery;
    format!(", goes on after tick {tick} (checkpoint of {checkpoint}, {took:.0?})")
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

/// The module that is served, if one is.
#[cfg(feature = "wasm")]
fn module(args: &ServeArgs) -> Option<&Path> {
    args.guests.module.as_deref()
}

#[cfg(not(feature = "wasm"))]
fn module(_: &ServeArgs) -> Option<&Path> {
    None
}

/// A world on one core has two shards, so that there is a border to see; one that is kept has as many as it had.
fn shards(args: &ServeArgs) -> Result<u16, Failure> {
    if args.shards > 0 {
        return Ok(args.shards);
    }
    let folder = args.data.data.as_deref();
    if let Some(kept) = folder.map(shards_kept).transpose()?.flatten() {
        return Ok(kept);
    }
    let is_world = args.app == AppName::World && module(args).is_none();
    let least = if is_world { 2 } else { 1 };
    Ok(one_per_core().max(least))
}
