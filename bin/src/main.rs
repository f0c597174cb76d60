//! The `worldshard` command. Each subcommand has a file; none knows more of the engine than users do.

mod cli;

#[cfg(feature = "wasm")]
mod build;
mod check;
mod config;
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

mod admin;
mod admin_flags;
mod logging;
mod operators;
mod top;

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

use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};

use cli::{Cli, Command};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let matches = Cli::command().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let log = logging::start(cli.log.as_deref(), cli.log_format);
    let done = log.and_then(|()| match &cli.command {
        Command::Serve(args) => serve::run(args, given(&matches)),
        Command::Check(args) => check::run(args),
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
        Command::Admin(args) => admin::run(args),
        Command::Top(args) => top::run(args),
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

/// What was given to the command itself.
fn given(matches: &ArgMatches) -> &ArgMatches {
    let (_, given) = matches.subcommand().expect("clap asks for a command");
    given
}
