//! `worldshard serve`: one application on one port, until a signal.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;

use clap::ArgMatches;
use worldshard::prelude::{App, Update, WebSocketPlugin};
use worldshard::runtime::{Recovery, one_per_core, shards_kept};
use worldshard::worlds::WorldName;
use worldshard::{Auth, MessagesPagePlugin, PagePlugin, Running, TourPagePlugin, worlds};

use crate::cli::{AppName, RuntimeName, ServeArgs};
use crate::config::outside::Admin;
use crate::config::reload::Reloading;
use crate::config::server::World;
use crate::config::{self, Config, Layers, check_services};
use crate::failure::Failure;
use crate::{apps, identity, kept};

/// Serves; returns when told to stop and all is said.
pub(crate) fn run(args: &ServeArgs, given: &ArgMatches) -> Result<(), Failure> {
    let file = config::file(args.config.as_deref());
    let layers = Layers::new(file)?.flags(args, given);
    let config = layers.read()?;
    if args.print_config {
        // Whoever does not want it may have closed stdout.
        let _ = write!(std::io::stdout(), "{}", config.yaml());
        return Ok(());
    }
    let identity = identity::read(&config.auth)?;
    let recipe = app(&config, identity, Some(args))?.build()?;
    check_services(&config, &layers, &recipe)?;
    let running = worldshard::runtime::start(&recipe);
    let running = running.map_err(|error| Failure::start(error, config.listen()))?;
    let line = ready_line(
        args,
        &config,
        layers.file.as_deref(),
        recipe.options().shards,
        &running,
    );
    let announce = |running: &Running| {
        // Whoever does not want the line may have closed stdout; the server is there for its clients.
        let mut out = std::io::stdout();
        let notes = running
            .recovery()
            .map_or(&[][..], |recovery| &recovery.notes);
        for note in notes {
            tracing::warn!(note, "while the world was opened");
        }
        let _ = writeln!(out, "{line}");
        if let Some(addr) = running.admin_addr() {
            let _ = writeln!(out, "worldshard: operators at http://{addr}/");
        }
    };
    if layers.file.is_none() {
        // A terminal that is closed takes along what runs at it. To a service it is the wish to read again what there is.
        let ended = match is_at_terminal() {
            true => running.join_or_signal_after(announce),
            false => running.join_or_signal_reloading(announce, || {
                tracing::info!("no file says anything that could be read again");
            }),
        };
        return ended.map_err(Failure::from);
    }
    let reloading = Reloading::new(layers, config, recipe, running.reloader());
    let wishes = reloading.start()?;
    let hung_up = move || {
        // Full: it is about to be read anyway.
        let _ = wishes.try_send(());
    };
    running
        .join_or_signal_reloading(announce, hung_up)
        .map_err(Failure::from)
}

fn is_at_terminal() -> bool {
    std::io::stdin().is_terminal() || std::io::stderr().is_terminal()
}

/// The application that a configuration means, or the module that a flag names, ready to be built.
pub(crate) fn app(
    config: &Config,
    identity: Option<Auth>,
    args: Option<&ServeArgs>,
) -> Result<App, Failure> {
    let is_module = args.and_then(module).is_some();
    if is_module && config.data.folder.is_some() {
        return Err(Failure::usage(
            "data.folder: only a world can be kept, not the rooms of a module",
        ));
    }
    let shards = shards(config, is_module)?;
    let admin = config.admin.as_ref().map(Admin::options).transpose()?;
    let mut app = App::new();
    app.plugin(WebSocketPlugin::bind(config.listen()))
        .shards(shards)
        .options(|options| {
            config.apply(options);
            options.shards = shards;
            options.auth = identity;
            options.data = kept::options(config);
            options.admin = admin;
        });
    if let Some(hook) = &config.hook {
        app.plugin(hook.plugin()?);
    }
    for (path, folder) in &config.server.files {
        app.files(path, folder);
    }
    #[cfg(feature = "wasm")]
    if let Some(served) = args.map(|args| args.guests.read()).transpose()?.flatten() {
        match &served.files {
            _ if has_page(config) => {}
            Some(folder) => {
                app.files("/", folder);
            }
            None => {
                app.plugin(MessagesPagePlugin);
            }
        }
        served.add(&mut app, config.world.tick_interval(), config.world.seed);
        return Ok(app);
    }
    add(&mut app, config);
    Ok(app)
}

