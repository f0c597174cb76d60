//! Why a world on disk is not opened: always with the file, what is wrong with it, and what can be done.

use std::{fmt, io};

use worldshard_protocol::Tick;
use worldshard_shard::RestoreError;
use worldshard_spatial::ShardId;

/// Why a world is not opened, or not kept.
#[derive(Debug)]
pub enum DurableError {
    /// The system refuses something.
    Io {
        /// What was attempted.
        what: String,
        /// Its answer.
        source: io::Error,
    },
    /// There is no world.
    Empty,
    /// The manifest is of another world, or cannot be read.
    Manifest {
        /// What differs.
        what: String,
        /// As it was written.
        found: String,
        /// As it is now.
        expected: String,
    },
    /// No generation is whole; each with the reason.
    NoneWhole(Vec<String>),
    /// A checkpoint is whole and cannot be taken by this application.
    Refused {
        /// The file.
        file: String,
        /// Why.
        source: RestoreError,
    },
    /// The journal breaks off before its end: what was told to clients would be lost.
    Broken {
        /// The last tick that can be had.
        reach: Tick,
        /// What is wrong, and where.
        what: String,
    },
    /// A tick was asked for that is not kept.
    NotKept {
        /// Which.
        tick: Tick,
        /// The first that is.
        first: Tick,
        /// The last that is.
        last: Tick,
    },
    /// A tick that is to be done again panics.
    Panicked {
        /// Which.
        tick: Tick,
        /// Where.
        shard: ShardId,
        /// The system that ran.
        system: Option<&'static str>,
        /// What it said.
        text: String,
    },
}

impl fmt::Display for DurableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { what, source } => write!(f, "{what}: {source}"),
            Self::Empty => f.write_str("there is no world in it"),
            Self::Manifest {
                what,
                found,
                expected,
            } => write!(
                f,
                "world.json: {what} is {found}, and {expected} was asked for: ask for the same, or name another folder"
            ),
            Self::NoneWhole(reasons) => write!(
                f,
                "no checkpoint is whole, and a world is not begun anew where one was: {}",
                reasons.join("; ")
            ),
            Self::Refused { file, source } => write!(f, "{file}: {source}"),
            Self::Broken { reach, what } => write!(
                f,
                "{what}; the world can be had as it was after tick {reach}, and what clients were told later is lost: \
                 --accept-loss opens it so"
            ),
            Self::NotKept { tick, first, last } => {
                write!(f, "tick {tick} is not kept: {first} to {last} are")
            }
            Self::Panicked {
                tick,
                shard,
                system,
                text,
            } => {
                write!(f, "tick {tick} cannot be done again: shard {shard} panics")?;
                if let Some(system) = system {
                    write!(f, " in the system {system}")?;
                }
                write!(f, ": {text}; all that was kept is still there")
            }
        }
    }
}

impl std::error::Error for DurableError {}
