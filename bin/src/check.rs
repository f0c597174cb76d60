//! `worldshard check`: whether a configuration would be taken, without serving it. Says what `serve` would say.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::config::{self, FILE, Layers, check_services, keys};
use crate::failure::Failure;
use crate::{identity, serve};

/// What to check.
#[derive(Args, Debug)]
pub(crate) struct CheckArgs {
    /// The file; without, worldshard.yaml
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    /// Print the JSON Schema of such files instead
    #[arg(long, conflicts_with_all = ["file", "keys"])]
    schema: bool,

    /// Print all keys with their ranges, defaults, flags and variables instead, as a Markdown table
    #[arg(long, conflicts_with = "file")]
    keys: bool,
}

/// Checks a file, with the environment over it, and the application that it names.
pub(crate) fn run(args: &CheckArgs) -> Result<(), Failure> {
    // Whoever does not want the answer may have closed stdout.
    let mut out = std::io::stdout();
    if args.schema {
        let schema = serde_json::to_string_pretty(&keys::schema()).expect("a schema is plain data");
        let _ = writeln!(out, "{schema}");
        return Ok(());
    }
    if args.keys {
        let _ = write!(out, "{}", keys::table());
        return Ok(());
    }
    let file = config::file(args.file.as_deref().or(Some(Path::new(FILE))));
    let layers = Layers::new(file.clone())?;
    let config = layers.read()?;
    let identity = identity::read(&config.auth)?;
    let recipe = serve::app(&config, identity, None)?.build()?;
    check_services(&config, &layers, &recipe)?;
    let file = file.unwrap_or_default();
    let _ = writeln!(out, "{}: ok", file.display());
    Ok(())
}
