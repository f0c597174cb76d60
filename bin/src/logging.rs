//! The log of the process: how it is written, and how much of it. To stderr: stdout is for what a command was asked for.

use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use clap::ValueEnum;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, reload};
use worldshard::LogControl;

use crate::failure::Failure;

/// How lines are written.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum LogFormat {
    /// For people
    #[default]
    Pretty,
    /// One JSON object a line: timestamp, level, target, and the fields
    Json,
}

/// Begins to log what `filter` lets through; without one the environment decides, without that it is info.
pub(crate) fn start(filter: Option<&str>, format: LogFormat) -> Result<(), Failure> {
    let filter = match filter {
        Some(filter) => parse(filter).map_err(|error| {
            Failure::usage(format!("--log {filter}: {error}; try warn, info or debug"))
        })?,
        None => builder().from_env_lossy(),
    };
    let level = filter.to_string();
    let (filter, handle) = reload::Layer::new(filter);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let log = tracing_subscriber::registry().with(filter);
    match format {
        LogFormat::Pretty => log.with(lines).init(),
        LogFormat::Json => {
            let lines = lines.json().flatten_event(true).with_span_list(false);
            log.with(lines).init();
        }
    }
    // It is begun once.
    let _ = CONTROL.set(control(level, handle));
    Ok(())
}

/// A hand on the log that was begun.
pub(crate) fn hand() -> Option<LogControl> {
    CONTROL.get().cloned()
}

fn control(level: String, handle: reload::Handle<EnvFilter, Registry>) -> LogControl {
    let now = Arc::new(Mutex::new(level));
    let read = Arc::clone(&now);
    LogControl::new(
        move || read.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        move |level| {
            let filter = parse(level)?;
            let text = filter.to_string();
            handle.reload(filter).map_err(|error| error.to_string())?;
            *now.lock().unwrap_or_else(PoisonError::into_inner) = text;
            Ok(())
        },
    )
}

/// A word alone is a level. As the name of a target, which a filter could have too, a slip would silence all others.
fn parse(filter: &str) -> Result<EnvFilter, String> {
    for part in filter.split(',').map(str::trim) {
        let is_word = !part.is_empty() && !part.contains(['=', '[', '/']);
        if is_word && part.parse::<LevelFilter>().is_err() {
            return Err(format!(
                "{part:?} is no level; what is of a target is said as {part}=debug"
            ));
        }
    }
    builder().parse(filter).map_err(|error| error.to_string())
}

fn builder() -> tracing_subscriber::filter::Builder {
    EnvFilter::builder().with_default_directive(tracing::Level::INFO.into())
}

static CONTROL: OnceLock<LogControl> = OnceLock::new();
