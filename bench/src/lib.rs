//! Load and measurement. Figures, and the commands that repeat them: `README.md`.

#[cfg(target_os = "linux")]
pub mod load;

#[cfg(target_os = "linux")]
pub mod clock;

#[cfg(target_os = "linux")]
mod open_files;
#[cfg(target_os = "linux")]
mod waiting;

#[cfg(target_os = "linux")]
pub mod floor;

#[cfg(target_os = "linux")]
pub mod compare;

#[cfg(target_os = "linux")]
pub mod report;

#[cfg(target_os = "linux")]
pub mod hostile;

#[cfg(target_os = "linux")]
pub mod policed;

pub mod crowd;
pub mod draws;
pub mod measured;
pub mod recording;
pub mod scenes;
pub mod talk;

pub mod stopwatch;
pub mod threads;
