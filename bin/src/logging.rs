//! The log of the process: how it is written, and how much of it. To stderr: stdout is for what a command was asked for.

use std::io::IsTerminal as _;
use std::sync::OnceLock;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;
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
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_filter_reloading();
    let control = match format {
        LogFormat::Pretty => {
            let handle = builder.reload_handle();
            builder.init();
            control(level, move |filter| handle.reload(filter))
        }
        LogFormat::Json => {
            let builder = builder.json().flatten_event(true).with_span_list(false);
            let handle = builder.reload_handle();
            builder.init();
            control(level, move |filter| handle.reload(filter))
        }
    };
    // It is begun once.
    let _ = CONTROL.set(control);
    Ok(())
}

/// A hand on the log that was begun.
pub(crate) fn hand() -> Option<LogControl> {
    CONTROL.get().cloned()
}

fn control<E: std::fmt::Display>(
    level: String,
    reload: impl Fn(EnvFilter) -> Result<(), E> + Send + Sync + 'static,
) -> LogControl {
    let now = std::sync::Arc::new(std::sync::Mutex::new(level));
    let read = std::sync::Arc::clone(&now);
    let poisoned = std::sync::PoisonError::into_inner;
    LogControl::new(
        move || read.lock().unwrap_or_else(poisoned).clone(),
        move |level| {
            let filter = parse(level)?;
            let text = filter.to_string();
            reload(filter).map_err(|error| error.to_string())?;
            *now.lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner) = text;
            Ok(())
        },
    )
}

fn parse(filter: &str) -> Result<EnvFilter, String> {
    builder().parse(filter).map_err(|error| error.to_string())
}

fn builder() -> tracing_subscriber::filter::Builder {
    EnvFilter::builder().with_default_directive(tracing::Level::INFO.into())
}

static CONTROL: OnceLock<LogControl> = OnceLock::new();
