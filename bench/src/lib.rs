//! Load and measurement. Figures, and the commands that repeat them: `README.md`.

pub mod crowd;
pub mod draws;
pub mod recording;
pub mod scenes;

pub mod stopwatch;
