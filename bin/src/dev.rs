//! `worldshard dev`: serves a project while it is written. What is new takes the place of what runs, under sessions that stay.

mod watch;

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use worldshard::prelude::{App, WebSocketPlugin};
use worldshard::runtime::busy;
use worldshard::{MessagesPagePlugin, Running};
use worldshard_wasm::{EPOCH, Guests, Host, Limits, Module};

use crate::cli::RuntimeName;
use crate::failure::Failure;
use crate::guests::{self, Served};
use crate::project::Project;
use watch::Watch;

#[derive(Args, Debug)]
pub(crate) struct DevArgs {
    /// The port of 127.0.0.1 to listen on; 0 takes any free one
    #[arg(value_name = "PORT", default_value_t = 8080)]
    port: u16,

    /// The project's folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    project: PathBuf,

    /// Shards, each with a thread of its own
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    shards: u16,

    /// What drives the threads: glommio needs io_uring; auto takes it where it is allowed
    #[arg(long, value_enum, default_value_t = RuntimeName::Auto)]
    runtime: RuntimeName,
}

/// Builds, serves, and watches; returns when told to stop.
pub(crate) fn run(args: &DevArgs) -> Result<(), Failure> {
    let project = Project::read(&args.project)?;
    let watch = Watch::new(&project);
    let host = Host::counting(Limits::default(), EPOCH, busy)
        .map_err(|error| Failure::runtime(error.to_string()))?;
    let mut guests = Guests::new(build(&project, &host)?);
    if let Some(file) = &project.file.service.config {
        guests = guests.config(guests::config(&project.folder.join(file))?);
    }
    let address = format!("127.0.0.1:{}", args.port);
    let mut app = App::new();
    app.plugin(WebSocketPlugin::bind(address.clone()))
        .shards(args.shards)
        .runtime(args.runtime.into());
    Served::of_project(guests.clone()).add(&mut app, TICK_INTERVAL, 0);
    project.build_client()?;
    if let Some(client) = &project.file.client {
        app.files("/client", project.folder.join(&client.folder));
    }
    match &project.file.files {
        Some(files) => app.files("/", project.folder.join(&files.folder)),
        None => app.plugin(MessagesPagePlugin),
    };
    let running = app
        .start()
        .map_err(|error| Failure::start(error, &address))?;
    let watching = std::thread::Builder::new().name("watch".to_owned());
    watching
        .spawn(move || follow(&project, &host, &guests, watch))
        .map_err(|error| Failure::runtime(format!("no thread watches files: {error}")))?;
    let announce = |running: &Running| {
        let addr = running
            .local_addr()
            .expect("an address to listen on was given");
        // Whoever does not want the line may have closed stdout.
        let _ = writeln!(
            std::io::stdout(),
            "worldshard: http://{addr}/  {} at /ws/{{room}} and /ws, built again when a file changes",
            args.project.display()
        );
    };
    running
        .join_or_signal_after(announce)
        .map_err(Failure::from)
}

/// Builds again whenever something changed, for as long as the process is there. What does not build or cannot be served
/// leaves what runs as it is.
fn follow(project: &Project, host: &Host, guests: &Guests, mut watch: Watch) {
    loop {
        std::thread::park_timeout(LOOK_EVERY);
        if !watch.changed() {
            continue;
        }
        match build(project, host) {
            Ok(module) => {
                guests.replace(module);
                tracing::info!("built again: rooms go on with the new module");
            }
            Err(failure) => {
                let cause = failure.to_string();
                tracing::error!(cause, "not built: rooms go on with the module of before");
            }
        }
    }
}

fn build(project: &Project, host: &Host) -> Result<Module, Failure> {
    project.build_service()?;
    guests::module(host, &project.module())
}

/// Twenty ticks a second, as everywhere.
const TICK_INTERVAL: Duration = Duration::from_millis(50);

/// How often files are looked at: soon enough for who saves one, and little for the machine.
const LOOK_EVERY: Duration = Duration::from_millis(300);