fn has_page(config: &Config) -> bool {
    config.server.files.contains_key("/")
}

/// Adds what is served: a world, or a small application, and the page at `/` unless files are there.
fn add(app: &mut App, config: &Config) {
    let name = config.server.app;
    match name {
        AppName::World => app.plugin(world(&config.world)),
        AppName::Echo => app.system(Update, apps::echo),
        AppName::Broadcast => app.system(Update, apps::broadcast),
        AppName::Rooms => app.rooms(apps::rooms()),
        AppName::Gateway => apps::gateway(app),
        AppName::Tour => apps::tour(app),
        AppName::Space => apps::space(app),
    };
    match name {
        _ if has_page(config) => {}
        AppName::World => {
            app.plugin(PagePlugin);
        }
        AppName::Echo | AppName::Broadcast | AppName::Rooms => {
            app.plugin(MessagesPagePlugin);
        }
        AppName::Gateway => {}
        AppName::Tour | AppName::Space => {
            app.plugin(TourPagePlugin);
        }
    }
}

/// Tells where the server is and what it runs.
fn ready_line(
    args: &ServeArgs,
    config: &Config,
    file: Option<&Path>,
    shards: u16,
    running: &Running,
) -> String {
    let addr = running
        .local_addr()
        .expect("an address to listen on was given");
    let (wanted, hz) = (&config.world, config.world.tick_rate_hz.get());
    let mut runtime = running.runtime_name().to_owned();
    if config.server.runtime == RuntimeName::Auto {
        runtime = format!("{runtime}: {}", running.runtime_reason());
    }
    let fingerprint = running.certificate_fingerprint();
    let scheme = if fingerprint.is_some() {
        "https"
    } else {
        "http"
    };
    let what = match (module(args), config.server.app) {
        (Some(module), _) => format!(
            "{} at /ws/{{room}} and /ws, {shards} shards, {hz} Hz",
            module.display()
        ),
        (None, AppName::World) => format!(
            "world {}, {} entities, {shards} shards, {hz} Hz",
            WorldName::from(wanted.name),
            wanted.entities.get()
        ),
        (None, AppName::Echo) => format!("echo at /ws, {shards} shards"),
        (None, AppName::Broadcast) => format!("broadcast at /ws, {shards} shards"),
        (None, AppName::Rooms) => format!("rooms at /ws/ROOM, {shards} shards"),
        (None, AppName::Gateway) => format!("gateway at /v1/ws, {shards} shards"),
        (None, AppName::Tour | AppName::Space) => format!("examples, {shards} shards"),
    };
    let recovered = running.recovery().map(came_back);
    let certificate = fingerprint.map(|one| format!(", certificate SHA-256 {one}"));
    let file = file.map(|file| format!(", configured by {}", file.display()));
    let more: String = [recovered, certificate, file]
        .into_iter()
        .flatten()
        .collect();
    format!("worldshard: {scheme}://{addr}/  {what}, runtime {runtime}{more}")
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

fn world(wanted: &World) -> worlds::WorldSetup {
    let setup = worlds::world(wanted.name.into(), wanted.entities.get(), wanted.seed)
        .tick_interval(wanted.tick_interval());
    match wanted.interest_radius_m {
        Some(radius_m) => setup.interest_radius_m(radius_m.get() as f32),
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
fn shards(config: &Config, is_module: bool) -> Result<u16, Failure> {
    let said = u16::try_from(config.server.shards.get()).expect("its range is that of shards");
    if said > 0 {
        return Ok(said);
    }
    let folder = config.data.folder.as_deref();
    if let Some(kept) = folder.map(shards_kept).transpose()?.flatten() {
        return Ok(kept);
    }
    let is_world = config.server.app == AppName::World && !is_module;
    let least = if is_world { 2 } else { 1 };
    Ok(one_per_core().max(least))
}
