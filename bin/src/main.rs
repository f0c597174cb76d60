//! The `worldshard` command. Each subcommand has a file; none knows more of the engine than users do.

mod cli;

#[cfg(feature = "wasm")]
mod build;
#[cfg(feature = "wasm")]
mod dev;
mod diff;
#[cfg(feature = "wasm")]
mod guests;
mod hook;
mod identity;
mod kept;
mod keys;
#[cfg(feature = "wasm")]
mod project;
mod replay;
mod serve;
mod tls;

#[cfg(target_os = "linux")]
mod bench;
#[cfg(target_os = "linux")]
mod cores;
#[cfg(target_os = "linux")]
mod floor;
#[cfg(target_os = "linux")]
mod hostile;
#[cfg(target_os = "linux")]
mod load;

mod doctor;
mod simulate;
mod simulated;
mod swarm;

mod apps;
mod failure;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use cli::{Cli, Command};
use failure::Failure;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = start_log(cli.log.as_deref()).and_then(|()| match &cli.command {
        Command::Serve(args) => serve::run(args),
        Command::Simulate(args) => simulate::run(args),
        Command::Replay(args) => replay::run(args),
        Command::Diff(args) => diff::run(args),
        #[cfg(target_os = "linux")]
        Command::Load(args) => load::run(args),
        #[cfg(target_os = "linux")]
        Command::Floor(args) => floor::run(args),
        #[cfg(target_os = "linux")]
        Command::Bench(args) => bench::run(args),
        #[cfg(target_os = "linux")]
        Command::Hostile(args) => hostile::run(args),
        #[cfg(feature = "wasm")]
        Command::Dev(args) => dev::run(args),
        #[cfg(feature = "wasm")]
        Command::Build(args) => build::run(args),
        Command::Doctor => doctor::run(),
        Command::Keygen(args) => keys::keygen(args),
        Command::Token(args) => keys::token(args),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("worldshard: {failure}");
            failure.exit_code()
        }
    }
}

/// Logs go to stderr: stdout is for what a command was asked for.
fn start_log(filter: Option<&str>) -> Result<(), Failure> {
    let builder = EnvFilter::builder().with_default_directive(tracing::Level::INFO.into());
    let filter = match filter {
        Some(filter) => builder.parse(filter).map_err(|error| {
            Failure::usage(format!("--log {filter}: {error}; try warn, info or debug"))
        })?,
        None => builder.from_env_lossy(),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    Ok(())
}
